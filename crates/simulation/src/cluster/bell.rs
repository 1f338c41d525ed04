//! Rings at each change, and wakes all who wait in the order in which they began to wait: tokio's watch channel draws that order from chance
//! that no seed reaches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// A bell. Share it by clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bell(Arc<(AtomicU64, Notify)>);

impl Bell {
    /// Something has changed.
    pub(crate) fn ring(&self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
        self.0.1.notify_waiters();
    }

    /// How often it rang so far.
    pub(crate) fn rung(&self) -> u64 {
        self.0.0.load(Ordering::Acquire)
    }

    /// Waits until it has rung since then.
    pub(crate) async fn rings_after(&self, rung: u64) {
        loop {
            let mut waits = std::pin::pin!(self.0.1.notified());
            waits.as_mut().enable();
            if self.rung() != rung {
                return;
            }
            waits.await;
        }
    }
}
