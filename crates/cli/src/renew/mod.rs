//! `everleaf renew`: asks for new certificates now, for one or for thousands, at a pace the issuer can bear, and says what became of them.
//! It writes one condition and nothing else; the controller does the work.

mod choice;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use everleaf_api::Certificate;
use jiff::Timestamp;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

use crate::cluster::{self, Cluster, Place, told};
use crate::screen;
use choice::{Became, Target};

/// Some issuance wasn't over when the wait was.
const RUNNING: u8 = 3;
/// Some issuance failed.
const FAILED: u8 = 4;
/// A Certificate that others write at the same time is tried again this often.
const TRIES: u32 = 5;
/// How often it is looked for what became of them.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many are told one by one on a terminal, more as a bar.
const TOLD_SINGLY: usize = 20;
const BAR: usize = 30;

/// Flags of `everleaf renew`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 done, 1 some could not be asked (the reasons are on standard error), 2 wrong usage, 3 some were still \
                        running at the end of --wait, 4 some have failed during --wait."
)]
pub(crate) struct Flags {
    /// Names of Certificates.
    #[arg(conflicts_with_all = ["selector", "issuer", "all", "all_namespaces"])]
    names: Vec<String>,
    /// Those with these labels.
    #[arg(long, short = 'l')]
    selector: Option<String>,
    /// Those of this issuer: NAME or KIND/NAME.
    #[arg(long)]
    issuer: Option<String>,
    /// All of the namespace, or of all namespaces with -A.
    #[arg(long)]
    all: bool,
    /// All namespaces.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
    /// How many are asked each second.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    per_second: u32,
    /// Wait for the new certificates, at most for so long (such as 5m), and tell what became of them.
    #[arg(long, value_parser = crate::typed::duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    place: Place,
}

/// Asks for the renewals.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let is_chosen =
        !flags.names.is_empty() || flags.all || flags.selector.is_some() || flags.issuer.is_some();
    ensure!(is_chosen, "which Certificates? Give names, -l SELECTOR, --issuer NAME or --all");
    cluster::run(async {
        let cluster = flags.place.connect().await?;
        let chosen = chosen(flags, &cluster).await?;
        if chosen.is_empty() {
            screen::print("No Certificate fits, nothing was asked.\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        let asked = ask(flags, &cluster, &chosen).await?;
        let mut code = if asked.faults > 0 { 1 } else { 0 };
        let mut summary = format!("{} asked to renew", asked.done.len());
        if asked.running > 0 {
            summary.push_str(&format!(", {} were being issued already", asked.running));
        }
        if asked.faults > 0 {
            summary.push_str(&format!(", {} could not be asked", asked.faults));
        }
        if let Some(wait) = flags.wait {
            let (issued, failed) = follow(flags, &cluster, &asked.done, wait).await?;
            let running = asked.done.len() - issued - failed;
            summary.push_str(&format!("; {issued} issued, {failed} failed, {running} still running"));
            code = match (code, failed, running) {
                (1, ..) => 1,
                (_, 0, 0) => 0,
                (_, 0, _) => RUNNING,
                _ => FAILED,
            };
        }
        screen::print(&format!("{summary}.\n"))?;
        Ok(ExitCode::from(code))
    })
}

fn api(flags: &Flags, cluster: &Cluster) -> Api<Certificate> {
    match flags.all_namespaces {
        true => Api::all(cluster.client.clone()),
        false => Api::namespaced(cluster.client.clone(), &cluster.namespace),
    }
}

async fn chosen(flags: &Flags, cluster: &Cluster) -> anyhow::Result<Vec<Target>> {
    let api = api(flags, cluster);
    let mut all = Vec::new();
    for name in &flags.names {
        match api.get_opt(name).await.map_err(told)? {
            Some(certificate) => all.push(certificate),
            None => {
                bail!("there is no Certificate {name} in namespace {}; nothing was asked", cluster.namespace)
            }
        }
    }
    if flags.names.is_empty() {
        let params = ListParams { label_selector: flags.selector.clone(), ..ListParams::default() };
        all = api.list(&params).await.map_err(told)?.items;
    }
    let fits = |certificate: &&Certificate| {
        flags.issuer.as_deref().is_none_or(|issuer| choice::comes_from(certificate, issuer))
    };
    Ok(all.iter().filter(fits).map(Target::of).collect())
}

/// What came of asking.
#[derive(Default)]
struct Asked {
    done: Vec<Target>,
    running: usize,
    faults: usize,
}

async fn ask(flags: &Flags, cluster: &Cluster, chosen: &[Target]) -> anyhow::Result<Asked> {
    let mut asked = Asked::default();
    let progress = Progress::of(chosen.len());
    let mut pace = tokio::time::interval(Duration::from_secs(1) / flags.per_second);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for (at, target) in chosen.iter().enumerate() {
        pace.tick().await;
        match mark(cluster, target).await {
            Ok(true) => {
                asked.done.push(target.clone());
                progress.step("asked", &format!("{}: asked to renew", target.label()), at + 1)?;
            }
            Ok(false) => {
                asked.running += 1;
                progress.step("asked", &format!("{}: is being issued already", target.label()), at + 1)?;
            }
            Err(error) => {
                asked.faults += 1;
                crate::tell(&format!("everleaf: {}: {error:#}", target.label()));
            }
        }
    }
    progress.end()?;
    Ok(asked)
}

/// Marks one Certificate; false if an issuance runs already.
async fn mark(cluster: &Cluster, target: &Target) -> anyhow::Result<bool> {
    let api: Api<Certificate> = Api::namespaced(cluster.client.clone(), &target.namespace);
    let mut tries = 0;
    loop {
        let certificate = api.get(&target.name).await.map_err(told)?;
        let Some(conditions) = choice::marked(&certificate, Timestamp::now()) else { return Ok(false) };
        // The version makes the API refuse it if anybody wrote since, so that no condition of another is lost.
        let version = certificate.metadata.resource_version;
        let patch =
            json!({ "metadata": { "resourceVersion": version }, "status": { "conditions": conditions } });
        match api.patch_status(&target.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(_) => return Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 && tries < TRIES => tries += 1,
            Err(error) => return Err(told(error)),
        }
    }
}

/// Waits for the end of these issuances; how many were issued, and how many failed.
async fn follow(
    flags: &Flags,
    cluster: &Cluster,
    asked: &[Target],
    wait: Duration,
) -> anyhow::Result<(usize, usize)> {
    let progress = Progress::of(asked.len());
    let until = Instant::now() + wait;
    let (mut issued, mut failed) = (0, 0);
    let mut open: Vec<&Target> = asked.iter().collect();
    loop {
        let now = api(flags, cluster).list(&ListParams::default()).await.map_err(told)?.items;
        let find = |target: &Target| {
            now.iter().find(|found| {
                found.metadata.name.as_ref() == Some(&target.name)
                    && found.metadata.namespace.as_ref() == Some(&target.namespace)
            })
        };
        let mut still = Vec::new();
        for target in open {
            let (count, word) = match find(target).map(|found| choice::became(target, found)) {
                Some(Became::Issued) => (&mut issued, "issued"),
                Some(Became::Failed) => (&mut failed, "failed"),
                Some(Became::Running) => {
                    still.push(target);
                    continue;
                }
                None => (&mut failed, "gone"),
            };
            *count += 1;
            progress.step("done", &format!("{}: {word}", target.label()), asked.len() - still.len())?;
        }
        open = still;
        if open.is_empty() || Instant::now() >= until {
            progress.end()?;
            return Ok((issued, failed));
        }
        tokio::time::sleep(LOOK_EVERY.min(until - Instant::now())).await;
    }
}

/// A bar for many on a terminal, else a line for each.
struct Progress {
    all: usize,
    is_bar: bool,
}

impl Progress {
    fn of(all: usize) -> Progress {
        Progress { all, is_bar: all > TOLD_SINGLY && std::io::stdout().is_terminal() }
    }

    fn step(&self, word: &str, line: &str, done: usize) -> std::io::Result<()> {
        if !self.is_bar {
            return screen::print(&format!("{line}\n"));
        }
        let full = BAR * done.min(self.all) / self.all.max(1);
        screen::print(&format!(
            "\r[{}{}] {done} of {} {word}",
            "#".repeat(full),
            ".".repeat(BAR - full),
            self.all
        ))
    }

    fn end(&self) -> std::io::Result<()> {
        if self.is_bar { screen::print("\n") } else { Ok(()) }
    }
}
