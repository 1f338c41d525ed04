//! Every row of the fault table (vault-server 7) as a trouble that can begin and heal: [`by_row`].
//! Where the study and the measurements differ, the measurements are followed (vault-measured 8).
//! A row only names deeds: what they do to calls is decided where calls are answered.

mod access;
mod engine;
mod network;
mod node;

pub use access::*;
pub use engine::*;
pub use network::*;
pub use node::*;

use super::deed::Deed;
use super::stash::Piece;

/// The names that a trouble needs: what the issuer under test uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// The PKI mount.
    pub pki: String,
    /// The PKI role.
    pub role: String,
    /// The policy that allows signing.
    pub policy: String,
    /// The auth mount, without `auth/`.
    pub auth: String,
    /// Its role; the last segments of its path, such as `role/everleaf` or `certs/everleaf`.
    pub auth_role: String,
}

impl Default for Scene {
    fn default() -> Scene {
        Scene {
            pki: "pki".into(),
            role: "web".into(),
            policy: "web-sign".into(),
            auth: "approle".into(),
            auth_role: "role/everleaf".into(),
        }
    }
}

impl Scene {
    fn mount_piece(&self) -> Piece {
        Piece::Mount(self.pki.clone())
    }

    fn auth_piece(&self) -> Piece {
        Piece::Auth(self.auth.clone())
    }

    fn sign_path(&self) -> String {
        format!("{}/sign/{}", self.pki, self.role)
    }

    fn role_path(&self) -> String {
        format!("{}/roles/{}", self.pki, self.role)
    }

    fn auth_role_path(&self) -> String {
        format!("auth/{}/{}", self.auth, self.auth_role)
    }

    fn login_path(&self) -> String {
        format!("auth/{}/login", self.auth)
    }
}

/// What a trouble can be played on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Needs {
    /// A single practice Vault.
    OneNode,
    /// A cluster.
    Cluster,
    /// A single node that speaks as OpenBao.
    OpenBao,
    /// A cluster that speaks as OpenBao.
    OpenBaoCluster,
}

/// A trouble of the fault table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its number there.
    pub number: u8,
    /// What it is.
    pub what: &'static str,
    /// What it can be played on.
    pub needs: Needs,
    /// Whether the table's invariant holds for it: no request may ever end by it.
    pub heals: bool,
    /// How it begins.
    pub begin: Vec<Deed>,
    /// How it heals; empty where time or the client heals it.
    pub heal: Vec<Deed>,
}

impl Row {
    fn new(number: u8, what: &'static str, begin: Vec<Deed>, heal: Vec<Deed>) -> Row {
        Row { number, what, needs: Needs::OneNode, heals: heals(number), begin, heal }
    }

    fn needing(mut self, needs: Needs) -> Row {
        self.needs = needs;
        self
    }
}

/// The rows for which vault-server 7 demands that no request ever fails for good.
fn heals(number: u8) -> bool {
    matches!(number, 1..=8 | 14..=18 | 20..=26 | 34..=39 | 41..=48)
}

/// How many rows there are.
pub const LAST_ROW: u8 = 48;

/// The trouble of a row, on a scene; nothing for a number that isn't in the table.
pub fn by_row(number: u8, scene: &Scene) -> Option<Row> {
    let row = match number {
        1 => sealed(),
        2 => restarted_sealed(),
        3 => uninitialised(),
        4 => step_down(),
        5 => leader_killed(),
        6 => leader_frozen(),
        7 => quorum_lost(),
        8 => cluster_ports_cut(),
        9 => policy_deleted(scene),
        10 => auth_role_policies_changed(scene),
        11 => pki_role_deleted(scene),
        12 => auth_role_deleted(scene),
        13 => pki_disabled(scene),
        14 => auth_disabled(scene),
        15 => tokens_revoked(),
        16 => short_tokens(scene),
        17 => use_limited_tokens(scene),
        18 => batch_tokens(scene),
        19 => tokens_bound_elsewhere(scene),
        20 => rate_limited(),
        21 => logins_rate_limited(scene),
        22 => locked_out(scene),
        23 => token_review_broken(),
        24 => reviewer_expired(),
        25 => jwt_from_the_future(),
        26 => jwks_down(),
        27 => wrapped_secret_used(),
        28 => default_issuer_unset(scene),
        29 => issuer_without_usage(scene),
        30 => ca_about_to_expire(scene),
        31 => role_wants_rsa(scene),
        32 => names_disallowed(scene),
        33 => role_cuts_the_life(scene),
        34 => audit_broken(),
        35 => disk_full(),
        36 => slow_storage(),
        37 => request_limit(),
        38 => unroutable_api_address(),
        39 => foreign_server_certificate(),
        40 => plain_http(),
        41 => namespace_locked(""),
        42 => lagging_standby(scene),
        43 => clock_jump(),
        44 => balancer_pages(),
        45 => idle_connections_cut(),
        46 => answers_lost(scene),
        47 => follower_wiped(),
        48 => plugin_killed(scene),
        _ => return None,
    };
    Some(row)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_row_of_the_table_can_be_played() {
        for number in 1..=LAST_ROW {
            let row = by_row(number, &Scene::default()).unwrap();
            assert_eq!(row.number, number);
            assert!(!row.begin.is_empty(), "row {number} does nothing");
        }
        assert!(by_row(0, &Scene::default()).is_none());
        assert!(by_row(LAST_ROW + 1, &Scene::default()).is_none());
    }
}
