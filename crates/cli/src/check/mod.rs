//! `everleaf check api`: whether the cluster can take Certificates: its kinds are served, and a good one passes admission (as a dry run).
//! Nothing is left behind.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use everleaf_api::{Certificate, CertificateSpec, IssuerReference};
use kube::Api;
use kube::api::PostParams;
use tokio::time::Instant;

use crate::cluster::{self, Cluster, GROUP_VERSION, Place, told};
use crate::screen;

const KINDS: [&str; 4] = ["Certificate", "CertificateRequest", "Issuer", "ClusterIssuer"];
/// Name of the Certificate of the dry run.
const PROBE: &str = "everleaf-check-api";

/// Flags of `everleaf check`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 it is ready, 1 it isn't (the reason is on standard error), 2 wrong usage."
)]
pub(crate) struct Flags {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The API: are the kinds there, and do webhooks let a good Certificate pass?
    Api {
        /// Try again until it is ready, at most for so long (such as 2m).
        #[arg(long, default_value = "0s", value_parser = crate::typed::duration)]
        wait: Duration,
        /// The pause between two tries.
        #[arg(long, default_value = "5s", value_parser = crate::typed::duration)]
        interval: Duration,
        #[command(flatten)]
        place: Place,
    },
}

/// Checks.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let What::Api { wait, interval, place } = &flags.what;
    cluster::run(async {
        let cluster = place.connect().await?;
        let until = Instant::now() + *wait;
        loop {
            match check(&cluster).await {
                Ok(()) => break,
                Err(error) if Instant::now() >= until => return Err(error),
                Err(error) => crate::tell(&format!("everleaf: not ready: {error:#}")),
            }
            tokio::time::sleep((*interval).min(until.saturating_duration_since(Instant::now()))).await;
        }
        screen::print("The API is ready: all kinds are served, and a good Certificate passes.\n")?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn check(cluster: &Cluster) -> anyhow::Result<()> {
    let served = cluster.client.list_api_group_resources(GROUP_VERSION).await.map_err(told)?;
    for kind in KINDS {
        let is_served = served.resources.iter().any(|resource| resource.kind == kind);
        ensure!(is_served, "the API serves no {kind} of {GROUP_VERSION}: its CRD is not installed");
    }
    let api: Api<Certificate> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let issuer_ref = IssuerReference { name: PROBE.to_owned(), ..IssuerReference::default() };
    let mut probe = Certificate::new(
        PROBE,
        CertificateSpec {
            secret_name: PROBE.to_owned(),
            dns_names: Some(vec!["check.example.com".to_owned()]),
            issuer_ref,
            ..CertificateSpec::default()
        },
    );
    // Generated, so that a Certificate of that name is not in the way.
    probe.metadata.name = None;
    probe.metadata.generate_name = Some(format!("{PROBE}-"));
    let params = PostParams { dry_run: true, ..PostParams::default() };
    api.create(&params, &probe).await.map_err(told).context("a good Certificate is refused (dry run)")?;
    Ok(())
}
