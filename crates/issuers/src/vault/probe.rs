//! A 403 that says "your policy doesn't allow this": true, or said by a node that lives in the past (vault-measured 1.1, 1.5)?
//! The first sighting is kept and judged at a later attempt; no call ever waits for the proof. Unproved it stays Transient.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use everleaf_core::failure::{Blame, Class, CommittedWrite, ConnectionId, Failure, Says, TokenNumber};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::Inner;
use super::answer::{Asked, Body};
use super::classify::Denial;
use super::client::Ask;
use super::config::ApiPath;
use super::tokens::{Origin, Token};
use crate::wire::Over;

/// How far apart the two refusals must be: longer than any lag of a sound cluster (vault-measured 7).
const APART: SignedDuration = SignedDuration::from_secs(10);
/// Where no write can be committed, or connections don't hold, repetition over this time and this often has to do: the class then
/// only sets the pace and the words, since nothing ends a request here.
const REPEATED_FOR: SignedDuration = SignedDuration::from_secs(180);
const REPEATED_TIMES: u32 = 4;

/// What was seen of refusals by policy since the last answer that was none.
#[derive(Default)]
pub(super) struct Denials(Mutex<Option<Seen>>);

#[derive(Debug, Clone)]
struct Seen {
    since: Timestamp,
    times: u32,
    first: Timestamp,
    connection: ConnectionId,
    token: TokenNumber,
    write: Option<CommittedWrite>,
    /// What was told, and the token it was told of.
    proved: Option<(TokenNumber, Says)>,
}

/// What to do before the next sign call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// Commit something on this connection, and sign over it.
    CommitOn(ConnectionId),
    /// It is known that the policies lack the path: take a token with the policies of today, if this one is old.
    FreshenPolicies,
}

/// What a refusal by policy amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Amounts {
    /// A sighting.
    Unproved,
    /// Just now it was proved: somebody should be told what is lacking.
    ProvedNow,
    /// It was proved before.
    Proved(Says),
}

impl Denials {
    fn lock(&self) -> MutexGuard<'_, Option<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do before the next sign call.
    pub(super) fn before(&self, now: Timestamp) -> Before {
        match self.lock().as_ref() {
            Some(seen) if seen.proved.is_none() && now.duration_since(seen.first) >= APART => {
                Before::CommitOn(seen.connection)
            }
            Some(seen) if seen.proved.is_some() => Before::FreshenPolicies,
            _ => Before::Nothing,
        }
    }

    /// Something was committed.
    pub(super) fn committed(&self, write: CommittedWrite) {
        if let Some(seen) = self.lock().as_mut() {
            seen.write = Some(write);
        }
    }

    /// An answer that isn't a refusal by policy.
    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    fn saw(&self, connection: ConnectionId, token: TokenNumber, now: Timestamp) -> Amounts {
        let mut state = self.lock();
        let seen = state.get_or_insert(Seen {
            since: now,
            times: 0,
            first: now,
            connection,
            token,
            write: None,
            proved: None,
        });
        seen.times = seen.times.saturating_add(1);
        match &seen.proved {
            Some((of, says)) if *of == token => return Amounts::Proved(says.clone()),
            // Another token, maybe with other policies: what is lacking is looked up again.
            Some(_) => return Amounts::ProvedNow,
            None => {}
        }
        if seen.is_proof(connection, token, now) || seen.is_repeated(now) {
            return Amounts::ProvedNow;
        }
        if seen.connection != connection {
            // Another node, maybe: the proof starts over.
            *seen = Seen { first: now, connection, token, write: None, ..seen.clone() };
        }
        Amounts::Unproved
    }

    fn proved(&self, token: TokenNumber, says: &Says) {
        if let Some(seen) = self.lock().as_mut() {
            seen.proved = Some((token, says.clone()));
        }
    }
}

impl Seen {
    /// One connection, a committed write between two refusals, the second with the newest token (vault-measured 7).
    fn is_proof(&self, connection: ConnectionId, token: TokenNumber, now: Timestamp) -> bool {
        let between = self
            .write
            .is_some_and(|write| write.connection == connection && self.first <= write.at && write.at <= now);
        between
            && self.connection == connection
            && token >= self.token
            && now.duration_since(self.first) >= APART
    }

    fn is_repeated(&self, now: Timestamp) -> bool {
        self.times >= REPEATED_TIMES && now.duration_since(self.since) >= REPEATED_FOR
    }
}

#[derive(Serialize)]
struct Paths<'a> {
    paths: [&'a str; 1],
}

impl Inner {
    /// A sign call was refused by policy: the failure that says so.
    pub(super) async fn denied(
        self: &Arc<Self>,
        unproved: Failure,
        connection: ConnectionId,
        token: &Arc<Token>,
        now: Timestamp,
    ) -> Failure {
        let says = match self.denials.saw(connection, token.number, now) {
            Amounts::Unproved => return unproved,
            Amounts::Proved(says) => says,
            Amounts::ProvedNow => {
                let says = Says::new(&self.what_lacks(token, connection).await);
                self.denials.proved(token.number, &says);
                says
            }
        };
        Failure { class: Class::Access, code: "PolicyLacksPath", says, blame: Blame::Issuer, ..unproved }
    }

    /// For the message only: what the token may do at the path (vault-measured 4).
    async fn what_lacks(self: &Arc<Self>, token: &Arc<Token>, connection: ConnectionId) -> String {
        let path = self.config.path.as_str();
        // Nearly every token has the policy "default", and nobody would mend that one.
        let named: Vec<&str> =
            token.policies.iter().map(String::as_str).filter(|name| *name != "default").collect();
        let policies = match named.as_slice() {
            [] => "the token's policies lack".to_owned(),
            [one] => format!("policy {one} lacks"),
            many => format!("none of the policies {} grants", many.join(", ")),
        };
        let lacking = format!("{policies} update on {path}");
        // Each look would use the token up.
        if token.is_counted() {
            return lacking;
        }
        match self.capabilities(token, Some(Over::Connection(connection))).await {
            Some(may) if may.iter().any(|verb| matches!(verb.as_str(), "update" | "create" | "root")) => {
                format!(
                    "refused although the policies grant update on {path}: look for allowed_parameters or denied_parameters in them"
                )
            }
            Some(may) => format!("{lacking} (capabilities there: {})", may.join(", ")),
            None => lacking,
        }
    }

    /// What the token may do at the sign path.
    pub(super) async fn capabilities(
        self: &Arc<Self>,
        token: &Arc<Token>,
        over: Option<Over>,
    ) -> Option<Vec<String>> {
        let client = self.client().await.ok()?;
        let path = ApiPath::known("sys/capabilities-self".to_owned());
        let body = serde_json::to_vec(&Paths { paths: [self.config.path.as_str()] }).ok()?;
        let ask = Ask {
            token: Some(token.text.as_str()),
            over,
            ..Ask::post(&path, zeroize::Zeroizing::new(body), self.common.deadlines.look_up)
        };
        let (answered, got) = self.ask(&client, ask, Asked::Capabilities).await;
        answered.ok()?;
        let reply = got.ok()?;
        Some(verbs(&reply.body))
    }

    /// A token was refused, and no other is to be had: a login doesn't cure it (vault-measured 1.6).
    pub(super) fn still_refused(&self, denial: Option<Denial>, unproved: Failure, token: &Token) -> Failure {
        if token.origin == Origin::Given {
            let says = Says::new(&format!("Vault refuses the token: {}", unproved.says));
            let blame = super::auth::credentials(&self.config.auth);
            return Failure { class: Class::Access, code: "TokenRefused", says, blame, ..unproved };
        }
        match denial {
            Some(Denial::Bare) => {
                let says = Says::new(
                    "Vault refuses a token that it has just made: look at the CIDR list of the auth role (token_bound_cidrs) \
                     and whether its entity is disabled",
                );
                Failure {
                    class: Class::Access,
                    code: "FreshTokenRefused",
                    says,
                    blame: Blame::Issuer,
                    ..unproved
                }
            }
            // Not known on that node yet, or a leased role that uses tokens up.
            Some(Denial::Invalid) => Failure { class: Class::Transient, ..unproved },
            Some(Denial::Policy) | None => unproved,
        }
    }
}

fn verbs(body: &Body) -> Vec<String> {
    let list = body.at("/data/capabilities").or_else(|| body.at("/capabilities"));
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
