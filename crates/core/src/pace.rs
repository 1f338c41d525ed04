//! The pace of one issuer: how many calls at once, and after an outage which call first and how fast the rest follow.
//! Pure: the moment comes in as an argument. It never makes a call and never knows what a request is; it only counts answers.

use std::time::Duration;

use crate::failure::Class;
use crate::retry::Jitter;

/// A reading of a monotonic clock, counted from any fixed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub Duration);

impl Moment {
    /// This much later.
    pub fn plus(self, wait: Duration) -> Moment {
        Moment(self.0.saturating_add(wait))
    }

    /// How long ago `earlier` was.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Calls in flight to an issuer that is well.
pub const WIDTH: usize = 16;
/// Failures in a row, with no success between, after which one probe stands for all.
pub const TRIP_AFTER: u32 = 2;
/// An issuer is told as sick only after it was so for this long, or after [`SICK_AFTER_FAILURES`]: a flapping Ready breaks deployments.
pub const SICK_AFTER: Duration = Duration::from_secs(30);
/// See [`SICK_AFTER`].
pub const SICK_AFTER_FAILURES: u32 = 2;
/// Calls per second with which an issuer is loaded again after an outage.
const RECOVERY_START: f64 = 16.0;
/// Above this rate an issuer counts as well again, and only [`WIDTH`] binds.
const RECOVERY_END: f64 = 512.0;
/// The slowest rate to which a rate limit can push us.
const RATE_FLOOR: f64 = 0.5;
/// How many calls per second each success adds while it recovers: what is waiting follows at a rate that grows by half each half second.
const RATE_GAIN: f64 = 1.0;

/// Waits in seconds between probes of a server that is in trouble. At most 5 s, so that what waits is served within 10 s of healing.
const PROBES: &[u64] = &[1, 2, 3, 4, 5];
/// Waits in seconds between probes when a person must act: told within 60 s that it was mended.
const SLOW_PROBES: &[u64] = &[2, 5, 10, 20, 30];

/// The least pause between the end of one probe and the start of the next.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

/// What the lane of an issuer may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// One more call may start.
    Go,
    /// One call may start, and it stands for all: first ask for the server's health.
    Probe,
    /// Nothing before this moment.
    NotBefore(Moment),
    /// Nothing before one of the calls in flight has been answered.
    Full,
}

/// How one call ended, as far as the issuer is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Signed, or refused for reasons of the request alone: the issuer works.
    Works,
    /// The issuer couldn't.
    Failed {
        /// Who must move.
        class: Class,
        /// It asked us to slow down, or didn't answer in time.
        overloaded: bool,
        /// How long it asked us to stay away, already capped by the life left of the most urgent request.
        retry_after: Option<Duration>,
    },
}

/// Where the issuer stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Well: only [`WIDTH`] binds.
    Well,
    /// One probe at a time.
    Broken { class: Class, probes: u32, next: Moment },
    /// After an outage: a token bucket whose rate grows with each success.
    Recovering { rate: f64, tokens: f64, filled: Moment },
}

/// The pace of one issuer (credential and server).
#[derive(Debug, Clone)]
pub struct Pace {
    state: State,
    in_flight: usize,
    failures: u32,
    first_failure: Option<Moment>,
    probe_started: Option<Moment>,
    salt: String,
}

impl Pace {
    /// A pace for an issuer nothing is known about yet. `salt` (its UID) spreads the probes of different issuers apart.
    pub fn new(salt: impl Into<String>) -> Pace {
        Pace { state: State::Well, in_flight: 0, failures: 0, first_failure: None, probe_started: None, salt: salt.into() }
    }

    /// May one more call start? On [`Admission::Go`] and [`Admission::Probe`] the call counts as started.
    pub fn admit(&mut self, now: Moment) -> Admission {
        match &mut self.state {
            _ if self.in_flight >= WIDTH => return Admission::Full,
            State::Well => {}
            State::Broken { .. } if self.in_flight > 0 => return Admission::Full,
            State::Broken { next, .. } if now < *next => return Admission::NotBefore(*next),
            State::Broken { .. } => {
                self.in_flight += 1;
                self.probe_started = Some(now);
                return Admission::Probe;
            }
            State::Recovering { rate, tokens, filled } => {
                *tokens = (*tokens + now.since(*filled).as_secs_f64() * *rate).min(rate.max(1.0));
                *filled = now;
                if *tokens < 1.0 {
                    let wait = Duration::from_secs_f64((1.0 - *tokens) / *rate).max(Duration::from_millis(1));
                    return Admission::NotBefore(now.plus(wait));
                }
                *tokens -= 1.0;
            }
        }
        self.in_flight += 1;
        Admission::Go
    }

    /// A call that was admitted ended.
    pub fn answered(&mut self, answer: Answered, now: Moment) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match answer {
            Answered::Works => self.works(now),
            Answered::Failed { class, overloaded, retry_after } => {
                self.failed(class, overloaded, retry_after, now)
            }
        }
    }

    /// A call that was admitted never started or was given up: it says nothing about the issuer.
    pub fn given_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Something changed that may have cured the issuer (its spec, a Secret): the next probe may start at once.
    pub fn nudge(&mut self, now: Moment) {
        if let State::Broken { next, probes, .. } = &mut self.state {
            *next = now;
            *probes = 0;
        }
    }

    /// True while one probe stands for all.
    pub fn is_broken(&self) -> bool {
        matches!(self.state, State::Broken { .. })
    }

    /// When the next probe may start, while broken.
    pub fn next_probe(&self) -> Option<Moment> {
        match self.state {
            State::Broken { next, .. } => Some(next),
            _ => None,
        }
    }

    /// True once the trouble is old or certain enough to be told on the issuer.
    pub fn is_sick(&self, now: Moment) -> bool {
        self.failures >= SICK_AFTER_FAILURES
            || self.first_failure.is_some_and(|first| now.since(first) >= SICK_AFTER)
    }

    fn works(&mut self, now: Moment) {
        self.failures = 0;
        self.first_failure = None;
        self.state = match self.state {
            State::Well => State::Well,
            State::Broken { .. } => {
                State::Recovering { rate: RECOVERY_START, tokens: RECOVERY_START / 2.0, filled: now }
            }
            State::Recovering { rate, .. } if rate + RATE_GAIN >= RECOVERY_END => State::Well,
            State::Recovering { rate, tokens, filled } => {
                State::Recovering { rate: rate + RATE_GAIN, tokens, filled }
            }
        };
    }

    fn failed(&mut self, class: Class, overloaded: bool, retry_after: Option<Duration>, now: Moment) {
        self.failures = self.failures.saturating_add(1);
        self.first_failure.get_or_insert(now);
        self.state = match self.state {
            State::Broken { probes, .. } => {
                let probes = probes.saturating_add(1);
                State::Broken { class, probes, next: self.after(class, probes, retry_after, now) }
            }
            // A rate limit while we recover is an answer to our pace, not a new outage: slow down first.
            State::Recovering { rate, .. }
                if overloaded && rate / 2.0 >= RATE_FLOOR && self.failures < 2 * TRIP_AFTER =>
            {
                State::Recovering {
                    rate: rate / 2.0,
                    tokens: 0.0,
                    filled: now.plus(retry_after.unwrap_or_default()),
                }
            }
            _ if self.failures >= TRIP_AFTER => {
                State::Broken { class, probes: 0, next: self.after(class, 0, retry_after, now) }
            }
            state => state,
        };
    }

    fn after(&self, class: Class, probes: u32, retry_after: Option<Duration>, now: Moment) -> Moment {
        let rungs = match class {
            Class::Transient | Class::Request => PROBES,
            Class::Access | Class::Issuer => SLOW_PROBES,
        };
        let rung = usize::try_from(probes).unwrap_or(usize::MAX);
        let base = Duration::from_secs(rungs.get(rung).or(rungs.last()).copied().unwrap_or(5));
        let wait = base / 2 + (base / 2).mul_f64(Jitter::of(&self.salt, probes).value());
        // A probe that hung has waited already: what counts is the time between the starts of two probes.
        let started = self.probe_started.unwrap_or(now);
        started.plus(wait).max(now.plus(PROBE_PAUSE)).max(now.plus(retry_after.unwrap_or_default()))
    }
}

/// Order in which waiting requests are served: fewest tries since the outage began, then least life left. A request that never
/// succeeds thus can't keep all others from being the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Urgency {
    /// Tries as a probe in this outage.
    pub probes: u32,
    /// When the certificate in use ends; one without a certificate counts as ending when it was asked for.
    pub ends: jiff::Timestamp,
}
