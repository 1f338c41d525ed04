//! How a node stands at a moment, and what that means for the calls it gets (vault-measured 5).
//! A standing is data; what an event makes of it is in `events`.
//! Only node-state calls are answered by every node that lives.

use std::sync::Arc;

use jiff::Timestamp;

use crate::http::phase::Phase;
use crate::state::config::Config;

/// How a node stands.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// Active, and right about it.
    Active,
    /// Thawed after another node took over: still calls itself active, with everything as it was (vault-measured 5.4).
    SecondActive { since: Timestamp, config: Arc<Config> },
    /// Follows a leader: Vault forwards all, OpenBao answers from its copy and forwards writes.
    Standby { leader: usize },
    /// Believes in a leader that it can't reach: 307 to it.
    Redirecting { to: usize },
    /// Knows no leader: 500.
    Leaderless,
    /// The old leader in the first second after it lost the quorum: reads work, writes fail.
    LosingQuorum,
    /// A full disk, just before the node steps down: reads work, writes fail.
    DiskFull,
    /// Silent because its leader is frozen (vault-measured 5.3).
    Stalled { to: usize, silence: Silence },
    /// The process is stopped: connections are taken and nothing is answered.
    Frozen,
    /// The process is gone: connections are refused.
    Dead,
}

/// Which calls a stalled node doesn't answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Everything, `sys/health` included: the node that takes over.
    All,
    /// What must be forwarded, and `sys/leader`; health and seal-status are answered.
    Forwarded,
    /// What must be forwarded; all node-state calls are answered.
    OnlyForwarded,
}

impl Standing {
    /// Whether `sys/health` says 200.
    pub(crate) fn calls_itself_active(&self) -> bool {
        matches!(
            self,
            Standing::Active | Standing::SecondActive { .. } | Standing::LosingQuorum | Standing::DiskFull
        )
    }

    /// Whether this call gets no answer as long as the node stands like this.
    pub(crate) fn is_silent_to(&self, phase: Phase, path: &str) -> bool {
        match self {
            Standing::Frozen => true,
            Standing::Stalled { silence, .. } => match (silence, phase) {
                (Silence::All, _) => true,
                (_, Phase::Health) => false,
                (Silence::Forwarded, Phase::Status) => path == "sys/leader",
                (Silence::OnlyForwarded, Phase::Status) => false,
                (_, _) => true,
            },
            _ => false,
        }
    }

    /// The node that this one takes for the leader, itself aside.
    pub(crate) fn believed_leader(&self) -> Option<usize> {
        match self {
            Standing::Standby { leader } => Some(*leader),
            Standing::Redirecting { to } | Standing::Stalled { to, .. } => Some(*to),
            _ => None,
        }
    }
}
