//! A store in one redb file: a commit is on the disk before it is answered.
//! After an I/O fault (a full disk) the file is opened anew at the next commit, so that the store heals with its disk.
//! Secrets lie in it as they are: whoever makes the folder must keep others out.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Latency, Loaded, Row, RowChange, Store, StoreError};

/// `collection NUL key` -> the object as JSON.
const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");
/// `version` -> the version of the last change.
const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");
const VERSION: &str = "version";
/// Parts collection and key; in neither of them.
const SEPARATOR: char = '\0';
/// Reads come from the image in memory, so redb needs little.
const CACHE: usize = 8 * 1024 * 1024;

/// Keeps objects in one file.
pub struct Redb {
    path: PathBuf,
    database: Mutex<Option<Database>>,
}

impl std::fmt::Debug for Redb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redb").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Redb {
    /// Opens the file, or makes it. Fails when another process has it open.
    pub fn open(path: impl Into<PathBuf>) -> Result<Redb, StoreError> {
        let path = path.into();
        let database = open(&path)?;
        Ok(Redb { path, database: Mutex::new(Some(database)) })
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, ::redb::Error>) -> Result<T, StoreError> {
        let mut held = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(open(&self.path)?);
        }
        let Some(database) = held.as_ref() else { return Err(StoreError("the store is closed".to_owned())) };
        let done = work(database);
        if done.is_err() {
            // redb refuses all work after an I/O fault until it is opened anew (redb 4: `PreviousIo`).
            *held = None;
        }
        done.map_err(|error| StoreError(error.to_string()))
    }
}

fn open(path: &Path) -> Result<Database, StoreError> {
    let opened = Database::builder().set_cache_size(CACHE).create(path);
    opened.map_err(|error| StoreError(format!("{}: {error}", path.display())))
}

impl Store for Redb {
    fn load(&self) -> Result<Loaded, StoreError> {
        self.with(|database| {
            // The tables must be there before they can be read.
            let write = database.begin_write()?;
            write.open_table(OBJECTS)?;
            write.open_table(COUNTERS)?;
            write.commit()?;
            let read = database.begin_read()?;
            let mut loaded = Loaded::default();
            for entry in read.open_table(OBJECTS)?.iter()? {
                let (place, body) = entry?;
                if let Some((collection, key)) = place.value().split_once(SEPARATOR) {
                    let body = Bytes::copy_from_slice(body.value());
                    loaded.rows.push(Row { collection: collection.to_owned(), key: key.to_owned(), body });
                }
            }
            loaded.version = read.open_table(COUNTERS)?.get(VERSION)?.map_or(0, |version| version.value());
            Ok(loaded)
        })
    }

    fn commit(&self, changes: &[RowChange]) -> Result<(), StoreError> {
        self.with(|database| {
            let write = database.begin_write()?;
            {
                let mut objects = write.open_table(OBJECTS)?;
                let mut counters = write.open_table(COUNTERS)?;
                for change in changes {
                    let place = format!("{}{SEPARATOR}{}", change.collection, change.key);
                    match &change.body {
                        Some(body) => objects.insert(place.as_str(), body.as_ref())?,
                        None => objects.remove(place.as_str())?,
                    };
                }
                if let Some(version) = changes.iter().map(|change| change.version).max() {
                    counters.insert(VERSION, version)?;
                }
            }
            write.commit()?;
            Ok(())
        })
    }

    fn latency(&self) -> Latency {
        Latency::Disk
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn change(key: &str, version: u64, body: Option<&'static str>) -> RowChange {
        RowChange {
            collection: "secrets".into(),
            key: key.into(),
            version,
            body: body.map(|text| Bytes::from_static(text.as_bytes())),
        }
    }

    #[test]
    fn what_was_committed_is_there_after_opening_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        {
            let store = Redb::open(&path).unwrap();
            assert_eq!(store.load().unwrap().version, 0);
            store.commit(&[change("a/x", 1, Some("1")), change("a/y", 2, Some("2"))]).unwrap();
            store.commit(&[change("a/x", 3, None)]).unwrap();
        }
        let loaded = Redb::open(&path).unwrap().load().unwrap();
        assert_eq!(loaded.version, 3);
        let keys: Vec<_> =
            loaded.rows.iter().map(|row| (row.collection.as_str(), row.key.as_str())).collect();
        assert_eq!(keys, [("secrets", "a/y")]);
        assert_eq!(loaded.rows[0].body, "2");
    }

    #[test]
    fn a_file_that_is_open_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let _first = Redb::open(&path).unwrap();
        assert!(Redb::open(&path).unwrap_err().to_string().contains("store.redb"));
    }
}
