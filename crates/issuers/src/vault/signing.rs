//! One order from token to answer: the sign call, another token where this one is refused, a shorter life where the CA ends, and the
//! write before a refusal is asked for again. Nothing here waits for a proof, and no answer of the server is an `Err`.

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::failure::{
    Blame, Call, Class, CommittedWrite, Failure, Finality, Outcome, PROOF_APART, Says,
};
use everleaf_core::x509::Chain;
use jiff::Timestamp;
use tokio::time::Instant;

use super::answer::{Asked, Got};
use super::classify::{self, Denial, denial};
use super::client::Ask;
use super::login::Wish;
use super::probe::Before;
use super::tokens::Token;
use super::{Inner, pki};
use crate::order::{Answered, Order};
use crate::surroundings::failure;
use crate::wire::{Over, Trouble, TroubleKind};

/// One sign call and what came of it.
struct Called {
    signed: Result<(Chain, Vec<String>), Failure>,
    got: Got,
}

impl Inner {
    pub(super) async fn sign(self: &Arc<Self>, order: &Order<'_>, now: Timestamp) -> Answered {
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
        match self.denials.before(now) {
            Before::CommitOn(connection) => {
                if let Ok(write) = self.commit(connection, Wish::FreshPolicies, now).await {
                    self.denials.committed(write);
                }
                return (Some(Over::Connection(connection)), None);
            }
            Before::FreshenPolicies => self.freshen_policies().await,
            Before::Nothing => {}
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
    pub(super) async fn another_token(
        self: &Arc<Self>,
        refused: &Arc<Token>,
    ) -> Result<Option<Arc<Token>>, Failure> {
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
            // Written so that it stays: times that change from try to try are taken out of what is told.
            let words = format!(
                "the CA of {} ends too soon to sign anything, or has ended: {}",
                self.config.path.as_str(),
                ends.strftime("%Y-%m-%d %H:%M:%S UTC")
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
                let got = Err(Trouble::before_sending(TroubleKind::Unreachable));
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
                    (Some(Denial::Bare | Denial::Invalid), _) => self.still_refused(refusal, failure, token),
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
