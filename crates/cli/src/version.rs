//! `everleaf version`: of this program, of the cluster, and who holds the controller's Lease there.
//! A cluster that isn't there is no error: then there is only one version to tell.

use std::process::ExitCode;

use clap::Args;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::ListParams;

use crate::cluster::{self, Cluster, Place, told};
use crate::screen;

/// Leases of controllers: the one that is shared with cert-manager, and that of a controller beside it.
const LEASES: [&str; 2] = ["cert-manager-controller", "everleaf-controller"];

/// Flags of `everleaf version`.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0, also where there is no cluster; 2 wrong usage.")]
pub(crate) struct Flags {
    /// The version of this program only; no cluster is asked.
    #[arg(long)]
    client: bool,
    #[command(flatten)]
    place: Place,
}

/// Tells the versions.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    screen::print(&format!("everleaf     {}\n", env!("CARGO_PKG_VERSION")))?;
    if !flags.client {
        let lines = cluster::run(async {
            match flags.place.connect().await {
                Ok(cluster) => Ok(server(&cluster).await),
                Err(error) => Ok(format!("kubernetes   unknown: {error:#}\n")),
            }
        })?;
        screen::print(&lines)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn server(cluster: &Cluster) -> String {
    let mut out = match cluster.client.apiserver_version().await {
        Ok(version) => format!("kubernetes   {}\n", version.git_version),
        Err(error) => return format!("kubernetes   unknown: {:#}\n", told(error)),
    };
    for name in LEASES {
        let api: Api<Lease> = Api::all(cluster.client.clone());
        let fields = ListParams::default().fields(&format!("metadata.name={name}"));
        // Many may not list Leases, and an API without a cluster has none.
        let Ok(found) = api.list(&fields).await else { continue };
        for lease in found.items.into_iter().filter(|lease| lease.metadata.name.as_deref() == Some(name)) {
            let namespace = lease.metadata.namespace.unwrap_or_default();
            let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
            let holder = if holder.is_empty() { "nobody".to_owned() } else { holder };
            out.push_str(&format!("controller   {holder} (Lease {namespace}/{name})\n"));
        }
    }
    out
}
