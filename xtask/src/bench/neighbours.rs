//! `cargo xtask bench neighbours`: how long an issuance takes at a healthy Vault issuer, alone and beside one that is dead in each way.
//! Certificates come one by one at a steady pace, so that what is seen is the way of one certificate and not the length of a queue.
//! It measures and never judges.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{CaKey, Fault, FaultProxy, apply_manifests};
use futures::{StreamExt, pin_mut};
use kube::Api;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::load::{self, Lean, NAMESPACE};
use super::meter;
use crate::lab::{Stage, StageOptions, block_on};
use crate::program::{self, Profile};
use crate::{project_folder, servers};

/// A certificate is created this long after the one before.
const PACE: Duration = Duration::from_millis(50);
/// How long the dead issuer's certificates are let try before the other's are measured.
const SETTLE: Duration = Duration::from_secs(15);
/// How long the slowest certificate may take.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Between two bytes of a dripping answer.
const DRIP: Duration = Duration::from_secs(1);

/// How many certificates on each side.
#[derive(Debug, Clone, Args)]
pub(crate) struct Neighbours {
    /// How many certificates of the healthy issuer are timed in each round
    #[arg(long, default_value_t = 400)]
    n: usize,
    /// How many certificates wait at the dead issuer
    #[arg(long, default_value_t = 200)]
    waiting: usize,
    /// Append the figures to this file [docs/benchmarks.md if none is named]
    #[arg(long, num_args = 0..=1, default_missing_value = "docs/benchmarks.md")]
    out: Option<PathBuf>,
}

/// In which way the neighbour is dead.
#[derive(Debug, Clone, Copy)]
enum Way {
    Refused,
    BlackHole,
    Drip,
    Unavailable,
}

const WAYS: [Way; 4] = [Way::Refused, Way::BlackHole, Way::Drip, Way::Unavailable];

impl Way {
    fn words(self) -> &'static str {
        match self {
            Way::Refused => "connections are refused",
            Way::BlackHole => "connections are taken and nothing is answered",
            Way::Drip => "a byte of the answer a second",
            Way::Unavailable => "503",
        }
    }
}

/// Middle and 99th percentile of a round.
#[derive(Debug, Clone, Copy)]
struct Times {
    median: Duration,
    p99: Duration,
}

/// Runs it.
pub(super) fn run(wish: &Neighbours) -> Result<()> {
    ensure!(wish.n > 0, "--n must be at least 1");
    servers::make_ready()?;
    let program = program::build(Profile::Release)?;
    block_on(async {
        let rounds = measure(wish, program).await?;
        let table = table(wish, &rounds);
        print!("\n{table}");
        match &wish.out {
            Some(path) => append(path, &table),
            None => Ok(()),
        }
    })
}

async fn measure(wish: &Neighbours, program: PathBuf) -> Result<Vec<(&'static str, Times)>> {
    println!("starting the servers and the controller ...");
    let options =
        StageOptions { program, vault: Some(CaKey::Ecdsa), controller_manager: false, flags: Vec::new() };
    let stage = Stage::raise(options).await?;
    stage.kube.make_namespace(NAMESPACE).await?;
    issuer(&stage, "good", stage.vault()?.0.url()).await?;
    let mut rounds = Vec::new();
    round(&stage, "warm", wish.n).await?;
    rounds.push(("alone", round(&stage, "first", wish.n).await?));
    for (number, way) in WAYS.into_iter().enumerate() {
        let dead = Dead::start(way).await?;
        let name = format!("dead-{number}");
        issuer(&stage, &name, &dead.url).await?;
        let waiting =
            (0..wish.waiting).map(|each| certificate(&format!("{name}-{each:04}"), &name)).collect();
        load::create_all(&stage.kube.client()?, waiting).await?;
        tokio::time::sleep(SETTLE).await;
        rounds.push((way.words(), round(&stage, &format!("beside-{number}"), wish.n).await?));
        remove(&stage, &name).await?;
    }
    rounds.push(("alone again", round(&stage, "last", wish.n).await?));
    Ok(rounds)
}

async fn issuer(stage: &Stage, name: &str, server: &str) -> Result<()> {
    let pki = stage.vault()?.1;
    let secret = makers::approle_secret(name, &pki.approle.secret_id);
    let issuer = makers::vault_issuer(name, server, &pki.sign_path, &pki.approle.role_id);
    let objects: Vec<Value> = [secret, issuer].into_iter().map(Maker::json).collect();
    apply_manifests(&stage.kube.client()?, &objects, NAMESPACE).await
}

fn certificate(name: &str, issuer: &str) -> Value {
    makers::certificate(name).from_issuer(issuer).in_namespace(NAMESPACE).json()
}

/// The dead issuer goes, and its certificates with their requests.
async fn remove(stage: &Stage, name: &str) -> Result<()> {
    let client = stage.kube.client()?;
    for (kind, plural) in [("Certificate", "certificates"), ("CertificateRequest", "certificaterequests")] {
        let api: Api<Lean> = Api::namespaced_with(client.clone(), NAMESPACE, &load::resource(kind, plural));
        for object in api.list(&kube::api::ListParams::default()).await? {
            let found = object.metadata.name.unwrap_or_default();
            if found.starts_with(name) {
                api.delete(&found, &kube::api::DeleteParams::default()).await?;
            }
        }
    }
    let issuers: Api<Lean> = Api::namespaced_with(client, NAMESPACE, &load::resource("Issuer", "issuers"));
    issuers.delete(name, &kube::api::DeleteParams::default()).await?;
    Ok(())
}

/// Creates certificates of the healthy issuer one by one; how long each took from before its creation to `Ready=True`.
async fn round(stage: &Stage, name: &str, n: usize) -> Result<Times> {
    println!("{name} ...");
    let client = stage.kube.client()?;
    let api: Api<Lean> = Api::namespaced_with(client.clone(), NAMESPACE, &load::certificates());
    let prefix = format!("{name}-");
    let watching = tokio::spawn(ready_times(api, prefix.clone(), n));
    let mut pace = tokio::time::interval(PACE);
    let (mut created, mut creating) = (BTreeMap::new(), JoinSet::new());
    for number in 0..n {
        pace.tick().await;
        let name = format!("{prefix}{number:04}");
        created.insert(name.clone(), Instant::now());
        let client = client.clone();
        creating.spawn(async move { load::create_all(&client, vec![certificate(&name, "good")]).await });
    }
    while let Some(outcome) = creating.join_next().await {
        outcome??;
    }
    let ready = tokio::time::timeout(READY_WITHIN, watching).await.context("not all are ready")???;
    let mut took: Vec<Duration> = created
        .iter()
        .filter_map(|(name, at)| ready.get(name).map(|then| then.saturating_duration_since(*at)))
        .collect();
    took.sort();
    let at = |share: f64| took.get(((took.len() - 1) as f64 * share).round() as usize).copied();
    Ok(Times { median: at(0.5).unwrap_or_default(), p99: at(0.99).unwrap_or_default() })
}

async fn ready_times(api: Api<Lean>, prefix: String, n: usize) -> Result<BTreeMap<String, Instant>> {
    let mut ready = BTreeMap::new();
    let events = watcher(api, watcher::Config::default());
    pin_mut!(events);
    while ready.len() < n {
        let event = events.next().await.context("the watch ended")??;
        if let Event::Apply(object) | Event::InitApply(object) = event
            && load::is_ready(&object)
        {
            let name = object.metadata.name.unwrap_or_default();
            if name.starts_with(&prefix) {
                ready.entry(name).or_insert_with(Instant::now);
            }
        }
    }
    Ok(ready)
}

/// A server that is dead in some way, as long as this lives.
struct Dead {
    url: String,
    _proxy: Option<FaultProxy>,
    _serving: JoinSet<()>,
}

impl Dead {
    async fn start(way: Way) -> Result<Dead> {
        let mut serving = JoinSet::new();
        if matches!(way, Way::Unavailable) {
            let proxy = FaultProxy::start("http://127.0.0.1:9").await?;
            proxy.set(Fault::Status(503), "/");
            return Ok(Dead { url: proxy.url().to_owned(), _proxy: Some(proxy), _serving: serving });
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        match way {
            Way::Refused => drop(listener),
            Way::BlackHole | Way::Drip | Way::Unavailable => {
                serving.spawn(async move {
                    let mut connections = JoinSet::new();
                    while let Ok((stream, _)) = listener.accept().await {
                        connections.spawn(torment(stream, matches!(way, Way::Drip)));
                    }
                });
            }
        }
        Ok(Dead { url, _proxy: None, _serving: serving })
    }
}

/// Holds a connection: says nothing, or very little at a time.
async fn torment(mut stream: TcpStream, drips: bool) {
    if !drips {
        return std::future::pending().await;
    }
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{";
    let mut sent = stream.write_all(head).await;
    while sent.is_ok() {
        tokio::time::sleep(DRIP).await;
        sent = stream.write_all(b" ").await;
    }
}

fn table(wish: &Neighbours, rounds: &[(&'static str, Times)]) -> String {
    let alone: Vec<&Times> =
        rounds.iter().filter(|(name, _)| name.starts_with("alone")).map(|(_, times)| times).collect();
    let mean = |of: fn(&Times) -> Duration| {
        alone.iter().map(|times| of(times).as_secs_f64()).sum::<f64>() / alone.len().max(1) as f64
    };
    let (median, p99) = (mean(|times| times.median), mean(|times| times.p99));
    let mut text = format!(
        "\n## Beside a dead issuer\n\n{}, {}: {} certificates of a healthy Vault issuer, one every {} ms, {} more waiting at a second issuer that is dead. From before \
         the creation to `Ready=True`; the share is that of the mean of the rounds alone. `cargo xtask bench neighbours`.\n\n\
         | the other issuer | median | 99th percentile | share of alone |\n|---|---|---|---|\n",
        jiff::Zoned::now().date(),
        meter::machine(),
        wish.n,
        PACE.as_millis(),
        wish.waiting,
    );
    for (name, times) in rounds {
        let (this_median, this_p99) = (times.median.as_secs_f64(), times.p99.as_secs_f64());
        let _ = writeln!(
            text,
            "| {name} | {:.0} ms | {:.0} ms | {:.0} % / {:.0} % |",
            1000.0 * this_median,
            1000.0 * this_p99,
            100.0 * this_median / median,
            100.0 * this_p99 / p99,
        );
    }
    text
}

pub(super) fn append(path: &Path, text: &str) -> Result<()> {
    let path = project_folder().join(path);
    let mut file = std::fs::File::options().create(true).append(true).open(&path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display()))?;
    println!("\nappended to {}", path.display());
    Ok(())
}
