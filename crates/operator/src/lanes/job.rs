//! A request in a lane: what it waits for and what has been tried. Plain data.

use std::time::Duration;

use everleaf_core::failure::{Class, Failure, Sighting};
use everleaf_core::pace::{Moment, Urgency};
use everleaf_core::{renewal, retry};
use jiff::Timestamp;

use crate::ids::Key;

/// A request that waits for a signature.
#[derive(Debug, Clone)]
pub struct Job {
    /// The request.
    pub request: Key,
    /// Its UID: a new object under the same name is a new job.
    pub uid: String,
    /// Approve it in the write that publishes its certificate.
    pub approve: bool,
    /// Its place in the line.
    pub urgency: Urgency,
    /// When the certificate in use ends, if there is one.
    pub ends: Option<Timestamp>,
    /// Tries that failed.
    pub attempts: u32,
    /// It waits by itself until this moment, by its own back-off.
    pub until: Option<Moment>,
    /// What is published about it.
    pub told: Option<Told>,
    /// The first time its refusal was seen.
    pub sighting: Option<Sighting>,
}

/// What was published about a waiting request: it is written again only when this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Class and code of the failure; `None` while the answer is only slow.
    pub cause: Option<(Class, &'static str)>,
    /// The rung of its back-off; `None` where it waits with the issuer.
    pub rung: Option<Duration>,
    /// When it was written.
    pub at: Moment,
    /// How often something was told about it.
    pub times: u32,
}

impl Told {
    /// What is told about a failure.
    pub fn of(failure: &Failure, rung: Option<Duration>, at: Moment) -> Told {
        Told { cause: Some((failure.class, failure.code)), rung, at, times: 1 }
    }

    /// That the answer is slow.
    pub fn slow(at: Moment) -> Told {
        Told { cause: None, rung: None, at, times: 1 }
    }

    /// The same, told after `old`.
    pub fn after(self, old: Option<&Told>) -> Told {
        Told { times: old.map_or(1, |old| old.times.saturating_add(1)), ..self }
    }

    /// Whether the same people must move.
    pub fn is_same_class(&self, other: &Told) -> bool {
        let class = |told: &Told| told.cause.map(|(class, _)| class);
        class(self) == class(other)
    }
}

impl Job {
    /// A request that has not been tried.
    pub fn new(request: Key, uid: String, approve: bool, ends: Option<Timestamp>, created: Timestamp) -> Job {
        Job {
            request,
            uid,
            approve,
            urgency: Urgency { probes: 0, ends: ends.unwrap_or(created) },
            ends,
            attempts: 0,
            until: None,
            told: None,
            sighting: None,
        }
    }

    /// The longest it can wait for a try.
    pub fn patience(&self, now: Timestamp) -> Duration {
        retry::cap(renewal::life_left(self.ends, now))
    }
}
