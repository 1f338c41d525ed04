//! `everleaf webhook`, and the same webhook inside the controller: from flags to a server and to the one who keeps its certificate.
//! The rules themselves are in `crates/webhook`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use everleaf_webhook::approval::Approvals;
use everleaf_webhook::{Names, Shown, keep, serve};
use kube::Client;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::cluster::Place;
use crate::controller::logs::{self, Format, Logs};
use crate::controller::meaning::address;

/// Flags of `everleaf webhook`.
#[derive(Args, Debug)]
pub(crate) struct Flags {
    /// Path of a kubeconfig; without it the in-cluster account is used.
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Address to serve on.
    #[arg(long, default_value = "0.0.0.0:10250")]
    pub listen_address: String,
    /// How much to log.
    #[arg(short = 'v', long = "v", default_value_t = 2)]
    pub v: u8,
    /// Shape of the log.
    #[arg(long, value_enum, default_value = "text")]
    pub logging_format: Format,
    #[command(flatten)]
    pub certificate: CertificateFlags,
}

/// Where the webhook's certificate comes from, and who must trust it.
#[derive(Args, Debug, Clone)]
pub(crate) struct CertificateFlags {
    /// Namespace of the Secret that holds the webhook's CA.
    #[arg(long, default_value = "everleaf")]
    pub dynamic_serving_ca_secret_namespace: String,
    /// Name of the Secret that holds the webhook's CA; it is made if it isn't there.
    #[arg(long, default_value = "everleaf-webhook-ca")]
    pub dynamic_serving_ca_secret_name: String,
    /// Names that API servers call the webhook by.
    #[arg(long, value_delimiter = ',', default_value = "everleaf-webhook.everleaf.svc")]
    pub dynamic_serving_dns_names: Vec<String>,
    /// ValidatingWebhookConfigurations to write the CA into.
    #[arg(long, value_delimiter = ',', default_value = "everleaf-webhook")]
    pub validating_webhook_configurations: Vec<String>,
    /// MutatingWebhookConfigurations to write the CA into.
    #[arg(long, value_delimiter = ',', default_value = "everleaf-webhook")]
    pub mutating_webhook_configurations: Vec<String>,
}

impl CertificateFlags {
    /// What they mean.
    pub(crate) fn names(self) -> Names {
        let given = |names: Vec<String>| names.into_iter().filter(|name| !name.is_empty()).collect();
        Names {
            namespace: self.dynamic_serving_ca_secret_namespace,
            secret: self.dynamic_serving_ca_secret_name,
            dns_names: given(self.dynamic_serving_dns_names),
            validating: given(self.validating_webhook_configurations),
            mutating: given(self.mutating_webhook_configurations),
        }
    }
}

/// Runs the webhook until it is told to stop.
pub(crate) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let address = address("--listen-address", &flags.listen_address)?.context("--listen-address is off")?;
    logs::start(&Logs { format: flags.logging_format, verbosity: flags.v })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let place = Place { kubeconfig: flags.kubeconfig, ..Place::default() };
        let client = place.connect().await?.client;
        let stop = CancellationToken::new();
        tokio::spawn(crate::controller::on_signal(stop.clone()));
        let mut tasks = JoinSet::new();
        start(&mut tasks, client, address, flags.certificate.names(), &stop).await?;
        while let Some(ended) = tasks.join_next().await {
            ended.context("a task of the webhook broke")??;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Starts server and keeper among `tasks`.
pub(crate) async fn start(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    client: Client,
    address: SocketAddr,
    names: Names,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))?;
    info!(address = %listener.local_addr()?, "the webhook serves");
    let shown = Shown::default();
    let approvals = Arc::new(Approvals::new(client.clone()));
    tasks.spawn(serve(listener, shown.clone(), approvals, stop.clone()));
    let stop = stop.clone();
    tasks.spawn(async move {
        keep(client, names, shown, stop).await;
        Ok(())
    });
    Ok(())
}
