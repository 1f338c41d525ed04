//! All state of a practice Vault behind one lock: configuration, ledger, nodes, faults, agenda, counters.
//! Time enters as an argument; what is due by then is done first, in its order, at its own moment.
//! Nothing here waits, and no lock is held across an await.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;
use crate::clock::{earlier, shifted};
use crate::cluster::nodes::{Node, Nodes};
use crate::cluster::standing::Standing;
use crate::faults::rules::Rules;
use crate::faults::stash::Stash;
use crate::faults::{Deed, Twist};
use crate::options::{CaKeyKind, ElectionPace, Options, Product};
use crate::outside::Outside;
use crate::state::audit::Audit;
use crate::state::config::Config;
use crate::state::digest;
use crate::state::ledger::Ledger;
use crate::state::policy::ROOT;
use crate::state::token::{Token, TokenKind};
use crate::state::turn::{Commits, Truth, Turn};
use crate::sys::status::Status;

/// The state.
pub(crate) struct World {
    pub(crate) product: Product,
    pub(crate) ca_key: CaKeyKind,
    pub(crate) pace: ElectionPace,
    pub(crate) standby_lag: Duration,
    pub(crate) started: Timestamp,
    pub(crate) cluster_name: String,
    pub(crate) cluster_id: String,
    pub(crate) chance: Chance,
    /// A stream of its own for faults, so that a fault more doesn't change tokens and serial numbers.
    pub(crate) fault_chance: Chance,
    pub(crate) truth: Truth,
    pub(crate) ledger: Ledger,
    pub(crate) nodes: Nodes,
    pub(crate) rules: Rules,
    pub(crate) stash: Stash,
    pub(crate) audit: Audit,
    pub(crate) outside: Outside,
    pub(crate) audit_broken: bool,
    pub(crate) foreign_certificate: bool,
    pub(crate) skew: SignedDuration,
    pub(crate) connections: u64,
    agenda: BTreeMap<(Timestamp, u64), Deed>,
    planned: u64,
}

impl World {
    pub(crate) fn new(nodes: usize, options: &Options) -> World {
        let now = options.clock.now();
        let seed = Chance::new(options.seed);
        let mut chance = seed.fork("ids");
        let cluster_id = chance.uuid();
        let name = cluster_id.split('-').next().unwrap_or_default();
        let mut ledger = Ledger::default();
        ledger.remember_token(digest(&options.root_token), root_token(&mut chance, now), now);
        World {
            product: options.product,
            ca_key: options.ca_key,
            pace: options.election,
            standby_lag: options.standby_lag,
            started: now,
            cluster_name: format!("vault-cluster-{name}"),
            cluster_id,
            chance,
            fault_chance: seed.fork("faults"),
            truth: Truth::new(Config::new()),
            ledger,
            nodes: Nodes::new(nodes, options.address, options.scheme, now),
            rules: Rules::default(),
            stash: Stash::default(),
            audit: Audit::default(),
            outside: options.outside.clone(),
            audit_broken: false,
            foreign_certificate: false,
            skew: SignedDuration::ZERO,
            connections: 0,
            agenda: BTreeMap::new(),
            planned: 0,
        }
    }

    /// Puts a deed on the agenda.
    pub(crate) fn plan(&mut self, at: Timestamp, deed: Deed) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), deed);
    }

    /// Does what is due.
    pub(crate) fn catch_up(&mut self, now: Timestamp) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), deed) = entry.remove_entry();
            self.perform(&deed, at);
        }
    }

    /// The next moment at which something changes without anybody's call.
    pub(crate) fn next_change(&self, node: usize, now: Timestamp) -> Option<Timestamp> {
        let planned = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let standing = self.nodes.node(node).and_then(|node| node.next_change(now));
        [planned, standing, self.rules.next_change(now)].into_iter().flatten().min()
    }

    /// The time that the server's clock shows.
    pub(crate) fn server_time(&self, now: Timestamp) -> Timestamp {
        shifted(now, self.skew)
    }

    /// What a node knows of itself.
    pub(crate) fn status(&self, index: usize, now: Timestamp) -> Option<Status> {
        let node = self.nodes.node(index)?;
        let standing = node.standing(now).clone();
        let leader_address = match standing.believed_leader() {
            Some(leader) => self.nodes.address(leader),
            None if standing.calls_itself_active() => node.address.clone(),
            None => String::new(),
        };
        Some(Status {
            product: self.product,
            now: self.server_time(now),
            ha: self.nodes.is_cluster(),
            initialized: node.initialized,
            sealed: node.sealed,
            standing,
            cluster_name: self.cluster_name.clone(),
            cluster_id: self.cluster_id.clone(),
            leader_address,
            active_since: node.active_since,
            heartbeat: node.heartbeat(now),
            raft_index: self.ledger.raft_index,
        })
    }

    /// A turn as a node that stands like this gets it; `copy` is the OpenBao standby's own view.
    pub(crate) fn turn(
        &mut self,
        index: usize,
        now: Timestamp,
        seat: Seat,
        twist: Option<Twist>,
    ) -> Turn<'_> {
        let standing = self.nodes.node(index).map(|node| match node.standing(now) {
            // What is forwarded is done by the leader, as well as it can.
            Standing::Standby { leader } => self.nodes.node(*leader).unwrap_or(node).standing(now).clone(),
            own => own.clone(),
        });
        let itself = self.nodes.address(index);
        let (view, commits, horizon) = match (seat, standing) {
            (Seat::Copy, _) => (self.copy(index, now), Commits::LeftToLeader, None),
            (_, Some(Standing::SecondActive { since, config })) => {
                (config, Commits::SecondActive { itself }, Some(since))
            }
            (_, Some(Standing::LosingQuorum)) => (self.truth.view(), Commits::LosingQuorum, None),
            (_, Some(Standing::DiskFull)) => (self.truth.view(), Commits::DiskFull, None),
            _ => (self.truth.view(), Commits::Yes, None),
        };
        Turn {
            product: self.product,
            now: self.server_time(now),
            started: self.started,
            ca_key: self.ca_key,
            view,
            truth: &mut self.truth,
            ledger: &mut self.ledger,
            chance: &mut self.chance,
            commits,
            knows_revocations_until: horizon,
            twist,
        }
    }

    /// The configuration as a standby has it: a little old, and no younger than its leader's last word.
    fn copy(&self, index: usize, now: Timestamp) -> Arc<Config> {
        let silent = self.nodes.node(index).and_then(|node| node.leader_silent_since);
        // Old copies are kept by the server's time.
        self.truth.at(earlier(self.server_time(silent.unwrap_or(now)), self.standby_lag))
    }

    pub(crate) fn node_mut(&mut self, index: usize) -> Option<&mut Node> {
        self.nodes.list.get_mut(index)
    }

    /// A connection's number.
    pub(crate) fn new_connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }
}

/// At which desk a turn is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// The node's own, as active as it thinks it is; forwarded requests get the leader's.
    Own,
    /// The copy of an OpenBao standby.
    Copy,
}

const ACCESSOR_LENGTH: usize = 24;

fn root_token(chance: &mut Chance, now: Timestamp) -> Token {
    Token {
        accessor: chance.word(ACCESSOR_LENGTH),
        policies: vec![ROOT.to_owned()],
        namespace: String::new(),
        kind: TokenKind::Service,
        issued: now,
        creation_ttl: Duration::ZERO,
        expires: None,
        explicit_max_ttl: Duration::ZERO,
        max_ttl: Duration::ZERO,
        period: Duration::ZERO,
        renewable: false,
        renewed: None,
        uses: None,
        orphan: true,
        parent: None,
        display_name: "token".to_owned(),
        path: "auth/token/create".to_owned(),
        meta: serde_json::Value::Null,
        entity: String::new(),
        bound_cidrs: Vec::new(),
        origin: None,
        revoked: None,
    }
}
