//! Rings at each change of a collection, and wakes all who wait, in the order in which they began to wait: with tokio's watch channel that
//! order is drawn from chance that no seed reaches, and a simulation could not be repeated.
//! It carries nothing but how often it rang.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The bell of a collection. Share it by clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rung: AtomicU64,
    waiting: Notify,
}

impl Bell {
    /// Something has changed.
    pub(crate) fn ring(&self) {
        self.0.rung.fetch_add(1, Ordering::AcqRel);
        self.0.waiting.notify_waiters();
    }

    /// How often it rang so far. Take it before looking at what may change.
    pub(crate) fn rung(&self) -> u64 {
        self.0.rung.load(Ordering::Acquire)
    }

    /// Waits until it has rung since then.
    pub(crate) async fn rings_after(&self, rung: u64) {
        loop {
            let mut waits = std::pin::pin!(self.0.waiting.notified());
            waits.as_mut().enable();
            if self.rung() != rung {
                return;
            }
            waits.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_between_looking_and_waiting_is_heard() {
        let bell = Bell::default();
        let before = bell.rung();
        bell.ring();
        bell.rings_after(before).await;
    }

    #[tokio::test]
    async fn all_who_wait_wake_in_the_order_in_which_they_came() {
        let (bell, order) = (Bell::default(), Arc::new(std::sync::Mutex::new(Vec::new())));
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let (bell, order) = (bell.clone(), order.clone());
                tokio::spawn(async move {
                    bell.rings_after(0).await;
                    order.lock().map(|mut order| order.push(number)).ok();
                })
            })
            .collect();
        tokio::task::yield_now().await;
        bell.ring();
        for task in tasks {
            task.await.ok();
        }
        assert_eq!(order.lock().map(|order| order.clone()).unwrap_or_default(), (0..20).collect::<Vec<_>>());
    }
}
