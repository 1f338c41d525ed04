//! `everleaf why`: the whole story of one object, told from the API alone. `story.rs` is its heart, `gather.rs` the only reader.
//! It never writes, never asks a controller or a Vault, and never prints a secret.

mod cure;
mod facts;
mod gather;
mod next;
mod objects;
mod of_certificate;
mod of_issuer;
mod of_request;
mod print;
mod scene;
mod story;
mod subject;
#[cfg(test)]
mod tests;
mod told;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::cluster::{self, Place};
use crate::screen::{self, Paint};
use story::Verdict;

pub(crate) use cure::cure;
pub(crate) use facts::issuer_spec as issuer_line;
pub(crate) use gather::issuer_named;
pub(crate) use objects::IssuerSeen;
pub(crate) use scene::Scene;
pub(crate) use subject::{Kind, Subject};
pub(crate) use told::Told;

/// The object is in order.
const IN_ORDER: u8 = 0;
/// It is being worked on, and no person is needed.
const WORKING: u8 = 3;
/// A person is needed.
const NEEDS_PERSON: u8 = 4;
/// There is no such object.
const NOT_FOUND: u8 = 5;

/// Flags of `everleaf why`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 in order, 1 it could not be told (no access, no connection), 2 wrong usage, 3 being worked on, \
                        4 a person is needed, 5 not found."
)]
pub(crate) struct Flags {
    /// What to ask about: NAME of a Certificate, or KIND/NAME with certificate, certificaterequest, issuer or clusterissuer.
    #[arg(value_name = "[KIND/]NAME")]
    subject: Subject,
    #[command(flatten)]
    place: Place,
    /// How to print it.
    #[arg(long, short = 'o', value_enum, default_value = "text")]
    output: Output,
}

/// How a story is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Tells the story.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    cluster::run(async {
        let cluster = flags.place.connect().await?;
        let objects = gather::objects(&cluster, &flags.subject).await?;
        let Some(story) = story::story(&flags.subject, &objects, Timestamp::now()) else {
            cluster.serves_our_kinds().await?;
            let place = match flags.subject.kind {
                Kind::ClusterIssuer => String::new(),
                _ => format!(" in namespace {}", cluster.namespace),
            };
            crate::tell(&format!("everleaf: there is no {}{place}", flags.subject));
            return Ok(ExitCode::from(NOT_FOUND));
        };
        match flags.output {
            Output::Text => screen::print(&print::text(&story, Paint::of_output(), screen::width()))?,
            Output::Json => screen::print(&format!("{}\n", serde_json::to_string_pretty(&story)?))?,
        }
        Ok(ExitCode::from(code(story.verdict)))
    })
}

fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::InOrder => IN_ORDER,
        Verdict::Working => WORKING,
        Verdict::NeedsPerson => NEEDS_PERSON,
    }
}
