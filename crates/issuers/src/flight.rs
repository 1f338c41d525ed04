//! One task for many who wait for the same thing: the first starts it, the others join, and it goes on even when all of them leave.
//! The result isn't kept here; whoever starts it stores it. A flight of an older epoch is never joined.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

type Joined<T> = Shared<BoxFuture<'static, T>>;

/// At most one task under way.
pub(crate) struct Flight<T: Clone + Send + Sync + 'static> {
    under_way: Mutex<Option<(u64, Joined<T>)>>,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    pub(crate) fn new() -> Flight<T> {
        Flight { under_way: Mutex::new(None) }
    }

    /// Joins the task under way, or starts one. Await the result, or leave it: the task goes on by itself.
    pub(crate) fn join<F>(&self, epoch: u64, begin: impl FnOnce() -> F) -> Joined<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, joined)) = under_way.as_ref()
            && *of == epoch
            && joined.peek().is_none()
        {
            return joined.clone();
        }
        let joined = begin().boxed().shared();
        *under_way = Some((epoch, joined.clone()));
        // Its own task drives it, so that a login whose asker went away still ends in a token that is kept.
        drop(tokio::spawn(joined.clone()));
        joined
    }
}
