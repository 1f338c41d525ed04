//! Server-side apply and the book-keeping of who owns which field.
//! `fields` is a set of paths, `walk` reads values by their schema, `merge` combines them, `managers` is the book,
//! `track` enters an update into it and `server_side` carries out an apply. Nothing here reads a clock or a store.

mod fields;
mod last_applied;
mod managers;
mod merge;
mod server_side;
mod track;
mod walk;

pub(crate) use managers::{Managers, Operation, Writer};
pub(crate) use server_side::{Applied, apply};
pub(crate) use track::track;

/// Parts of an object that a request can't change, and so can't own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ignored {
    Nothing,
    /// Written through the object itself, where `/status` is apart.
    Status,
    /// Written through `/status`.
    AllButStatus,
}

impl Ignored {
    fn parts(self) -> &'static [&'static str] {
        match self {
            Ignored::Nothing => &[],
            Ignored::Status => &["f:status"],
            Ignored::AllButStatus => &["f:metadata", "f:spec"],
        }
    }
}
