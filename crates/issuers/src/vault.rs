//! The Vault and OpenBao issuer: signs over a cached token, and tells what went wrong as a value. `vault/classify.rs` reads answers,
//! `vault/login.rs` gets tokens, `vault/probe.rs` asks whether a refusal is true. No attempt ever waits for a proof.

pub mod answer;
mod auth;
pub mod classify;
mod client;
mod clients;
pub mod config;
mod lockout;
mod login;
mod pki;
mod probe;
mod proof;
mod spec;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everleaf_core::failure::{
    Blame, Call, Class, CommittedWrite, ConnectionId, Failure, Finality, Outcome, PROOF_APART, Says,
};
use everleaf_core::x509::Chain;
use jiff::Timestamp;
use tokio::time::Instant;

use self::answer::{Asked, Got};
use self::classify::{Denial, denial};
use self::client::Ask;
use self::clients::Clients;
use self::config::{ApiPath, Auth, Config};
use self::login::Wish;
use self::probe::{Before, Denials};
use self::proof::Refusals;
use self::tokens::{Token, Tokens};
use crate::common::Common;
use crate::flight::Flight;
use crate::order::{Answered, IssuerIdentity, Order, Verified};
use crate::surroundings::{Surroundings, failure};
use crate::wire::Over;

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

/// One sign call and what came of it.
struct Called {
    signed: Result<(Chain, Vec<String>), Failure>,
    got: Got,
}

impl Inner {
    async fn sign(self: &Arc<Self>, order: &Order<'_>, now: Timestamp) -> Answered {
        if order.csr_pem.len() > pki::LONGEST_CSR {
            return Answered::failed(too_long(order.csr_pem.len()));
        }
        let (over, write_before) = self.commit_before(order, now).await;
        let mut token = match self.token().await {
            Ok(token) => token,
            Err(failure) => return Answered { token: self.newest_token(), ..Answered::failed(failure) },
        };
        let mut called = self.sign_once(order, &token, over, now).await;
        if is_about_token(&called) {
            match self.another_token(&token).await {
                Ok(Some(other)) => {
                    token = other;
                    called = self.sign_once(order, &token, over, now).await;
                }
                Ok(None) => {}
                Err(failure) => return Answered { token: self.newest_token(), ..Answered::failed(failure) },
            }
        }
        self.judged(order, called, &token, write_before, now).await
    }

    /// Where a refusal waits for its proof, something is committed first. That it can't be is no failure of the order.
    async fn commit_before(
        self: &Arc<Self>,
        order: &Order<'_>,
        now: Timestamp,
    ) -> (Option<Over>, Option<CommittedWrite>) {
        if let Before::CommitOn(connection) = self.denials.before(now) {
            if let Ok(write) = self.commit(connection, Wish::FreshPolicies, now).await {
                self.denials.committed(write);
            }
            return (Some(Over::Connection(connection)), None);
        }
        let Some(first) = self.refusals.first(order.csr) else { return (None, None) };
        let over = Some(Over::Connection(first.connection));
        if now.duration_since(first.at) < PROOF_APART {
            return (over, None);
        }
        let write = match self.refusals.write_between(first, now) {
            Some(write) => Some(write),
            None => self.commit(first.connection, Wish::AnyWrite, now).await.ok(),
        };
        if let Some(write) = write {
            self.refusals.committed(write);
        }
        (over, write)
    }

    /// Another token in place of a refused one; `None` if there is none to be had now.
    async fn another_token(self: &Arc<Self>, refused: &Arc<Token>) -> Result<Option<Arc<Token>>, Failure> {
        if !self.tokens.doubt(refused, Instant::now()) {
            return Ok(None);
        }
        let token = self.token().await?;
        Ok((token.number != refused.number).then_some(token))
    }

    async fn sign_once(
        self: &Arc<Self>,
        order: &Order<'_>,
        token: &Arc<Token>,
        over: Option<Over>,
        now: Timestamp,
    ) -> Called {
        let called = self.sign_for(order, token, over, pki::life(order)).await;
        let Err(failure) = &called.signed else { return called };
        if failure.code != classify::CA_ENDS_TOO_SOON {
            return called;
        }
        let Some(ends) = called.got.as_ref().ok().and_then(|reply| pki::ca_end(&reply.body)) else {
            return called;
        };
        let Some(life) = pki::fitting_life(ends, now) else {
            let words = format!(
                "the CA of {} ends or ended too soon to sign anything: {ends}",
                self.config.path.as_str()
            );
            let ended = Failure { code: "CaExpired", says: Says::new(&words), ..failure.clone() };
            return Called { signed: Err(ended), ..called };
        };
        // A certificate that lives shorter than asked for is better than none (vault-issuer 5.F2).
        let mut shorter = self.sign_for(order, token, over, life).await;
        if let Ok((_, warnings)) = &mut shorter.signed {
            warnings.push(format!(
                "the CA ends at {ends}, so a shorter life was asked for than the certificate wants"
            ));
        }
        shorter
    }

    async fn sign_for(
        self: &Arc<Self>,
        order: &Order<'_>,
        token: &Arc<Token>,
        over: Option<Over>,
        life: Duration,
    ) -> Called {
        let client = match self.client().await {
            Ok(client) => client,
            Err(failure) => {
                let got = Err(crate::wire::Trouble::before_sending(crate::wire::TroubleKind::Unreachable));
                return Called { signed: Err(failure), got };
            }
        };
        let deadlines = &self.common.deadlines;
        let deadline = if order.is_probe { deadlines.probe } else { deadlines.sign };
        token.use_once();
        let ask = Ask {
            token: Some(token.text.as_str()),
            over,
            ..Ask::post(&self.config.path, pki::body(order, life), deadline)
        };
        let (answered, got) = self.ask(&client, ask, Asked::Sign { cel: self.config.path.is_cel() }).await;
        let signed = match (answered, &got) {
            (Err(failure), _) => Err(failure),
            (Ok(()), Err(_)) => Err(not_answered()),
            (Ok(()), Ok(reply)) => pki::chain(&reply.body)
                .and_then(|chain| for_this_key(chain, order))
                .map(|chain| (chain, pki::warnings(&reply.body))),
        };
        Called { signed, got }
    }

    async fn judged(
        self: &Arc<Self>,
        order: &Order<'_>,
        called: Called,
        token: &Arc<Token>,
        write_before: Option<CommittedWrite>,
        now: Timestamp,
    ) -> Answered {
        let connection = called.got.as_ref().ok().map(|reply| reply.connection);
        let refusal = called.got.as_ref().ok().and_then(denial);
        if connection.is_some()
            && !matches!(refusal, Some(Denial::Bare | Denial::Invalid))
            && is_past_the_token(&called)
        {
            token.has_worked();
        }
        let (outcome, warnings) = match called.signed {
            Ok((chain, warnings)) => (Outcome::Issued(chain), warnings),
            Err(failure) => {
                let failure = match (refusal, connection) {
                    (Some(Denial::Policy), Some(connection)) => {
                        self.denied(failure, connection, token, now).await
                    }
                    (Some(Denial::Bare | Denial::Invalid), _) => {
                        self.still_refused(&called.got, failure, token)
                    }
                    _ => failure,
                };
                (Outcome::Failed(failure), Vec::new())
            }
        };
        if let (Some(_), None) = (connection, refusal) {
            self.denials.clear();
        }
        self.refusals.note(order.csr, &outcome, connection, now);
        Answered { outcome, connection, token: token.number, write_before, warnings }
    }

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
        match self.look_up(&token).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.code == classify::TOKEN_REFUSED => {
                match self.another_token(&token).await? {
                    Some(other) if !other.is_counted() => self.look_up(&other).await.map(|_| ()),
                    Some(_) => Ok(()),
                    None => Err(failure),
                }
            }
            Err(failure) => Err(failure),
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

fn is_about_token(called: &Called) -> bool {
    match (&called.signed, &called.got) {
        (Err(failure), Ok(reply)) => {
            matches!(denial(reply), Some(Denial::Bare | Denial::Invalid))
                || failure.code == classify::TOKEN_SPENT
        }
        _ => false,
    }
}

/// Answers that come from the engine or the policy: Vault has looked at the token and taken it.
fn is_past_the_token(called: &Called) -> bool {
    match (&called.signed, &called.got) {
        (Ok(_), _) => true,
        (Err(failure), Ok(reply)) => {
            denial(reply) == Some(Denial::Policy) || matches!(failure.class, Class::Issuer | Class::Request)
        }
        (Err(_), Err(_)) => false,
    }
}

/// `issue` in place of `sign` makes a key of its own (vault-issuer 5.F6).
fn for_this_key(chain: Chain, order: &Order<'_>) -> Result<Chain, Failure> {
    if chain.leaf().public_key() == order.csr.public_key() {
        return Ok(chain);
    }
    let says = "the certificate is for another key than the request's: does spec.vault.path end in issue where sign is meant?";
    Err(failure(Class::Issuer, Call::Sign, "OtherKey", says, Blame::Issuer))
}

fn not_answered() -> Failure {
    failure(Class::Transient, Call::Sign, "NoAnswer", "", Blame::Issuer)
}

fn too_long(length: usize) -> Failure {
    let says = format!(
        "the certificate request is {length} bytes long, more than the limit of {}",
        pki::LONGEST_CSR
    );
    let refused = failure(Class::Request, Call::Sign, "CsrTooLong", &says, Blame::Request);
    Failure { finality: Finality::AtOnce, ..refused }
}
