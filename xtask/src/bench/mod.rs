//! `cargo xtask bench`: what an issuance costs, measured on a fresh lab with the release build.
//! The counters are the servers' own: requests from the API server's audit log, logins and signatures from Vault's,
//! CPU and memory from the system.
//! It measures and never judges: no test depends on these figures.

mod ceiling;
mod host;
mod load;
mod meter;
mod neighbours;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use everleaf_testkit::servers::{ApiRequest, CONTROLLER_USER, CaKey};

use crate::lab::{Stage, StageOptions, block_on};
use crate::program::{self, Profile};
use crate::servers;
use meter::Usage;
use report::{Figures, Requests};

/// How long the controller may go on writing events after the last certificate is ready.
const CALM_WITHIN: Duration = Duration::from_secs(60);
/// Without a request for this long, the controller is done.
const CALM: Duration = Duration::from_millis(1500);

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Issue many certificates at once
    Issuance(Issuance),
    /// How long issuances take beside an issuer that is dead
    Neighbours(neighbours::Neighbours),
    /// What many certificates cost an `everleaf up`
    Host(host::Host),
}

/// How many certificates, from where, with which keys.
#[derive(Debug, Clone, Args)]
pub(crate) struct Issuance {
    /// How many certificates
    #[arg(long, default_value_t = 1000)]
    n: usize,
    /// Who signs
    #[arg(long, value_enum, default_value_t = Issuer::Ca)]
    issuer: Issuer,
    /// Keys of leaves and CA
    #[arg(long, value_enum, default_value_t = Key::Ecdsa)]
    key: Key,
    /// Append the figures to this file [docs/benchmarks.md if none is named]
    #[arg(long, num_args = 0..=1, default_missing_value = "docs/benchmarks.md")]
    out: Option<PathBuf>,
    /// Measure this program instead of building one, e.g. that of another commit
    #[arg(long)]
    program: Option<PathBuf>,
    /// More flags for the controller, e.g. --flag=--concurrent-workers=32
    #[arg(long = "flag", allow_hyphen_values = true)]
    flags: Vec<String>,
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Issuer {
    /// The CA issuer
    Ca,
    /// The Vault issuer with an AppRole
    Vault,
}

/// Keys of leaves and CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Key {
    /// P-256
    Ecdsa,
    /// RSA-2048
    Rsa,
}

/// Runs a benchmark.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    let issuance = match bench {
        Bench::Issuance(issuance) => issuance,
        Bench::Neighbours(wish) => return neighbours::run(wish),
        Bench::Host(wish) => return host::run(wish),
    };
    ensure!(issuance.n > 0, "--n must be at least 1");
    servers::make_ready()?;
    let program = match &issuance.program {
        Some(program) => std::path::absolute(program)?,
        None => program::build(Profile::Release)?,
    };
    block_on(async {
        let figures = measure(issuance, program).await?;
        print!("{}", report::text(issuance, &figures));
        match &issuance.out {
            Some(path) => report::append(path, issuance, &figures),
            None => Ok(()),
        }
    })
}

async fn measure(issuance: &Issuance, program: PathBuf) -> Result<Figures> {
    println!("starting the servers and the controller ...");
    let mut stage = Stage::raise(stage_options(issuance, program)).await?;
    // Before the issuer: its first login counts.
    let vault_mark = stage.vault().ok().map(|(vault, _)| vault.audit().here()).transpose()?;
    let issuer = load::make_issuer(&stage, issuance).await?;
    calm(&stage).await?;
    let idle = meter::usage(stage.controller.pid())?;
    let server_idle = server_usage(&stage)?;
    let api_mark = stage.kube.audit().here()?;

    println!("issuing {} certificates ...", issuance.n);
    let took = load::issue(&stage, issuance, &issuer).await?;
    calm(&stage).await?;
    let after = meter::usage(stage.controller.pid())?;
    let server_after = server_usage(&stage)?;
    let requests = requests(&stage.kube.audit().since(api_mark)?);
    let vault = match vault_mark {
        None => None,
        Some(mark) => {
            let seen = stage.vault()?.0.audit().since(mark)?;
            let logins = seen.iter().filter(|request| request.is_login()).count();
            Some((logins, seen.iter().filter(|request| request.is_sign()).count()))
        }
    };

    println!("the ceiling: the same writes by a bare client ...");
    stage.controller.server().kill();
    let ceiling = ceiling::measure(&stage, issuance.n).await?;
    let cpu = after.cpu.saturating_sub(idle.cpu);
    let server_cpu = server_after.saturating_sub(server_idle);
    Ok(Figures { took, ceiling, requests, cpu, server_cpu, idle, after, vault })
}

fn stage_options(issuance: &Issuance, program: PathBuf) -> StageOptions {
    let ca_key = match issuance.key {
        Key::Ecdsa => CaKey::Ecdsa,
        Key::Rsa => CaKey::Rsa,
    };
    let vault = (issuance.issuer == Issuer::Vault).then_some(ca_key);
    StageOptions { program, vault, controller_manager: false, flags: issuance.flags.clone() }
}

fn server_usage(stage: &Stage) -> Result<Duration> {
    let Usage { cpu: api, .. } = meter::usage(stage.kube.apiserver().pid())?;
    let Usage { cpu: etcd, .. } = meter::usage(stage.kube.etcd().pid())?;
    Ok(api + etcd)
}

/// The controller's own requests; renewing its Lease is not part of an issuance.
fn requests(seen: &[ApiRequest]) -> Requests {
    let own: Vec<_> = seen.iter().filter(|r| r.user == CONTROLLER_USER && r.resource != "leases").collect();
    let by_status =
        |wanted: &dyn Fn(u16) -> bool| own.iter().filter(|request| wanted(request.status)).count();
    Requests {
        tally: ApiRequest::tally(own.iter().copied()),
        writes: own.iter().filter(|request| request.writes()).count(),
        conflicts: by_status(&|status| status == 409),
        refused: by_status(&|status| status >= 400 && status != 409),
    }
}

/// Waits until the controller has asked nothing for a while: events are written beside the work.
async fn calm(stage: &Stage) -> Result<()> {
    let waiting = async {
        loop {
            let mark = stage.kube.audit().here()?;
            tokio::time::sleep(CALM).await;
            let seen = stage.kube.audit().since(mark)?;
            if !seen.iter().any(|request| request.user == CONTROLLER_USER && request.resource != "leases") {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(CALM_WITHIN, waiting).await.context("the controller doesn't come to rest")?
}
