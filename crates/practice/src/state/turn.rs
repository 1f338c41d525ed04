//! One request's turn at the state: the time, the configuration as this node sees it, the ledger, and whether it can commit.
//! Handlers get a turn and nothing else, so they can't tell which node they run on except by what it lets them do.
//! A turn is short: it never waits.

use std::sync::Arc;

use jiff::Timestamp;

use super::config::{Config, Namespace};
use super::ledger::Ledger;
use crate::chance::Chance;
use crate::faults::Twist;
use crate::http::answer::Refusal;
use crate::options::{CaKeyKind, Product};

/// What a request wants to have committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// A token, its accessor and its lease: 3 raft entries (vault-measured 5.6).
    ServiceToken,
    /// Nothing is stored, but a read-standby leaves it to the active node (vault-measured 5.5).
    BatchToken,
    Renewal,
    Revocation,
    /// A certificate into the engine's store.
    Certificate,
    Wrapping,
    /// The use count of a limited token.
    TokenUse,
    Configuration,
}

impl Write {
    fn raft_entries(self) -> u64 {
        match self {
            Write::ServiceToken => 3,
            Write::BatchToken => 0,
            _ => 1,
        }
    }
}

/// Whether this node can have something committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Commits {
    Yes,
    /// A thawed ex-leader that still calls itself active; its own address for OpenBao's redirect (vault-measured 5.4).
    SecondActive {
        itself: String,
    },
    /// The first second after the quorum was lost (vault-measured 5.5).
    LosingQuorum,
    /// A full disk, before the node steps down (vault-measured 5.6).
    DiskFull,
    /// An OpenBao standby that answers from its own copy.
    LeftToLeader,
}

/// A request's turn.
pub(crate) struct Turn<'a> {
    pub(crate) product: Product,
    pub(crate) now: Timestamp,
    pub(crate) started: Timestamp,
    pub(crate) ca_key: CaKeyKind,
    /// The configuration as this node sees it.
    pub(crate) view: Arc<Config>,
    /// The configuration as it is.
    pub(crate) truth: &'a mut Truth,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) chance: &'a mut Chance,
    pub(crate) commits: Commits,
    /// Revocations after this moment are unknown here.
    pub(crate) knows_revocations_until: Option<Timestamp>,
    /// What a fault does to a certificate that is signed now.
    pub(crate) twist: Option<Twist>,
}

/// The configuration as it is, and its recent past for standbys that lag.
#[derive(Debug)]
pub(crate) struct Truth {
    now: Arc<Config>,
    past: Vec<(Timestamp, Arc<Config>)>,
}

/// How many old copies are kept: a standby lags by less than a second, and few writes fall into one.
const MOST_PAST: usize = 64;

impl Truth {
    pub(crate) fn new(config: Config) -> Truth {
        Truth { now: Arc::new(config), past: Vec::new() }
    }

    pub(crate) fn view(&self) -> Arc<Config> {
        Arc::clone(&self.now)
    }

    /// The configuration as it was at a moment.
    pub(crate) fn at(&self, moment: Timestamp) -> Arc<Config> {
        // Each old copy was true until its moment.
        let old = self.past.iter().find(|(until, _)| *until > moment);
        old.map_or_else(|| self.view(), |(_, config)| Arc::clone(config))
    }

    pub(crate) fn change(&mut self, at: Timestamp, change: impl FnOnce(&mut Config)) {
        if self.past.len() >= MOST_PAST {
            self.past.remove(0);
        }
        self.past.push((at, self.view()));
        change(Arc::make_mut(&mut self.now));
    }
}

impl Turn<'_> {
    /// Has something committed, or says how this node fails to.
    pub(crate) fn commit(&mut self, write: Write) -> Result<(), Refusal> {
        match &self.commits {
            Commits::Yes => {
                self.ledger.raft_index += write.raft_entries();
                Ok(())
            }
            Commits::LeftToLeader => Err(Refusal::NeedsLeader),
            Commits::SecondActive { .. } | Commits::LosingQuorum | Commits::DiskFull
                if write.raft_entries() == 0 =>
            {
                Ok(())
            }
            Commits::SecondActive { itself } => Err(match (write, self.product) {
                (Write::Certificate, Product::OpenBao) => Refusal::Elsewhere(itself.clone()),
                (write, _) => storage_refusal(write, "node is not the leader"),
            }),
            Commits::LosingQuorum => Err(storage_refusal(write, "leadership lost while committing log")),
            Commits::DiskFull => Err(storage_refusal(
                write,
                "unable to store logs within log store, err: \"write /vault/data/raft/raft.db: no space left on device\"",
            )),
        }
    }

    /// Changes the configuration, if this node can commit.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Config)) -> Result<(), Refusal> {
        self.commit(Write::Configuration)?;
        self.truth.change(self.now, change);
        self.view = self.truth.view();
        Ok(())
    }

    /// Changes one namespace's configuration, if this node can commit.
    pub(crate) fn configure_namespace(
        &mut self,
        namespace: &str,
        change: impl FnOnce(&mut Namespace),
    ) -> Result<(), Refusal> {
        self.configure(|config| {
            if let Some(namespace) = config.namespaces.get_mut(namespace) {
                change(namespace);
            }
        })
    }

    /// Whether this is an OpenBao standby at work on its own copy.
    pub(crate) fn answers_from_a_copy(&self) -> bool {
        self.commits == Commits::LeftToLeader
    }
}

/// How a failed write shows (vault-measured 5.4, 5.5; the texts for renewal and revocation are inferred from the source).
fn storage_refusal(write: Write, cause: &str) -> Refusal {
    match write {
        Write::Certificate => Refusal::wrapped(500, &format!("unable to store certificate locally: {cause}")),
        Write::Renewal => Refusal::wrapped(500, &format!("failed to persist lease entry: {cause}")),
        _ => Refusal::internal(),
    }
}
