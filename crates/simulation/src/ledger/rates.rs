//! Bounds of rates: writes per object, logins and calls per Vault, within sliding windows.
//! A loop that spins breaks one of them within a minute of virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use everleaf_apiserver::store::RowChange;

use super::{GRACE, Ledger};
use crate::cluster::Writer;

/// Writes of replicas to one object within an hour.
const WRITES_PER_OBJECT: usize = 40;
/// Writes of replicas to one issuer within an hour. Too many by far, and a fault that is known: where a Vault answers now so and now so (a
/// quota, a server without storage), its Ready condition is written after almost each look (docs/simulation.md, seeds 5 and 40).
const WRITES_PER_ISSUER: usize = 1_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// Logins of one life of a replica at one Vault within an hour: one with each probe, and probes are at least 2.5 s apart.
const LOGINS: usize = 1_500;
/// Logins of one life of a replica at one Vault within a day in which nothing disturbs either. Few are to be expected: issuers are looked
/// at more seldom here than in production, so that now and then a token of an hour ends between two looks.
const CALM_LOGINS: usize = 12;
const DAY: Duration = Duration::from_secs(86_400);
/// Calls of one life of a replica to one Vault within a minute, beyond a few for each certificate.
const CALLS: usize = 240;
const MINUTE: Duration = Duration::from_secs(60);
/// Logins with a wrong secret_id within 15 minutes: Vault locks the role at the fifth.
const WRONG_LOGINS: usize = 4;
const LOCKOUT: Duration = Duration::from_secs(15 * 60);

/// The windows.
#[derive(Default)]
pub(super) struct Rates {
    writes: BTreeMap<(String, String), Window>,
    logins: BTreeMap<(Writer, usize), Window>,
    wrong_logins: BTreeMap<(Writer, usize), Window>,
    calm_logins: BTreeMap<(Writer, usize), Window>,
    calls: BTreeMap<(Writer, usize), Window>,
}

#[derive(Default)]
struct Window(VecDeque<Duration>);

impl Window {
    /// One more; how many there were within the span.
    fn count(&mut self, now: Duration, span: Duration) -> usize {
        self.0.push_back(now);
        while self.0.front().is_some_and(|first| now.saturating_sub(*first) > span) {
            self.0.pop_front();
        }
        self.0.len()
    }
}

impl Ledger {
    pub(super) fn limit_writes(&mut self, writer: Writer, change: &RowChange) {
        let is_counted = matches!(writer, Writer::Replica { .. })
            && !matches!(&*change.collection, "leases.coordination.k8s.io" | "events");
        if !is_counted {
            return;
        }
        let now = self.wall.elapsed();
        let key = (change.collection.to_string(), change.key.to_string());
        let count = self.rates.writes.entry(key).or_default().count(now, HOUR);
        self.counts.most_writes_per_object = self.counts.most_writes_per_object.max(count);
        let is_issuer = change.collection.ends_with("issuers.cert-manager.io");
        let most = if is_issuer { WRITES_PER_ISSUER } else { WRITES_PER_OBJECT };
        if count == most + 1 {
            let says =
                format!("{} {} was written {count} times within an hour", change.collection, change.key);
            self.violated("too-many-writes", says);
        }
    }

    pub(super) fn limit_logins(&mut self, writer: Writer, issuer: usize, wrong: bool) {
        let now = self.wall.elapsed();
        let count = self.rates.logins.entry((writer, issuer)).or_default().count(now, HOUR);
        self.counts.most_logins_per_hour = self.counts.most_logins_per_hour.max(count);
        if count == LOGINS + 1 {
            self.violated(
                "too-many-logins",
                format!("{writer} logged in {count} times within an hour at vault-{issuer}"),
            );
        }
        if wrong {
            let count = self.rates.wrong_logins.entry((writer, issuer)).or_default().count(now, LOCKOUT);
            if count == WRONG_LOGINS + 1 {
                let says = format!(
                    "{writer} tried a wrong secret_id {count} times within 15 minutes at vault-{issuer}"
                );
                self.violated("locked-out", says);
            }
        }
    }

    /// A token is renewed for as long as nothing is wrong; a login where one isn't needed is one that Vault keeps a lease for.
    pub(super) fn limit_calm_logins(&mut self, writer: Writer, issuer: usize) {
        let now = self.wall.elapsed();
        let since = self.scopes.calm_since("", Some(issuer));
        if since.is_none_or(|since| now.saturating_sub(since) < GRACE) {
            return;
        }
        self.counts.calm_logins += 1;
        let count = self.rates.calm_logins.entry((writer, issuer)).or_default().count(now, DAY);
        if count == CALM_LOGINS + 1 {
            let says = format!("{writer} logged in {count} times within a calm day at vault-{issuer}");
            self.violated("needless-logins", says);
        }
    }

    pub(super) fn limit_calls(&mut self, writer: Writer, issuer: usize) {
        let now = self.wall.elapsed();
        let count = self.rates.calls.entry((writer, issuer)).or_default().count(now, MINUTE);
        self.counts.most_calls_per_minute = self.counts.most_calls_per_minute.max(count);
        let most = CALLS + 4 * self.objects.certificates.len();
        if count == most + 1 {
            self.violated(
                "too-many-calls",
                format!("{writer} called vault-{issuer} {count} times within a minute"),
            );
        }
    }
}
