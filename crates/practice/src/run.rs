//! A stand-alone practice Vault: listens, sets itself up, serves until it is told to stop.
//! For the command line and for tests over sockets; it prints nothing, the caller does.
//! Loopback only, unless the caller names another address on purpose.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::admin::AdminError;
use crate::faults::{Scene, Schedule};
use crate::furnish::{Furnished, furnish};
use crate::options::{Options, Product, Scheme};
use crate::practice::Practice;
use crate::server::{IdentityError, ServerIdentity, serve};

/// How a stand-alone practice Vault is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether it speaks TLS.
    pub scheme: Scheme,
    /// More host names for its certificate.
    pub host_names: Vec<String>,
    /// The root token.
    pub root_token: Zeroizing<String>,
    /// Whose texts are spoken.
    pub product: Product,
    /// Where all chance comes from.
    pub seed: u64,
    /// Whether it is set up as an issuer, and with which names.
    pub furnished: Option<Scene>,
    /// What shall go wrong, and when.
    pub schedule: Option<Schedule>,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8200)),
            scheme: Scheme::Http,
            host_names: Vec::new(),
            root_token: Zeroizing::new("root".to_owned()),
            product: Product::Vault,
            seed: 0,
            furnished: Some(Scene::default()),
            schedule: None,
        }
    }
}

/// A practice Vault could not be started, or its listener failed.
#[derive(Debug, Error)]
pub enum RunError {
    /// The address can't be listened on, or accepting failed.
    #[error("listening on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The server's certificate could not be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The set-up was refused.
    #[error("setting up: {0}")]
    Furnish(#[from] AdminError),
}

/// A practice Vault that runs. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// The node, for everything that is done by hand.
    pub practice: Practice,
    /// Its address, as clients are configured with it.
    pub url: String,
    /// The CA that clients must trust, if it speaks TLS.
    pub ca_pem: Option<String>,
    /// The credentials, if it was set up.
    pub furnished: Option<Furnished>,
    listen: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

/// Starts a practice Vault and gives it back when it listens.
pub async fn start(options: RunOptions) -> Result<Running, RunError> {
    let failed = |source| RunError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
    let listen = listener.local_addr().map_err(failed)?;
    let practice = Practice::new(Options {
        product: options.product,
        address: listen,
        scheme: options.scheme,
        ..Options::new(options.root_token.as_str(), options.seed)
    });
    let furnished = match &options.furnished {
        Some(scene) => Some(furnish(&practice, scene)?),
        None => None,
    };
    let names: Vec<&str> = options.host_names.iter().map(String::as_str).collect();
    let identity = match options.scheme {
        Scheme::Http => None,
        Scheme::Https => Some(ServerIdentity::new(&practice, &names)?),
    };
    let ca_pem = identity.as_ref().map(|identity| identity.ca_pem().to_owned());
    if let Some(schedule) = &options.schedule {
        practice.follow(schedule);
    }
    let (stop, stopped) = oneshot::channel();
    let stopped = async {
        // A dropped sender stops the server as well.
        let _: Result<(), _> = stopped.await;
    };
    let task = tokio::spawn(serve(practice.clone(), listener, identity, stopped));
    let url = practice.address();
    Ok(Running { practice, url, ca_pem, furnished, listen, stop: Some(stop), task })
}

/// Runs a practice Vault until `stop` is done; `started` is called once it listens.
pub async fn run(
    options: RunOptions,
    started: impl FnOnce(&Running),
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let running = start(options).await?;
    started(&running);
    stop.await;
    running.stop().await
}

impl Running {
    /// Stops serving: the port is closed and open connections end.
    pub async fn stop(mut self) -> Result<(), RunError> {
        if let Some(stop) = self.stop.take() {
            // The server may have ended by itself; its own error is told below.
            let _: Result<(), ()> = stop.send(());
        }
        let ended = (&mut self.task).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        ended.map_err(|source| RunError::Listen { address: self.listen, source })
    }
}
