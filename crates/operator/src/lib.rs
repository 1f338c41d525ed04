//! The Kubernetes shell around the core: watches, one reconciler per kind, lanes to the issuers, leader election, metrics.
//! It reads in `gather.rs`, writes in `apply.rs` and `publish.rs`, and decides nothing that `everleaf_core` can decide.

mod apply;
mod approver;
pub mod clock;
pub mod context;
pub mod controllers;
mod fence;
mod gather;
mod held;
pub mod ids;
mod keystores;
mod lanes;
pub mod leader;
mod metrics;
mod queue;
mod records;
mod report;
mod retries;
pub mod run;
pub mod secrets;
pub mod serve;
mod status;
pub mod surroundings;
mod watch;
mod world;
mod write;
