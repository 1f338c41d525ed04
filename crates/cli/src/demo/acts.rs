//! The outages of the demo, in order. Each is one that ends requests elsewhere.

use std::time::Duration;

use everleaf_practice::{Denial, Fault, FaultRule, Phase, TransportKind};

/// One outage.
pub(super) struct Act {
    /// What a person would call it.
    pub(super) name: &'static str,
    /// What the practice Vault does.
    pub(super) trouble: Trouble,
    /// How long.
    pub(super) lasts: Duration,
    /// How long the certificates have to recover before the next.
    pub(super) rest: Duration,
}

/// How the practice Vault misbehaves.
pub(super) enum Trouble {
    /// It is sealed.
    Sealed,
    /// It answers calls of this kind with this fault.
    Answers(FaultRule),
}

/// All outages. They stay below the life that a certificate has left when it is renewed.
pub(super) fn acts() -> Vec<Act> {
    let signs = |fault| Trouble::Answers(FaultRule::new(fault).on(Phase::Sign));
    let act = |name, trouble, seconds| Act {
        name,
        trouble,
        lasts: Duration::from_secs(seconds),
        rest: Duration::from_secs(4),
    };
    vec![
        act("Vault is sealed", Trouble::Sealed, 7),
        act("403 permission denied on sign", signs(Fault::Denied(Denial::Bare)), 7),
        act("429 rate limit", signs(Fault::RateLimited(None)), 7),
        act(
            "connections are reset",
            Trouble::Answers(FaultRule::new(Fault::Broken(TransportKind::Reset))),
            7,
        ),
    ]
}
