//! `cargo xtask bench host`: a whole `everleaf up`, API, store and operator in one process, with many certificates of a CA issuer.
//! All Certificates are there before their issuer is, so that what is timed is the work of the process and not that of a client.
//! It measures and never judges.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{Server, apply_manifests};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::load::{self, Lean, NAMESPACE};
use super::meter;
use super::neighbours::append;
use crate::lab::block_on;
use crate::program::{self, Profile};

/// How long a start may take.
const START_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How many certificates.
#[derive(Debug, Clone, Args)]
pub(crate) struct Host {
    /// How many certificates
    #[arg(long, default_value_t = 10_000)]
    n: usize,
    /// Append the figures to this file [docs/benchmarks.md if none is named]
    #[arg(long, num_args = 0..=1, default_missing_value = "docs/benchmarks.md")]
    out: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(wish: &Host) -> Result<()> {
    ensure!(wish.n > 0, "--n must be at least 1");
    let program = program::build(Profile::Release)?;
    block_on(async {
        let text = measure(wish.n, &program).await?;
        print!("\n{text}");
        match &wish.out {
            Some(path) => append(path, &text),
            None => Ok(()),
        }
    })
}

async fn measure(n: usize, program: &Path) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let (mut process, client, _) = start(program, folder.path()).await?;
    let idle = meter::usage(process.pid())?;
    println!("creating {n} certificates whose issuer isn't there yet ...");
    let first = [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }),
        makers::self_signed_issuer("self-signed").json(),
        makers::certificate("ca").from_issuer("self-signed").with("/spec/isCA", json!(true)).json(),
    ];
    apply_manifests(&client, &first, NAMESPACE).await?;
    load::await_ready(&client, &load::certificates(), &["ca".to_owned()]).await?;
    let names: Vec<String> = (0..n).map(|number| format!("c-{number:05}")).collect();
    let wanted: Vec<Value> = names
        .iter()
        .map(|name| makers::certificate(name).from_issuer("issuer").in_namespace(NAMESPACE).json())
        .collect();
    load::create_all(&client, wanted).await?;

    println!("issuing ...");
    let before = meter::usage(process.pid())?;
    let issuer = [makers::ca_issuer("issuer", "ca-tls")].map(Maker::json);
    let watching = client.clone();
    let all_ready =
        tokio::spawn(async move { load::await_ready(&watching, &load::certificates(), &names).await });
    let begun = Instant::now();
    apply_manifests(&client, &issuer, NAMESPACE).await?;
    all_ready.await??;
    let took = begun.elapsed();
    let after = meter::usage(process.pid())?;

    println!("killing it and starting it again ...");
    process.kill();
    let (process, client, restart) = start(program, folder.path()).await?;
    let begun = Instant::now();
    let api: Api<Lean> = Api::namespaced_with(client, NAMESPACE, &load::certificates());
    let listed = api.list(&kube::api::ListParams::default()).await?.items;
    let ready = listed.iter().filter(|certificate| load::is_ready(certificate)).count();
    ensure!(ready == n + 1, "{ready} of {} certificates are ready after the restart", n + 1);
    let list = begun.elapsed();
    let restarted = meter::usage(process.pid())?;
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1000.0 / n as f64;
    Ok(format!(
        "\n## A host\n\n{}, {}: `everleaf up` over redb, {n} certificates (P-256) of a CA issuer; `cargo xtask bench host`.\n\n\
         | certificates a second | CPU each, all parts | memory idle / after / after a restart | restart after a kill | list of all |\n|---|---|---|---|---|\n\
         | {:.0} | {cpu:.2} ms | {} / {} / {} MB | {:.2} s | {:.2} s |\n",
        jiff::Zoned::now().date(),
        meter::machine(),
        n as f64 / took.as_secs_f64(),
        idle.resident / 1_000_000,
        after.resident / 1_000_000,
        restarted.resident / 1_000_000,
        restart.as_secs_f64(),
        list.as_secs_f64(),
    ))
}

/// Starts it and waits until its API answers; how long that took.
async fn start(program: &Path, folder: &Path) -> Result<(Server, Client, Duration)> {
    let (data, logs) = (folder.join("data"), folder.join("logs"));
    std::fs::create_dir_all(&logs)?;
    let kubeconfig = data.join("kubeconfig");
    if kubeconfig.exists() {
        std::fs::remove_file(&kubeconfig)?;
    }
    let arguments =
        ["up", "--dir", data.to_str().context("the folder's name")?, "-v", "0"].map(str::to_owned);
    let begun = Instant::now();
    let process = Server::start("everleaf", program, &arguments, &[], &logs)?;
    while begun.elapsed() < START_WITHIN {
        if let Some(client) = connected(&kubeconfig).await {
            return Ok((process, client, begun.elapsed()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("it doesn't start: {}", process.last_words())
}

async fn connected(kubeconfig: &Path) -> Option<Client> {
    let config = Kubeconfig::read_from(kubeconfig).ok()?;
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.ok()?;
    let client = Client::try_from(config).ok()?;
    client.apiserver_version().await.ok()?;
    Some(client)
}
