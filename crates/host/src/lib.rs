//! Certificates as files on this host: from a Certificate's Secret to keys and chains on disk, and what runs after a change.
//! Files are written as a set, a key is never readable by others, and what was there stays when something fails.
//! It never issues anything, and never follows a link that someone else could have made.

mod accounts;
mod after;
mod condition;
mod due;
mod fault;
mod file;
mod folder;
mod follow;
mod material;
mod pass;
mod paths;
mod pid;
pub mod private;
mod record;
mod set;
#[cfg(test)]
mod set_tests;
pub mod target;
mod versions;

pub use condition::FILES_DELIVERED;
pub use fault::Fault;
pub use follow::{Parts, deliver};
pub use target::FILES;
