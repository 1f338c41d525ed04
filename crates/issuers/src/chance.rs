//! Chance comes in from outside: the system's generator in production, a seeded one in simulation.
//! Keys and serial numbers need it; nothing else does.

use std::fmt;
use std::sync::Arc;

/// A source of random bytes.
#[derive(Clone)]
pub struct Chance(Arc<Fill>);

/// Fills a buffer, or says that it can't.
type Fill = dyn Fn(&mut [u8]) -> Result<(), NoChance> + Send + Sync;

/// The generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random generator of this machine failed")]
pub struct NoChance;

impl Chance {
    /// The system's generator, by aws-lc.
    pub fn system() -> Chance {
        Chance(Arc::new(|buffer: &mut [u8]| aws_lc_rs::rand::fill(buffer).map_err(|_| NoChance)))
    }

    /// Another source.
    pub fn from_fn(fill: impl Fn(&mut [u8]) -> Result<(), NoChance> + Send + Sync + 'static) -> Chance {
        Chance(Arc::new(fill))
    }

    /// Fills a buffer.
    pub fn fill(&self, buffer: &mut [u8]) -> Result<(), NoChance> {
        (self.0)(buffer)
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}
