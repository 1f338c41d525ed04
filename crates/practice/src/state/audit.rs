//! What came in and how it was answered: the counters that tests and the demo read.
//! Every request is counted, also those that got no HTTP answer. The record of single requests is bounded.
//! No tokens, no bodies, no headers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::http::phase::Phase;
use crate::http::transport::TransportKind;

/// How one request ended, as the client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    /// With this HTTP status.
    Status(u16),
    /// With this fault of the connection, before any work was done.
    Broken(TransportKind),
    /// With this fault of the connection, after the work was done: the answer is lost.
    Lost(TransportKind),
    /// With silence.
    Silence,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it came in.
    pub at: Timestamp,
    /// The node it came to.
    pub node: usize,
    /// The connection it came over; 0 where there are none.
    pub connection: u64,
    /// What kind of call it was.
    pub phase: Phase,
    /// The method.
    pub method: String,
    /// The path behind `/v1/`.
    pub path: String,
    /// How it ended.
    pub seen: Seen,
}

/// The place of a record among all that were noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordId(u64);

/// How many requests are remembered one by one.
const MOST_RECORDS: usize = 100_000;

/// The counters, and the latest requests.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    counts: BTreeMap<(Phase, String, Seen), u64>,
    /// How many records were dropped from the front.
    dropped: u64,
    records: VecDeque<Record>,
}

impl Audit {
    pub(crate) fn note(&mut self, record: Record) -> RecordId {
        *self.counts.entry((record.phase, record.path.clone(), record.seen)).or_default() += 1;
        if self.records.len() >= MOST_RECORDS {
            self.records.pop_front();
            self.dropped += 1;
        }
        self.records.push_back(record);
        RecordId(self.dropped + self.records.len() as u64 - 1)
    }

    /// Says how a request that was noted ended. One whose record has been dropped meanwhile keeps its old count.
    pub(crate) fn amend(&mut self, id: RecordId, seen: Seen) {
        let index = id.0.checked_sub(self.dropped).and_then(|index| usize::try_from(index).ok());
        let Some(record) = index.and_then(|index| self.records.get_mut(index)) else { return };
        let key = |seen| (record.phase, record.path.clone(), seen);
        if let Entry::Occupied(mut old) = self.counts.entry(key(record.seen)) {
            *old.get_mut() -= 1;
            if *old.get() == 0 {
                old.remove();
            }
        }
        *self.counts.entry(key(seen)).or_default() += 1;
        record.seen = seen;
    }

    /// Sets the counters back to nothing. Requests under way aren't counted any more.
    pub(crate) fn forget(&mut self) {
        self.counts.clear();
        self.dropped += self.records.len() as u64;
        self.records.clear();
    }

    /// The latest requests, oldest first (at most 100,000).
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// Requests that a choice of phase, path and end names.
    pub fn count(&self, choose: impl Fn(Phase, &str, Seen) -> bool) -> u64 {
        let chosen = self.counts.iter().filter(|((phase, path, seen), _)| choose(*phase, path, *seen));
        chosen.map(|(_, count)| count).sum()
    }

    /// All requests of a phase.
    pub fn calls(&self, phase: Phase) -> u64 {
        self.count(|actual, _, _| phase.covers(actual))
    }

    /// Requests of a phase that ended with this status.
    pub fn answered(&self, phase: Phase, status: u16) -> u64 {
        self.count(|actual, _, seen| phase.covers(actual) && seen == Seen::Status(status))
    }

    /// Logins that gave a token.
    pub fn logins(&self) -> u64 {
        self.count(|phase, _, seen| phase == Phase::Login && is_done(seen))
    }

    /// Signatures made, also those whose answer was lost.
    pub fn signatures(&self) -> u64 {
        self.count(|phase, _, seen| phase == Phase::Sign && is_done(seen))
    }

    /// Requests per path and end.
    pub fn by_path(&self) -> BTreeMap<(&str, Seen), u64> {
        let mut paths = BTreeMap::new();
        for ((_, path, seen), count) in &self.counts {
            *paths.entry((path.as_str(), *seen)).or_default() += count;
        }
        paths
    }
}

fn is_done(seen: Seen) -> bool {
    matches!(seen, Seen::Status(200) | Seen::Lost(_))
}
