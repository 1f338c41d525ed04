//! Calls to one Vault: headers, deadline, one redirect by hand, one repeat on another connection. The answer comes back raw.
//! A repeat (same call, within seconds) is not a retry (a new attempt): it is never counted, and there is never more than one. A call
//! without an answer is overdue after seconds, and made once more beside the first: what a black hole has swallowed never comes back.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use everleaf_core::failure::ConnectionId;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::header::{ACCEPT, CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::Full;
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;
use zeroize::Zeroizing;

use super::answer::{Body, Got, Reply};
use super::config::{ApiPath, Server};
use crate::wire::{Carried, HttpTransport, Network, Over, Terms, Trouble, TroubleKind};

/// A repeat begins no later than this after its call began: what takes longer is for the retry (DESIGN 5).
const REPEAT_WITHIN: Duration = Duration::from_secs(2);
/// An answer that isn't there after this long is overdue, or after twice as long as the last one took, if that is longer: a server that
/// is slow but answers isn't burdened with more calls.
const OVERDUE: Duration = Duration::from_secs(4);
/// The most calls in flight for one question.
const MOST_BESIDE: usize = 3;
/// The longest `Retry-After` that is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// A secret shorter than this isn't looked for in answers: it would tear words apart.
const SHORTEST_MASKED: usize = 6;

const X_VAULT_REQUEST: HeaderName = HeaderName::from_static("x-vault-request");
const X_VAULT_TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const X_VAULT_NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");

/// Calls to one Vault with one trust and one identity.
pub(super) struct Client {
    server: Server,
    namespace: Option<HeaderValue>,
    network: Network,
    terms: Terms,
    transport: Mutex<HttpTransport>,
    /// How long the last answer to a call that may be made beside itself took.
    last_took: Mutex<Duration>,
}

/// Whether a call may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It does no harm (vault-server 0.7): a second certificate at most.
    Harmless,
    /// Only when not a byte of it has left: a login leaves a token, and may use up a secret_id.
    OnlyUnsent,
}

/// One call.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a ApiPath,
    pub(super) token: Option<&'a str>,
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
    /// Values that must not come back in words.
    pub(super) secrets: Vec<Zeroizing<String>>,
    /// `sys/health` is asked without the namespace: OpenBao refuses it there (vault-server 1.3).
    pub(super) namespaced: bool,
    pub(super) repeat: Repeat,
    pub(super) deadline: Duration,
    pub(super) over: Option<Over>,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: &'a ApiPath, deadline: Duration) -> Ask<'a> {
        Ask {
            method: Method::GET,
            path,
            token: None,
            body: None,
            secrets: Vec::new(),
            namespaced: true,
            repeat: Repeat::Harmless,
            deadline,
            over: None,
        }
    }

    pub(super) fn post(path: &'a ApiPath, body: Zeroizing<Vec<u8>>, deadline: Duration) -> Ask<'a> {
        Ask { method: Method::POST, body: Some(body), ..Ask::get(path, deadline) }
    }
}

impl fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({} {})", self.method, self.path.as_str())
    }
}

impl Client {
    pub(super) fn new(
        server: Server,
        namespace: Option<HeaderValue>,
        network: Network,
        terms: Terms,
    ) -> Client {
        let transport = Mutex::new(HttpTransport::new(&network, &terms));
        Client { server, namespace, network, terms, transport, last_took: Mutex::default() }
    }

    /// Makes a call. It ends within its deadline, connecting, redirect and repeat included.
    pub(super) async fn call(&self, ask: Ask<'_>) -> Got {
        let began = Instant::now();
        let mut got = match timeout(ask.deadline, self.patiently(&ask)).await {
            Ok(got) => got,
            Err(_) => {
                self.reconnect();
                Err(Trouble::after_sending(TroubleKind::Deadline(ask.deadline), false))
            }
        };
        if let Ok(reply) = &mut got {
            mask(&mut reply.body, &ask);
        }
        let status = got.as_ref().map_or(0, |reply| reply.status);
        debug!(path = ask.path.as_str(), status, took = ?began.elapsed(), "call to Vault");
        got
    }

    /// Makes a call, and once more beside it when its answer is overdue. The first answer counts; trouble only if nothing else is left.
    async fn patiently(&self, ask: &Ask<'_>) -> Got {
        if ask.repeat != Repeat::Harmless || ask.deadline < 2 * OVERDUE {
            return self.once_or_twice(ask, ask.over).await;
        }
        let mut calls = FuturesUnordered::new();
        calls.push(self.timed(ask, ask.over));
        loop {
            let last_took = *self.last_took.lock().unwrap_or_else(PoisonError::into_inner);
            let overdue = OVERDUE.max(2 * last_took);
            tokio::select! {
                Some(got) = calls.next() => match got {
                    Err(_) if !calls.is_empty() => {}
                    got => return got,
                },
                () = sleep(overdue), if calls.len() < MOST_BESIDE => {
                    debug!(path = ask.path.as_str(), "an answer is overdue, asking beside it over another connection");
                    calls.push(self.timed(ask, Some(Over::Fresh)));
                }
            }
        }
    }

    async fn timed(&self, ask: &Ask<'_>, over: Option<Over>) -> Got {
        let began = Instant::now();
        let got = self.once_or_twice(ask, over).await;
        if got.is_ok() {
            *self.last_took.lock().unwrap_or_else(PoisonError::into_inner) = began.elapsed();
        }
        got
    }

    async fn once_or_twice(&self, ask: &Ask<'_>, over: Option<Over>) -> Got {
        let began = Instant::now();
        let first = self.followed(ask, over).await;
        let Err(trouble) = &first else { return first };
        // Others on the same connections are in doubt as well; the next call takes a new one.
        self.reconnect();
        if may_repeat(ask.repeat, trouble) && began.elapsed() < REPEAT_WITHIN {
            return self.followed(ask, over).await;
        }
        first
    }

    /// Makes the call and follows one redirect, by hand, because the token goes along: only to the same scheme, and with the same
    /// trust (vault-server 1.10). On OpenBao it ends most of the gap of a step-down (vault-measured 5.1).
    async fn followed(&self, ask: &Ask<'_>, over: Option<Over>) -> Got {
        let url = self.server.url(ask.path);
        let Ok(uri) = url.parse::<Uri>() else {
            return Err(Trouble::before_sending(TroubleKind::BadRedirect(format!(
                "{url} is not an address"
            ))));
        };
        let reply = self.exchanged(&uri, ask, over).await?;
        let Some(location) = redirect(&reply) else { return Ok(reply) };
        let target = self.target(&uri, location)?;
        // Back to the same place: over a new connection, which may end at another node behind the same address.
        let over = (target.authority() == uri.authority()).then_some(Over::Fresh);
        self.exchanged(&target, ask, over).await.map_err(|trouble| {
            let to = target.authority().map_or("", http::uri::Authority::as_str);
            let words = format!("redirected to {to}: {}", trouble.kind.words());
            Trouble { kind: TroubleKind::BadRedirect(words), ..trouble }
        })
    }

    fn target(&self, from: &Uri, location: &str) -> Result<Uri, Trouble> {
        let refused = |why: String| Trouble::after_sending(TroubleKind::BadRedirect(why), false);
        let unreadable = || refused("a redirect to an address that can't be read".to_owned());
        let written: Uri = location.parse().map_err(|_| unreadable())?;
        let mut parts = written.into_parts();
        match parts.scheme.as_ref().map(http::uri::Scheme::as_str) {
            None => {
                parts.scheme = from.scheme().cloned();
                parts.authority = from.authority().cloned();
            }
            Some(scheme) if scheme == self.server.scheme() => {}
            Some(scheme) => {
                return Err(refused(format!(
                    "a redirect from {} to {scheme} isn't followed",
                    self.server.scheme()
                )));
            }
        }
        let has_credentials =
            parts.authority.as_ref().is_none_or(|authority| authority.as_str().contains('@'));
        if has_credentials {
            return Err(unreadable());
        }
        Uri::from_parts(parts).map_err(|_| unreadable())
    }

    async fn exchanged(&self, uri: &Uri, ask: &Ask<'_>, over: Option<Over>) -> Got {
        let mut request = http::Request::new(Full::new(body(ask)));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = uri.clone();
        self.headers(request.headers_mut(), ask)?;
        if let Some(over) = over {
            request.extensions_mut().insert(over);
        }
        let transport = self.transport.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = transport.exchange(request).await?;
        let carried = answer.extensions().get::<Carried>().map_or(ConnectionId(0), |carried| carried.0);
        let headers = answer.headers();
        Ok(Reply {
            status: answer.status().as_u16(),
            retry_after: retry_after(headers),
            location: text(headers, &LOCATION).map(str::to_owned),
            body: Body::read(answer.body(), text(headers, &CONTENT_TYPE)),
            connection: carried,
        })
    }

    fn headers(&self, headers: &mut HeaderMap, ask: &Ask<'_>) -> Result<(), Trouble> {
        // Listeners of agents and proxies may demand it (vault-server 1.1).
        headers.insert(X_VAULT_REQUEST, HeaderValue::from_static("true"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("everleaf/", env!("CARGO_PKG_VERSION"))));
        if ask.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let (true, Some(namespace)) = (ask.namespaced, &self.namespace) {
            headers.insert(X_VAULT_NAMESPACE, namespace.clone());
        }
        if let Some(token) = ask.token {
            let unusable = || Trouble::before_sending(TroubleKind::NotHttp);
            let mut value = HeaderValue::from_str(token).map_err(|_| unusable())?;
            value.set_sensitive(true);
            headers.insert(X_VAULT_TOKEN, value);
        }
        Ok(())
    }

    /// Drops all connections: the next call takes a new one, which may end at another node.
    pub(super) fn reconnect(&self) {
        let fresh = HttpTransport::new(&self.network, &self.terms);
        *self.transport.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

fn may_repeat(repeat: Repeat, trouble: &Trouble) -> bool {
    let closed_meanwhile = trouble.reused && matches!(trouble.kind, TroubleKind::Lost);
    match repeat {
        Repeat::Harmless => closed_meanwhile,
        Repeat::OnlyUnsent => closed_meanwhile && trouble.unsent,
    }
}

fn body(ask: &Ask<'_>) -> Bytes {
    match &ask.body {
        // The copy is wiped when the last user of these bytes is done.
        Some(body) => Bytes::from_owner(body.clone()),
        None => Bytes::new(),
    }
}

fn redirect(reply: &Reply) -> Option<&str> {
    matches!(reply.status, 301 | 302 | 307 | 308).then_some(reply.location.as_deref()).flatten()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Seconds or a date; a date is compared with the server's own clock. Zero counts as absent (vault-measured 2).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let written = text(headers, &RETRY_AFTER)?.trim();
    let wait = match written.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = date(written)?;
            let now = date(text(headers, &DATE)?)?;
            Duration::try_from(until.duration_since(now)).ok()?
        }
    };
    (!wait.is_zero()).then_some(wait.min(LONGEST_RETRY_AFTER))
}

fn date(written: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(written).ok().map(|date| date.timestamp())
}

/// Whatever speaks on the other side may echo what we sent; it must not get into a condition.
fn mask(body: &mut Body, ask: &Ask<'_>) {
    let (Body::Errors(words) | Body::Foreign(words)) = body else { return };
    let secrets = ask.secrets.iter().map(|secret| secret.as_str()).chain(ask.token);
    for secret in secrets.filter(|secret| secret.len() >= SHORTEST_MASKED) {
        if words.contains(secret) {
            *words = words.replace(secret, "***");
        }
    }
}
