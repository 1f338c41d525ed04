//! The wall clock comes in from outside; waiting is tokio's, so that both can be virtual.
//! Here it is only printed the way the API prints moments.
//! No file of this crate but this one may ask the system for the time, and only `system` does.

use std::sync::Arc;

use jiff::Timestamp;

/// Where the API reads the time of day.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The system's clock.
pub(crate) fn system() -> WallClock {
    Arc::new(Timestamp::now)
}

/// A moment to the second, as in `metadata.creationTimestamp`.
pub(crate) fn to_the_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
