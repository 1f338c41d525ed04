//! `everleaf up` as a program: over its manifests, its API and its files. Nothing here reaches beyond loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bad_input;
mod files;
mod host;
mod own_ca;
mod vault;
