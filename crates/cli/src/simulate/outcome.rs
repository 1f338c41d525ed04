//! What came out of a run: who expired, how busy Vault was, how long recovery took. It only counts.

use std::time::Duration;

use serde::Serialize;

use super::plan::Plan;

/// How many points a curve has.
const POINTS: usize = 240;

/// What came out of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    /// Certificates that were expired at some time.
    pub expired: usize,
    /// For how long certificates were expired, all together, in seconds.
    pub expired_seconds: f64,
    /// The least life that a certificate had left when it was renewed, in seconds; negative if it had expired.
    pub least_left_seconds: f64,
    /// Signatures.
    pub signs: u64,
    /// Calls that failed.
    pub failed_calls: u64,
    /// The most signatures in one minute.
    pub peak_signs_a_minute: u64,
    /// For each outage, how long after its end the last of those that had waited was renewed, in seconds.
    pub recovery_seconds: Vec<f64>,
    /// Signatures in each part of the span.
    pub signs_over_time: Vec<u64>,
    /// Expired certificates at the end of each part of the span.
    pub expired_over_time: Vec<i64>,
}

/// Counts while a run goes on.
pub(crate) struct Count<'a> {
    plan: &'a Plan,
    outcome: Outcome,
    had_expired: Vec<bool>,
    minute: (u64, u64),
}

impl<'a> Count<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Count<'a> {
        let outcome = Outcome {
            expired: 0,
            expired_seconds: 0.0,
            least_left_seconds: plan.life.as_secs_f64(),
            signs: 0,
            failed_calls: 0,
            peak_signs_a_minute: 0,
            recovery_seconds: vec![0.0; plan.outages.len()],
            signs_over_time: vec![0; POINTS],
            expired_over_time: vec![0; POINTS + 1],
        };
        Count { plan, outcome, had_expired: vec![false; plan.certificates], minute: (0, 0) }
    }

    /// A call failed.
    pub(crate) fn failed(&mut self) {
        self.outcome.failed_calls += 1;
    }

    /// A certificate that ended at `ends` and was due since `due` is renewed. Calls must come in the order of time.
    pub(crate) fn renewed(&mut self, number: usize, due: Duration, ends: Duration, at: Duration) {
        self.outcome.signs += 1;
        let minute = at.as_secs() / 60;
        self.minute = if self.minute.0 == minute { (minute, self.minute.1 + 1) } else { (minute, 1) };
        self.outcome.peak_signs_a_minute = self.outcome.peak_signs_a_minute.max(self.minute.1);
        let point = self.point(at);
        if let Some(count) = self.outcome.signs_over_time.get_mut(point) {
            *count += 1;
        }
        let left = ends.as_secs_f64() - at.as_secs_f64();
        self.outcome.least_left_seconds = self.outcome.least_left_seconds.min(left);
        self.note_expiry(number, ends, at);
        for (outage, recovery) in self.plan.outages.iter().zip(&mut self.outcome.recovery_seconds) {
            if due < outage.end() && at >= outage.end() {
                *recovery = recovery.max((at - outage.end()).as_secs_f64());
            }
        }
    }

    /// The span is over; this certificate ends, or ended, at `ends`.
    pub(crate) fn over(&mut self, number: usize, ends: Duration) {
        self.note_expiry(number, ends, self.plan.span);
    }

    fn note_expiry(&mut self, number: usize, ends: Duration, until: Duration) {
        let Some(expired) = until.checked_sub(ends).filter(|expired| !expired.is_zero()) else { return };
        self.outcome.expired_seconds += expired.as_secs_f64();
        if let Some(had) = self.had_expired.get_mut(number) {
            *had = true;
        }
        // As changes; they are added up at the end.
        let (from, to) = (self.point(ends), self.point(until));
        for (point, change) in [(from, 1), (to, -1)] {
            if let Some(count) = self.outcome.expired_over_time.get_mut(point) {
                *count += change;
            }
        }
    }

    fn point(&self, at: Duration) -> usize {
        (at.as_secs_f64() / self.plan.span.as_secs_f64() * POINTS as f64) as usize
    }

    pub(crate) fn outcome(mut self) -> Outcome {
        self.outcome.expired = self.had_expired.iter().filter(|had| **had).count();
        let mut now = 0;
        for count in &mut self.outcome.expired_over_time {
            now += *count;
            *count = now;
        }
        self.outcome.expired_over_time.truncate(POINTS);
        self.outcome
    }
}
