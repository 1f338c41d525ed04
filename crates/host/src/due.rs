//! Which Certificates are due, and when: one time for each, the earlier one wins. Those being worked on are not due twice.
//! It never asks the time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tokio::time::Instant;

/// Namespace and name of a Certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who is due when.
#[derive(Debug, Default)]
pub(crate) struct Due {
    times: BTreeMap<Key, Instant>,
    order: BTreeSet<(Instant, Key)>,
    working: BTreeSet<Key>,
}

impl Due {
    /// Makes it due by then, or earlier if it was.
    pub(crate) fn by(&mut self, key: &Key, at: Instant) {
        if let Some(before) = self.times.get(key).copied() {
            if before <= at {
                return;
            }
            self.order.remove(&(before, key.clone()));
        }
        self.times.insert(key.clone(), at);
        self.order.insert((at, key.clone()));
    }

    /// It is not due any more.
    pub(crate) fn drop(&mut self, key: &Key) {
        if let Some(at) = self.times.remove(key) {
            self.order.remove(&(at, key.clone()));
        }
    }

    /// The moment at which the next one that isn't being worked on is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.waiting().map(|(at, _)| *at)
    }

    /// Takes one that is due; it counts as being worked on until it is [`Due::done`].
    pub(crate) fn take(&mut self, now: Instant) -> Option<Key> {
        let key = self.waiting().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone())?;
        self.drop(&key);
        self.working.insert(key.clone());
        Some(key)
    }

    /// Work on it has ended.
    pub(crate) fn done(&mut self, key: &Key) {
        self.working.remove(key);
    }

    fn waiting(&self) -> Option<&(Instant, Key)> {
        self.order.iter().find(|(_, key)| !self.working.contains(key))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(name: &str) -> Key {
        Key { namespace: "default".into(), name: name.into() }
    }

    #[test]
    fn the_earlier_time_wins_and_nobody_is_worked_on_twice() {
        let now = Instant::now();
        let later = now + Duration::from_secs(5);
        let mut due = Due::default();
        due.by(&key("a"), later);
        due.by(&key("b"), now);
        due.by(&key("b"), later);
        assert_eq!(due.take(now), Some(key("b")));
        assert_eq!(due.take(now), None);
        due.by(&key("b"), now);
        assert_eq!(due.take(now), None, "b is being worked on");
        assert_eq!(due.next(), Some(later));
        due.done(&key("b"));
        assert_eq!(due.take(now), Some(key("b")));
        due.drop(&key("a"));
        assert_eq!(due.next(), None);
    }
}
