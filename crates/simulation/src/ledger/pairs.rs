//! What may happen to a Secret: a replica stores only a certificate with its own key, alive, the newest or the one before;
//! it never takes a good pair away.

use jiff::SignedDuration;
use serde_json::Value;

use super::facts::{self, Pair, SecretFacts};
use super::{Clockwork, Ledger};
use crate::cluster::Writer;

/// A leaf whose life begins later than this from now is of no use yet. Servers date back by 30 s, and clocks differ a little.
const NOT_YET: SignedDuration = SignedDuration::from_mins(5);

impl Ledger {
    pub(super) fn secret_changed(&mut self, writer: Writer, key: &str, object: Option<&Value>) {
        let old = match object {
            Some(object) => self.objects.secrets.insert(key.to_owned(), facts::secret(object)),
            None => self.objects.secrets.remove(key),
        };
        let is_next_key = |facts: &SecretFacts| facts.is_next_key;
        let new = self.objects.secrets.get(key).cloned();
        if new.as_ref().or(old.as_ref()).is_some_and(is_next_key) {
            return;
        }
        match (writer, new) {
            (Writer::Person, _) => self.disturb_users_of(key),
            (Writer::Api, None) | (Writer::Replica { .. }, None) => {
                let says = format!("{writer} deleted the Secret {key}");
                self.violated("secret-deleted", says);
            }
            (Writer::Api, Some(_)) => {}
            (Writer::Replica { .. }, Some(new)) => self.judge_secret(writer, key, old.as_ref(), &new),
        }
    }

    fn disturb_users_of(&mut self, secret: &str) {
        let now = self.wall.elapsed();
        let users = self.objects.certificates.iter().filter(|(_, facts)| facts.secret == secret);
        let users: Vec<String> = users.map(|(key, _)| key.clone()).collect();
        users.iter().for_each(|user| self.scopes.disturbed(user, now));
    }

    fn judge_secret(&mut self, writer: Writer, key: &str, old: Option<&SecretFacts>, new: &SecretFacts) {
        let had = old.and_then(|old| old.pair.as_ref().ok());
        let pair = match &new.pair {
            Ok(pair) => pair.clone(),
            // Metadata may be written onto a Secret that somebody has spoilt; what was good must stay good.
            Err(_) if had.is_none() => return,
            Err(why) => {
                return self.violated("torn-pair", format!("{writer} wrote the Secret {key}: {why}"));
            }
        };
        if had.is_some_and(|had| had.leaf == pair.leaf) {
            return;
        }
        self.counts.stored += 1;
        let now = self.wall.now();
        if pair.ends <= now && !self.is_misdated(writer, &new.issued_for) {
            self.violated(
                "dead-pair",
                format!("{writer} stored a certificate in {key} that ended {}", pair.ends),
            );
        }
        if pair.begins.duration_since(now) > NOT_YET
            && !self.is_misdated(writer, &new.issued_for)
            && had.is_some_and(|had| had.ends > now)
        {
            let says = format!("{writer} stored a certificate in {key} that begins only {}", pair.begins);
            self.violated("not-yet-valid", says);
        }
        self.judge_age(writer, key, new, &pair);
    }

    /// A replica and a Vault date by their own clocks what they sign; that these were wrong isn't to be seen from a certificate.
    fn is_misdated(&self, writer: Writer, certificate: &str) -> bool {
        let issuer =
            self.objects.certificates.get(certificate).and_then(|facts| self.issuers.get(&facts.issuer));
        let by_vault = issuer.is_some_and(|issuer| self.is_clock_off(Clockwork::Vault(*issuer)));
        let Writer::Replica { number, .. } = writer else { return by_vault };
        by_vault || self.is_clock_off(Clockwork::Replica(number))
    }

    /// The newest that was issued for it, or the one before.
    fn judge_age(&mut self, writer: Writer, key: &str, new: &SecretFacts, pair: &Pair) {
        let issued = self.objects.issued.get(&new.issued_for);
        let newest_two = issued.into_iter().flat_map(|leaves| leaves.iter().rev().take(2));
        if newest_two.into_iter().any(|leaf| *leaf == pair.leaf) {
            return;
        }
        let says =
            format!("{writer} stored in {key} a certificate that is neither the newest nor the one before");
        self.violated("old-pair", says);
    }
}
