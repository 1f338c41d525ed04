//! `everleaf up` as a program: over its manifests, its API and its files. Nothing here reaches beyond loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod bad_input;
mod callers;
mod files;
mod host;
mod kills;
mod own_ca;
mod vault;
