//! Connections of one life of a replica to Vaults: numbered, kept for reuse, dropped after faults, as the real pool does it. A balancer
//! chooses when a connection is made and not again, so that one number means one node; a proof depends on that (vault-measured 7).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use everleaf_core::failure::ConnectionId;
use everleaf_issuers::wire::Over;
use everleaf_practice::Practice;

/// Idle connections by name and port, and the next number.
#[derive(Default)]
pub(super) struct Pool(Mutex<State>);

#[derive(Default)]
struct State {
    idle: BTreeMap<String, Vec<Line>>,
    made: u64,
}

/// A connection that nobody uses now.
pub(super) struct Line {
    pub(super) number: ConnectionId,
    pub(super) node: Practice,
}

impl Pool {
    /// The wanted connection, or the one used last, or a new one.
    pub(super) fn take(
        &self,
        authority: &str,
        over: Option<Over>,
        connect: impl FnOnce() -> Option<Practice>,
    ) -> Option<Line> {
        let mut state = self.lock();
        if over != Some(Over::Fresh) {
            let lines = state.idle.entry(authority.to_owned()).or_default();
            let wanted = lines.iter().position(|line| over == Some(Over::Connection(line.number)));
            let line = match wanted {
                Some(at) => Some(lines.remove(at)),
                None => lines.pop(),
            };
            if line.is_some() {
                return line;
            }
        }
        state.made += 1;
        let number = ConnectionId(state.made);
        drop(state);
        connect().map(|node| Line { number, node })
    }

    /// The connection is idle again.
    pub(super) fn give_back(&self, authority: &str, line: Line) {
        self.lock().idle.entry(authority.to_owned()).or_default().push(line);
    }

    /// All idle connections to this place are dropped.
    pub(super) fn forget(&self, authority: &str) {
        self.lock().idle.remove(authority);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
