//! What is wrong with the API and the ways to it, now. The injector changes it, the doors read it.
//! Plain state behind one short lock; waiting for a change is tokio's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bell::Bell;
use crate::fault::ApiTrouble;

/// What is wrong now. Share it by clone.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    state: Arc<Mutex<State>>,
    /// Counts changes, so that whoever waits for one looks again.
    changes: Bell,
    /// Counts the moments at which all watches break.
    breaks: Bell,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    api: BTreeMap<u64, ApiTrouble>,
    cut_from_api: BTreeMap<usize, u32>,
    cut_from_vault: BTreeSet<(usize, usize, u64)>,
    slow_writes: BTreeMap<usize, Duration>,
}

/// The name of something that is wrong, to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong(u64);

impl Conditions {
    /// The API is in trouble from now on.
    pub fn begin(&self, trouble: ApiTrouble) -> Wrong {
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        state.api.insert(number, trouble);
        drop(state);
        self.changed();
        Wrong(number)
    }

    /// That trouble is over.
    pub fn end(&self, wrong: Wrong) {
        self.lock().api.remove(&wrong.0);
        self.changed();
    }

    /// A replica can't reach the API, or can again.
    pub fn cut_from_api(&self, replica: usize, is_cut: bool) {
        let mut state = self.lock();
        let count = state.cut_from_api.entry(replica).or_default();
        *count = if is_cut { *count + 1 } else { count.saturating_sub(1) };
        drop(state);
        self.changed();
    }

    /// A replica can't reach an issuer's Vault.
    pub fn cut_from_vault(&self, replica: usize, issuer: usize) -> Wrong {
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        state.cut_from_vault.insert((replica, issuer, number));
        Wrong(number)
    }

    /// It can again.
    pub fn mend_vault(&self, wrong: Wrong) {
        self.lock().cut_from_vault.retain(|(_, _, number)| *number != wrong.0);
    }

    /// A replica's writes linger this long on their way.
    pub fn slow_writes(&self, replica: usize, by: Option<Duration>) {
        let mut state = self.lock();
        match by {
            Some(by) => state.slow_writes.insert(replica, by),
            None => state.slow_writes.remove(&replica),
        };
    }

    /// Breaks all watches that are open.
    pub fn break_watches(&self) {
        self.breaks.ring();
    }

    pub(super) fn troubles(&self) -> Vec<ApiTrouble> {
        self.lock().api.values().copied().collect()
    }

    pub(super) fn is_cut_from_api(&self, replica: usize) -> bool {
        self.lock().cut_from_api.get(&replica).is_some_and(|count| *count > 0)
    }

    /// Whether a replica can't reach a Vault now.
    pub(crate) fn is_cut_from_vault(&self, replica: usize, issuer: usize) -> bool {
        self.lock().cut_from_vault.iter().any(|(of, to, _)| (*of, *to) == (replica, issuer))
    }

    pub(super) fn lingering(&self, replica: usize) -> Option<Duration> {
        self.lock().slow_writes.get(&replica).copied()
    }

    /// Rings when anything here changes.
    pub(super) fn changes(&self) -> &Bell {
        &self.changes
    }

    /// Rings when all watches break.
    pub(super) fn breaks(&self) -> &Bell {
        &self.breaks
    }

    fn changed(&self) {
        self.changes.ring();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
