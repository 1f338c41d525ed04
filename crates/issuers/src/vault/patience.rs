//! How long the answer to a login is waited for. A login can't be made beside another, as a sign call can: it may use a secret_id up.
//! So most tries are short, that one which was lost on the way costs seconds after the cure; now and then one is long, because a
//! TokenReview may take its time (vault-measured 3). Pure bookkeeping.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A short try, or twice as long as the last answer took.
const SHORT: Duration = Duration::from_secs(6);
/// A long try is made only after silence of this length: most outages are over by then.
const LONG_AFTER: Duration = Duration::from_secs(75);
/// And again after this long.
const LONG_EVERY: Duration = Duration::from_secs(300);

/// What is known of the answers to logins.
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    silent_since: Option<Instant>,
    last_long: Option<Instant>,
    last_took: Duration,
}

impl Patience {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long to wait for the answer to a login that begins now.
    pub(super) fn of_next(&self, now: Instant, longest: Duration) -> Duration {
        let mut state = self.lock();
        let long_due = state.silent_since.is_some_and(|since| now.duration_since(since) >= LONG_AFTER)
            && state.last_long.is_none_or(|last| now.duration_since(last) >= LONG_EVERY);
        if long_due {
            state.last_long = Some(now);
            return longest;
        }
        SHORT.max(2 * state.last_took).min(longest)
    }

    /// There was an answer, whatever it said.
    pub(super) fn answered(&self, took: Duration) {
        *self.lock() = State { last_took: took, ..State::default() };
    }

    /// There was none.
    pub(super) fn silent(&self, began: Instant) {
        self.lock().silent_since.get_or_insert(began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(25);

    #[tokio::test(start_paused = true)]
    async fn tries_are_short_for_the_first_minute_of_silence_and_long_only_now_and_then() {
        let (patience, start) = (Patience::default(), Instant::now());
        let mut long = Vec::new();
        for second in (0..900).step_by(7) {
            let now = start + Duration::from_secs(second);
            if patience.of_next(now, LONGEST) == LONGEST {
                long.push(second);
            }
            patience.silent(now);
        }
        assert_eq!(long, [77, 378, 679]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_whose_logins_take_long_is_waited_for() {
        let (patience, now) = (Patience::default(), Instant::now());
        assert_eq!(patience.of_next(now, LONGEST), SHORT);
        patience.answered(Duration::from_secs(9));
        assert_eq!(patience.of_next(now, LONGEST), Duration::from_secs(18));
        patience.answered(Duration::from_secs(20));
        assert_eq!(patience.of_next(now, LONGEST), LONGEST);
    }
}
