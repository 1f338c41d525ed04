//! The seam: a transport takes a request and gives a bounded answer with the number of the connection that carried it.
//! Over sockets that is `pool.rs`; in tests and simulation a tower service of the same process. It never repeats a request.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use everleaf_core::failure::ConnectionId;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};
use zeroize::Zeroizing;

use super::pool::Pool;
use super::tls::{Trust, client_config};
use super::trouble::{Trouble, TroubleKind};
use crate::wire::BODY_LIMIT;

/// What a transport takes: the URI is absolute.
pub type Request = http::Request<Full<Bytes>>;
/// What a transport gives: the whole body, at most [`BODY_LIMIT`] bytes.
pub type Exchanged = http::Response<Zeroizing<Vec<u8>>>;

/// An extension of requests: which connection to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// This one, if it still stands.
    Connection(ConnectionId),
    /// A new one.
    Fresh,
}

/// An extension of answers: the connection that carried them. A service of this process may set it; where it doesn't, all answers
/// since the last reconnect count as carried by one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried(pub ConnectionId);

/// Numbers connections, across all clients of one issuer.
#[derive(Debug, Default)]
pub struct Numbers(AtomicU64);

impl Numbers {
    /// The next number; the first is 1.
    pub fn next(&self) -> ConnectionId {
        ConnectionId(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

/// A service of this process that stands for a server.
pub type InProcess = BoxCloneSyncService<Request, Exchanged, Trouble>;

/// Where connections lead.
#[derive(Clone)]
pub enum Network {
    /// To real servers, through the proxy that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), if it names one.
    Sockets(Arc<Matcher>),
    /// To a service of this process, whatever the address.
    InProcess(InProcess),
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Network::Sockets(_) => "Network::Sockets",
            Network::InProcess(_) => "Network::InProcess",
        })
    }
}

impl Network {
    /// Sockets, with the proxy of the environment.
    pub fn sockets() -> Network {
        Network::Sockets(Arc::new(Matcher::from_env()))
    }

    /// A service of this process.
    ///
    /// Its errors are read like those of sockets: an `io::Error` or a [`Trouble`] in the chain of causes says what happened.
    pub fn in_process<S, B>(service: S) -> Network
    where
        S: Service<Request, Response = http::Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let bounded = service.map_err(into_trouble).and_then(collected);
        Network::InProcess(BoxCloneSyncService::new(bounded))
    }
}

fn into_trouble(error: impl Into<BoxError>) -> Trouble {
    Trouble::from_error(error.into().as_ref(), false)
}

/// Reads a body to its end, or to the bound.
pub(super) async fn collected<B>(response: http::Response<B>) -> Result<Exchanged, Trouble>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let (head, body) = response.into_parts();
    let mut bytes = Zeroizing::new(Vec::new());
    let mut body = std::pin::pin!(Limited::new(body, BODY_LIMIT));
    while let Some(frame) = body.as_mut().frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Trouble::after_sending(TroubleKind::TooLarge(BODY_LIMIT), false),
            false => Trouble::from_error(error.as_ref(), false),
        })?;
        if let Ok(mut data) = frame.into_data() {
            use bytes::Buf as _;
            while data.has_remaining() {
                let chunk = data.chunk();
                bytes.extend_from_slice(chunk);
                let read = chunk.len();
                data.advance(read);
            }
        }
    }
    Ok(http::Response::from_parts(head, bytes))
}

/// A set of connections with one trust and one identity.
#[derive(Clone)]
pub struct HttpTransport(Kind);

#[derive(Clone)]
enum Kind {
    Pool(Pool),
    InProcess { service: InProcess, connection: ConnectionId, used: Arc<AtomicBool> },
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpTransport")
    }
}

/// What all connections of a transport share.
#[derive(Clone)]
pub(crate) struct Terms {
    /// Trust and identity.
    pub(crate) tls: Arc<ClientConfig>,
    /// The name to ask for and to verify, where it isn't the host of the address.
    pub(crate) server_name: Option<ServerName<'static>>,
    /// How long a connection may take to stand.
    pub(crate) connect: Duration,
    /// Numbers connections.
    pub(crate) numbers: Arc<Numbers>,
}

impl HttpTransport {
    /// A transport without a connection yet.
    pub(crate) fn new(network: &Network, terms: &Terms) -> HttpTransport {
        match network {
            Network::Sockets(proxies) => HttpTransport(Kind::Pool(Pool::new(terms.clone(), proxies.clone()))),
            Network::InProcess(service) => HttpTransport(Kind::InProcess {
                service: service.clone(),
                connection: terms.numbers.next(),
                used: Arc::new(AtomicBool::new(false)),
            }),
        }
    }

    /// A transport to real servers that trusts the system's roots: for tools beside the issuers.
    pub fn to_sockets(connect: Duration) -> std::io::Result<HttpTransport> {
        let tls = client_config(Trust::System, None)
            .map_err(|_| std::io::Error::other("the trusted certificates of this system can't be read"))?;
        let numbers = Arc::new(Numbers::default());
        let terms = Terms { tls: Arc::new(tls), server_name: None, connect, numbers };
        Ok(HttpTransport::new(&Network::sockets(), &terms))
    }

    /// One request, one answer.
    pub async fn exchange(&self, request: Request) -> Result<Exchanged, Trouble> {
        match &self.0 {
            Kind::Pool(pool) => pool.exchange(request).await,
            Kind::InProcess { service, connection, used } => {
                let reused = used.swap(true, Ordering::Relaxed);
                let answer = service.clone().oneshot(request).await;
                let mut answer = answer.map_err(|trouble| Trouble { reused, ..trouble })?;
                if answer.extensions().get::<Carried>().is_none() {
                    answer.extensions_mut().insert(Carried(*connection));
                }
                Ok(answer)
            }
        }
    }
}

impl Service<Request> for HttpTransport {
    type Response = Exchanged;
    type Error = Trouble;
    type Future = BoxFuture<'static, Result<Exchanged, Trouble>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let transport = self.clone();
        Box::pin(async move { transport.exchange(request).await })
    }
}
