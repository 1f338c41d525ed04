//! What a practice Vault is made from: product, clock, seed, root token, CA key kind.
//! Everything that could differ between two runs is here; there are no globals and no environment variables.
//! The root token is wiped and never shown.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::outside::Outside;

/// Whose texts are spoken, where the two differ (vault-measured 2 to 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// HashiCorp Vault 1.21, Community.
    Vault,
    /// OpenBao 2.6.
    OpenBao,
}

/// The kind of the key that practice CAs get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaKeyKind {
    /// ECDSA P-256, as most users have. The signatures differ from run to run: their randomness is aws-lc's own.
    P256,
    /// Ed25519: the same seed gives the same bytes.
    Ed25519,
}

/// What a practice Vault is made from.
#[derive(Clone)]
pub struct Options {
    /// Whose texts are spoken.
    pub product: Product,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where all chance comes from.
    pub seed: u64,
    /// The root token.
    pub root_token: Zeroizing<String>,
    /// The kind of CA keys made by this Vault.
    pub ca_key: CaKeyKind,
    /// The world that logins ask: TokenReview, JWKS, STS.
    pub outside: Outside,
    /// The address that redirects and `sys/leader` name for node 0; node n has the port + 10 n.
    pub address: SocketAddr,
    /// Whether that address speaks TLS.
    pub scheme: Scheme,
    /// How old the policies and roles are that an OpenBao standby answers from (vault-measured 5.6: 83 ms median).
    pub standby_lag: Duration,
    /// The raft timing of clusters.
    pub election: ElectionPace,
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// The scheme of a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// How fast a cluster elects (vault-measured 5): raft's `performance_multiplier`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElectionPace {
    /// Multiplier 1, recommended for production: about 2 s.
    Quick,
    /// Multiplier 5, the default: about 11 s.
    Default,
}

/// The middle of the measured lags.
const STANDBY_LAG: Duration = Duration::from_millis(83);
const VAULT_PORT: u16 = 8200;
/// The start of time for [`Options::simulated`]: an arbitrary fixed date.
const SIMULATED_START: &str = "2026-01-01T00:00:00Z";

impl Options {
    /// Vault on the system's clock, with this root token.
    pub fn new(root_token: impl Into<String>, seed: u64) -> Options {
        Options {
            product: Product::Vault,
            clock: Clock::system(),
            seed,
            root_token: Zeroizing::new(root_token.into()),
            ca_key: CaKeyKind::P256,
            outside: Outside::default(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, VAULT_PORT)),
            scheme: Scheme::Http,
            standby_lag: STANDBY_LAG,
            election: ElectionPace::Quick,
        }
    }

    /// Vault in virtual time: tokio's clock from a fixed date, Ed25519 CAs, root token `root`. Call it inside the runtime.
    pub fn simulated(seed: u64) -> Options {
        let start = SIMULATED_START.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        Options { clock: Clock::tokio_from(start), ca_key: CaKeyKind::Ed25519, ..Options::new("root", seed) }
    }

    /// The same, speaking as this product.
    pub fn speaking_as(mut self, product: Product) -> Options {
        self.product = product;
        self
    }

    /// The same, with another world around the logins.
    pub fn with_outside(mut self, outside: Outside) -> Options {
        self.outside = outside;
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("product", &self.product)
            .field("seed", &self.seed)
            .field("ca_key", &self.ca_key)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
