//! What happens next to a Certificate, and when: told by its conditions, or worked out by the rules of the controller that keeps it.
//! The rules are those of the core and of the peer; no wait is made up.

use everleaf_core::conditions;
use everleaf_core::renewal::life_left;
use everleaf_core::retry::{Cadence, Jitter};
use jiff::Timestamp;

use super::facts;
use super::of_certificate::Seen;
use super::story::{Finding, Verdict};

/// How the peer's controllers call themselves where they write a status.
const PEERS_MANAGER: &str = "cert-manager";

pub(super) fn lines(seen: &Seen<'_>, finding: Option<&Finding>) -> Vec<String> {
    let mut lines: Vec<String> = finding.iter().filter_map(|finding| finding.cause.next.clone()).collect();
    lines.extend(after_failure(seen).filter(|_| lines.is_empty()));
    if lines.is_empty() {
        lines.extend(finding.map(by_verdict));
    }
    lines.extend(dates(seen));
    lines
}

fn by_verdict(finding: &Finding) -> String {
    match finding.verdict {
        Verdict::NeedsPerson => "It goes on by itself as soon as that is mended.",
        Verdict::Working | Verdict::InOrder => "It goes on by itself.",
    }
    .to_owned()
}

/// When a Certificate whose last issuance failed tries again.
fn after_failure(seen: &Seen<'_>) -> Option<String> {
    let failed = seen.status.last_failure_time.as_ref()?.0;
    let attempts = seen.status.failed_issuance_attempts.unwrap_or(1).max(1);
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    let (whose, wait) = if is_kept_by_peer(seen) {
        ("cert-manager's back-off", Cadence::PEER.wait(attempts, None, Jitter::new(0.0)))
    } else {
        let uid = seen.certificate.metadata.uid.clone().unwrap_or_default();
        let end = seen.status.not_after.as_ref().map(|time| time.0);
        let wait = Cadence::BoundByLife.wait(attempts, life_left(end, failed), Jitter::of(&uid, attempts));
        ("the cadence", wait)
    };
    let at = failed.checked_add(wait).ok()?;
    let name = seen.scene.name_and_namespace();
    let by_hand = format!("at once when the spec changes, or by: everleaf renew {name}");
    Some(match at > seen.now {
        true => format!(
            "Next try by {} ({whose} after {attempts} failures in a row); {by_hand}.",
            facts::moment(at, seen.now)
        ),
        false => format!("The next try is due since {} ({whose}); {by_hand}.", conditions::clock(at)),
    })
}

/// Who wrote the status last.
fn is_kept_by_peer(seen: &Seen<'_>) -> bool {
    let managers = seen.certificate.metadata.managed_fields.iter().flatten();
    let of_status = managers.filter(|entry| entry.subresource.as_deref() == Some("status"));
    let last = of_status.max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    last.and_then(|entry| entry.manager.as_deref()).is_some_and(|manager| manager.starts_with(PEERS_MANAGER))
}

fn dates(seen: &Seen<'_>) -> Vec<String> {
    let line = |what: &str, at: Timestamp| format!("{what} {}", facts::moment(at, seen.now));
    let renewal = seen.status.renewal_time.as_ref().map(|time| time.0);
    let end = seen.status.not_after.as_ref().map(|time| time.0);
    let renewal =
        renewal.map(|at| line(if at > seen.now { "Renewed at" } else { "To be renewed since" }, at));
    let end = end.map(|at| line(if at > seen.now { "Ends at" } else { "Ended at" }, at));
    renewal.into_iter().chain(end).collect()
}
