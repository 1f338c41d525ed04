//! After an outage, who waits is served in the order of the life left: the most urgent first. An order that is turned round is a violation;
//! small inversions are not, because calls overlap, and who stood for all as a probe stands behind the others.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Ledger;

/// So many must wait for their order to mean anything.
const FEWEST: usize = 4;
/// A request younger than this at the cure may not stand in the line yet.
const IN_LINE_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// Who isn't served within this waits for something else.
const SERVED_WITHIN: Duration = Duration::from_secs(60);

/// What is known of one cure.
#[derive(Debug)]
pub(super) struct Recovery {
    /// Ends of those who wait, by the names that they ask for.
    waiting: BTreeMap<String, (String, Timestamp)>,
    /// The ends of those who were served, in their order.
    served: Vec<Timestamp>,
    until: Duration,
}

impl Ledger {
    /// The trouble of an issuer is over: remembers who waits for it.
    pub(crate) fn cured(&mut self, issuer: usize) {
        let now = self.wall.now();
        let mut waiting = BTreeMap::new();
        for (key, facts) in &self.objects.certificates {
            if self.issuers.get(&facts.issuer) != Some(&issuer) {
                continue;
            }
            let of_it = self.objects.requests.values().filter(|request| request.owner == *key);
            let open = of_it
                .filter(|request| request.leaf.is_none() && request.ready_reason != "Failed")
                .filter_map(|request| request.created)
                .find(|created| now.duration_since(*created) >= IN_LINE_AFTER);
            let Some(created) = open else { continue };
            let pair = self.objects.secrets.get(&facts.secret).and_then(|secret| secret.pair.as_ref().ok());
            let ends = pair.map_or(created, |pair| pair.ends);
            waiting.extend(facts.names.iter().map(|name| (name.clone(), (key.clone(), ends))));
        }
        let until = self.wall.elapsed() + SERVED_WITHIN;
        self.recoveries.insert(issuer, Recovery { waiting, served: Vec::new(), until });
    }

    /// A certificate was signed for somebody.
    pub(super) fn served(&mut self, issuer: usize, about: &str) {
        let now = self.wall.elapsed();
        let Some(recovery) = self.recoveries.get_mut(&issuer) else { return };
        if now > recovery.until {
            return self.judge_order(issuer);
        }
        let Some((key, ends)) = recovery.waiting.get(about).cloned() else { return };
        recovery.waiting.retain(|_, (of, _)| *of != key);
        recovery.served.push(ends);
        if recovery.waiting.is_empty() {
            self.judge_order(issuer);
        }
    }

    fn judge_order(&mut self, issuer: usize) {
        let Some(Recovery { served, .. }) = self.recoveries.remove(&issuer) else { return };
        if served.len() < FEWEST {
            return;
        }
        self.counts.recoveries += 1;
        let steps = served.len() - 1;
        let back = served.windows(2).filter(|pair| matches!(pair, [one, next] if one > next)).count();
        if 3 * back > 2 * steps {
            let says = format!(
                "after the trouble of issuer-{issuer}, {back} of {steps} times the one with more life left came first: {served:?}"
            );
            self.violated("wrong-order", says);
        }
    }
}
