//! How long a certificate shall live, and when it is renewed.
//! The clock is not asked here: windows are read, and opened by `core`.

use std::time::Duration;

use everleaf_core::cron::Cron;
use everleaf_core::wanted::{DEFAULT_DURATION, RenewBefore, Renewal, RenewalPolicy, Window};
use jiff::tz::TimeZone;

use crate::certificate::{CertificateRenewal, CertificateSpec, RenewalPolicyName, RenewalWindow};
use crate::duration::GoDuration;
use crate::field_error::FieldError;
use crate::validate::Faults;

/// The shortest life that can be asked for.
const SHORTEST_LIFE: Duration = Duration::from_secs(60 * 60);
/// The shortest time between renewal and end that can be asked for.
const SHORTEST_RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
const DURATION: &str = "spec.duration";
const RENEW_BEFORE: &str = "spec.renewBefore";
const PERCENTAGE: &str = "spec.renewBeforePercentage";
const UTC: &str = "UTC";
/// What Go calls the zone of the machine it runs on. Controllers run in UTC.
const LOCAL: &str = "Local";

pub(super) fn duration(spec: &CertificateSpec, faults: &mut Faults) -> Option<Duration> {
    let duration = read(spec.duration.as_ref()?, DURATION, faults)?;
    if duration < SHORTEST_LIFE {
        faults.push(FieldError::invalid(
            DURATION,
            text(&spec.duration),
            "certificate duration must be at least 1h",
        ));
    }
    Some(duration)
}

pub(super) fn renewal(spec: &CertificateSpec, faults: &mut Faults) -> Renewal {
    Renewal {
        before: before(spec, faults),
        policy: spec.renewal.as_ref().map_or(RenewalPolicy::AtTime, |renewal| policy(renewal, faults)),
    }
}

/// `renewBefore`, `renewBeforePercentage` or neither.
///
/// Of a percentage p the peer's webhook checks `duration * (100 - p) / 100`, and only if `duration` or `renewBefore` is
/// set, too. Its controller computes `duration * p / 100`, the time that is left at renewal, and takes a p outside of
/// 1..=99 for unset. Both are followed as far as they make sense: p counts as the controller counts it; outside of
/// 1..=99 it is refused where the webhook looks at all, and else unset. Within 1..=99 nothing is refused: what the
/// webhook lets through is stored in clusters, and what it refuses would work.
fn before(spec: &CertificateSpec, faults: &mut Faults) -> RenewBefore {
    let life = match &spec.duration {
        Some(duration) => duration.as_std(),
        None => Some(DEFAULT_DURATION),
    };
    if let (Some(before), Some(percentage)) = (&spec.renew_before, spec.renew_before_percentage) {
        const TOGETHER: &str = "renewBefore and renewBeforePercentage cannot both be set";
        faults.push(FieldError::invalid(RENEW_BEFORE, before.as_str(), TOGETHER));
        faults.push(FieldError::invalid_number(PERCENTAGE, percentage, TOGETHER));
    }
    let percentage = share(spec, faults);
    let Some(written) = &spec.renew_before else { return percentage };
    let Some(before) = read(written, RENEW_BEFORE, faults) else { return percentage };
    if before < SHORTEST_RENEW_BEFORE {
        let detail = "certificate renewBefore must be at least 5m";
        faults.push(FieldError::invalid(RENEW_BEFORE, written.as_str(), detail));
    }
    if life.is_some_and(|life| before >= life) {
        let detail = "must be less than the certificate's duration (2160h where none is given)";
        faults.push(FieldError::invalid(RENEW_BEFORE, written.as_str(), detail));
    }
    RenewBefore::Duration(before)
}

fn share(spec: &CertificateSpec, faults: &mut Faults) -> RenewBefore {
    let Some(percentage) = spec.renew_before_percentage else { return RenewBefore::Default };
    match u8::try_from(percentage) {
        Ok(share @ 1..=99) => RenewBefore::Percentage(share),
        _ if spec.duration.is_none() && spec.renew_before.is_none() => RenewBefore::Default,
        _ => {
            let detail = "must be greater than 0 and less than 100";
            faults.push(FieldError::invalid_number(PERCENTAGE, percentage, detail));
            RenewBefore::Default
        }
    }
}

fn policy(renewal: &CertificateRenewal, faults: &mut Faults) -> RenewalPolicy {
    const POLICY: &str = "spec.renewal.policy";
    let windows = crate::items(&renewal.windows);
    match &renewal.policy {
        Some(RenewalPolicyName::Disabled) => {
            if !windows.is_empty() {
                let detail = "windows cannot be set when `renewal.policy` is set to Disabled";
                faults.push(FieldError::forbidden("spec.renewal.windows", detail));
            }
            return RenewalPolicy::Disabled;
        }
        Some(RenewalPolicyName::RenewBefore) => {}
        Some(RenewalPolicyName::Other(word)) => {
            faults.push(FieldError::not_supported(POLICY, word, RenewalPolicyName::WORDS));
        }
        None => faults.push(FieldError::required(POLICY, "must be RenewBefore or Disabled")),
    }
    if windows.is_empty() {
        return RenewalPolicy::AtTime;
    }
    let read = |(index, one)| window(one, &format!("spec.renewal.windows[{index}]"), faults);
    RenewalPolicy::Windows(windows.iter().enumerate().filter_map(read).collect())
}

fn window(window: &RenewalWindow, path: &str, faults: &mut Faults) -> Option<Window> {
    let open_for = if window.window_duration.as_str().is_empty() {
        faults.push(FieldError::required(format!("{path}.windowDuration"), "must be specified"));
        None
    } else {
        read(&window.window_duration, &format!("{path}.windowDuration"), faults)
    };
    let timezone = match crate::text(&window.timezone) {
        "" | LOCAL => UTC,
        name => name,
    };
    if TimeZone::get(timezone).is_err() {
        let detail = "must be the IANA name of a time zone, such as Europe/Berlin";
        faults.push(FieldError::invalid(format!("{path}.timezone"), timezone, detail));
    }
    let cron = Cron::parse(&window.cron).map_err(|error| {
        faults.push(FieldError::invalid(
            format!("{path}.cron"),
            &window.cron,
            format!("invalid cron syntax: {error}"),
        ));
    });
    Some(Window { cron: cron.ok()?, timezone: timezone.to_owned(), open_for: open_for? })
}

fn read(duration: &GoDuration, path: &str, faults: &mut Faults) -> Option<Duration> {
    match duration.parse() {
        Ok(signed) if signed.is_negative() => {
            faults.push(FieldError::invalid(path, duration.as_str(), "must not be negative"));
            None
        }
        Ok(signed) => signed.try_into().ok(),
        Err(error) => {
            faults.push(FieldError::invalid(path, duration.as_str(), error.to_string()));
            None
        }
    }
}

fn text(duration: &Option<GoDuration>) -> &str {
    duration.as_ref().map(GoDuration::as_str).unwrap_or_default()
}
