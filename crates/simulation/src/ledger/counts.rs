//! What was counted in a run: how much happened, and how near the bounds it came.

use std::fmt;

use everleaf_practice::Phase;

use super::calls::VaultCall;
use crate::cluster::Writer;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub api_calls: u64,
    pub api_writes: u64,
    pub lease_writes: u64,
    pub event_writes: u64,
    pub vault_calls: u64,
    pub vault_signs: u64,
    pub logins: u64,
    pub signed: u64,
    pub stored: u64,
    pub failed_requests: u64,
    pub refusals: u64,
    pub takeovers: u64,
    pub lives: u64,
    pub inspected: u64,
    pub expired: u64,
    pub recoveries: u64,
    pub calm_logins: u64,
    pub most_writes_per_object: usize,
    pub most_logins_per_hour: usize,
    pub most_calls_per_minute: usize,
}

impl Counts {
    pub(super) fn committed(&mut self, writer: Writer, collection: &str) {
        if !matches!(writer, Writer::Replica { .. }) {
            return;
        }
        match collection {
            "leases.coordination.k8s.io" => self.lease_writes += 1,
            "events" => self.event_writes += 1,
            _ => self.api_writes += 1,
        }
    }

    pub(super) fn called_vault(&mut self, call: &VaultCall<'_>) {
        self.vault_calls += 1;
        match call.phase {
            Phase::Login => self.logins += 1,
            Phase::Sign => self.vault_signs += 1,
            _ => {}
        }
    }

    /// The sums of two runs, and the larger of their maxima.
    pub fn and(&self, other: &Counts) -> Counts {
        Counts {
            api_calls: self.api_calls + other.api_calls,
            api_writes: self.api_writes + other.api_writes,
            lease_writes: self.lease_writes + other.lease_writes,
            event_writes: self.event_writes + other.event_writes,
            vault_calls: self.vault_calls + other.vault_calls,
            vault_signs: self.vault_signs + other.vault_signs,
            logins: self.logins + other.logins,
            signed: self.signed + other.signed,
            stored: self.stored + other.stored,
            failed_requests: self.failed_requests + other.failed_requests,
            refusals: self.refusals + other.refusals,
            takeovers: self.takeovers + other.takeovers,
            lives: self.lives + other.lives,
            inspected: self.inspected + other.inspected,
            expired: self.expired + other.expired,
            recoveries: self.recoveries + other.recoveries,
            calm_logins: self.calm_logins + other.calm_logins,
            most_writes_per_object: self.most_writes_per_object.max(other.most_writes_per_object),
            most_logins_per_hour: self.most_logins_per_hour.max(other.most_logins_per_hour),
            most_calls_per_minute: self.most_calls_per_minute.max(other.most_calls_per_minute),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} stored, {} expired with no chance, {} refused for good; {} API calls ({} writes, {} of leases, {} events), \
             {} Vault calls ({} signs, {} logins, {} of them in calm); {} orders after a cure; {} lives, {} takeovers; most: {} writes an object and hour, {} logins an hour, \
             {} calls a minute",
            self.stored,
            self.expired,
            self.failed_requests,
            self.api_calls,
            self.api_writes,
            self.lease_writes,
            self.event_writes,
            self.vault_calls,
            self.vault_signs,
            self.logins,
            self.calm_logins,
            self.recoveries,
            self.lives,
            self.takeovers,
            self.most_writes_per_object,
            self.most_logins_per_hour,
            self.most_calls_per_minute,
        )
    }
}
