//! `cargo xtask simulate`: long runs of the simulation, optimised, on all processors.
//! Each seed is two weeks of a cluster under faults; one that breaks an invariant is made smaller and printed with what runs it again.
//! It never leaves a failing seed out.

use anyhow::Result;
use clap::Args;

use crate::cargo;

/// Which seeds to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Further arguments of the program that runs them, e.g. --only 3,4 --trace
    #[arg(last = true)]
    further: Vec<String>,
}

/// Runs them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (seeds, from) = (options.seeds.to_string(), options.from.to_string());
    let mut arguments =
        vec!["run", "--release", "--quiet", "--package", "everleaf-simulation", "--example", "seeds", "--"];
    arguments.extend(["--seeds", &seeds, "--from", &from]);
    arguments.extend(options.further.iter().map(String::as_str));
    cargo(&arguments, &[])
}
