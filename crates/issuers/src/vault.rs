//! The Vault and OpenBao issuer: signs over a cached token, and tells what went wrong as a value. `vault/classify.rs` reads answers,
//! `vault/login.rs` gets tokens, `vault/probe.rs` asks whether a refusal is true. No attempt ever waits for a proof.

pub mod answer;
mod auth;
pub mod classify;
mod client;
mod clients;
pub mod config;
mod examine;
mod lockout;
mod login;
mod patience;
mod pki;
mod probe;
mod proof;
mod signing;
mod spec;
mod tokens;

use std::fmt;
use std::sync::Arc;

use everleaf_core::failure::{Call, Class, CommittedWrite, ConnectionId, Failure};
use jiff::Timestamp;

use self::answer::Asked;
use self::classify::Denial;
use self::client::Ask;
use self::clients::Clients;
use self::config::{ApiPath, Auth, Config};
use self::login::Wish;
use self::patience::Patience;
use self::probe::Denials;
use self::proof::Refusals;
use self::tokens::{Token, Tokens};
use crate::common::Common;
use crate::flight::Flight;
use crate::order::{Answered, IssuerIdentity, Order, Verified};
use crate::surroundings::Surroundings;

pub use self::examine::{Examined, TokenSeen};
pub use self::lockout::WrongTries;

/// A Vault issuer: one configuration, with its connections and its token. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    identity: IssuerIdentity,
    config: Config,
    surroundings: Arc<dyn Surroundings>,
    common: Common,
    tokens: Tokens,
    logins: Flight<Result<Arc<Token>, Failure>>,
    clients: Clients,
    denials: Denials,
    refusals: Refusals,
    patience: Patience,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} at {})", self.0.config.path.as_str(), self.0.config.server.shown())
    }
}

impl Vault {
    /// An issuer that has called nobody yet.
    pub fn new(
        identity: IssuerIdentity,
        config: Config,
        surroundings: Arc<dyn Surroundings>,
        common: Common,
    ) -> Vault {
        Vault(Arc::new(Inner {
            identity,
            config,
            surroundings,
            common,
            tokens: Tokens::new(),
            logins: Flight::new(),
            clients: Clients::new(),
            denials: Denials::default(),
            refusals: Refusals::default(),
            patience: Patience::default(),
        }))
    }

    /// Which issuer it is.
    pub fn identity(&self) -> &IssuerIdentity {
        &self.0.identity
    }

    /// Gets one order signed.
    pub async fn sign(&self, order: &Order<'_>, now: Timestamp) -> Answered {
        self.0.sign(order, now).await
    }

    /// Asks for the health of the server. It names an outage, but proves nothing (vault-measured 1.5).
    pub async fn health(&self) -> Result<(), Failure> {
        self.0.health().await
    }

    /// Whether the issuer can be used: health, and a token that Vault takes.
    pub async fn check(&self) -> Result<Verified, Failure> {
        self.0.health().await?;
        self.0.check_token().await?;
        Ok(Verified { reason: VERIFIED, message: "Vault verified".to_owned() })
    }

    /// Makes Vault commit a write on a connection, for a proof.
    pub async fn committed_write(
        &self,
        over: ConnectionId,
        now: Timestamp,
    ) -> Result<CommittedWrite, Failure> {
        self.0.commit(over, Wish::AnyWrite, now).await
    }

    /// A Secret has changed: tokens and connections made from it go.
    pub fn secret_changed(&self, name: &str) {
        if !self.secrets().iter().any(|known| known == name) {
            return;
        }
        self.0.clients.reset();
        self.0.tokens.reset();
        self.0.denials.clear();
        self.0.refusals.clear();
    }

    /// Drops all connections; the next call takes a new one.
    pub fn reconnect(&self) {
        self.0.clients.reset();
    }

    /// The Secrets it depends on.
    pub fn secrets(&self) -> Vec<String> {
        self.0.config.secrets()
    }
}

/// The reason of the Ready condition when all is well, and when it isn't (vault-issuer 3).
pub(crate) const VERIFIED: &str = "VaultVerified";
pub(crate) const NOT_READY: &str = "VaultError";

impl Inner {
    async fn health(self: &Arc<Self>) -> Result<(), Failure> {
        let client = self.client().await?;
        let path = ApiPath::known("sys/health".to_owned());
        let ask = Ask { namespaced: false, ..Ask::get(&path, self.common.deadlines.health) };
        self.ask(&client, ask, Asked::Health).await.0
    }

    /// Whether Vault takes our token. One whose uses are counted isn't shown for that.
    async fn check_token(self: &Arc<Self>) -> Result<(), Failure> {
        let token = self.token().await?;
        if token.is_counted() {
            return Ok(());
        }
        let Err(not_seen) = self.look_up(&token).await else { return Ok(()) };
        if !matches!(not_seen.denial, Some(Denial::Bare | Denial::Invalid)) {
            return Err(not_seen.failure);
        }
        match self.another_token(&token).await? {
            Some(other) if other.is_counted() => Ok(()),
            Some(other) => match self.look_up(&other).await {
                Ok(_) => Ok(()),
                Err(again) => Err(self.still_refused(again.denial, again.failure, &other)),
            },
            None => Err(self.still_refused(not_seen.denial, not_seen.failure, &token)),
        }
    }

    /// Trust that fails may be a rotation under way: the next call reads CA bundle and client certificate again (vault-server 1.11).
    fn learn(&self, failure: &Failure) {
        let about_trust = matches!(
            failure.code,
            "ServerNotTrusted"
                | "ClientCertificateRefused"
                | "ClientCertificateExpired"
                | "ServerSpeaksNoTls"
        );
        let by_certificate =
            matches!(self.config.auth, Auth::Certificate { .. }) && failure.call == Call::Login;
        if about_trust || (by_certificate && failure.class == Class::Access) {
            self.clients.reset();
        }
    }
}
