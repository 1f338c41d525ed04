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
/// The least pause between the end of one probe and the start of the next.
const PROBE_PAUSE: Duration = Duration::from_millis(500);
/// Where a person must act, probes are slower, but only after this long: until then it may as well be a fault that heals, because a proxy
/// or a node in trouble refuses as Vault does (vault-measured 1.1, 1.5).
const SLOW_AFTER: Duration = Duration::from_secs(180);
/// The wait between these slow probes: what was mended in Vault works again within a minute.
const SLOW_PROBE: Duration = Duration::from_secs(30);

/// What the lane of an issuer may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// One more call may start.
    Go(Ticket),
    /// One call may start, and it stands for all: first ask for the server's health.
    Probe(Ticket),
    /// Nothing before this moment.
    NotBefore(Moment),
    /// Nothing before one of the calls in flight has been answered.
    Full,
}

/// A call that was admitted. It is given back with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a call that isn't given back stays in flight for ever"]
pub struct Ticket {
    begun: Moment,
    probe: Option<u32>,
}

impl Ticket {
    /// Its number among the probes of this outage, from zero; `None` if it is no probe.
    pub fn probe(self) -> Option<u32> {
        self.probe
    }
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
    /// One probe at a time. Calls from before the outage may still be in flight; they hinder nobody.
    Broken { since: Moment, probes: u32, next: Moment, nudged: bool },
    /// After an outage: a token bucket whose rate grows with each success.
    Recovering { rate: f64, tokens: f64, filled: Moment },
}

/// The pace of one issuer (credential and server).
#[derive(Debug, Clone)]
pub struct Pace {
    state: State,
    in_flight: usize,
    probing: usize,
    failures: u32,
    first_failure: Option<Moment>,
    salt: String,
}

impl Pace {
    /// A pace for an issuer nothing is known about yet. `salt` (its UID) spreads the probes of different issuers apart.
    pub fn new(salt: impl Into<String>) -> Pace {
        let state = State::Well;
        Pace { state, in_flight: 0, probing: 0, failures: 0, first_failure: None, salt: salt.into() }
    }

    /// May one more call start? On [`Admission::Go`] and [`Admission::Probe`] the call counts as started.
    pub fn admit(&mut self, now: Moment) -> Admission {
        let ticket = match &mut self.state {
            _ if self.in_flight >= WIDTH => return Admission::Full,
            State::Well => Ticket { begun: now, probe: None },
            State::Broken { nudged: false, .. } if self.probing > 0 => return Admission::Full,
            State::Broken { next, .. } if now < *next => return Admission::NotBefore(*next),
            State::Broken { probes, nudged, .. } => {
                *nudged = false;
                self.probing += 1;
                Ticket { begun: now, probe: Some(*probes) }
            }
            State::Recovering { rate, tokens, filled } => {
                *tokens = (*tokens + now.since(*filled).as_secs_f64() * *rate).min(rate.max(1.0));
                *filled = now;
                if *tokens < 1.0 {
                    let wait = Duration::from_secs_f64((1.0 - *tokens) / *rate).max(Duration::from_millis(1));
                    return Admission::NotBefore(now.plus(wait));
                }
                *tokens -= 1.0;
                Ticket { begun: now, probe: None }
            }
        };
        self.in_flight += 1;
        if ticket.probe.is_some() { Admission::Probe(ticket) } else { Admission::Go(ticket) }
    }

    /// A call that was admitted ended.
    pub fn answered(&mut self, ticket: Ticket, answer: Answered, now: Moment) {
        self.given_back(ticket);
        match answer {
            Answered::Works => self.works(now),
            Answered::Failed { class, overloaded, retry_after } => {
                self.failed(ticket, class, overloaded, retry_after, now)
            }
        }
    }

    /// A call that was admitted never started or was given up: it says nothing about the issuer.
    pub fn given_back(&mut self, ticket: Ticket) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if ticket.probe.is_some() {
            self.probing = self.probing.saturating_sub(1);
        }
    }

    /// Something changed that may have cured the issuer (its spec, a Secret): the next probe may start at once, beside one that still
    /// waits for its answer.
    pub fn nudge(&mut self, now: Moment) {
        if let State::Broken { .. } = self.state {
            self.state = State::Broken { since: now, probes: 0, next: now, nudged: true };
        }
    }

    /// Somebody waits who can't wait longer than this, whatever the server asked for before.
    pub fn probe_by(&mut self, moment: Moment) {
        if let State::Broken { next, .. } = &mut self.state {
            *next = moment.min(*next);
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

    fn failed(
        &mut self,
        ticket: Ticket,
        class: Class,
        overloaded: bool,
        retry_after: Option<Duration>,
        now: Moment,
    ) {
        self.failures = self.failures.saturating_add(1);
        self.first_failure.get_or_insert(now);
        let not_before = now.plus(retry_after.unwrap_or_default());
        self.state = match self.state {
            // A call from before the outage is no probe: it tells only how long to stay away.
            State::Broken { since, probes, next, nudged } if ticket.probe.is_none() => {
                State::Broken { since, probes, next: next.max(not_before), nudged }
            }
            State::Broken { since, probes, nudged, .. } => {
                let probes = probes.saturating_add(1);
                let next = self.after(class, since, probes, ticket.begun, now).max(not_before);
                State::Broken { since, probes, next, nudged }
            }
            // A rate limit while we recover is an answer to our pace, not a new outage: slow down first.
            State::Recovering { rate, .. }
                if overloaded && rate / 2.0 >= RATE_FLOOR && self.failures < 2 * TRIP_AFTER =>
            {
                State::Recovering { rate: rate / 2.0, tokens: 0.0, filled: not_before }
            }
            _ if self.failures >= TRIP_AFTER => {
                let next = self.after(class, now, 0, now, now).max(not_before);
                State::Broken { since: now, probes: 0, next, nudged: false }
            }
            state => state,
        };
    }

    /// When the next probe may start. What counts is the time between the starts of two probes: one that hung has waited already.
    fn after(&self, class: Class, since: Moment, probes: u32, begun: Moment, now: Moment) -> Moment {
        let needs_a_person = matches!(class, Class::Access | Class::Issuer);
        let rung = usize::try_from(probes).unwrap_or(usize::MAX);
        let base = match PROBES.get(rung).or(PROBES.last()) {
            _ if needs_a_person && now.since(since) >= SLOW_AFTER => SLOW_PROBE,
            seconds => Duration::from_secs(seconds.copied().unwrap_or(5)),
        };
        let wait = base / 2 + (base / 2).mul_f64(Jitter::of(&self.salt, probes).value());
        begun.plus(wait).max(now.plus(PROBE_PAUSE))
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
