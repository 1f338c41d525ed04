//! `cargo xtask test`: every check and every test, in one order, stopping at the first that fails.
//! Tests against real servers are the ignored ones in `crates/*/tests/real_*.rs`; they come last and need what
//! `cargo xtask servers` builds.
//! Nothing is skipped in silence: leaving the real servers out has to be asked for.

use anyhow::Result;
use clap::Args;

use crate::{cargo, generated, servers, tidy};

/// What to leave out.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave out the tests against real servers (no Go needed)
    #[arg(long)]
    no_servers: bool,
}

/// Runs everything.
pub(crate) fn run(options: &Options) -> Result<()> {
    step("format");
    cargo(&["fmt", "--all", "--check"], &[])?;
    step("lints");
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])?;
    step("documentation");
    cargo(&["doc", "--workspace", "--no-deps", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    step("generated files");
    generated::check()?;
    step("house rules");
    tidy::run()?;
    if !options.no_servers {
        step("servers");
        servers::make_ready()?;
    }
    step("tests");
    cargo(&["test", "--workspace"], &[])?;
    if options.no_servers {
        println!("\nall passed; the tests against real servers were left out");
        return Ok(());
    }
    step("tests against real servers");
    real_server_tests()?;
    println!("\nall passed");
    Ok(())
}

/// One line per step, so that a long run shows where it is.
fn step(name: &str) {
    println!("\n=== {name} ===");
}

/// The program under test is built first: some of these tests start it.
fn real_server_tests() -> Result<()> {
    cargo(&["build", "--workspace", "--bins"], &[])?;
    cargo(&["test", "--workspace", "--test", "real_*", "--", "--ignored"], &[])
}
