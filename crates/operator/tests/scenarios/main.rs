//! Faults of Vault against the whole operator: practice Vault, embedded API and operator in one process, in virtual time.
//! `table.rs` plays every row of vault-server 7, `herd.rs` a thousand at once, `catalogue/` the rows of vault-issuer 6. Faults of the API and of
//! the process itself follow without Vault: `interrupted.rs` at each write, `steady.rs` that nothing is written where nothing is to be done.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]
#![allow(unreachable_pub)]

mod catalogue;
mod door;
mod front;
mod ground;
mod herd;
mod interrupted;
mod recovery;
mod stage;
mod steady;
mod table;
