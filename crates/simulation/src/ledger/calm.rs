//! What must hold where nothing has been disturbed for a while: every certificate is good, renewed in time and called so, nothing is left
//! over. Because it is looked at often, a certificate that could have been renewed and was not is found long before it expires.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use super::Ledger;
use super::facts::CertificateFacts;
use super::objects::Objects;

/// How long after a disturbance things may take to be as they should: the longest pauses of the operator are five minutes of its own and
/// a minute of the watches; both may follow one another.
pub const GRACE: Duration = Duration::from_secs(12 * 60);

impl Ledger {
    /// Looks at every certificate. Call it often.
    pub fn inspect(&mut self) {
        let now = self.wall.elapsed();
        let things = Things::of(&self.objects);
        let (mut inspected, mut found) = (0, Vec::new());
        for (key, facts) in &self.objects.certificates {
            let issuer = self.issuers.get(&facts.issuer).copied();
            let calm = self.scopes.calm_since(key, issuer);
            if calm.is_none_or(|since| now.saturating_sub(since) < GRACE) {
                continue;
            }
            inspected += 1;
            let faults = self.faults_of(facts).into_iter().chain(things.left_over(key, facts));
            found.extend(faults.map(|(rule, says)| (rule, format!("{key}: {says}"))));
        }
        self.counts.inspected += inspected;
        found.into_iter().for_each(|(rule, says)| self.violated(rule, says));
        self.count_expired();
    }

    fn faults_of(&self, facts: &CertificateFacts) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let now = self.wall.now();
        match self.objects.secrets.get(&facts.secret).map(|secret| &secret.pair) {
            None => found.push(("not-issued", "it has no Secret".to_owned())),
            Some(Err(why)) => found.push(("not-issued", format!("its Secret is of no use: {why}"))),
            Some(Ok(pair)) => {
                let renewal = pair.renewal(facts.renew_before);
                let grace = SignedDuration::try_from(GRACE).unwrap_or_default();
                if pair.ends <= now {
                    found.push(("expired", format!("it ended {}, its renewal was due {renewal}", pair.ends)));
                } else if now.duration_since(renewal) > grace {
                    found.push((
                        "not-renewed",
                        format!("its renewal was due {renewal}, it ends {}", pair.ends),
                    ));
                }
                let lacks = facts.names.iter().find(|name| !pair.names.contains(name));
                if let Some(lacks) = lacks {
                    found.push(("wrong-names", format!("its certificate lacks {lacks}")));
                }
                let is_near = facts
                    .renewal_time
                    .is_some_and(|told| told.duration_since(renewal).abs() <= SignedDuration::from_secs(2));
                if !is_near && found.is_empty() {
                    found.push((
                        "untrue-status",
                        format!("renewalTime is {:?} and not {renewal}", facts.renewal_time),
                    ));
                }
            }
        }
        if found.is_empty() && facts.ready != Some(true) {
            found.push((
                "untrue-status",
                format!("all is well, and Ready says {:?} {}", facts.ready, facts.ready_reason),
            ));
        }
        if found.is_empty() && (facts.issuing || facts.next_key) {
            found.push(("untrue-status", "nothing is to be issued, and the status says it is".to_owned()));
        }
        found
    }

    /// Certificates that ended while in use. That one that could have been renewed is among them is impossible if `not-renewed` was never found.
    fn count_expired(&mut self) {
        let now = self.wall.now();
        for (key, facts) in &self.objects.certificates {
            let Some(Ok(pair)) = self.objects.secrets.get(&facts.secret).map(|secret| &secret.pair) else {
                continue;
            };
            let is_new = self.objects.expired.get(key) != Some(&pair.leaf);
            if pair.ends <= now && is_new {
                self.objects.expired.insert(key.clone(), pair.leaf.clone());
                self.counts.expired += 1;
            }
        }
    }
}

/// What belongs to Certificates and may be left over, counted once for all of them.
struct Things<'a> {
    requests: BTreeMap<&'a str, usize>,
    /// Secrets with a next key, by the Certificate in whose name they were made.
    keys: BTreeMap<&'a str, &'a str>,
}

impl<'a> Things<'a> {
    fn of(objects: &'a Objects) -> Things<'a> {
        let mut things = Things { requests: BTreeMap::new(), keys: BTreeMap::new() };
        for request in objects.requests.values() {
            *things.requests.entry(&request.owner).or_default() += 1;
        }
        for (secret, _) in objects.secrets.iter().filter(|(_, facts)| facts.is_next_key) {
            things.keys.extend(secret.rsplit_once('-').map(|(of, _)| (of, secret.as_str())));
        }
        things
    }

    fn left_over(&self, key: &str, facts: &CertificateFacts) -> Option<(&'static str, String)> {
        let requests = self.requests.get(key).copied().unwrap_or_default();
        if requests > facts.history {
            return Some((
                "leak",
                format!("it has {requests} requests, and {} are to be kept", facts.history),
            ));
        }
        self.keys.get(key).map(|secret| ("leak", format!("the next key {secret} is left over")))
    }
}
