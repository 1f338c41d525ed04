//! The project's own commands: `cargo xtask test | tidy | servers`.
//! Everything here is for people who work on Everleaf; no program that is shipped depends on it.
//! It must never need anything that a fresh clone with Rust and Go doesn't have.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to the person who runs it")]

mod servers;
mod test;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

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
    /// Build the real servers that tests run against (etcd, Kubernetes, Vault), unless they are there
    Servers,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Tidy => tidy::run(),
        Command::Servers => servers::make_ready(),
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
