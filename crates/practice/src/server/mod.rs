//! A practice Vault on a socket: plain HTTP or TLS, HTTP/1.1 and HTTP/2, on loopback.
//! Faults below HTTP become real here: closed ports, resets, silence, broken bodies, foreign certificates.
//! It must not be used with a paused clock: real sockets and virtual time don't mix (rust-ecosystem 2.2).

mod connection;
mod identity;
mod socket;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use identity::{IdentityError, ServerIdentity};

use crate::practice::Practice;

/// How often a port that can't be bound again is tried.
const REBIND_EVERY: Duration = Duration::from_millis(20);
/// The most connections at a time: more are closed at once.
const MOST_CONNECTIONS: usize = 4_096;

/// Serves a node on a listener until `stop` is done. With an identity it speaks TLS.
///
/// While the node refuses connections the port is closed; afterwards it is opened again.
pub async fn serve(
    practice: Practice,
    listener: TcpListener,
    identity: Option<ServerIdentity>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let acceptor = match identity {
        Some(identity) => Some(identity.acceptor(&practice).map_err(io::Error::other)?),
        None => None,
    };
    let mut stop = pin!(stop);
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let mut changed = pin!(practice.changes());
        changed.as_mut().enable();
        let refuses = practice.refuses_connections();
        let until = practice.next_change();
        match &listener {
            Some(_) if refuses => {
                listener = None;
                connections.shutdown().await;
            }
            Some(open) => {
                tokio::select! {
                    biased;
                    () = &mut stop => break,
                    accepted = open.accept() => take_in(&practice, accepted?, acceptor.as_ref(), &mut connections),
                    () = practice.wait(changed, until) => {}
                    Some(_) = connections.join_next() => {}
                }
            }
            None if refuses => {
                tokio::select! {
                    biased;
                    () = &mut stop => break,
                    () = practice.wait(changed, until) => {}
                }
            }
            None => listener = bind_again(address).await,
        }
    }
    connections.shutdown().await;
    Ok(())
}

fn take_in(
    practice: &Practice,
    (stream, peer): (TcpStream, SocketAddr),
    acceptor: Option<&TlsAcceptor>,
    connections: &mut JoinSet<()>,
) {
    if connections.len() >= MOST_CONNECTIONS {
        tracing::warn!(limit = MOST_CONNECTIONS, "too many connections");
        return;
    }
    let (practice, acceptor) = (practice.connect(), acceptor.cloned());
    connections.spawn(connection::drive(practice, stream, peer, acceptor.map(Arc::new)));
}

async fn bind_again(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%error, %address, "port not free yet");
            tokio::time::sleep(REBIND_EVERY).await;
            None
        }
    }
}
