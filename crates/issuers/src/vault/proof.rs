//! Refusals of requests that wait for their proof: where and when each was first said, so that the next attempt can commit a write
//! on the same connection and ask there again (vault-measured 7). The verdict itself is core's (`Refusal::proved`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use everleaf_core::failure::{CommittedWrite, ConnectionId, Finality, Outcome};
use everleaf_core::x509::Csr;
use jiff::{SignedDuration, Timestamp};

/// The most requests that are remembered; more than these find no proof until others are done.
const MOST: usize = 4096;
/// A sighting older than this is of no use: no connection lives so long.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_secs(3600);

/// What was refused and not proved yet.
#[derive(Default)]
pub(super) struct Refusals(Mutex<State>);

#[derive(Default)]
struct State {
    seen: BTreeMap<Box<[u8]>, First>,
    /// The last write for a proof; requests that are proved at the same time share it.
    write: Option<CommittedWrite>,
}

/// Where and when a refusal was first said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct First {
    pub(super) at: Timestamp,
    pub(super) connection: ConnectionId,
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where this request was refused.
    pub(super) fn first(&self, csr: &Csr) -> Option<First> {
        self.lock().seen.get(&key(csr)).copied()
    }

    /// A write on the same connection since then.
    pub(super) fn write_between(&self, first: First, now: Timestamp) -> Option<CommittedWrite> {
        let write = self.lock().write;
        write.filter(|write| write.connection == first.connection && first.at <= write.at && write.at <= now)
    }

    /// Something was committed.
    pub(super) fn committed(&self, write: CommittedWrite) {
        self.lock().write = Some(write);
    }

    /// Keeps the first sighting of a refusal, on one connection; forgets the request when anything else is answered.
    pub(super) fn note(
        &self,
        csr: &Csr,
        outcome: &Outcome,
        connection: Option<ConnectionId>,
        now: Timestamp,
    ) {
        let Some(connection) = connection else { return };
        let mut state = self.lock();
        let key = key(csr);
        let refused = matches!(outcome, Outcome::Failed(failure) if failure.finality == Finality::WhenProved);
        if !refused {
            state.seen.remove(&key);
            return;
        }
        if state.seen.len() >= MOST {
            state.seen.retain(|_, first| now.duration_since(first.at) < FORGOTTEN_AFTER);
        }
        let same_place = state.seen.get(&key).is_some_and(|first| first.connection == connection);
        if !same_place && (state.seen.len() < MOST || state.seen.contains_key(&key)) {
            state.seen.insert(key, First { at: now, connection });
        }
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        *self.lock() = State::default();
    }
}

fn key(csr: &Csr) -> Box<[u8]> {
    digest(&SHA256, csr.der()).as_ref().into()
}
