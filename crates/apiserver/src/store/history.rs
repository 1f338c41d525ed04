//! The last changes of one collection, so that watches can go on and lists can be read as they were.
//! Bounded by count and by the bytes of what is no longer current.
//! Whoever asks for what was forgotten is told so, never given a gap.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Stored;

/// How many changes a collection remembers.
const MOST_EVENTS: usize = 16_384;
/// How many bytes of replaced and deleted objects a collection remembers.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What a change did.
#[derive(Debug)]
pub(crate) enum Change {
    Added {
        now: Arc<Stored>,
    },
    Modified {
        before: Arc<Stored>,
        now: Arc<Stored>,
    },
    /// `last` is the object as it was, at the version of its deletion.
    Deleted {
        before: Arc<Stored>,
        last: Arc<Stored>,
    },
}

/// One change.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) change: Change,
}

impl Event {
    /// The object after the change, or as it last was.
    pub(crate) fn object(&self) -> &Arc<Stored> {
        match &self.change {
            Change::Added { now } | Change::Modified { now, .. } => now,
            Change::Deleted { last, .. } => last,
        }
    }

    /// The object before the change.
    pub(crate) fn before(&self) -> Option<&Arc<Stored>> {
        match &self.change {
            Change::Added { .. } => None,
            Change::Modified { before, .. } | Change::Deleted { before, .. } => Some(before),
        }
    }

    fn weight(&self) -> usize {
        match &self.change {
            Change::Added { .. } => 0,
            Change::Modified { before, .. } => before.body.len(),
            Change::Deleted { before, last } => before.body.len() + last.body.len(),
        }
    }
}

/// The events of a collection after a version.
#[derive(Debug)]
pub(crate) struct History {
    /// All changes after this version are here.
    floor: u64,
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

impl History {
    /// A history that begins after this version.
    pub(crate) fn after(version: u64) -> History {
        History { floor: version, events: VecDeque::new(), bytes: 0 }
    }

    /// Adds the newest change and forgets what is over the bound.
    pub(crate) fn push(&mut self, event: Arc<Event>) {
        self.bytes += event.weight();
        self.events.push_back(event);
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.weight();
            self.floor = oldest.version;
        }
    }

    /// The oldest version from which one can go on.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// The changes after a version, oldest first; none when some of them are forgotten.
    pub(crate) fn since(&self, version: u64) -> Option<impl DoubleEndedIterator<Item = &Arc<Event>>> {
        if version < self.floor {
            return None;
        }
        let first = self.events.partition_point(|event| event.version <= version);
        Some(self.events.range(first..))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn added(version: u64, size: usize) -> Arc<Event> {
        let mut object = json!({"metadata": {"name": "a"}, "data": "x".repeat(size)});
        let before = Arc::new(Stored::encode("a".into(), version - 1, &mut object));
        let now = Arc::new(Stored::encode("a".into(), version, &mut object));
        Arc::new(Event { version, change: Change::Modified { before, now } })
    }

    #[test]
    fn one_goes_on_after_the_version_one_has_seen() {
        let mut history = History::after(10);
        for version in [12, 15, 19] {
            history.push(added(version, 1));
        }
        let after = |version| history.since(version).map(|e| e.map(|e| e.version).collect::<Vec<_>>());
        assert_eq!(after(10), Some(vec![12, 15, 19]));
        assert_eq!(after(12), Some(vec![15, 19]));
        assert_eq!(after(14), Some(vec![15, 19]));
        assert_eq!(after(99), Some(vec![]));
        assert_eq!(after(9), None);
    }

    #[test]
    fn what_is_over_the_bound_is_forgotten_and_told() {
        let mut history = History::after(1);
        for version in 2..12 {
            history.push(added(version, MOST_BYTES / 4));
        }
        assert!(history.floor() > 1);
        assert!(history.since(1).is_none());
        assert!(history.since(history.floor()).unwrap().count() < 10);
        assert!(history.bytes <= MOST_BYTES);
    }
}
