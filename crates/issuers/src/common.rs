//! What all issuers of one process share: the network, chance, deadlines, and the count of wrong AppRole tries.
//! It holds no secret and no connection.

use std::sync::Arc;
use std::time::Duration;

use crate::ambient::Ambient;
use crate::chance::Chance;
use crate::vault::WrongTries;
use crate::wire::Network;

/// What all issuers of one process share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Common {
    /// Where connections lead.
    pub network: Network,
    /// Chance, for serial numbers.
    pub chance: Chance,
    /// How long calls may take.
    pub deadlines: Deadlines,
    /// Wrong AppRole tries: issuers with the same role must not lock each other out.
    pub wrong_tries: Arc<WrongTries>,
    /// AWS credentials around the controller, and who may use them.
    pub ambient: Ambient,
    /// How often an issuer that works and has nothing to do is looked at.
    pub idle_look: Duration,
}

/// At most once a minute, so that ten thousand idle issuers don't keep their servers busy.
const IDLE_LOOK: Duration = Duration::from_secs(60);

impl Default for Common {
    fn default() -> Common {
        Common {
            network: Network::sockets(),
            chance: Chance::system(),
            deadlines: Deadlines::default(),
            wrong_tries: Arc::default(),
            ambient: Ambient::default(),
            idle_look: IDLE_LOOK,
        }
    }
}

/// How long calls to Vault may take, connecting included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// A connection, with its name look-up and TLS.
    pub connect: Duration,
    /// A sign call.
    pub sign: Duration,
    /// A sign call that stands for all others of a broken issuer.
    pub probe: Duration,
    /// A login.
    pub login: Duration,
    /// `sys/health`.
    pub health: Duration,
    /// Look-up, renewal, capabilities.
    pub look_up: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            // A new connection on a sound network takes milliseconds; what takes longer is a black hole (vault-server 5.7).
            connect: Duration::from_secs(5),
            // A slow RSA CA under load takes seconds (vault-server 6); a frozen leader takes 27 to 31 s and is better asked anew
            // (vault-measured 5.3). An answer that is overdue is asked for again beside it, so a call that was lost on the way
            // costs seconds after the cure and not this long.
            sign: Duration::from_secs(10),
            // Not less than others get: a server that answers slowly would stay broken for ever.
            probe: Duration::from_secs(10),
            // A TokenReview of 20 s was seen to succeed, one that hangs takes 90 (vault-measured 3). Most tries get less
            // (`vault/patience.rs`).
            login: Duration::from_secs(25),
            // It doesn't wait for locks, except on a node that takes over from a frozen one (vault-measured 5.3).
            health: Duration::from_secs(3),
            look_up: Duration::from_secs(5),
        }
    }
}
