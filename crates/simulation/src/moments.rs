//! The time of a simulation: one wall clock that follows tokio's paused time, and a clock of its own for each replica, which may be off.
//! Nothing here asks the system for the time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everleaf_operator::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When each simulation begins: an arbitrary fixed date.
const START_SECOND: i64 = 1_767_225_600;

/// An hour.
pub const HOUR: Duration = Duration::from_secs(3_600);
/// A day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// The true time.
#[derive(Debug, Clone, Copy)]
pub struct Wall {
    origin: Instant,
}

impl Wall {
    /// A wall clock that begins now. Call it inside the runtime.
    pub fn begin() -> Wall {
        Wall { origin: Instant::now() }
    }

    /// How long the simulation has run.
    pub fn elapsed(self) -> Duration {
        self.origin.elapsed()
    }

    /// The time of day.
    pub fn now(self) -> Timestamp {
        self.at(self.elapsed())
    }

    /// The time of day at a moment of the simulation.
    pub fn at(self, moment: Duration) -> Timestamp {
        let start = Timestamp::from_second(START_SECOND).unwrap_or(Timestamp::UNIX_EPOCH);
        start.checked_add(moment).unwrap_or(Timestamp::MAX)
    }
}

/// How far one replica's clock is off. Share it by clone.
#[derive(Debug, Clone, Default)]
pub struct Hands(Arc<Mutex<Offset>>);

#[derive(Debug, Clone, Copy, Default)]
struct Offset {
    jump: SignedDuration,
    /// Seconds gained for each second, since `drifts_since`.
    drift: f64,
    drifts_since: Duration,
}

impl Hands {
    /// The clock of this replica.
    pub fn clock(&self, wall: Wall) -> Clock {
        let hands = self.clone();
        Clock::new(move || wall.now().checked_add(hands.off_by(wall)).unwrap_or(Timestamp::MAX))
    }

    /// How far it is off now.
    pub fn off_by(&self, wall: Wall) -> SignedDuration {
        let offset = *self.lock();
        let drifting = wall.elapsed().saturating_sub(offset.drifts_since).as_secs_f64() * offset.drift;
        offset.jump.saturating_add(SignedDuration::try_from_secs_f64(drifting).unwrap_or_default())
    }

    /// It jumps, on top of what it is off already.
    pub fn jump(&self, by: SignedDuration) {
        let mut offset = self.lock();
        offset.jump = offset.jump.saturating_add(by);
    }

    /// From now on it gains so many seconds for each second (negative: loses).
    pub fn drift(&self, drift: f64, wall: Wall) {
        let off = self.off_by(wall);
        *self.lock() = Offset { jump: off, drift, drifts_since: wall.elapsed() };
    }

    /// It is set right.
    pub fn set_right(&self) {
        *self.lock() = Offset::default();
    }

    fn lock(&self) -> MutexGuard<'_, Offset> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment as people read it: days, hours, minutes, seconds, milliseconds.
pub fn shown(moment: Duration) -> String {
    let seconds = moment.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{days}d{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, moment.subsec_millis())
}
