//! The door between one life of the operator and the embedded API: it counts writes, and at a chosen one the operator dies, meets a
//! conflict, loses the answer, or the API goes away. Conflicts are real ones: somebody else changes the object first. It judges nothing.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use everleaf_apiserver::Server;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use kube::client::Body;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

/// How long a slow answer takes.
const SLOW: Duration = Duration::from_secs(2);

/// What the API answers, through the door.
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What happens at a write, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Lives,
    /// The operator dies, the write isn't made.
    DiesBefore(usize),
    /// The write is made, and the operator dies before it learns that.
    DiesAfter(usize),
    /// The operator dies, and its write is on the way for so long that it is made just before the first write of the next life.
    LandsLate(usize),
    /// The write is made, the operator lives and hears of an error.
    AnswerLost(usize),
    /// The write is made, and no answer ever comes.
    Unanswered(usize),
    /// Somebody else changes the object just before.
    Conflict(usize),
    /// Somebody else changes each object just before the first try of each write.
    Conflicts,
    /// Writes are made at once and answered after a while: a watch shows them first.
    SlowAnswers,
    /// From this write on, nothing is answered for so long, and no connection is taken.
    ApiAway(usize, Duration),
    /// The same, with calls that hang.
    ApiSilent(usize, Duration),
}

/// The write of a dead operator that is still on the way.
pub type Late = Arc<Mutex<Option<Request<Body>>>>;

/// One life of an operator, as the door sees it.
#[derive(Clone)]
pub struct Door {
    server: Server,
    fate: Fate,
    late: Late,
    state: Arc<Mutex<State>>,
    dead: CancellationToken,
    /// The API has gone away once: streams that were open then have ended.
    gone: CancellationToken,
}

#[derive(Default)]
struct State {
    writes: Vec<String>,
    away: Option<Away>,
    touched: BTreeSet<String>,
}

/// The API can't be reached.
#[derive(Clone)]
struct Away {
    back: tokio::time::Instant,
    hangs: bool,
}

impl Door {
    pub fn new(server: Server, fate: Fate, late: Late, dead: CancellationToken) -> Door {
        Door { server, fate, late, state: Arc::default(), dead, gone: CancellationToken::new() }
    }

    /// Every write so far, as `METHOD path`.
    pub fn writes(&self) -> Vec<String> {
        self.lock().writes.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(self, request: Request<Body>) -> io::Result<Answer> {
        self.reachable().await?;
        if !is_write(&request) {
            return self.answered(request).await;
        }
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(late) = late {
            let Ok(_) = self.server.clone().call(late).await;
        }
        let number = {
            let mut state = self.lock();
            state.writes.push(format!("{} {}", request.method(), request.uri().path()));
            state.writes.len() - 1
        };
        match self.fate {
            Fate::DiesBefore(at) if at == number => return Err(self.die()),
            Fate::LandsLate(at) if at == number => {
                *self.late.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
                return Err(self.die());
            }
            Fate::ApiAway(at, lasts) if at == number => self.leave(lasts, false),
            Fate::ApiSilent(at, lasts) if at == number => self.leave(lasts, true),
            Fate::Conflict(at) if at == number => {
                self.touch(request.method().clone(), request.uri().path().to_owned()).await
            }
            Fate::Conflicts => {
                self.touch_first_tries(request.method().clone(), request.uri().path().to_owned()).await;
            }
            _ => {}
        }
        self.reachable().await?;
        let answer = self.answered(request).await;
        match self.fate {
            Fate::DiesAfter(at) if at == number => Err(self.die()),
            Fate::SlowAnswers => {
                tokio::time::sleep(SLOW).await;
                answer
            }
            Fate::Unanswered(at) if at == number => std::future::pending().await,
            Fate::AnswerLost(at) if at == number => Err(io::ErrorKind::ConnectionReset.into()),
            _ => answer,
        }
    }

    async fn answered(&self, request: Request<Body>) -> io::Result<Answer> {
        let lasts = request.uri().query().is_some_and(|query| query.contains("watch="));
        let Ok(answer) = self.server.clone().call(request).await;
        if !lasts || self.gone.is_cancelled() {
            return Ok(answer.map(|body| body.boxed_unsync()));
        }
        let gone = self.gone.clone().cancelled_owned();
        let frames = |body| BodyStream::new(body).take_until(Box::pin(gone));
        Ok(answer.map(|body| StreamBody::new(frames(body)).boxed_unsync()))
    }

    async fn reachable(&self) -> io::Result<()> {
        let away = self.lock().away.clone();
        let Some(away) = away.filter(|away| tokio::time::Instant::now() < away.back) else { return Ok(()) };
        if away.hangs {
            tokio::time::sleep_until(away.back).await;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    fn leave(&self, lasts: Duration, hangs: bool) {
        self.lock().away = Some(Away { back: tokio::time::Instant::now() + lasts, hangs });
        self.gone.cancel();
    }

    fn die(&self) -> io::Error {
        self.dead.cancel();
        io::ErrorKind::ConnectionAborted.into()
    }

    async fn touch_first_tries(&self, method: Method, path: String) {
        let what = format!("{method} {path}");
        let is_second = {
            let mut state = self.lock();
            let is_second = state.touched.remove(&what);
            if !is_second {
                state.touched.insert(what);
            }
            is_second
        };
        if !is_second {
            self.touch(method, path).await;
        }
    }

    /// Changes the object that a write is about, as another client would. What isn't there yet is left alone.
    async fn touch(&self, method: Method, path: String) {
        if method == Method::POST {
            return;
        }
        let path = path.trim_end_matches("/status");
        let number = self.lock().writes.len();
        let change = format!(r#"{{"metadata":{{"annotations":{{"tests/touched":"{number}"}}}}}}"#);
        let touch = Request::patch(path).header("content-type", "application/merge-patch+json");
        let touch = touch.body(Body::from(change.into_bytes())).unwrap();
        let Ok(_) = self.server.clone().call(touch).await;
    }
}

fn is_write(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    let is_question = path.contains("reviews");
    !is_question && !matches!(*request.method(), Method::GET | Method::HEAD)
}

impl tower::Service<Request<Body>> for Door {
    type Response = Answer;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Answer>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let door = self.clone();
        Box::pin(async move {
            let dead = door.dead.clone();
            tokio::select! {
                biased;
                () = dead.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
                answer = door.pass(request) => answer,
            }
        })
    }
}
