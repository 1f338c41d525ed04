//! The only program, `everleaf`. Arguments become meaning here; the work is done by the crates behind.

mod approve;
mod check;
mod cluster;
mod completion;
mod controller;
mod demo;
mod doctor;
mod guard;
mod inspect;
mod migrate;
mod renew;
mod screen;
mod simulate;
mod status;
mod typed;
mod up;
mod version;
mod webhook;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

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
    /// Shows all certificates by the life they have left, the issuers, and what waits on what.
    Status(status::Flags),
    /// Asks for new certificates now: for one, or for many at a steady pace.
    Renew(renew::Flags),
    /// Lets a CertificateRequest be signed.
    Approve(approve::Flags),
    /// Forbids that a CertificateRequest is ever signed.
    Deny(approve::Flags),
    /// Looks whether an issuer can be used, step by step, before a certificate needs it.
    Doctor(Box<doctor::Flags>),
    /// Shows what stands in a certificate: of a Secret, or of a file.
    Inspect(inspect::Flags),
    /// Checks whether the cluster can take Certificates.
    Check(check::Flags),
    /// Tells the version of this program and of the cluster.
    Version(version::Flags),
    /// Serves the admission reviews of cert-manager's kinds.
    Webhook(webhook::Flags),
    /// Says what would change if Everleaf took over from cert-manager.
    Migrate(migrate::Flags),
    /// Says whether a renewBefore is long enough for the outages of a Vault, by simulation.
    Simulate(simulate::Flags),
    /// Prints the completion for a shell.
    Completion(completion::Flags),
    /// Tells why a Certificate (or a request, or an issuer) is as it is, who must act, and what would mend it.
    Why(why::Flags),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Controller(flags) => controller::run(*flags),
        Command::Demo(flags) => demo::run(&flags),
        Command::Up(flags) => up::run(flags),
        Command::Status(flags) => status::run(&flags),
        Command::Renew(flags) => renew::run(&flags),
        Command::Approve(flags) => approve::run(&flags, approve::Verdict::Approved),
        Command::Deny(flags) => approve::run(&flags, approve::Verdict::Denied),
        Command::Doctor(flags) => doctor::run(&flags),
        Command::Inspect(flags) => inspect::run(&flags),
        Command::Check(flags) => check::run(&flags),
        Command::Version(flags) => version::run(&flags),
        Command::Webhook(flags) => webhook::run(flags),
        Command::Migrate(flags) => migrate::run(&flags),
        Command::Simulate(flags) => simulate::run(&flags),
        Command::Completion(flags) => completion::run(&flags, Arguments::command()),
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
