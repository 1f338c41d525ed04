//! Talks to certificate authorities: Vault and OpenBao over HTTP, CA and SelfSigned in this process. An answer is a value, never an
//! `Err`; the unknown is retried. Nothing here knows Kubernetes beyond the trait `Surroundings`, and no secret is ever shown.

mod chance;
mod common;
mod flight;
pub mod keys;
mod order;
pub mod surroundings;
pub mod vault;
pub mod wire;

pub use chance::{Chance, NoChance};
pub use common::{Common, Deadlines};
pub use order::{Answered, IssuerIdentity, Order, SpecError, Verified};
pub use surroundings::{ReadFailure, SecretData, Surroundings};
