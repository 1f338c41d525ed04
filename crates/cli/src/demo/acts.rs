//! The outages of the demo, in order. Each is one that ends requests elsewhere.

use std::time::Duration;

/// One outage.
pub(super) struct Act {
    /// What a person would call it.
    pub(super) name: &'static str,
    /// What the Vault does.
    pub(super) trouble: Trouble,
    /// How long.
    pub(super) lasts: Duration,
    /// How long the certificates have to recover before the next.
    pub(super) rest: Duration,
}

/// How the Vault misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is sealed.
    Sealed,
    /// The sign call is answered with 403 permission denied.
    Denied,
    /// The sign call is answered with 429.
    Limited,
    /// Every connection is reset.
    Reset,
}

/// All outages. They stay below the life that a certificate has left when it is renewed.
pub(super) fn acts() -> Vec<Act> {
    let act =
        |name, trouble| Act { name, trouble, lasts: Duration::from_secs(7), rest: Duration::from_secs(4) };
    vec![
        act("Vault is sealed", Trouble::Sealed),
        act("403 permission denied on sign", Trouble::Denied),
        act("429 rate limit", Trouble::Limited),
        act("connections are reset", Trouble::Reset),
    ]
}
