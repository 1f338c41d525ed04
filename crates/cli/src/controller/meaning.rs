//! What the controller's flags mean. Everything that can be wrong with them is told here, before anything starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use everleaf_api::GoDuration;
use everleaf_core::retry::Cadence;
use everleaf_issuers::Ambient;
use everleaf_operator::context::{Behaviour, CopiedAnnotations};
use everleaf_operator::controllers::Controllers;
use everleaf_operator::leader::Election;
use everleaf_webhook::Names;

use super::flags::Flags;
use super::logs::Logs;

/// The peer's Lease: sharing it is what keeps a rolling swap from having two writers.
const LEASE: &str = "cert-manager-controller";

/// The meaning of the flags.
pub(crate) struct Meaning {
    pub kubeconfig: Option<PathBuf>,
    pub server: Option<String>,
    pub behaviour: Behaviour,
    pub ambient: Ambient,
    pub election: Option<Election>,
    pub metrics: Option<SocketAddr>,
    pub health: Option<SocketAddr>,
    pub webhook: Option<(SocketAddr, Names)>,
    pub logs: Logs,
    pub warnings: Vec<String>,
}

impl Meaning {
    /// Works the meaning out, or says which flag is wrong and why.
    pub(crate) fn of(flags: Flags) -> anyhow::Result<Meaning> {
        let controllers = Controllers::parse(&flags.controllers)?;
        let election = if flags.leader_elect { Some(election(&flags, &controllers)?) } else { None };
        let warnings = flags
            .without_meaning
            .given()
            .into_iter()
            .map(|flag| format!("{flag} has no meaning here and is ignored"))
            .collect();
        anyhow::ensure!(flags.concurrent_workers > 0, "--concurrent-workers must be at least 1");
        Ok(Meaning {
            ambient: Ambient {
                issuers: flags.issuer_ambient_credentials,
                cluster_issuers: flags.cluster_issuer_ambient_credentials,
                ..Ambient::default()
            },
            behaviour: Behaviour {
                controllers,
                cadence: cadence(&flags)?,
                owner_references: flags.enable_certificate_owner_ref,
                copied_annotations: copied(flags.copied_annotation_prefixes),
                cluster_resource_namespace: flags.cluster_resource_namespace,
                namespace: flags.namespace,
                workers: flags.concurrent_workers,
            },
            election,
            metrics: address("--metrics-listen-address", &flags.metrics_listen_address)?,
            health: address("--internal-healthz-listen-address", &flags.internal_healthz_listen_address)?,
            webhook: address("--webhook-listen-address", &flags.webhook_listen_address)?
                .map(|address| (address, flags.webhook_certificate.names())),
            logs: Logs { format: flags.logging_format, verbosity: flags.v },
            kubeconfig: flags.kubeconfig,
            server: flags.master,
            warnings,
        })
    }
}

fn copied(prefixes: Vec<String>) -> CopiedAnnotations {
    if prefixes.is_empty() { CopiedAnnotations::default() } else { CopiedAnnotations::new(prefixes) }
}

fn election(flags: &Flags, controllers: &Controllers) -> anyhow::Result<Election> {
    // Beside cert-manager, signing for one issuer type only, it must not fight over cert-manager's own Lease.
    let beside = !controllers.certificates() && !controllers.approver();
    let default = if beside { "everleaf-controller" } else { LEASE };
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let election = Election {
        namespace: flags.leader_election_namespace.clone(),
        name: flags.leader_election_name.clone().unwrap_or_else(|| default.to_owned()),
        identity: format!("{}-{}-everleaf", hostname.trim(), std::process::id()),
        lease_duration: duration("--leader-election-lease-duration", &flags.leader_election_lease_duration)?,
        renew_deadline: duration("--leader-election-renew-deadline", &flags.leader_election_renew_deadline)?,
        retry_period: duration("--leader-election-retry-period", &flags.leader_election_retry_period)?,
    };
    election.validate()?;
    Ok(election)
}

fn cadence(flags: &Flags) -> anyhow::Result<Cadence> {
    let minimum = flags.certificate_request_minimum_backoff_duration.as_deref();
    let maximum = flags.certificate_request_maximum_backoff_duration.as_deref();
    let (Some(minimum), Some(maximum)) = (minimum, maximum) else { return Ok(Cadence::BoundByLife) };
    let minimum = duration("--certificate-request-minimum-backoff-duration", minimum)?;
    let maximum = duration("--certificate-request-maximum-backoff-duration", maximum)?;
    anyhow::ensure!(
        maximum >= minimum,
        "--certificate-request-maximum-backoff-duration must not be shorter than --certificate-request-minimum-backoff-duration"
    );
    Ok(Cadence::Doubling { minimum, maximum })
}

fn duration(flag: &str, text: &str) -> anyhow::Result<Duration> {
    let duration = GoDuration::from(text).as_std();
    duration.with_context(|| format!("{flag}: \"{text}\" is not a duration such as 90s or 1h30m"))
}

/// `0` switches a server off, as with the peer.
pub(crate) fn address(flag: &str, text: &str) -> anyhow::Result<Option<SocketAddr>> {
    if text == "0" || text.is_empty() {
        return Ok(None);
    }
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    full.parse()
        .map(Some)
        .with_context(|| format!("{flag}: \"{text}\" is not an address such as 0.0.0.0:9402"))
}
