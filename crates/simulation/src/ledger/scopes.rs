//! What is disturbed, and since when it is calm again: everything, one issuer, one certificate.
//! The injector says when a fault begins and ends; changes by a person disturb for a moment by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

/// A proof takes this long at least, so a refusal must have stood for it.
const PROOF: Duration = Duration::from_secs(30);
/// An answer may still be under way when the fault that made it ends, and its write wait for the API.
const UNDER_WAY: Duration = Duration::from_secs(330);
/// A change by a person may be overtaken by what was decided before it was seen.
const LATELY: Duration = Duration::from_secs(600);

/// One scope.
#[derive(Debug, Clone, Copy, Default)]
struct Scope {
    active: u32,
    calm_from: Duration,
}

/// A refusal that is true.
#[derive(Debug, Clone, Copy, Default)]
struct Refusing {
    active: u32,
    since: Duration,
    until: Duration,
}

/// All scopes.
#[derive(Debug, Default)]
pub struct Scopes {
    world: Scope,
    issuers: BTreeMap<usize, Scope>,
    certificates: BTreeMap<String, Scope>,
    disturbed_at: BTreeMap<String, Duration>,
    refusing: BTreeMap<usize, Refusing>,
}

impl Scope {
    fn end(&mut self, calm_from: Duration) {
        self.active = self.active.saturating_sub(1);
        self.calm_from = self.calm_from.max(calm_from);
    }
}

impl Scopes {
    /// Everything is disturbed.
    pub fn begin_world(&mut self) {
        self.world.active += 1;
    }

    /// That disturbance is over; it may be felt until `calm_from`.
    pub fn end_world(&mut self, calm_from: Duration) {
        self.world.end(calm_from);
    }

    /// An issuer is disturbed.
    pub fn begin_issuer(&mut self, issuer: usize) {
        self.issuers.entry(issuer).or_default().active += 1;
    }

    /// That disturbance is over.
    pub fn end_issuer(&mut self, issuer: usize, calm_from: Duration) {
        self.issuers.entry(issuer).or_default().end(calm_from);
    }

    /// From now on the issuer refuses some requests, and means it.
    pub fn begin_refusing(&mut self, issuer: usize, now: Duration) {
        let refusing = self.refusing.entry(issuer).or_default();
        if refusing.active == 0 {
            refusing.since = now;
        }
        refusing.active += 1;
    }

    /// It doesn't any more.
    pub fn end_refusing(&mut self, issuer: usize, now: Duration) {
        let refusing = self.refusing.entry(issuer).or_default();
        refusing.active = refusing.active.saturating_sub(1);
        refusing.until = now;
    }

    /// A person changed a certificate or its Secret.
    pub(super) fn disturbed(&mut self, certificate: &str, now: Duration) {
        self.disturbed_at.insert(certificate.to_owned(), now);
        self.certificates.entry(certificate.to_owned()).or_default().calm_from = now;
    }

    pub(super) fn disturbed_issuer(&mut self, issuer: usize, now: Duration) {
        let scope = self.issuers.entry(issuer).or_default();
        scope.calm_from = scope.calm_from.max(now);
    }

    pub(super) fn disturbed_lately(&self, certificate: &str, now: Duration) -> bool {
        self.disturbed_at.get(certificate).is_some_and(|at| now.saturating_sub(*at) < LATELY)
    }

    /// Whether a refusal for good may be published now.
    pub(super) fn refuses_truly(&self, issuer: usize, now: Duration) -> bool {
        let Some(refusing) = self.refusing.get(&issuer) else { return false };
        let stood = now.saturating_sub(refusing.since) >= PROOF;
        stood && (refusing.active > 0 || now.saturating_sub(refusing.until) <= UNDER_WAY)
    }

    /// Since when nothing disturbs a certificate of this issuer; nothing while something does.
    pub(super) fn calm_since(&self, certificate: &str, issuer: Option<usize>) -> Option<Duration> {
        let of_issuer = issuer.and_then(|issuer| self.issuers.get(&issuer)).copied().unwrap_or_default();
        let own = self.certificates.get(certificate).copied().unwrap_or_default();
        let all = [self.world, of_issuer, own];
        let is_calm = all.iter().all(|scope| scope.active == 0);
        is_calm.then(|| all.iter().map(|scope| scope.calm_from).max().unwrap_or_default())
    }

    /// Whether nothing at all is disturbed now.
    pub fn is_all_calm(&self, now: Duration) -> bool {
        let quiet = |scope: &Scope| scope.active == 0 && scope.calm_from <= now;
        quiet(&self.world) && self.issuers.values().all(quiet)
    }
}
