//! Counts passes in a row that could not be finished, by object. Plain data.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Counters by key.
#[derive(Debug)]
pub struct Retries<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Retries<K> {
    fn default() -> Self {
        Retries(Mutex::new(HashMap::new()))
    }
}

impl<K: Clone + Eq + Hash> Retries<K> {
    /// One more; returns how many it are.
    pub fn count(&self, key: &K) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// True if the last pass went badly.
    pub(crate) fn has_failed(&self, key: &K) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    /// It went well.
    pub fn forget(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
