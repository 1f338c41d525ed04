//! The Vault issuer against a scripted Vault in the same process, over a clock that stands still until a test moves it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

mod calls;
mod logins;
mod proofs;
mod secrets;
mod signs;
#[path = "../support/mod.rs"]
mod support;
