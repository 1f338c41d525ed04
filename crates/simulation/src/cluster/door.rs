//! The door through which one life of a replica calls the API: latency, the API's troubles, lost answers, death before or after a write.
//! It tells the ledger of every call. It never changes what the API does.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use everleaf_apiserver::Server;
use everleaf_practice::Chance;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::json;
use tower::Service;

use super::body::{self, Body};
use super::conditions::Conditions;
use super::life::{Fate, Life};
use super::store::Seat;
use crate::draw;
use crate::fault::ApiTrouble;
use crate::ledger::{self, SharedLedger};
use crate::moments::Wall;
use crate::tokens;

/// A call takes up to this long each way.
const LATENCY: Duration = Duration::from_millis(4);
/// Clients give a silent API up after this long (the controller's own read timeout).
const READ_TIMEOUT: Duration = Duration::from_secs(300);
/// Watches live this long at most: longer than the 290 s that clients ask for, because beginning them anew is what two weeks are made of.
const WATCH_LIFE: &str = "timeoutSeconds=14400";
const ASKED_WATCH_LIFE: &str = "timeoutSeconds=290";

/// The door of one life of a replica.
#[derive(Clone)]
pub struct Door {
    pub(crate) server: Server,
    pub(crate) seat: Seat,
    pub(crate) ledger: SharedLedger,
    pub(crate) conditions: Conditions,
    pub(crate) life: Arc<Life>,
    pub(crate) chance: Arc<Mutex<Chance>>,
    pub(crate) wall: Wall,
}

impl Service<Request<kube::client::Body>> for Door {
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<Body>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let door = self.clone();
        Box::pin(async move {
            let life = door.life.clone();
            tokio::select! {
                biased;
                () = life.over() => Err(io::ErrorKind::ConnectionRefused.into()),
                answer = door.pass(request) => answer,
            }
        })
    }
}

/// What kind of call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Read,
    Watch,
    Write,
    /// A question that has to be asked by POST.
    Review,
}

impl Door {
    async fn pass(&self, mut request: Request<kube::client::Body>) -> io::Result<Response<Body>> {
        let sort = sort(&request);
        let what = format!("{} {}", request.method(), request.uri());
        if sort == Sort::Write {
            ledger::lock(&self.ledger).sends(self.life.writer, request.uri().path());
        }
        lengthen_watch(&mut request);
        let result = self.carried(request, sort).await;
        let shown = match &result {
            Ok(response) => response.status().as_u16().to_string(),
            Err(error) => error.kind().to_string(),
        };
        ledger::lock(&self.ledger).called(self.life.writer, &what, &shown);
        result
    }

    async fn carried(&self, request: Request<kube::client::Body>, sort: Sort) -> io::Result<Response<Body>> {
        self.lag().await;
        if let Some(by) = self.conditions.lingering(self.life.replica).filter(|_| sort == Sort::Write) {
            tokio::time::sleep(by).await;
        }
        if let Some(answer) = self.hindered(sort).await {
            return answer;
        }
        let fate = if sort == Sort::Write { self.life.fate_of_write() } else { Fate::Lives };
        if fate == Fate::DiesBefore {
            return self.die().await;
        }
        let response = match tokens::answer(&request, self.wall) {
            Some(response) => response,
            None => self.served(request, sort).await?,
        };
        if fate == Fate::DiesAfter {
            return self.die().await;
        }
        if sort == Sort::Write && self.is_answer_lost() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.lag().await;
        Ok(response)
    }

    async fn served(&self, request: Request<kube::client::Body>, sort: Sort) -> io::Result<Response<Body>> {
        let call = self.server.clone().call(request);
        let response = match self.seat.serving(self.life.writer, call).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, inner) = response.into_parts();
        if sort == Sort::Watch && head.status == StatusCode::OK {
            return Ok(Response::from_parts(
                head,
                body::watch(inner, self.conditions.clone(), self.life.clone()),
            ));
        }
        let bytes = inner.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Response::from_parts(head, Body::Whole(Some(bytes))))
    }

    async fn die(&self) -> io::Result<Response<Body>> {
        self.life.end();
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    /// What the API's troubles make of the call before it is carried out.
    async fn hindered(&self, sort: Sort) -> Option<io::Result<Response<Body>>> {
        if self.conditions.is_cut_from_api(self.life.replica) {
            return Some(Err(io::ErrorKind::ConnectionRefused.into()));
        }
        for trouble in self.conditions.troubles() {
            match trouble {
                ApiTrouble::Slow(by) => {
                    let by = self.drawn(|chance| draw::between(chance, Duration::ZERO, by));
                    tokio::time::sleep(by).await;
                }
                ApiTrouble::Refuses => return Some(Err(io::ErrorKind::ConnectionRefused.into())),
                ApiTrouble::Silent => return Some(self.silence().await),
                ApiTrouble::Conflicts(share) if sort == Sort::Write && self.hits(share) => {
                    return Some(Ok(status(409, "Conflict", "the object has been modified")));
                }
                ApiTrouble::RateLimited(share) if self.hits(share) => {
                    let mut answer = status(429, "TooManyRequests", "too many requests, try again later");
                    answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
                    return Some(Ok(answer));
                }
                ApiTrouble::Errors(share) if self.hits(share) => {
                    return Some(Ok(status(500, "InternalError", "etcdserver: leader changed")));
                }
                ApiTrouble::WatchesBreak if sort == Sort::Watch => {
                    return Some(Err(io::ErrorKind::ConnectionReset.into()));
                }
                ApiTrouble::WatchesExpire if sort == Sort::Watch => {
                    return Some(Ok(status(410, "Expired", "too old resource version")));
                }
                _ => {}
            }
        }
        None
    }

    /// No answer: until the API is itself again, or the client gives up. Either way nothing was done.
    async fn silence(&self) -> io::Result<Response<Body>> {
        let heals = async {
            loop {
                let rung = self.conditions.changes().rung();
                if !self.conditions.troubles().contains(&ApiTrouble::Silent) {
                    return;
                }
                self.conditions.changes().rings_after(rung).await;
            }
        };
        let _ = tokio::time::timeout(READ_TIMEOUT, heals).await;
        Err(io::ErrorKind::TimedOut.into())
    }

    fn is_answer_lost(&self) -> bool {
        let troubles = self.conditions.troubles();
        let lost = troubles.iter().filter_map(|trouble| match trouble {
            ApiTrouble::AnswersLost(share) => Some(*share),
            _ => None,
        });
        lost.into_iter().any(|share| self.hits(share))
    }

    async fn lag(&self) {
        let by = self.drawn(|chance| draw::between(chance, Duration::ZERO, LATENCY));
        if !by.is_zero() {
            tokio::time::sleep(by).await;
        }
    }

    fn hits(&self, share: f64) -> bool {
        self.drawn(|chance| draw::happens(chance, share))
    }

    fn drawn<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn sort(request: &Request<kube::client::Body>) -> Sort {
    let path = request.uri().path();
    let is_review =
        path.starts_with("/apis/authorization.k8s.io/") || path.starts_with("/apis/authentication.k8s.io/");
    match *request.method() {
        Method::GET if request.uri().query().is_some_and(|query| query.contains("watch=")) => Sort::Watch,
        Method::GET | Method::HEAD => Sort::Read,
        _ if is_review || path.ends_with("/token") => Sort::Review,
        _ => Sort::Write,
    }
}

fn lengthen_watch(request: &mut Request<kube::client::Body>) {
    let longer = request.uri().to_string().replace(ASKED_WATCH_LIFE, WATCH_LIFE);
    if let Ok(uri) = longer.parse() {
        *request.uri_mut() = uri;
    }
}

fn status(code: u16, reason: &str, message: &str) -> Response<Body> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    let mut response = Response::new(Body::Whole(Some(Bytes::from(body.to_string()))));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
