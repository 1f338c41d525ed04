//! The table at the end, and whether the promise held. It judges by what the API showed, not by what was meant.

use std::io::{self, Write};
use std::time::Duration;

use super::count::Count;

/// What became of one outage.
pub(super) struct Survived {
    /// Its name.
    pub(super) name: &'static str,
    /// How long it lasted.
    pub(super) lasted: Duration,
    /// Calls that were refused or lost.
    pub(super) refused: u64,
    /// How long after healing the next certificate was signed.
    pub(super) served_after: Option<Duration>,
    /// Requests that ended as failed.
    pub(super) failed: usize,
    /// Certificates that expired.
    pub(super) expired: usize,
}

/// The promise: every outage was felt and healed, no request failed, no certificate expired, and all are ready.
pub(super) fn held(survived: &[Survived], count: &Count) -> bool {
    let felt_and_healed = survived.iter().all(|outage| outage.refused > 0 && outage.served_after.is_some());
    felt_and_healed && count.failed == 0 && count.expired == 0 && count.ready == count.certificates
}

/// Prints the table.
pub(super) fn print(survived: &[Survived], count: &Count, certificates: usize, held: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out)?;
    writeln!(
        out,
        "{:<32} {:>6} {:>16} {:>18} {:>7} {:>8}",
        "outage", "lasted", "calls refused", "served again after", "failed", "expired"
    )?;
    for outage in survived {
        let after =
            outage.served_after.map_or("never".to_owned(), |after| format!("{:.1} s", after.as_secs_f64()));
        let lasted = format!("{} s", outage.lasted.as_secs());
        writeln!(
            out,
            "{:<32} {lasted:>6} {:>16} {after:>18} {:>7} {:>8}",
            outage.name, outage.refused, outage.failed, outage.expired
        )?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "{certificates} certificates of 24 and 30 s were issued {} times through {} outages: {} requests failed, {} certificates expired.",
        count.issued,
        survived.len(),
        count.failed,
        count.expired
    )?;
    let verdict = if held {
        "The promise held: no certificate expires because of a fault that heals."
    } else {
        "The promise did NOT hold."
    };
    writeln!(out, "{verdict}\n")?;
    writeln!(out, "To look further:")?;
    writeln!(out, "  cargo xtask lab                    a real Kubernetes API and a real Vault to break")?;
    writeln!(out, "  everleaf controller --help         run it on a cluster")
}
