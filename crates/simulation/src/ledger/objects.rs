//! The objects as they stand, and what each change of one means: who is disturbed by it, and whether it may be.
//! A change by the person behind the faults disturbs; a change by a replica is judged.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::Ledger;
use super::facts::{self, CertificateFacts, RequestFacts, SecretFacts};
use crate::cluster::Writer;

/// The objects as they stand, by `namespace/name`.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) certificates: BTreeMap<String, CertificateFacts>,
    pub(super) requests: BTreeMap<String, RequestFacts>,
    pub(super) secrets: BTreeMap<String, SecretFacts>,
    /// Hashes of the leaves that requests of a Certificate were given, the newest last.
    pub(super) issued: BTreeMap<String, VecDeque<String>>,
    /// Certificates seen expired while in use.
    pub(super) expired: BTreeMap<String, String>,
}

/// How many leaves of a Certificate are remembered.
const LEAVES: usize = 4;

impl Ledger {
    pub(super) fn certificate_changed(&mut self, writer: Writer, key: &str, object: Option<&Value>) {
        let now = self.wall.elapsed();
        let Some(object) = object else {
            self.objects.certificates.remove(key);
            return;
        };
        let new = facts::certificate(object);
        let old = self.objects.certificates.insert(key.to_owned(), new.clone());
        if old.as_ref().is_none_or(|old| old.spec != new.spec) || writer == Writer::Person {
            self.scopes.disturbed(key, now);
        }
        let had_failed = old.as_ref().map_or(0, |old| old.failed_attempts);
        if new.failed_attempts > had_failed {
            self.counts.refusals += 1;
            if !self.may_fail(&new.issuer) {
                let says =
                    format!("{writer} counts a failed attempt for {key}, and nothing was refused for good");
                self.violated("failed-without-proof", says);
            }
        }
        if matches!(writer, Writer::Replica { .. }) {
            self.judge_status(key, &new);
        }
    }

    /// `Ready=True` is said only of a Secret with a certificate that fits its key.
    fn judge_status(&mut self, key: &str, new: &CertificateFacts) {
        let secret = self.objects.secrets.get(&new.secret);
        let disturbed = self.scopes.disturbed_lately(key, self.wall.elapsed());
        if new.ready != Some(true) || disturbed {
            return;
        }
        let why = match secret.map(|secret| &secret.pair) {
            None => "there is no Secret",
            Some(Err(why)) => why,
            Some(Ok(_)) => return,
        };
        let says = format!("{key} is called ready, and its Secret {}: {why}", new.secret);
        self.violated("untrue-status", says);
    }

    pub(super) fn request_changed(&mut self, writer: Writer, key: &str, object: Option<&Value>) {
        let Some(object) = object else {
            self.objects.requests.remove(key);
            return;
        };
        let new = facts::request(object);
        let old = self.objects.requests.insert(key.to_owned(), new.clone());
        let failed = |facts: &RequestFacts| facts.ready_reason == "Failed";
        if failed(&new) && !old.as_ref().is_some_and(failed) && writer != Writer::Person {
            self.counts.failed_requests += 1;
            if !self.may_fail(&new.issuer) {
                let says = format!("{writer} ends {key}, and nothing refuses it for good: {}", new.message);
                self.violated("terminal-without-proof", says);
            }
        }
        let had = old.and_then(|old| old.leaf);
        if let Some(leaf) = new.leaf.filter(|leaf| had.as_ref() != Some(leaf)) {
            self.counts.signed += 1;
            let issued = self.objects.issued.entry(new.owner).or_default();
            issued.push_back(leaf);
            if issued.len() > LEAVES {
                issued.pop_front();
            }
        }
    }

    fn may_fail(&self, issuer: &str) -> bool {
        let issuer = self.issuers.get(issuer);
        issuer.is_some_and(|issuer| self.scopes.refuses_truly(*issuer, self.wall.elapsed()))
    }

    pub(super) fn issuer_changed(&mut self, writer: Writer, key: &str) {
        let name = key.rsplit('/').next().unwrap_or(key);
        if let (Writer::Person, Some(issuer)) = (writer, self.issuers.get(name)) {
            self.scopes.disturbed_issuer(*issuer, self.wall.elapsed());
        }
    }
}
