//! One object as it is kept in memory: its JSON bytes, shared by all who read them, and the little that is asked for often.
//! The bytes are what a client sees, so nothing is encoded again for a read or a watch.
//! Its `Debug` never shows the bytes.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::object;

/// What an object in deletion still waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It isn't being deleted.
    Alive,
    /// It waits for finalizers of others.
    Dying,
    /// The collector must deal with its dependents first.
    DyingWithDependents,
}

/// An object at one version.
pub(crate) struct Stored {
    pub(crate) key: Arc<str>,
    pub(crate) version: u64,
    pub(crate) body: Bytes,
    pub(crate) uid: Box<str>,
    pub(crate) labels: Box<[(Box<str>, Box<str>)]>,
    /// Uids of the owners.
    pub(crate) owners: Box<[Box<str>]>,
    pub(crate) life: Life,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({} at {}, {} bytes)", self.key, self.version, self.body.len())
    }
}

impl Stored {
    /// Encodes an object at this version.
    pub(crate) fn encode(key: Arc<str>, version: u64, object: &mut Value) -> Stored {
        object::set_version(object, version);
        let body = Bytes::from(serde_json::to_vec(object).unwrap_or_default().into_boxed_slice());
        Stored::with_body(key, version, object, body)
    }

    /// Takes an object as it came from the store.
    pub(crate) fn read(key: &str, body: Bytes) -> Result<Stored, serde_json::Error> {
        let object: Value = serde_json::from_slice(&body)?;
        Ok(Stored::with_body(key.into(), object::version(&object).unwrap_or_default(), &object, body))
    }

    fn with_body(key: Arc<str>, version: u64, object: &Value, body: Bytes) -> Stored {
        let labels = object::labels(object).map(|(k, v)| (k.into(), v.into())).collect();
        let owners = object::owners(object).map(|owner| owner.uid.into()).collect();
        Stored { key, version, body, uid: object::uid(object).into(), labels, owners, life: life(object) }
    }

    /// The object as a value.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The namespace and the name, from the key.
    pub(crate) fn place(&self) -> (Option<&str>, &str) {
        match self.key.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, &self.key),
        }
    }
}

fn life(object: &Value) -> Life {
    if !object::is_deleting(object) {
        return Life::Alive;
    }
    let collector = |name: &str| matches!(name, object::FOREGROUND | object::ORPHAN);
    if object::finalizers(object).any(collector) { Life::DyingWithDependents } else { Life::Dying }
}
