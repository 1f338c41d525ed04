//! Keys, names, requests, certificates and chains, checked against tables and against the `openssl` command.
//! Everything is made here; nothing leaves this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod chains;
mod garbage;
mod keys;
mod makers;
mod names;
mod openssl;
mod requests;
mod signing;
