//! A work queue of keys: each key waits at most once, is worked on by at most one worker, and can be due later.
//! Time is tokio's, so that it runs in virtual time. It never drops a key and never knows what a key stands for.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The queue. Share it by `Arc`.
#[derive(Debug)]
pub struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    queued: HashSet<K>,
    working: HashSet<K>,
    dirty: HashSet<K>,
    later: BTreeSet<(Instant, K)>,
    due: HashMap<K, Instant>,
}

impl<K: Clone + Eq + Ord + Hash> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            ready: VecDeque::new(),
            queued: HashSet::new(),
            working: HashSet::new(),
            dirty: HashSet::new(),
            later: BTreeSet::new(),
            due: HashMap::new(),
        };
        Queue { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl<K: Clone + Eq + Ord + Hash> Queue<K> {
    /// The key is due now. If it is being worked on, it comes again afterwards.
    pub fn push(&self, key: K) {
        let mut state = self.lock();
        if state.working.contains(&key) {
            state.dirty.insert(key);
            return;
        }
        if state.queued.insert(key.clone()) {
            state.ready.push_back(key);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// The key is due at `at`, unless it is due earlier already.
    pub fn push_at(&self, key: K, at: Instant) {
        let mut state = self.lock();
        match state.due.get(&key).copied() {
            Some(due) if due <= at => return,
            Some(due) => {
                state.later.remove(&(due, key.clone()));
            }
            None => {}
        }
        state.due.insert(key.clone(), at);
        state.later.insert((at, key));
        drop(state);
        self.changed.notify_one();
    }

    /// The next key that is due, waiting for one. Call [`Queue::done`] when its work has ended.
    pub async fn pop(&self) -> K {
        loop {
            let changed = self.changed.notified();
            let next = {
                let mut state = self.lock();
                state.move_due(Instant::now());
                if let Some(key) = state.take() {
                    let more = !state.ready.is_empty();
                    drop(state);
                    if more {
                        self.changed.notify_one();
                    }
                    return key;
                }
                state.later.first().map(|(at, _)| *at)
            };
            match next {
                Some(at) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep_until(at) => {}
                },
                None => changed.await,
            }
        }
    }

    /// The work on a key has ended; it comes again at once if it was pushed meanwhile.
    pub fn done(&self, key: &K) {
        let mut state = self.lock();
        state.working.remove(key);
        if state.dirty.remove(key) && state.queued.insert(key.clone()) {
            state.ready.push_back(key.clone());
            drop(state);
            self.changed.notify_one();
        }
    }

    /// How many keys are due.
    pub fn len(&self) -> usize {
        self.lock().ready.len()
    }

    /// True if no key is due.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Ord + Hash> State<K> {
    fn move_due(&mut self, now: Instant) {
        while let Some((at, key)) = self.later.first().cloned() {
            if at > now {
                return;
            }
            self.later.remove(&(at, key.clone()));
            self.due.remove(&key);
            if self.working.contains(&key) {
                self.dirty.insert(key);
            } else if self.queued.insert(key.clone()) {
                self.ready.push_back(key);
            }
        }
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        self.working.insert(key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_pushed_while_it_is_worked_on_comes_once_more() {
        let queue = Queue::default();
        queue.push("a");
        let key = queue.pop().await;
        queue.push("a");
        queue.push("a");
        assert!(queue.is_empty(), "nobody else may take it meanwhile");
        queue.done(&key);
        assert_eq!(queue.pop().await, "a");
        queue.done(&"a");
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_date_never_replaces_an_earlier_one() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.push_at("a", start + Duration::from_secs(5));
        queue.push_at("a", start + Duration::from_secs(50));
        assert_eq!(queue.pop().await, "a");
        assert_eq!(start.elapsed().as_secs(), 5);
        queue.push_at("b", start + Duration::from_secs(60));
        queue.push_at("b", start + Duration::from_secs(20));
        assert_eq!(queue.pop().await, "b");
        assert_eq!(start.elapsed().as_secs(), 20);
    }
}
