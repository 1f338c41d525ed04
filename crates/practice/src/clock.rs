//! The wall clock of a practice Vault: a function given from outside, plus arithmetic that can't panic.
//! Waiting is done with tokio's timers elsewhere; nothing here sleeps.
//! No file of this crate but this one may ask the system for the time, and only `system` does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Where a practice Vault reads the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    /// A clock that is read by calling this function.
    pub fn new(read: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Clock {
        Clock(read)
    }

    /// The system's clock, for a stand-alone server.
    pub fn system() -> Clock {
        Clock(Arc::new(Timestamp::now))
    }

    /// A clock that shows `start` now and moves with tokio's time, so also with a paused runtime's.
    /// Call it inside the runtime.
    pub fn tokio_from(start: Timestamp) -> Clock {
        let origin = tokio::time::Instant::now();
        Clock(Arc::new(move || later(start, origin.elapsed())))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// The moment `by` after `at`, at most the end of time.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The moment `by` before `at`, at least the beginning of time.
pub(crate) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// A moment shifted by a signed span.
pub(crate) fn shifted(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}

/// How long from `from` to `to`; nothing when `to` came first.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
