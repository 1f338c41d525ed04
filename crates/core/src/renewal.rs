//! When a certificate is renewed: the rule of `renewBefore`, of `renewBeforePercentage`, or two thirds of its life, then the windows.
//! Pure: it never looks at the clock and never decides whether to renew now (`reissue.rs` does).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::wanted::{RenewBefore, Renewal, RenewalPolicy, Window};

/// When to renew a certificate with this life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenewalTime {
    /// At this moment.
    At(Timestamp),
    /// Never because of time.
    Never,
    /// No window opens before the certificate ends: it is renewed at the computed time all the same.
    NoWindow {
        /// The computed time.
        at: Timestamp,
        /// Why, for users.
        why: String,
    },
}

impl RenewalTime {
    /// The moment, if there is one.
    pub fn moment(&self) -> Option<Timestamp> {
        match self {
            RenewalTime::At(at) | RenewalTime::NoWindow { at, .. } => Some(*at),
            RenewalTime::Never => None,
        }
    }
}

/// The renewal time of a certificate that lives from `not_before` to `not_after`, by the life it really has.
pub fn renewal_time(renewal: &Renewal, not_before: Timestamp, not_after: Timestamp) -> RenewalTime {
    let at = unwindowed(renewal.before, not_before, not_after);
    match &renewal.policy {
        RenewalPolicy::AtTime => RenewalTime::At(at),
        RenewalPolicy::Disabled => RenewalTime::Never,
        RenewalPolicy::Windows(windows) if windows.is_empty() => RenewalTime::At(at),
        RenewalPolicy::Windows(windows) => windowed(windows, at, not_after),
    }
}

/// A certificate is left alone for this long after it began, or for a tenth of its life if that is less.
const LEFT_ALONE: SignedDuration = SignedDuration::from_mins(5);

fn unwindowed(before: RenewBefore, not_before: Timestamp, not_after: Timestamp) -> Timestamp {
    let life = not_after.duration_since(not_before).max(SignedDuration::ZERO);
    let wished = match before {
        RenewBefore::Default => None,
        RenewBefore::Duration(before) => SignedDuration::try_from(before).ok(),
        RenewBefore::Percentage(share) => (share < 100).then_some(life * i32::from(share) / 100),
    };
    // A wish that covers the life would renew without end. Vault dates back by 30 s, so one that is as long as the life it was cut to
    // covers it too, all but these 30 s (vault-issuer 6, S9): the default takes over.
    let most = life - LEFT_ALONE.min(life / 10);
    let before = wished.filter(|before| *before > SignedDuration::ZERO && *before < most).unwrap_or(life / 3);
    let at = not_after.checked_sub(before).unwrap_or(not_before);
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The computed time if a window is open then, else the earliest opening after it. A window that opens only after the end is no use: the
/// original would let the certificate expire there; we renew at the computed time and say why.
fn windowed(windows: &[Window], at: Timestamp, not_after: Timestamp) -> RenewalTime {
    if windows.iter().any(|window| is_open(window, at)) {
        return RenewalTime::At(at);
    }
    let opening = windows.iter().filter_map(|window| next_opening(window, at)).min();
    match opening {
        Some(opening) if opening < not_after => RenewalTime::At(opening),
        _ => RenewalTime::NoWindow {
            at,
            why: "no renewal window opens before the certificate ends".to_owned(),
        },
    }
}

fn is_open(window: &Window, at: Timestamp) -> bool {
    let Ok(open_for) = SignedDuration::try_from(window.open_for) else { return false };
    let just_before = at.checked_sub(open_for).unwrap_or(at);
    // The first opening after `at - open_for` that isn't later than `at` is still open at `at`.
    next_opening(window, just_before).is_some_and(|opening| opening <= at)
}

fn next_opening(window: &Window, after: Timestamp) -> Option<Timestamp> {
    let zone = jiff::tz::TimeZone::get(&window.timezone).ok()?;
    window.cron.next_after(after, &zone)
}

/// How long a certificate has left.
pub fn life_left(not_after: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    not_after.and_then(|end| Duration::try_from(end.duration_since(now)).ok())
}
