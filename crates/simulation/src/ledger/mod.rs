//! The ledger: sees every commit of the store and every call, keeps the trace, and checks the invariants at each step.
//! It knows what was broken when (the injector tells it), so it can say which certificate could have been renewed.
//! It changes nothing.

mod calls;
mod calm;
mod counts;
mod facts;
mod objects;
mod order;
mod pairs;
mod rates;
mod scopes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everleaf_apiserver::store::RowChange;
use serde_json::Value;
use tokio::sync::Notify;

pub use calls::{Signing, VaultCall};
pub use calm::GRACE;
pub use counts::Counts;
pub use scopes::Scopes;

use crate::cluster::Writer;
use crate::moments::{Wall, shown};
use crate::scenario::Scenario;
use crate::trace::{self, Trace};
use objects::Objects;
use order::Recovery;
use rates::Rates;

/// A ledger that is shared.
pub type SharedLedger = Arc<Mutex<Ledger>>;

/// Looks into it. Don't hold the guard across an await.
pub fn lock(ledger: &SharedLedger) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An invariant that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Duration,
    /// Which one.
    pub rule: &'static str,
    /// What was seen.
    pub says: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", shown(self.at), self.rule, self.says)
    }
}

/// Who has a clock of his own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clockwork {
    /// A replica of the operator.
    Replica(usize),
    /// The Vault of an issuer.
    Vault(usize),
}

/// No more violations than this are kept.
const MOST_VIOLATIONS: usize = 20;

/// The ledger.
pub struct Ledger {
    wall: Wall,
    trace: Trace,
    violations: Vec<Violation>,
    /// Told at the first violation.
    broken: Arc<Notify>,
    /// What is broken, and since when it is not.
    pub scopes: Scopes,
    /// What was counted.
    pub counts: Counts,
    /// Sign calls, in the order of their answers.
    pub signs: Vec<Signing>,
    objects: Objects,
    rates: Rates,
    recoveries: BTreeMap<usize, Recovery>,
    issuers: BTreeMap<String, usize>,
    /// Who holds the Lease.
    holder: String,
    /// Until when the clock of somebody who signs may be off, and what he signs be dated so.
    clocks_off_until: BTreeMap<Clockwork, Duration>,
    /// After somebody meddled with the Lease, two may lead until both have looked.
    lease_meddled_until: Duration,
    lease_look: Duration,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({} violations)", self.violations.len())
    }
}

impl Ledger {
    /// An empty ledger for this scenario.
    pub fn new(scenario: &Scenario, wall: Wall, whole_trace: bool) -> Ledger {
        let names = scenario.issuers.iter().enumerate().map(|(index, issuer)| (issuer.name.clone(), index));
        Ledger {
            wall,
            trace: Trace::new(whole_trace),
            violations: Vec::new(),
            broken: Arc::default(),
            scopes: Scopes::default(),
            counts: Counts::default(),
            signs: Vec::new(),
            objects: Objects::default(),
            rates: Rates::default(),
            recoveries: BTreeMap::new(),
            issuers: names.collect(),
            holder: String::new(),
            lease_meddled_until: Duration::ZERO,
            clocks_off_until: BTreeMap::new(),
            lease_look: scenario.lease.deadline + scenario.lease.retry,
        }
    }

    /// What was found broken.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The trace.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Is told when an invariant breaks.
    pub fn broken(&self) -> Arc<Notify> {
        self.broken.clone()
    }

    /// Adds a line about something that is neither a commit nor a call.
    pub fn note(&mut self, what: &str) {
        self.trace.note(self.wall.elapsed(), what);
    }

    pub(crate) fn violated(&mut self, rule: &'static str, says: String) {
        let at = self.wall.elapsed();
        self.trace.note(at, &format!("VIOLATION {rule}: {says}"));
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(Violation { at, rule, says });
        }
        self.broken.notify_one();
    }

    /// A commit of the store.
    pub(crate) fn committed(&mut self, writer: Writer, change: &RowChange) {
        let object: Value = match &change.body {
            Some(body) => serde_json::from_slice(body).unwrap_or_default(),
            None => Value::Null,
        };
        self.trace_commit(writer, change, &object);
        self.counts.committed(writer, &change.collection);
        self.limit_writes(writer, change);
        let (key, object) = (&*change.key, change.body.is_some().then_some(&object));
        match &*change.collection {
            "certificates.cert-manager.io" => self.certificate_changed(writer, key, object),
            "certificaterequests.cert-manager.io" => self.request_changed(writer, key, object),
            "secrets" => self.secret_changed(writer, key, object),
            "issuers.cert-manager.io" | "clusterissuers.cert-manager.io" => self.issuer_changed(writer, key),
            "leases.coordination.k8s.io" => self.lease_changed(writer, object),
            _ => {}
        }
    }

    fn trace_commit(&mut self, writer: Writer, change: &RowChange, object: &Value) {
        let RowChange { collection, key, version, body } = change;
        let what = match body {
            None => "gone".to_owned(),
            // No key material: of a Secret only what is public goes in.
            Some(_) if &**collection == "secrets" => {
                let part = |pointer| object.pointer(pointer).unwrap_or(&Value::Null).to_string();
                trace::short(format!("{}{}", part("/metadata"), part("/data/tls.crt")).as_bytes())
            }
            Some(body) => trace::short(body),
        };
        self.trace.note(self.wall.elapsed(), &format!("{writer} {collection} {key} {version} {what}"));
    }

    fn lease_changed(&mut self, writer: Writer, object: Option<&Value>) {
        let holder = object.and_then(|lease| lease.pointer("/spec/holderIdentity")).and_then(Value::as_str);
        let holder = holder.unwrap_or_default();
        if self.holder != holder {
            self.counts.takeovers += 1;
            holder.clone_into(&mut self.holder);
        }
        if writer == Writer::Person {
            self.lease_meddled_until = self.wall.elapsed() + self.lease_look;
        }
    }

    /// A clock goes wrong, or is set right; what was dated by it may still be under way then.
    pub(crate) fn clock_off(&mut self, whose: Clockwork, is_off: bool) {
        const UNDER_WAY: Duration = Duration::from_secs(330);
        let until = if is_off { Duration::MAX } else { self.wall.elapsed() + UNDER_WAY };
        self.clocks_off_until.insert(whose, until);
    }

    fn is_clock_off(&self, whose: Clockwork) -> bool {
        self.clocks_off_until.get(&whose).is_some_and(|until| self.wall.elapsed() < *until)
    }

    /// A replica is about to send a write: by the Lease it must be the only one.
    pub(crate) fn sends(&mut self, writer: Writer, path: &str) {
        let Writer::Replica { number, life } = writer else { return };
        let is_lease = path.starts_with("/apis/coordination.k8s.io/");
        let holds = self.holder == identity(number, life);
        let is_replicas = self.holder.starts_with(IDENTITY);
        if is_lease || holds || !is_replicas || self.wall.elapsed() < self.lease_meddled_until {
            return;
        }
        let says = format!("{writer} sends a write to {path} while {} holds the Lease", self.holder);
        self.violated("two-writers", says);
    }
}

const IDENTITY: &str = "replica-";

/// As whom a life of a replica stands for election.
pub(crate) fn identity(number: usize, life: u32) -> String {
    format!("{IDENTITY}{number}-{life}")
}
