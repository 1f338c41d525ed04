//! The parts that run side by side: each can be told to end, and each end is seen, also one by a panic.
//! It doesn't know what the parts do.

use std::future::Future;

use futures::FutureExt as _;
use futures::future::select_all;
use tokio_util::sync::CancellationToken;

/// A part that runs.
pub(crate) struct Part {
    name: &'static str,
    end: CancellationToken,
    ended: CancellationToken,
}

impl Part {
    /// Starts a part. It gets the token that tells it to end.
    pub(crate) fn start<W>(name: &'static str, work: impl FnOnce(CancellationToken) -> W) -> Part
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (end, ended) = (CancellationToken::new(), CancellationToken::new());
        let (work, guard) = (work(end.clone()), ended.clone().drop_guard());
        tokio::spawn(async move {
            let _guard = guard;
            work.await;
        });
        Part { name, end, ended }
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn stop(&self) {
        self.end.cancel();
        self.ended.cancelled().await;
    }
}

/// Waits for a part that ends although nobody told it to; gives its name.
pub(crate) async fn first_end(parts: &[Part]) -> &'static str {
    let ends = parts.iter().map(|part| part.ended.cancelled().map(|()| part.name).boxed());
    select_all(ends).await.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_breaks_is_seen_and_the_others_can_be_stopped() {
        let parts = [
            Part::start("sound", |end| async move { end.cancelled().await }),
            Part::start("broken", |_| async { assert_eq!(1, 2, "a fault of ours") }),
        ];
        assert_eq!(first_end(&parts).await, "broken");
        for part in &parts {
            part.stop().await;
        }
    }
}
