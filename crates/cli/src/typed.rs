//! Values as people type them on a command line.
//! What is wrong with one is told by clap, before anything starts.

use std::time::Duration;

use everleaf_api::GoDuration;

/// A duration such as `90s` or `1h30m`.
pub(crate) fn duration(typed: &str) -> Result<Duration, String> {
    GoDuration::from(typed).as_std().ok_or_else(|| "not a duration such as 90s or 1h30m".to_owned())
}
