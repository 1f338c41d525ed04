//! The clients of one issuer, made from Secrets when they are first needed and again when those change or when trust fails.
//! One for everything; a second one for logins only where the login's certificate isn't that of the connections.

use std::sync::Arc;

use everleaf_core::failure::{Blame, Call, Class, Failure};

use super::Inner;
use super::client::Client;
use super::config::{Auth, Ca, PairRef};
use crate::flight::Kept;
use crate::surroundings::{self, failure};
use crate::wire::{Identity, Numbers, Terms, TlsFault, Trust, client_config};

pub(super) struct Clients {
    numbers: Arc<Numbers>,
    main: Kept<Arc<Client>>,
    login: Kept<Arc<Client>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Main,
    Login,
}

impl Clients {
    pub(super) fn new() -> Clients {
        Clients { numbers: Arc::default(), main: Kept::new(), login: Kept::new() }
    }

    /// The next call reads the Secrets again and takes new connections.
    pub(super) fn reset(&self) {
        self.main.reset();
        self.login.reset();
    }
}

impl Inner {
    /// The client for everything.
    pub(super) async fn client(self: &Arc<Self>) -> Result<Arc<Client>, Failure> {
        self.client_of(Which::Main).await
    }

    /// The client for logins and renewals: a certificate login is renewed over the same certificate only (vault-measured 3).
    pub(super) async fn login_client(self: &Arc<Self>) -> Result<Arc<Client>, Failure> {
        let apart = login_pair(&self.config.auth).is_some() && self.config.identity.is_some();
        self.client_of(if apart { Which::Login } else { Which::Main }).await
    }

    async fn client_of(self: &Arc<Self>, which: Which) -> Result<Arc<Client>, Failure> {
        let kept = match which {
            Which::Main => &self.clients.main,
            Which::Login => &self.clients.login,
        };
        let inner = self.clone();
        kept.or_make(|| async move { inner.new_client(which).await.map(Arc::new) }).await
    }

    async fn new_client(&self, which: Which) -> Result<Client, Failure> {
        let of_login = login_pair(&self.config.auth);
        let pair = match which {
            Which::Login => of_login,
            Which::Main => self.config.identity.clone().or(of_login),
        };
        let from = self.surroundings.as_ref();
        let bundle = match &self.config.ca {
            Ca::System => None,
            Ca::Inline(pem) => Some(pem.clone()),
            Ca::Secret(at) => Some(surroundings::read(from, at).await?.to_vec()),
        };
        let identity = match &pair {
            None => None,
            Some(pair) => {
                let certificate = surroundings::read(from, &pair.certificate).await?;
                Some((certificate, surroundings::read(from, &pair.key).await?))
            }
        };
        let identity = identity.as_ref().map(|(certificate, key)| Identity { certificate, key });
        let trust = match &bundle {
            Some(pem) => Trust::Bundle(pem),
            None if self.config.server.is_tls() => Trust::System,
            None => Trust::Nobody,
        };
        let tls = client_config(trust, identity.as_ref());
        let tls = tls.map_err(|fault| self.no_tls(fault, pair.as_ref()))?;
        let terms = Terms {
            tls: Arc::new(tls),
            server_name: self.config.server_name.clone(),
            connect: self.common.deadlines.connect,
            numbers: self.clients.numbers.clone(),
        };
        let (server, namespace) = (self.config.server.clone(), self.config.namespace.clone());
        Ok(Client::new(server, namespace, self.common.network.clone(), terms))
    }

    fn no_tls(&self, fault: TlsFault, pair: Option<&PairRef>) -> Failure {
        let secret = |name: &str| Blame::Secret(name.to_owned());
        let (code, blame) = match (fault, pair, &self.config.ca) {
            (TlsFault::Bundle, _, Ca::Secret(at)) => ("CaBundleUnusable", secret(&at.name)),
            (TlsFault::Bundle, _, Ca::Inline(_) | Ca::System) => ("CaBundleUnusable", Blame::Issuer),
            (TlsFault::Certificate, Some(pair), _) => {
                ("ClientCertificateUnusable", secret(&pair.certificate.name))
            }
            (TlsFault::Key | TlsFault::Pair, Some(pair), _) => {
                ("ClientCertificateUnusable", secret(&pair.key.name))
            }
            (TlsFault::Certificate | TlsFault::Key | TlsFault::Pair, None, _) => {
                ("ClientCertificateUnusable", Blame::Issuer)
            }
            (TlsFault::System, _, _) => ("NoTrustedAuthorities", Blame::Issuer),
        };
        let says = match (fault, pair) {
            (TlsFault::Pair, Some(pair)) => {
                format!("{fault} (Secrets {} and {})", pair.certificate.name, pair.key.name)
            }
            _ => fault.to_string(),
        };
        // Somebody mends it: a changed Secret or issuer wakes us.
        failure(Class::Access, Call::ReadSecret, code, &says, blame)
    }
}

/// The certificate that a login shows, where it has one of its own.
fn login_pair(auth: &Auth) -> Option<PairRef> {
    match auth {
        Auth::Certificate { secret: Some(name), .. } => Some(PairRef::of_secret(name)),
        Auth::Certificate { secret: None, .. }
        | Auth::Token(_)
        | Auth::AppRole { .. }
        | Auth::Aws { .. }
        | Auth::Kubernetes { .. } => None,
    }
}
