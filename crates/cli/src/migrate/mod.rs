//! `everleaf migrate check`: looks at a cluster with cert-manager and says what would change and what isn't supported.
//! It only reads.

mod findings;
mod flags_of_peer;
mod snapshot;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use findings::{Finding, Weight};
use serde_json::json;

use crate::cluster::{self, Place};
use crate::screen::{self, Paint};

/// Something that is in use isn't supported.
const NOT_SUPPORTED: u8 = 3;

/// Flags of `everleaf migrate`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 everything in use is supported, 1 the cluster could not be looked at, 2 wrong usage, 3 something in \
                  use isn't supported."
)]
pub(crate) struct Flags {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// What would change if Everleaf took over from cert-manager, and what isn't supported.
    Check {
        /// How to tell it.
        #[arg(long, short = 'o', value_enum, default_value = "text")]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Checks.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let What::Check { output, place } = &flags.what;
    cluster::run(async {
        let cluster = place.connect().await?;
        let snapshot = snapshot::take(&cluster.client).await?;
        let findings = findings::of(&snapshot);
        let text = match output {
            Output::Text => as_text(&findings, Paint::of_output()),
            Output::Json => as_json(&findings),
        };
        screen::print(&text)?;
        let stops = findings.iter().any(|finding| finding.weight == Weight::NotSupported);
        Ok(if stops { ExitCode::from(NOT_SUPPORTED) } else { ExitCode::SUCCESS })
    })
}

fn as_text(findings: &[Finding], paint: Paint) -> String {
    let mut text = String::new();
    for weight in [Weight::NotSupported, Weight::Changes, Weight::Note] {
        let some: Vec<&Finding> = findings.iter().filter(|finding| finding.weight == weight).collect();
        if some.is_empty() {
            continue;
        }
        text += &format!("{}\n", paint.strong(weight.heading()));
        for finding in some {
            text += &format!("  {}: {}\n", finding.about, screen::one_line(&finding.says));
        }
    }
    let stops = findings.iter().any(|finding| finding.weight == Weight::NotSupported);
    text += &match stops {
        true => paint.bad("Not everything that is in use is supported."),
        false => paint.good("Everything that is in use is supported."),
    };
    text + "\n"
}

fn as_json(findings: &[Finding]) -> String {
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "weight": finding.weight.word(), "about": finding.about, "says": finding.says }))
        .collect();
    let supported = findings.iter().all(|finding| finding.weight != Weight::NotSupported);
    format!("{:#}\n", json!({ "supported": supported, "findings": rows }))
}
