//! A request in a lane: what it waits for and what has been tried. Plain data.

use everleaf_core::failure::{Failure, Sighting};
use everleaf_core::pace::{Moment, Urgency};
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
    /// Not before this moment, by its own back-off.
    pub not_before: Moment,
    /// What is published about it.
    pub told: Option<Told>,
    /// The first time its refusal was seen.
    pub sighting: Option<Sighting>,
    /// It is being signed or told about.
    pub busy: bool,
}

/// What was published about a waiting request: it is written again only when this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Class and code of the failure; `None` while the answer is only slow.
    pub cause: Option<(everleaf_core::failure::Class, &'static str)>,
    /// The rung of the back-off.
    pub rung: u32,
    /// When it was written.
    pub at: Moment,
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
            not_before: Moment::default(),
            told: None,
            sighting: None,
            busy: false,
        }
    }

    /// What would be told about this failure now.
    pub fn telling(&self, failure: &Failure, rung: u32, at: Moment) -> Told {
        Told { cause: Some((failure.class, failure.code)), rung, at }
    }
}
