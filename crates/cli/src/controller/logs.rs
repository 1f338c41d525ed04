//! Logs on standard error: text for people, or JSON for machines. Messages are constant, details are fields.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How to log.
pub(crate) struct Logs {
    /// `text` or `json`.
    pub format: Format,
    /// The peer's number: 0 to 2 tell what happens, 3 and 4 add details, more adds the libraries.
    pub verbosity: u8,
}

/// The shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Starts logging. `RUST_LOG` wins over the number.
pub(crate) fn start(logs: &Logs) -> anyhow::Result<()> {
    let default = match logs.verbosity {
        0..=2 => "warn,everleaf=info,everleaf_operator=info,everleaf_issuers=info",
        3..=4 => "info,everleaf=debug,everleaf_operator=debug,everleaf_issuers=debug",
        _ => "debug,everleaf=trace,everleaf_operator=trace,everleaf_issuers=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder =
        builder.with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let started = match logs.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("can't start logging: {error}"))
}
