//! The only program, `everleaf`. Arguments become meaning here; the work is done by the crates behind.

mod cluster;
mod controller;
mod demo;
mod screen;
mod up;
mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Issues TLS certificates and keeps them alive, also when the certificate authority has a bad day.
#[derive(Parser)]
#[command(name = "everleaf", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the controller against a Kubernetes API.
    Controller(Box<controller::flags::Flags>),
    /// Shows, within a minute and with no set-up, how certificates outlive the outages of a Vault.
    Demo(demo::Flags),
    /// Runs the controller with an API of its own, for hosts without a cluster.
    Up(up::flags::Flags),
    /// Tells why a Certificate (or a request, or an issuer) is as it is, who must act, and what would mend it.
    Why(why::Flags),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Controller(flags) => controller::run(*flags),
        Command::Demo(flags) => demo::run(&flags),
        Command::Up(flags) => up::run(flags),
        Command::Why(flags) => why::run(&flags),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("everleaf: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The one place that writes to standard error outside the log.
#[allow(clippy::print_stderr)]
fn tell(line: &str) {
    eprintln!("{line}");
}
