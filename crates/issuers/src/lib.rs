//! Talks to certificate authorities: Vault and OpenBao over HTTP, CA and SelfSigned in this process. An answer is a value, never an
//! `Err`; the unknown is retried. Nothing here knows Kubernetes beyond the trait `Surroundings`, and no secret is ever shown.

mod ambient;
mod ca;
mod chance;
mod common;
mod flight;
mod issuer;
pub mod keys;
mod order;
mod selfsigned;
pub mod surroundings;
pub mod vault;
pub mod wire;

pub use ambient::{Ambient, Read};
pub use ca::CaIssuer;
pub use chance::{Chance, NoChance};
pub use common::{Common, Deadlines};
pub use futures::future::BoxFuture;
pub use issuer::Issuer;
pub use order::{Answered, IssuerIdentity, Order, SpecError, Verified};
pub use selfsigned::SelfSigned;
pub use surroundings::{ReadFailure, SecretData, Surroundings};
