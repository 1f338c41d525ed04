//! Writes only while we lead: a layer between the operator and the API that refuses every write once the lease may be lost.
//! Because all of the operator's calls pass here, no write can be forgotten. The lease itself is kept over another client.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response};
use kube::client::Body;
use tokio::time::Instant;
use tower::{BoxError, Service};

/// A call without an answer is given up after this long and its pass follows again: kube-apiserver ends its own requests after a minute, so
/// nothing comes any more. Without it one lost answer holds an object for as long as the connection is believed in.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Until when this process may write. Share it by clone.
#[derive(Debug, Clone)]
pub struct Fence {
    until: Arc<Mutex<Limit>>,
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    Open,
    Until(Instant),
    Closed,
}

/// A write was refused because this process doesn't lead.
#[derive(Debug, thiserror::Error)]
#[error("this replica does not hold the lease, so it does not write")]
pub(crate) struct Fenced;

/// A call was given up.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer within {ANSWER_WITHIN:?}")]
struct Unanswered;

impl Fence {
    /// A fence for a process that needs no lease.
    pub fn open() -> Fence {
        Fence { until: Arc::new(Mutex::new(Limit::Open)) }
    }

    /// A fence for a process that doesn't lead yet.
    pub fn closed() -> Fence {
        Fence { until: Arc::new(Mutex::new(Limit::Closed)) }
    }

    /// We lead, and may write until this moment.
    pub fn extend(&self, until: Instant) {
        *self.lock() = Limit::Until(until);
    }

    /// We don't lead any more.
    pub fn close(&self) {
        *self.lock() = Limit::Closed;
    }

    /// May a write start now?
    pub fn may_write(&self) -> bool {
        match *self.lock() {
            Limit::Open => true,
            Limit::Until(until) => Instant::now() < until,
            Limit::Closed => false,
        }
    }

    /// A client whose writes stop at this fence.
    pub fn guard(&self, client: kube::Client) -> kube::Client {
        let namespace = client.default_namespace().to_owned();
        kube::Client::new(Guarded { inner: client, fence: self.clone() }, namespace)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Limit> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Guarded {
    inner: kube::Client,
    fence: Fence,
}

impl Service<Request<Body>> for Guarded {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The client behind has a line of its own.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read && !is_review(request.uri().path()) && !self.fence.may_write() {
            return Box::pin(async { Err(Fenced.into()) });
        }
        let client = self.inner.clone();
        let lasts = is_watch(request.uri().query());
        Box::pin(async move {
            let answer = client.send(request);
            if lasts {
                return answer.await.map_err(Into::into);
            }
            let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
            answer.map_err(|_| Unanswered)?.map_err(Into::into)
        })
    }
}

/// Questions that have to be asked by POST.
fn is_review(path: &str) -> bool {
    path.starts_with("/apis/authorization.k8s.io/") || path.starts_with("/apis/authentication.k8s.io/")
}

fn is_watch(query: Option<&str>) -> bool {
    let pairs = query.unwrap_or_default().split('&');
    pairs.into_iter().any(|pair| matches!(pair, "watch=1" | "watch=true"))
}
