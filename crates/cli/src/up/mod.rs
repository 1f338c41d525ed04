//! `everleaf up`: the controller and its own API in one process, for hosts without a cluster.
//! The operator is the same as on a cluster and doesn't know where it runs; everything that is particular to a host is put together here.

mod callers;
pub(crate) mod flags;
mod home;
mod identity;
mod kubeconfig;
mod manifests;
mod notify;
mod serve;
mod token;
mod work;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use everleaf_apiserver::store::Redb;
use everleaf_apiserver::{Builder, Door, Identity as User, Server, Token};
use everleaf_core::retry::Cadence;
use everleaf_host::deliver;
use everleaf_operator::clock::Clock;
use everleaf_operator::context::{Behaviour, CopiedAnnotations};
use everleaf_operator::controllers::Controllers;
use everleaf_operator::run::{Operator, Parts};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::controller::{logs, on_signal};
use flags::{Flags, Meaning};
use home::Home;
use identity::{Identity, Renewed};
use manifests::{Applier, Manifests, Round};
use work::Part;

/// Whose the token in the kubeconfig is.
const ADMIN: &str = "everleaf-admin";
/// How our own clients call themselves.
const USER_AGENT: &str = concat!("everleaf/", env!("CARGO_PKG_VERSION"));
/// The namespace of clients that name none.
const NAMESPACE: &str = "default";
/// How often we look whether the first lists are complete.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs until it is told to stop.
pub(crate) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let meaning = Meaning::of(flags)?;
    logs::start(&meaning.logs)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if meaning.check {
        return runtime.block_on(check(meaning));
    }
    // The lock comes first: nothing of a running instance is touched by a second one.
    let home = Home::open(&meaning.dir)?;
    let code = runtime.block_on(up(meaning, &home));
    // Work on other threads that hangs (a name look-up) must not keep the process.
    runtime.shutdown_background();
    code
}

/// Applies the manifests to an API that forgets, and says what is wrong.
async fn check(meaning: Meaning) -> anyhow::Result<ExitCode> {
    let server = builder()?.build()?;
    let applier = Applier::new(client(&server)).await?;
    let Round { objects, faults } = Manifests::new(meaning.manifests, None).round(&applier).await;
    if faults.is_empty() {
        info!(objects, "the manifests are good");
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{} faults in the manifests", faults.len());
}

/// An API with our kinds.
fn builder() -> anyhow::Result<Builder> {
    let mut builder = Server::builder();
    for definition in everleaf_api::crds::all() {
        builder = builder.crd(serde_json::to_value(definition)?);
    }
    Ok(builder)
}

async fn up(meaning: Meaning, home: &Home) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(meaning.listen)
        .await
        .with_context(|| format!("--listen: can't listen on {}", meaning.listen))?;
    let address = listener.local_addr()?;
    let callers = meaning.client_ca_file.as_deref().map(callers::verifier).transpose()?;
    let store = home.store()?;
    let server = tokio::task::spawn_blocking(move || -> anyhow::Result<Server> {
        Ok(builder()?.store(Redb::open(store)?).build()?)
    });
    let server = server.await??;
    let mut identity = Identity::open(home, Timestamp::now()).await?;
    let token = token::open(home)?;
    kubeconfig::write(home, address, &identity.ca_pem(), &token)?;

    let stop = CancellationToken::new();
    tokio::spawn(on_signal(stop.clone()));
    let mut hang_ups = signal(SignalKind::hangup())?;
    let client = client(&server);
    let mut manifests = Manifests::new(meaning.manifests.clone(), Some(home.applied()));
    let applier = Applier::new(client.clone()).await.context("the API doesn't say what it serves")?;
    let first = manifests.round(&applier).await;

    let door = server.behind(Door::Guarded(Arc::new([Token::new(token.as_str(), User::admin(ADMIN))])));
    let acceptor = serve::acceptor(identity.shown(), callers)?;
    let operator = operator(&meaning, client.clone())?;
    let health = operator.health.clone();
    // In the order in which they end: the operator finishes its writes, files are finished, then the API goes.
    let mut parts = Vec::new();
    let context = Arc::clone(&operator.context);
    parts.push(Part::start("the operator", |end| async move {
        operator.run(end).await;
    }));
    let of_delivery =
        everleaf_host::Parts { client, now: Arc::new(Timestamp::now), records: home.deliveries() };
    parts.push(Part::start("the delivery of files", |end| deliver(of_delivery, end)));
    parts.push(Part::start("the API", |end| serve::serve(listener, door, acceptor, end)));
    if let Some(address) = meaning.metrics {
        parts.push(Part::start("the metrics server", |end| async move {
            if let Err(error) = everleaf_operator::serve::metrics(address, context, end).await {
                warn!(%error, "the metrics server could not be kept");
            }
        }));
    }

    ready(&health, &stop).await;
    if !stop.is_cancelled() {
        tell_ready(home, address, &first);
    }
    let shared = Shared { home, address, token: &token };
    let ended = tokio::select! {
        () = stop.cancelled() => None,
        ended = work::first_end(&parts) => Some(ended),
        () = keep(&mut manifests, &applier, &mut identity, &mut hang_ups, &shared) => None,
    };
    notify::tell(notify::STOPPING);
    for part in &parts {
        part.stop().await;
    }
    match ended {
        None => Ok(ExitCode::SUCCESS),
        Some(who) => bail!("{who} ended by itself"),
    }
}

/// A client in this process. It gives its name, from which the API tells who changed what.
fn client(server: &Server) -> kube::Client {
    let named = server.clone().map_request(|mut request: http::Request<kube::client::Body>| {
        request.headers_mut().insert(http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT));
        request
    });
    kube::Client::new(named, NAMESPACE)
}

fn operator(meaning: &Meaning, client: kube::Client) -> anyhow::Result<Operator> {
    // Ours say where things lie on this host; a CA need not be told.
    let copied = ["*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/", "-everleaf.dev/"];
    Ok(Operator::new(Parts {
        client,
        clock: Clock::system(),
        keys: everleaf_issuers::keys::KeySource::default(),
        common: everleaf_issuers::Common::default(),
        behaviour: Behaviour {
            controllers: Controllers::default(),
            cadence: Cadence::BoundByLife,
            owner_references: false,
            copied_annotations: CopiedAnnotations::new(copied.map(str::to_owned).to_vec()),
            cluster_resource_namespace: meaning.cluster_resource_namespace.clone(),
            namespace: String::new(),
            workers: meaning.workers,
        },
        // One instance to a folder: the lock stands for the lease.
        election: None,
    })?)
}

/// Waits until the operator's first lists are complete.
async fn ready(health: &everleaf_operator::serve::Health, stop: &CancellationToken) {
    while !health.synced.load(Ordering::Relaxed) && !stop.is_cancelled() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn tell_ready(home: &Home, address: std::net::SocketAddr, first: &Round) {
    let kubeconfig = home.kubeconfig();
    info!(api = %format!("https://{address}"), kubeconfig = %kubeconfig.display(), objects = first.objects, "up");
    notify::tell(&format!("{}\n{}", notify::READY, status(first)));
    use std::io::IsTerminal as _;
    if std::io::stderr().is_terminal() {
        crate::tell(&format!("\n  export KUBECONFIG={}\n  kubectl get certificates\n", kubeconfig.display()));
    }
}

fn status(round: &Round) -> String {
    match round.faults.len() {
        0 => format!("STATUS=Up, {} objects from manifests", round.objects),
        faults => {
            format!("STATUS=Up, {} objects from manifests, {faults} faults (see the log)", round.objects)
        }
    }
}

/// What `keep` needs to write a kubeconfig anew.
struct Shared<'a> {
    home: &'a Home,
    address: std::net::SocketAddr,
    token: &'a Zeroizing<String>,
}

/// Keeps manifests and the API's own certificate up to date, for ever.
async fn keep(
    manifests: &mut Manifests,
    applier: &Applier,
    identity: &mut Identity,
    hang_ups: &mut Signal,
    shared: &Shared<'_>,
) {
    let mut files = tokio::time::interval(manifests::LOOK_EVERY);
    let mut certificates = tokio::time::interval(identity::LOOK_EVERY);
    loop {
        let is_due = tokio::select! {
            _ = hang_ups.recv() => {
                info!("told to read the manifests again");
                true
            }
            _ = files.tick() => manifests.is_due(),
            _ = certificates.tick() => {
                renew(identity, shared).await;
                false
            }
        };
        if is_due {
            let round = manifests.round(applier).await;
            info!(objects = round.objects, faults = round.faults.len(), "manifests read again");
            notify::tell(&status(&round));
        }
    }
}

async fn renew(identity: &mut Identity, shared: &Shared<'_>) {
    let renewed = match identity.look(shared.home, Timestamp::now()).await {
        Ok(Renewed::Ca) => kubeconfig::write(shared.home, shared.address, &identity.ca_pem(), shared.token)
            .map_err(anyhow::Error::from),
        Ok(Renewed::Server | Renewed::Nothing) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = renewed {
        warn!(error = %format!("{error:#}"), "the API's own certificate could not be renewed");
    }
}
