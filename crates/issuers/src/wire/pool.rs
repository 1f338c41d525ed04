//! Connections over sockets: numbered, kept for reuse, and chosen by number, because a proof needs several calls on one connection
//! (vault-measured 7). hyper's own pool hides which connection carried what. It never repeats what may have been sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use everleaf_core::failure::ConnectionId;
use http::header::{CONNECTION, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tower::{ServiceExt, service_fn};

use super::transport::{Carried, Exchanged, Over, Request, Terms, collected};
use super::trouble::{Trouble, TroubleKind};

/// The most connections of one issuer: 8 to 32 calls at a time keep a server busy (vault-server 6); the rest is room for health and logins
/// beside calls that hang.
const MOST_CONNECTIONS: usize = 64;
/// The most connections that are kept without a call on them.
const MOST_IDLE: usize = 16;
/// How long a connection is kept without a call: below Vault's own five minutes, above the pause between two sightings of a refusal.
const IDLE_FOR: Duration = Duration::from_secs(240);
/// A dead peer of an idle connection is noticed by probes of the kernel: after this pause, this often (vault-server 7 row 45).
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

/// Connections with the same terms.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    terms: Terms,
    proxies: Arc<Matcher>,
    idle: Mutex<Vec<Line>>,
    room: Semaphore,
}

/// One connection, not in use.
struct Line {
    number: ConnectionId,
    place: Place,
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    tls: bool,
    authority: Authority,
}

impl Pool {
    pub(super) fn new(terms: Terms, proxies: Arc<Matcher>) -> Pool {
        let (idle, room) = (Mutex::new(Vec::new()), Semaphore::new(MOST_CONNECTIONS));
        Pool(Arc::new(Shared { terms, proxies, idle, room }))
    }

    pub(super) async fn exchange(&self, request: Request) -> Result<Exchanged, Trouble> {
        let over = request.extensions().get::<Over>().copied();
        let (place, mut request) = in_origin_form(request)?;
        // The caller's deadline bounds this wait as it bounds the rest.
        let _room = self.0.room.acquire().await;
        loop {
            let (mut line, reused) = match self.idle_line(&place, over).await {
                Some(line) => (line, true),
                None => (self.connect(&place).await?, false),
            };
            match line.sender.try_send_request(request).await {
                Ok(response) => return self.finish(line, response, reused).await,
                // It was closed while idle and nothing has left: another one. Each turn uses one idle connection up.
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if reused => request = unsent,
                    unsent => {
                        let trouble = Trouble::from_error(&failed.into_error(), reused);
                        return Err(Trouble { unsent: trouble.unsent || unsent.is_some(), ..trouble });
                    }
                },
            }
        }
    }

    /// Takes the wanted connection, or the one used last.
    async fn idle_line(&self, place: &Place, over: Option<Over>) -> Option<Line> {
        if over == Some(Over::Fresh) {
            return None;
        }
        loop {
            let mut line = {
                let mut idle = self.idle();
                idle.retain(|line| line.since.elapsed() < IDLE_FOR && !line.sender.is_closed());
                let fits = |line: &Line| line.place == *place;
                let wanted = |line: &Line| fits(line) && over == Some(Over::Connection(line.number));
                let at = idle.iter().position(wanted).or_else(|| idle.iter().rposition(fits))?;
                idle.remove(at)
            };
            if line.sender.ready().await.is_ok() {
                return Some(line);
            }
        }
    }

    async fn finish(
        &self,
        mut line: Line,
        response: http::Response<hyper::body::Incoming>,
        reused: bool,
    ) -> Result<Exchanged, Trouble> {
        let keep = stays(&response);
        let mut answer = collected(response).await.map_err(|trouble| Trouble { reused, ..trouble })?;
        answer.extensions_mut().insert(Carried(line.number));
        if keep {
            line.since = Instant::now();
            let mut idle = self.idle();
            idle.push(line);
            let over = idle.len().saturating_sub(MOST_IDLE);
            idle.drain(..over);
        }
        Ok(answer)
    }

    async fn connect(&self, place: &Place) -> Result<Line, Trouble> {
        let within = self.0.terms.connect;
        match timeout(within, self.connect_unbounded(place)).await {
            Ok(result) => result.map_err(|trouble| Trouble { unsent: true, ..trouble }),
            Err(_) => Err(Trouble::before_sending(TroubleKind::ConnectDeadline(within))),
        }
    }

    async fn connect_unbounded(&self, place: &Place) -> Result<Line, Trouble> {
        let stream = self.dial(place).await?;
        let sender = match place.tls {
            false => handshaken(TokioIo::new(stream)).await?,
            true => {
                let connector = TlsConnector::from(self.0.terms.tls.clone());
                let name = self.server_name(place)?;
                let stream = connector.connect(name, stream).await;
                handshaken(TokioIo::new(stream.map_err(|error| Trouble::from_error(&error, false))?)).await?
            }
        };
        let number = self.0.terms.numbers.next();
        Ok(Line { number, place: place.clone(), sender, since: Instant::now() })
    }

    async fn dial(&self, place: &Place) -> Result<TcpStream, Trouble> {
        let uri = place.uri()?;
        let tcp = tcp_connector();
        let Some(proxy) = self.0.proxies.intercept(&uri).filter(|_| !is_loopback(&place.authority)) else {
            let stream = tcp.oneshot(uri).await.map_err(|error| Trouble::from_error(&error, false))?;
            return Ok(stream.into_inner());
        };
        let scheme = proxy.uri().scheme_str().unwrap_or_default();
        if scheme != "http" {
            return Err(Trouble::before_sending(TroubleKind::BadProxy(scheme.to_owned())));
        }
        let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
        let tunnel = match proxy.basic_auth() {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        };
        let stream =
            tunnel.oneshot(with_port(uri)?).await.map_err(|error| Trouble::from_error(&error, false))?;
        Ok(stream.into_inner())
    }

    fn server_name(&self, place: &Place) -> Result<ServerName<'static>, Trouble> {
        if let Some(name) = &self.0.terms.server_name {
            return Ok(name.clone());
        }
        let host = place.authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        ServerName::try_from(host).map_err(|_| Trouble::before_sending(TroubleKind::NameNotResolved))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Line>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// After a fault of the server or a redirect the next call takes a new connection, so that another node may answer
/// (vault-server 5.7, vault-measured 7). Refusals keep theirs: their proof needs it.
fn stays(response: &http::Response<hyper::body::Incoming>) -> bool {
    let status = response.status();
    let closes = response
        .headers()
        .get(CONNECTION)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    !closes && !status.is_server_error() && !status.is_redirection()
}

async fn handshaken<T>(io: T) -> Result<SendRequest<Full<Bytes>>, Trouble>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(io).await.map_err(|error| Trouble::from_error(&error, false))?;
    // Ends when the sender is dropped or the peer closes; errors reach the caller through the sender.
    tokio::spawn(connection);
    Ok(sender)
}

fn tcp_connector() -> HttpConnector<
    impl tower::Service<Name, Response = std::vec::IntoIter<SocketAddr>, Error = Trouble, Future: Send>
    + Clone
    + Send
    + Sync,
> {
    let resolve = service_fn(|name: Name| async move {
        // The port is put in later.
        match tokio::net::lookup_host((name.as_str(), 0)).await {
            Ok(addresses) => Ok(addresses.collect::<Vec<_>>().into_iter()),
            Err(_) => Err(Trouble::before_sending(TroubleKind::NameNotResolved)),
        }
    });
    let mut tcp = HttpConnector::new_with_resolver(resolve);
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE_AFTER));
    tcp.set_keepalive_interval(Some(KEEPALIVE_EVERY));
    tcp.set_keepalive_retries(Some(KEEPALIVE_PROBES));
    tcp
}

/// Splits the absolute URI into where to and what for: HTTP/1.1 sends only the path, and the host in a header.
fn in_origin_form(mut request: Request) -> Result<(Place, Request), Trouble> {
    let bad = || Trouble::before_sending(TroubleKind::BadRedirect("the address can't be used".to_owned()));
    let uri = request.uri();
    let tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return Err(bad()),
    };
    let authority = uri.authority().cloned().ok_or_else(bad)?;
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = Uri::from(path);
    Ok((Place { tls, authority }, request))
}

impl Place {
    fn uri(&self) -> Result<Uri, Trouble> {
        let scheme = if self.tls { Scheme::HTTPS } else { Scheme::HTTP };
        let uri = Uri::builder().scheme(scheme).authority(self.authority.clone()).path_and_query("/").build();
        uri.map_err(|_| Trouble::before_sending(TroubleKind::NameNotResolved))
    }
}

/// A tunnel is asked for by host and port.
fn with_port(uri: Uri) -> Result<Uri, Trouble> {
    let unusable = || Trouble::before_sending(TroubleKind::NameNotResolved);
    if uri.port().is_some() {
        return Ok(uri);
    }
    let port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let mut parts = uri.into_parts();
    let host = parts.authority.as_ref().map(Authority::host).unwrap_or_default();
    parts.authority = Some(format!("{host}:{port}").parse().map_err(|_| unusable())?);
    Uri::from_parts(parts).map_err(|_| unusable())
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
