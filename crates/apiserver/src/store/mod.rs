//! Where objects are kept: a store that makes changes last, and above it an image in memory that answers reads and watches.
//! A change is answered only after the store has it; changes that wait share a commit.
//! A store knows rows, not Kubernetes.

mod bell;
mod history;
mod image;
mod memory;
mod objects;
mod redb;
mod stored;

use bytes::Bytes;

pub use self::redb::Redb;
pub(crate) use bell::Bell;
pub(crate) use history::{Change, Event};
pub(crate) use image::{Chore, Expiry, Snapshot, Special};
pub use memory::Memory;
pub(crate) use objects::{Expect, Next, Objects, Plan, Refused};
pub(crate) use stored::{Life, Stored};

/// One kept object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The collection, as `secrets` or `certificates.cert-manager.io`.
    pub collection: String,
    /// The key in it, as `namespace/name`.
    pub key: String,
    /// The object as JSON.
    pub body: Bytes,
}

/// All that is kept.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The objects, in any order.
    pub rows: Vec<Row>,
    /// The version of the last change ever made, deletions included.
    pub version: u64,
}

/// One change to make last.
#[derive(Debug, Clone)]
pub struct RowChange {
    /// The collection.
    pub collection: std::sync::Arc<str>,
    /// The key in it.
    pub key: std::sync::Arc<str>,
    /// The version this change makes.
    pub version: u64,
    /// The object; none when it goes.
    pub body: Option<Bytes>,
}

/// How a commit behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// It only touches memory: done on the spot.
    None,
    /// It waits for a disk: done on a thread for that, changes that come meanwhile share the next commit.
    Disk,
}

/// A store that failed.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Makes changes last.
pub trait Store: Send + Sync + 'static {
    /// Reads all rows. Called once, before any commit.
    fn load(&self) -> Result<Loaded, StoreError>;
    /// Makes all of these changes last, or none of them.
    fn commit(&self, changes: &[RowChange]) -> Result<(), StoreError>;
    /// How a commit behaves.
    fn latency(&self) -> Latency;
}
