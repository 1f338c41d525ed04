//! `sys/health`, `sys/seal-status`, `sys/leader`: field order and codes as recorded (vault-answers.json, vault-measured 2 and 5).
//! Health must be read with its body: 429 means a standby here and a rate limit elsewhere (vault-measured 1.10).
//! Nothing here changes anything.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::cluster::standing::Standing;
use crate::golang::{self, json_struct};
use crate::http::answer::{Raw, Refusal};
use crate::options::Product;

/// What a node knows of itself.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) product: Product,
    pub(crate) now: Timestamp,
    pub(crate) ha: bool,
    pub(crate) initialized: bool,
    pub(crate) sealed: bool,
    pub(crate) standing: Standing,
    pub(crate) cluster_name: String,
    pub(crate) cluster_id: String,
    /// The address of the leader as this node believes it; empty for none.
    pub(crate) leader_address: String,
    /// Since when this node is active.
    pub(crate) active_since: Timestamp,
    /// How long ago the leader was last heard.
    pub(crate) heartbeat: Duration,
    pub(crate) raft_index: u64,
}

/// The versions that are spoken for.
pub(crate) const VAULT_VERSION: &str = "1.21.1";
const OPENBAO_VERSION: &str = "2.0.0-HEAD";
const BUILD_DATE: &str = "2025-11-18T13:04:32Z";
/// Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// A standby that hasn't heard its leader for so long is unhealthy: 474 (vault-answers: a heartbeat of 10132 ms).
const UNHEALTHY_AFTER: Duration = Duration::from_secs(10);

impl Status {
    fn version(&self) -> &'static str {
        match self.product {
            Product::Vault => VAULT_VERSION,
            Product::OpenBao => OPENBAO_VERSION,
        }
    }

    fn is_usable(&self) -> bool {
        self.initialized && !self.sealed
    }

    fn is_active(&self) -> bool {
        self.is_usable() && self.standing.calls_itself_active()
    }

    /// Whether the node knows a leader that isn't itself.
    fn follows(&self) -> bool {
        self.is_usable() && !self.leader_address.is_empty() && !self.is_active()
    }

    fn is_unhealthy(&self) -> bool {
        self.product == Product::Vault && self.follows() && self.heartbeat > UNHEALTHY_AFTER
    }

    fn health_code(&self, query: &BTreeMap<String, String>) -> u16 {
        let (name, code) = match () {
            () if !self.initialized => ("uninitcode", 501),
            () if self.sealed => ("sealedcode", 503),
            () if self.is_active() => ("activecode", 200),
            () if self.is_unhealthy() => ("haunhealthycode", 474),
            () if query.get("standbyok").is_some_and(|value| value != "false") => ("activecode", 200),
            () => ("standbycode", 429),
        };
        query.get(name).and_then(|code| code.parse().ok()).unwrap_or(code)
    }

    /// `sys/health`.
    pub(crate) fn health(&self, query: &BTreeMap<String, String>) -> Raw {
        let mode = match (self.product, self.is_active() || self.follows(), self.ha) {
            (_, false, _) => "unknown",
            (Product::OpenBao, true, true) => "primary",
            (_, true, _) => "disabled",
        };
        let dr_mode = if mode == "unknown" { "unknown" } else { "disabled" };
        let vault = self.product == Product::Vault;
        let mut members: Vec<(&str, Value)> = vec![
            ("initialized", self.initialized.into()),
            ("sealed", (self.sealed || !self.initialized).into()),
            ("standby", (!self.is_active()).into()),
        ];
        if vault {
            members.push(("performance_standby", false.into()));
        }
        members.extend([
            ("replication_performance_mode", mode.into()),
            ("replication_dr_mode", dr_mode.into()),
            ("server_time_utc", self.now.as_second().into()),
            ("version", self.version().into()),
        ]);
        if vault {
            members.push(("enterprise", false.into()));
        }
        if self.is_usable() {
            members.push(("cluster_name", self.cluster_name.as_str().into()));
            members.push(("cluster_id", self.cluster_id.as_str().into()));
        }
        if vault {
            for name in ["echo_duration_ms", "clock_skew_ms", "replication_primary_canary_age_ms"] {
                members.push((name, 0.into()));
            }
            if self.ha {
                members.push(("removed_from_cluster", false.into()));
            }
            if self.ha && self.follows() {
                members.push(("ha_connection_healthy", (!self.is_unhealthy()).into()));
                members.push((
                    "last_request_forwarding_heartbeat_ms",
                    (self.heartbeat.as_millis() as u64).into(),
                ));
            }
        }
        Raw::json(self.health_code(query), &json_struct(&members))
    }

    /// `sys/seal-status`.
    pub(crate) fn seal_status(&self) -> Raw {
        let shares: u64 = u64::from(self.initialized);
        let storage = if self.ha { "raft" } else { "inmem" };
        let mut members: Vec<(&str, Value)> = vec![
            ("type", "shamir".into()),
            ("initialized", self.initialized.into()),
            ("sealed", (self.sealed || !self.initialized).into()),
            ("t", shares.into()),
            ("n", shares.into()),
            ("progress", 0.into()),
            ("nonce", "".into()),
        ];
        if self.product == Product::OpenBao {
            members.push(("recovery_seal", false.into()));
        }
        members.push(("version", self.version().into()));
        members.push(match self.product {
            Product::Vault => ("build_date", BUILD_DATE.into()),
            Product::OpenBao => ("commit_date", "".into()),
        });
        members.push(("migration", false.into()));
        if self.is_usable() {
            members.push(("cluster_name", self.cluster_name.as_str().into()));
            members.push(("cluster_id", self.cluster_id.as_str().into()));
        }
        if self.product == Product::Vault {
            members.push(("recovery_seal", false.into()));
        }
        members.push(("storage_type", storage.into()));
        if self.product == Product::Vault && self.ha {
            members.push(("removed_from_cluster", false.into()));
        }
        Raw::json(200, &json_struct(&members))
    }

    /// `sys/leader`; OpenBao leaves out what is false or empty (vault-measured 2).
    pub(crate) fn leader(&self) -> Raw {
        if self.ha && !self.is_usable() {
            return Raw::refusal(&Refusal::sealed());
        }
        let active = self.ha && self.is_active();
        let address = if self.ha { self.leader_address.as_str() } else { "" };
        let cluster_address = cluster_address(address);
        let since = if active { golang::rfc3339_nano(self.active_since) } else { NEVER.to_owned() };
        let openbao = self.product == Product::OpenBao;
        let mut members: Vec<(&str, Value)> = vec![("ha_enabled", self.ha.into())];
        if !openbao || active {
            members.push(("is_self", active.into()));
            members.push(("active_time", since.into()));
        }
        if !openbao || !address.is_empty() {
            members.push(("leader_address", address.into()));
            members.push(("leader_cluster_address", cluster_address.into()));
        }
        if !openbao {
            members.push(("performance_standby", false.into()));
            members.push(("performance_standby_last_remote_wal", 0.into()));
        }
        if self.ha {
            members.push(("raft_committed_index", self.raft_index.into()));
            members.push(("raft_applied_index", self.raft_index.into()));
        }
        Raw::json(200, &json_struct(&members))
    }
}

/// The cluster port is the API's plus one, and always TLS.
fn cluster_address(address: &str) -> String {
    let host = address.split_once("://").map_or("", |(_, host)| host);
    match host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
        Some((host, port)) => format!("https://{host}:{}", port.saturating_add(1)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(product: Product, ha: bool, standing: Standing) -> Status {
        Status {
            product,
            now: Timestamp::UNIX_EPOCH,
            ha,
            initialized: true,
            sealed: false,
            standing,
            cluster_name: "vault-cluster-1".into(),
            cluster_id: "id".into(),
            leader_address: String::new(),
            active_since: Timestamp::UNIX_EPOCH,
            heartbeat: Duration::ZERO,
            raft_index: 5,
        }
    }

    fn body(raw: &Raw) -> String {
        String::from_utf8_lossy(&raw.body).trim_end().to_owned()
    }

    #[test]
    fn health_has_the_recorded_bytes_on_a_single_node() {
        let vault = status(Product::Vault, false, Standing::Active).health(&BTreeMap::new());
        assert_eq!(vault.status, 200);
        assert_eq!(
            body(&vault),
            r#"{"initialized":true,"sealed":false,"standby":false,"performance_standby":false,"replication_performance_mode":"disabled","replication_dr_mode":"disabled","server_time_utc":0,"version":"1.21.1","enterprise":false,"cluster_name":"vault-cluster-1","cluster_id":"id","echo_duration_ms":0,"clock_skew_ms":0,"replication_primary_canary_age_ms":0}"#
        );
        let bao = status(Product::OpenBao, false, Standing::Active).health(&BTreeMap::new());
        assert_eq!(
            body(&bao),
            r#"{"initialized":true,"sealed":false,"standby":false,"replication_performance_mode":"disabled","replication_dr_mode":"disabled","server_time_utc":0,"version":"2.0.0-HEAD","cluster_name":"vault-cluster-1","cluster_id":"id"}"#
        );
    }

    #[test]
    fn a_sealed_node_says_so_with_the_code_that_was_asked_for() {
        let sealed = Status { sealed: true, ..status(Product::Vault, false, Standing::Active) };
        assert_eq!(sealed.health(&BTreeMap::new()).status, 503);
        assert_eq!(sealed.health(&[("sealedcode".to_owned(), "299".to_owned())].into()).status, 299);
        let fresh = Status { initialized: false, ..sealed };
        assert_eq!(fresh.health(&BTreeMap::new()).status, 501);
        assert_eq!(fresh.leader().status, 200);
    }

    #[test]
    fn a_standby_turns_unhealthy_when_its_leader_is_silent_on_vault_only() {
        for (product, silence, code) in
            [(Product::Vault, 9, 429), (Product::Vault, 11, 474), (Product::OpenBao, 11, 429)]
        {
            let standby = Status {
                leader_address: "http://127.0.0.1:8210".into(),
                heartbeat: Duration::from_secs(silence),
                ..status(product, true, Standing::Standby { leader: 1 })
            };
            assert_eq!(standby.health(&BTreeMap::new()).status, code);
        }
    }

    #[test]
    fn leader_has_the_recorded_bytes() {
        let leader = Status {
            leader_address: "http://127.0.0.1:8210".into(),
            ..status(Product::OpenBao, true, Standing::Standby { leader: 1 })
        };
        assert_eq!(
            body(&leader.leader()),
            r#"{"ha_enabled":true,"leader_address":"http://127.0.0.1:8210","leader_cluster_address":"https://127.0.0.1:8211","raft_committed_index":5,"raft_applied_index":5}"#
        );
        assert_eq!(
            body(&status(Product::OpenBao, false, Standing::Active).leader()),
            r#"{"ha_enabled":false}"#
        );
        assert_eq!(
            body(&status(Product::Vault, false, Standing::Active).leader()),
            r#"{"ha_enabled":false,"is_self":false,"active_time":"0001-01-01T00:00:00Z","leader_address":"","leader_cluster_address":"","performance_standby":false,"performance_standby_last_remote_wal":0}"#
        );
    }
}
