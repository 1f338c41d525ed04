//! One task for many who wait for the same thing: the first starts it, the others join, and it goes on even when all of them leave.
//! The result isn't kept here; whoever starts it stores it. A flight of an older epoch is never joined.

use std::sync::{Mutex, MutexGuard, PoisonError};

use everleaf_core::failure::Failure;
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

/// Something made from Secrets, kept until they change; made by one for all who wait. Failures aren't kept.
pub(crate) struct Kept<T: Clone + Send + Sync + 'static> {
    state: Mutex<(u64, Option<T>)>,
    making: Flight<Result<T, Failure>>,
}

impl<T: Clone + Send + Sync + 'static> Kept<T> {
    pub(crate) fn new() -> Kept<T> {
        Kept { state: Mutex::new((0, None)), making: Flight::new() }
    }

    /// The thing, made now if there is none.
    pub(crate) async fn or_make<F>(&self, make: impl FnOnce() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (epoch, kept) = self.lock().clone();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let made = self.making.join(epoch, make).await?;
        let mut state = self.lock();
        if state.0 == epoch {
            state.1 = Some(made.clone());
        }
        Ok(made)
    }

    /// What it was made from has changed.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        *state = (state.0 + 1, None);
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Option<T>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
