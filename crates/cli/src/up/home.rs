//! The folder of an instance: made closed to others, refused when it isn't, and locked so that there is one instance only.
//! The lock is the system's: it goes with the process, however that ends.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

const CLOSED: u32 = 0o700;
const PRIVATE: u32 = 0o600;
/// Rights of anybody but the owner.
const OTHERS: u32 = 0o077;

/// The folder of a running instance. It stays locked as long as this lives.
pub(crate) struct Home {
    path: PathBuf,
    _lock: File,
}

impl Home {
    /// Makes the folder where it isn't there, checks that nobody else can look in, and locks it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Home> {
        let made = DirBuilder::new().recursive(true).mode(CLOSED).create(path);
        made.with_context(|| format!("can't make the folder {}", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("can't find {}", path.display()))?;
        check(&path)?;
        let lock = lock(&path)?;
        let home = Home { path, _lock: lock };
        let deliveries = home.deliveries();
        let made = DirBuilder::new().recursive(true).mode(CLOSED).create(&deliveries);
        made.with_context(|| format!("can't make the folder {}", deliveries.display()))?;
        Ok(home)
    }

    /// The store. The file is made here, so that it is closed to others from the start.
    pub(crate) fn store(&self) -> anyhow::Result<PathBuf> {
        let path = self.path.join("store.redb");
        let opened = OpenOptions::new().create(true).append(true).mode(PRIVATE).open(&path);
        opened.with_context(|| format!("can't open {}", path.display()))?;
        Ok(path)
    }

    /// The certificate of the CA behind the API.
    pub(crate) fn ca_certificate(&self) -> PathBuf {
        self.path.join("ca.crt")
    }

    /// Its key.
    pub(crate) fn ca_key(&self) -> PathBuf {
        self.path.join("ca.key")
    }

    /// The bearer token.
    pub(crate) fn token(&self) -> PathBuf {
        self.path.join("token")
    }

    /// The kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    /// Which objects came from manifests.
    pub(crate) fn applied(&self) -> PathBuf {
        self.path.join("applied.json")
    }

    /// What was done after files had changed.
    pub(crate) fn deliveries(&self) -> PathBuf {
        self.path.join("delivered")
    }
}

fn check(path: &Path) -> anyhow::Result<()> {
    let about = path.metadata().with_context(|| format!("can't look at {}", path.display()))?;
    ensure!(about.is_dir(), "{} is not a folder", path.display());
    let ours = rustix::process::geteuid().as_raw();
    ensure!(
        about.uid() == ours,
        "{} belongs to user {}, not to user {ours} who runs this",
        path.display(),
        about.uid()
    );
    let mode = about.mode() & 0o7777;
    // It isn't closed for them: the path may be a slip, and closing /etc would be no help.
    ensure!(
        mode & OTHERS == 0,
        "{} is open to others (mode {mode:04o}) and would hold keys and tokens: chmod 0700 it, or name another folder by --dir",
        path.display()
    );
    Ok(())
}

fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let opened =
        OpenOptions::new().create(true).read(true).write(true).truncate(false).mode(PRIVATE).open(&path);
    let mut file = opened.with_context(|| format!("can't open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = (&mut file).take(16).read_to_string(&mut holder);
            let holder = holder.trim();
            let who = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
            bail!(
                "another everleaf{who} works in {}: stop it, or name another folder by --dir",
                folder.display()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("can't lock {}", path.display()));
        }
    }
    // The number is for people. A lock whose number can't be written is a lock all the same.
    let _ = file.rewind();
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn refused(path: &Path) -> String {
        Home::open(path).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_is_made_closed_and_has_one_instance() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/b");
        let home = Home::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        let store = home.store().unwrap();
        assert_eq!(store.metadata().unwrap().mode() & 0o777, 0o600);
        let told = refused(&path);
        let wanted = format!("another everleaf (process {}) works in", std::process::id());
        assert!(told.contains(&wanted), "{told}");
        drop(home);
        assert!(Home::open(&path).is_ok(), "the lock went with its holder");
    }

    #[test]
    fn a_folder_that_others_can_open_is_refused_and_left_as_it_is() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::set_permissions(temporary.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let told = refused(temporary.path());
        assert!(told.contains("is open to others (mode 0755)"), "{told}");
        assert_eq!(temporary.path().metadata().unwrap().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_told() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert!(refused(&path).contains("can't make the folder"), "{}", refused(&path));
    }
}
