//! One life of a replica, from its start to its end. When it ends, whatever it still has under way is cut off at once: of a call in
//! flight the API has either carried out the whole or nothing, and its answer is never seen. Tasks that outlive it reach nobody.

use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::store::Writer;

/// One life of a replica.
#[derive(Debug)]
pub struct Life {
    /// As whom it writes.
    pub writer: Writer,
    /// Its number among the replicas.
    pub replica: usize,
    ended: CancellationToken,
    armed: Mutex<Option<Armed>>,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    writes_left: u32,
    after: bool,
}

/// Whether a write is the one that kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lives,
    DiesBefore,
    DiesAfter,
}

impl Life {
    /// A new life.
    pub fn new(replica: usize, life: u32) -> Life {
        Life {
            writer: Writer::Replica { number: replica, life },
            replica,
            ended: CancellationToken::new(),
            armed: Mutex::new(None),
        }
    }

    /// It is over.
    pub fn end(&self) {
        self.ended.cancel();
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits until it is over.
    pub async fn over(&self) {
        self.ended.cancelled().await;
    }

    /// It ends at its `nth` write from now.
    pub fn arm(&self, nth: u32, after: bool) {
        *self.armed() = Some(Armed { writes_left: nth.max(1), after });
    }

    /// It doesn't.
    pub fn disarm(&self) {
        *self.armed() = None;
    }

    /// A write begins.
    pub(crate) fn fate_of_write(&self) -> Fate {
        let mut armed = self.armed();
        let Some(counting) = armed.as_mut() else { return Fate::Lives };
        counting.writes_left -= 1;
        if counting.writes_left > 0 {
            return Fate::Lives;
        }
        let after = counting.after;
        *armed = None;
        if after { Fate::DiesAfter } else { Fate::DiesBefore }
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, Option<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
