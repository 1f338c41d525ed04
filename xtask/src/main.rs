//! The project's own commands: `cargo xtask test | tidy | crds | servers | lab | simulate | mutants | bench`.
//! Everything here is for people who work on Everleaf; no program that is shipped depends on it.
//! It must never need anything that a fresh clone with Rust and Go doesn't have.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to the person who runs it")]

mod bench;
mod generated;
mod lab;
mod mutants;
mod program;
mod servers;
mod simulate;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check and every test; the one command before a change is handed in
    Test(test::Options),
    /// Check the house rules that no compiler checks
    Tidy,
    /// Make the CustomResourceDefinitions in deploy/crds anew
    Crds,
    /// Build the real servers that tests run against (etcd, Kubernetes, Vault), unless they are there
    Servers,
    /// Run a Kubernetes API, a Vault and the controller on this machine, to try Everleaf out
    Lab(lab::Options),
    /// Run many seeds of the simulation: two weeks of faults each
    Simulate(simulate::Options),
    /// Put deliberate faults in and see that the simulation finds each
    Mutants(mutants::Options),
    /// Measure what an issuance costs
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Tidy => tidy::run(),
        Command::Crds => generated::make(),
        Command::Servers => servers::make_ready(),
        Command::Lab(options) => lab::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Mutants(options) => mutants::run(&options),
        Command::Bench(bench) => bench::run(&bench),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root folder of the project.
fn project_folder() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Runs cargo in the project's folder, its output on the screen.
fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let status = std::process::Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(project_folder())
        .stdin(Stdio::null())
        .status()
        .context("start cargo")?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}
