//! `everleaf controller`: from flags to a running operator.

pub(crate) mod flags;
pub(crate) mod logs;
pub(crate) mod meaning;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use everleaf_operator::clock::Clock;
use everleaf_operator::run::{Ended, Operator, Parts};
use everleaf_operator::serve;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use flags::Flags;
use meaning::Meaning;

/// Pages of a list, and answers to writes, may take this long.
const READ_TIMEOUT: Duration = Duration::from_secs(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the controller until it is told to stop.
pub(crate) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let meaning = Meaning::of(flags)?;
    logs::start(&meaning.logs)?;
    for warning in &meaning.warnings {
        warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(operate(meaning))
}

async fn operate(meaning: Meaning) -> anyhow::Result<ExitCode> {
    let client = client(&meaning).await?;
    // Beside cert-manager its webhook guards, and with rights in one namespace only nobody can look.
    let is_alone = meaning.behaviour.controllers.certificates() && meaning.behaviour.namespace.is_empty();
    let operator = Operator::new(Parts {
        client: client.clone(),
        clock: Clock::system(),
        keys: everleaf_issuers::keys::KeySource::default(),
        common: everleaf_issuers::Common { ambient: meaning.ambient, ..Default::default() },
        behaviour: meaning.behaviour,
        election: meaning.election,
    })?;
    if is_alone {
        tokio::spawn(crate::guard::warn_if_open(client.clone()));
    }
    let stop = CancellationToken::new();
    tokio::spawn(on_signal(stop.clone()));
    let servers_stop = CancellationToken::new();
    let mut servers = tokio::task::JoinSet::<anyhow::Result<()>>::new();
    if let Some(address) = meaning.metrics {
        let server = serve::metrics(address, Arc::clone(&operator.context), servers_stop.clone());
        servers.spawn(async { Ok(server.await?) });
    }
    if let Some(address) = meaning.health {
        let server = serve::health(address, operator.health.clone(), servers_stop.clone());
        servers.spawn(async { Ok(server.await?) });
    }
    if let Some((address, names)) = meaning.webhook {
        crate::webhook::start(&mut servers, client, address, names, &servers_stop).await?;
    }
    let ended = tokio::select! {
        ended = operator.run(stop) => ended,
        Some(server) = servers.join_next(), if !servers.is_empty() => {
            server.context("a server task broke")?.context("a server could not be kept")?;
            anyhow::bail!("a server ended by itself");
        }
    };
    servers_stop.cancel();
    match ended {
        Ended::Stopped => Ok(ExitCode::SUCCESS),
        Ended::LostLease => {
            tracing::error!("the lease was lost, so this process ends");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn client(meaning: &Meaning) -> anyhow::Result<kube::Client> {
    let mut config = match &meaning.kubeconfig {
        Some(path) => {
            let kubeconfig =
                Kubeconfig::read_from(path).with_context(|| format!("can't read {}", path.display()))?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?
        }
        None => kube::Config::infer()
            .await
            .context("no cluster found: neither --kubeconfig nor an in-cluster account")?,
    };
    if let Some(server) = &meaning.server {
        config.cluster_url =
            server.parse().with_context(|| format!("--master: \"{server}\" is not a URL"))?;
    }
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    Ok(kube::Client::try_from(config)?)
}

/// SIGINT and SIGTERM ask for a graceful stop; a second one ends the process as usual.
pub(crate) async fn on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    info!("stopping: work in flight is finished first");
    stop.cancel();
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    std::process::exit(130);
}
