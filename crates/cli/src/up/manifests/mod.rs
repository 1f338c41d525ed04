//! Manifests: objects that files describe, and that are applied at the start and whenever the files change.
//! An object that is gone from the files stays as it is and is told about; deleting is for people.

mod apply;
mod find;
mod follow;
mod read;
mod values;

pub(crate) use apply::Applier;
pub(crate) use follow::{LOOK_EVERY, Manifests, Round};
