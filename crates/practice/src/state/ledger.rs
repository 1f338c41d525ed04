//! What happens rather than what is configured: tokens, secret-ids, failed logins, quota buckets, signed certificates.
//! One ledger for all nodes of a cluster. Bounded: what is dead is swept, what is only for tests has a limit.
//! Secrets are kept as digests only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::Digest;
use super::cidr::Cidr;
use super::quota::Buckets;
use super::token::Token;
use super::wrapping::Wrapped;
use crate::clock::later;
use crate::outside::ServedKey;

/// A certificate that was signed, stored or not, delivered or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// When.
    pub at: Timestamp,
    /// The mount.
    pub mount: String,
    /// The role.
    pub role: String,
    /// The serial number, as Vault prints it.
    pub serial: String,
    /// The common name, or the first alternative name.
    pub name: String,
    /// The end of its life.
    pub not_after: Timestamp,
    /// Whether the engine kept a copy (`no_store` is off).
    pub stored: bool,
}

/// A secret-id of an AppRole.
#[derive(Debug, Clone)]
pub(crate) struct SecretId {
    /// The accessor of the auth mount.
    pub(crate) mount: String,
    pub(crate) role: String,
    pub(crate) uses: Option<u64>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) cidrs: Vec<Cidr>,
}

/// Failed logins of one alias on one mount.
#[derive(Debug, Clone)]
pub(crate) struct Failures {
    pub(crate) count: u32,
    pub(crate) last: Timestamp,
}

/// The lockout of Vault: 5 failures within 15 minutes lock for 15 minutes (vault-server 4.11).
pub(crate) const LOCKOUT_THRESHOLD: u32 = 5;
pub(crate) const LOCKOUT_SPAN: Duration = Duration::from_secs(15 * 60);
/// How many signed certificates are remembered for tests.
const MOST_SIGNED: usize = 100_000;
/// Dead tokens are swept when this many were made since the last sweep.
const SWEEP_EVERY: u64 = 1_024;
/// Dead tokens stay this long, so that a thawed leader can still take them.
const KEEP_DEAD: Duration = Duration::from_secs(3600);

/// The ledger.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) tokens: BTreeMap<Digest, Token>,
    pub(crate) secret_ids: BTreeMap<Digest, SecretId>,
    /// By mount accessor and alias.
    pub(crate) failures: BTreeMap<(String, String), Failures>,
    pub(crate) wrapped: BTreeMap<Digest, Wrapped>,
    pub(crate) buckets: Buckets,
    /// By mount accessor and alias.
    pub(crate) entities: BTreeMap<(String, String), String>,
    pub(crate) barred_entities: BTreeSet<String>,
    pub(crate) signed: VecDeque<Signed>,
    /// The keys that a JWT mount fetched last, by accessor.
    pub(crate) jwks: BTreeMap<String, Vec<ServedKey>>,
    /// Raft log entries so far.
    pub(crate) raft_index: u64,
    tokens_made: u64,
}

impl Ledger {
    pub(crate) fn remember_token(&mut self, key: Digest, token: Token, now: Timestamp) {
        self.tokens_made += 1;
        if self.tokens_made.is_multiple_of(SWEEP_EVERY) {
            self.sweep(now);
        }
        self.tokens.insert(key, token);
    }

    fn sweep(&mut self, now: Timestamp) {
        let gone = |at: Option<Timestamp>| at.is_some_and(|at| later(at, KEEP_DEAD) <= now);
        self.tokens.retain(|_, token| !gone(token.expires) && !gone(token.revoked));
        self.wrapped.retain(|_, wrapped| wrapped.expires > now);
    }

    pub(crate) fn is_entity_barred(&self, entity: &str) -> bool {
        self.barred_entities.contains(entity)
    }

    pub(crate) fn remember_signed(&mut self, signed: Signed) {
        if self.signed.len() >= MOST_SIGNED {
            self.signed.pop_front();
        }
        self.signed.push_back(signed);
    }

    /// Revokes a token and its children (orphans aside).
    pub(crate) fn revoke(&mut self, key: &Digest, now: Timestamp) {
        let mut doomed = vec![*key];
        while let Some(key) = doomed.pop() {
            if let Some(token) = self.tokens.get_mut(&key) {
                token.revoked.get_or_insert(now);
            }
            let children =
                self.tokens.iter().filter(|(_, child)| child.parent == Some(key) && child.revoked.is_none());
            doomed.extend(children.map(|(child, _)| *child));
        }
    }

    /// Revokes all tokens that a choice names; how many.
    pub(crate) fn revoke_where(&mut self, now: Timestamp, choose: impl Fn(&Token) -> bool) -> usize {
        let mut count = 0;
        for token in self.tokens.values_mut().filter(|token| token.revoked.is_none()) {
            if choose(token) {
                token.revoked = Some(now);
                count += 1;
            }
        }
        count
    }

    /// Whether this alias is locked out now.
    pub(crate) fn is_locked_out(&self, mount: &str, alias: &str, now: Timestamp) -> bool {
        let failures = self.failures.get(&(mount.to_owned(), alias.to_owned()));
        failures.is_some_and(|failures| {
            failures.count >= LOCKOUT_THRESHOLD && now < later(failures.last, LOCKOUT_SPAN)
        })
    }

    /// Counts a failed login of this alias.
    pub(crate) fn count_failure(&mut self, mount: &str, alias: &str, now: Timestamp) {
        let fresh = Failures { count: 0, last: now };
        let failures = self.failures.entry((mount.to_owned(), alias.to_owned())).or_insert(fresh);
        if later(failures.last, LOCKOUT_SPAN) <= now {
            failures.count = 0;
        }
        failures.count += 1;
        failures.last = now;
    }

    /// Forgets the failed logins of this alias.
    pub(crate) fn forget_failures(&mut self, mount: &str, alias: &str) {
        self.failures.remove(&(mount.to_owned(), alias.to_owned()));
    }
}
