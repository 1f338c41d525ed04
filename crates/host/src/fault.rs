//! Why files could not be put in place: the step that failed, where, and the words of the system.
//! A fault never holds a byte of what was to be written.

use std::path::{Path, PathBuf};

/// Why files could not be put in place, or what should follow could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system said no.
    #[error("can't {doing} {}: {source}", path.display())]
    Io {
        /// What was tried: a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// We said no: it would not be safe, or would destroy what isn't ours.
    #[error("{}: {why}", path.display())]
    Refused {
        /// Where.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A user or group that this host doesn't know.
    #[error("{0}")]
    Account(String),
    /// What was to follow the change didn't work out.
    #[error("{0}")]
    After(String),
}

impl Fault {
    pub(crate) fn io(doing: &'static str, path: &Path, source: impl Into<std::io::Error>) -> Fault {
        Fault::Io { doing, path: path.to_owned(), source: source.into() }
    }

    pub(crate) fn refused(path: &Path, why: impl Into<String>) -> Fault {
        Fault::Refused { path: path.to_owned(), why: why.into() }
    }
}
