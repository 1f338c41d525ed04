//! A proxy on loopback that plays faults: for the paths it was told it answers with a status, resets, hangs, or
//! loses the answer after the upstream has worked; everything else passes through.
//! It is for plain HTTP only, and never changes what it passes on.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What happens to a request whose path matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status with Vault's usual body for it.
    Status(u16),
    /// This status with exactly this body.
    Answer(u16, String),
    /// 429 with a `Retry-After`.
    RetryAfter(Duration),
    /// The connection is reset before an answer.
    Reset,
    /// No answer until the fault is cleared; then the request goes on to the upstream.
    Hang,
    /// No answer ever, not even after the fault is cleared: the request is lost, and the connection stays.
    Swallow,
    /// The answer takes this long.
    Slow(Duration),
    /// The upstream works, and its answer is lost with the connection.
    LoseAnswer,
}

/// A running fault proxy.
#[derive(Debug)]
pub struct FaultProxy {
    url: String,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
    faults: Mutex<Vec<(String, Fault)>>,
    seen: Mutex<BTreeMap<(String, bool), usize>>,
    cleared: Notify,
}

impl FaultProxy {
    /// Listens on a free loopback port and passes everything to `upstream` (`http://host:port`).
    ///
    /// It lives in the runtime that started it.
    pub async fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            upstream: upstream.parse().context("the upstream is no address")?,
            client: Client::builder(TokioExecutor::new()).build_http(),
            faults: Mutex::default(),
            seen: Mutex::default(),
            cleared: Notify::new(),
        });
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, shared.clone()));
        Ok(Self { url, shared, _serving: serving })
    }

    /// Its own address, to be used in place of the upstream's.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on requests whose path begins with `path` (`/v1/pki/sign/`) meet `fault`; the latest word wins.
    pub fn set(&self, fault: Fault, path: &str) {
        lock(&self.shared.faults).insert(0, (path.to_owned(), fault));
    }

    /// From now on everything passes; hanging requests go on.
    pub fn clear(&self) {
        lock(&self.shared.faults).clear();
        self.shared.cleared.notify_waiters();
    }

    /// How many requests whose path begins with `path` met a fault.
    pub fn faulted(&self, path: &str) -> usize {
        self.shared.count(path, true)
    }

    /// How many requests whose path begins with `path` passed.
    pub fn passed(&self, path: &str) -> usize {
        self.shared.count(path, false)
    }
}

impl Shared {
    fn count(&self, path: &str, faulted: bool) -> usize {
        let seen = lock(&self.seen);
        let matching = seen.iter().filter(|((at, met), _)| at.starts_with(path) && *met == faulted);
        matching.map(|(_, count)| count).sum()
    }

    fn fault_for(&self, path: &str) -> Option<Fault> {
        let fault =
            lock(&self.faults).iter().find(|(prefix, _)| path.starts_with(prefix)).map(|(_, f)| f.clone());
        *lock(&self.seen).entry((path.to_owned(), fault.is_some())).or_default() += 1;
        fault
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => { connections.spawn(serve(stream, shared.clone())); }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Why a connection must not be closed politely.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

/// A second handle on the socket sets its linger time to zero, so that dropping both sends a reset.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let Ok((stream, handle)) = twice(stream) else { return };
    let answer = service_fn(|request| answer(request, &shared));
    let served =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    if served.is_err() {
        let _ = handle.set_zero_linger();
    }
}

fn twice(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let first = stream.into_std()?;
    let second = first.try_clone()?;
    Ok((TcpStream::from_std(first)?, TcpStream::from_std(second)?))
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>, Cut> {
    match shared.fault_for(request.uri().path()) {
        None => Ok(forward(request, shared).await),
        Some(Fault::Status(status)) => Ok(plain(status, usual_body(status))),
        Some(Fault::Answer(status, body)) => Ok(plain(status, body)),
        Some(Fault::RetryAfter(wait)) => Ok(told_to_wait(wait)),
        Some(Fault::Reset) => Err(Cut),
        Some(Fault::Hang) => {
            hang(request.uri().path(), shared).await;
            Ok(forward(request, shared).await)
        }
        Some(Fault::Swallow) => std::future::pending().await,
        Some(Fault::Slow(wait)) => {
            tokio::time::sleep(wait).await;
            Ok(forward(request, shared).await)
        }
        Some(Fault::LoseAnswer) => {
            forward(request, shared).await;
            Err(Cut)
        }
    }
}

/// Waits until no hang stands for this path. Registers before it looks, so that no clearing is missed.
async fn hang(path: &str, shared: &Shared) {
    loop {
        let cleared = shared.cleared.notified();
        let hangs =
            lock(&shared.faults).iter().find(|(prefix, _)| path.starts_with(prefix)).map(|(_, f)| f.clone());
        if hangs != Some(Fault::Hang) {
            return;
        }
        cleared.await;
    }
}

async fn forward(request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    match try_forward(request, shared).await {
        Ok(response) => response,
        Err(error) => plain(502, format!("upstream: {error:#}")),
    }
}

async fn try_forward(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut uri = shared.upstream.clone().into_parts();
    uri.path_and_query = Some(head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    head.uri = Uri::from_parts(uri)?;
    head.headers.remove(http::header::HOST);
    let response = shared.client.request(Request::from_parts(head, Full::new(body))).await?;
    let (mut head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    // The body is whole now, so its length is known and the upstream's framing no longer holds.
    head.headers.remove(http::header::TRANSFER_ENCODING);
    Ok(Response::from_parts(head, Full::new(body)))
}

fn plain(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn told_to_wait(wait: Duration) -> Response<Full<Bytes>> {
    let mut response = plain(429, usual_body(429));
    response.headers_mut().insert(http::header::RETRY_AFTER, wait.as_secs().into());
    response
}

/// What Vault itself says with such a status (vault-measured 2 and 3).
fn usual_body(status: u16) -> String {
    let words = match status {
        403 => "1 error occurred:\\n\\t* permission denied\\n\\n",
        429 => "request path \\\"pki/sign/web\\\": rate limit quota exceeded",
        503 => "Vault is sealed",
        _ => "internal error",
    };
    format!("{{\"errors\":[\"{words}\"]}}\n")
}
