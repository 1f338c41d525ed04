//! What was done after a change, kept on the disk: so that a command that failed, or that a crash came before, is run again,
//! and one that ran is not. One small file for each Certificate. It holds no secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::due::Key;
use crate::private;

/// The longest record that is read.
const LONGEST: u64 = 256 * 1024;

/// The folder of all records.
#[derive(Debug, Clone)]
pub(crate) struct Records(PathBuf);

/// What was done for one Certificate: for each target the generation that its command, signal or reload was done for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) done: BTreeMap<String, String>,
}

impl Records {
    /// Records in this folder, which must be there and be ours.
    pub(crate) fn within(folder: PathBuf) -> Records {
        Records(folder)
    }

    /// What was done; nothing if it can't be read, which costs one more reload.
    pub(crate) fn read(&self, key: &Key) -> Record {
        let bytes = private::read_within(&self.path(key), LONGEST);
        bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps what was done.
    pub(crate) fn write(&self, key: &Key, record: &Record) {
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        if let Err(fault) = private::write(&self.path(key), &bytes) {
            warn!(certificate = %key, %fault, "could not keep what was done, so it may be done once more");
        }
    }

    /// Forgets a Certificate.
    pub(crate) fn forget(&self, key: &Key) {
        let _ = std::fs::remove_file(self.path(key));
    }

    /// Neither a namespace nor a name holds an underscore or a slash.
    fn path(&self, key: &Key) -> PathBuf {
        self.0.join(format!("{}_{}.json", key.namespace, key.name))
    }
}
