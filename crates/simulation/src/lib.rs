//! Years of life in seconds: the whole operator, an API and Vaults in one process and in virtual time, under faults drawn from a seed.
//! The same seed gives the same trace, byte for byte; invariants are checked at every commit and every few minutes.
//! Nothing here opens a socket, asks the system for the time, or rolls dice that no seed has loaded.

pub mod cluster;
pub mod draw;
pub mod fault;
pub mod inject;
pub mod keys;
pub mod ledger;
pub mod moments;
pub mod objects;
pub mod replica;
pub mod run;
pub mod scenario;
pub mod shrink;
pub mod stage;
mod tokens;
pub mod trace;
pub mod vaults;

pub use fault::{Fault, Planned};
pub use run::{Options, Report, run};
pub use scenario::Scenario;
pub use shrink::shrink;
