//! One file: written under a new name for its owner alone, then given away and opened as asked; or compared with what stands there.
//! It never writes into a file that is there, and never replaces anything but a plain file.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;

use rustix::fs::{Gid, Mode, Uid};
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::folder::{Entry, Folder, entry_of};

/// Whose a file is, and who may do what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) owner: Option<Uid>,
    pub(crate) group: Option<Gid>,
    pub(crate) mode: u32,
}

/// How what stands under a name relates to what shall stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is there.
    Nothing,
    /// The same bytes, owner, group and mode.
    Same,
    /// A plain file that differs.
    Different,
}

/// Writes a new file and makes it last. On a fault nothing is left of it.
pub(crate) fn write_new(folder: &Folder, name: &OsStr, bytes: &[u8], look: &Look) -> Result<(), Fault> {
    let file = folder.create(name)?;
    let written = fill(folder, name, file, bytes, look);
    if written.is_err() {
        // The first fault is the one to tell.
        let _ = folder.remove(name);
    }
    written
}

fn fill(
    folder: &Folder,
    name: &OsStr,
    mut file: std::fs::File,
    bytes: &[u8],
    look: &Look,
) -> Result<(), Fault> {
    let path = folder.at(name);
    file.write_all(bytes).map_err(|error| Fault::io("write", &path, error))?;
    // Giving it away comes first: until the last step only the owner, old or new, can read it.
    if look.owner.is_some() || look.group.is_some() {
        rustix::fs::fchown(file.as_fd(), look.owner, look.group)
            .map_err(|error| Fault::io("change the owner of", &path, error))?;
    }
    rustix::fs::fchmod(file.as_fd(), Mode::from_raw_mode(look.mode))
        .map_err(|error| Fault::io("set the mode of", &path, error))?;
    file.sync_all().map_err(|error| Fault::io("write to disk", &path, error))
}

/// Compares what stands under a name. Anything but a plain file is refused.
pub(crate) fn compare(folder: &Folder, name: &OsStr, bytes: &[u8], look: &Look) -> Result<Standing, Fault> {
    let refuse = |why: &str| Err(Fault::refused(&folder.at(name), why));
    match folder.entry(name)? {
        Entry::Nothing => return Ok(Standing::Nothing),
        Entry::Link => {
            return refuse(
                "is a symbolic link; it is neither followed nor replaced: remove it, or name the file it leads to",
            );
        }
        Entry::Folder => return refuse("is a folder, where a file is wanted"),
        Entry::Other => return refuse("is not a plain file, so it is not replaced"),
        Entry::File { .. } => {}
    }
    let Ok(mut file) = folder.read(name) else {
        // Not ours to read, but ours to replace.
        return Ok(Standing::Different);
    };
    let found = entry_of(&file, &folder.at(name))?;
    if !looks_like(&found, bytes.len(), look) {
        return Ok(Standing::Different);
    }
    let mut there = Zeroizing::new(vec![0; bytes.len()]);
    let is_same = file.read_exact(&mut there).is_ok() && *there == bytes;
    Ok(if is_same { Standing::Same } else { Standing::Different })
}

fn looks_like(found: &Entry, length: usize, look: &Look) -> bool {
    let Entry::File { owner, group, mode, size } = found else { return false };
    let expected_owner = look.owner.unwrap_or_else(rustix::process::geteuid);
    *owner == expected_owner
        && look.group.is_none_or(|wanted| wanted == *group)
        && *mode == look.mode
        && usize::try_from(*size) == Ok(length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::Path;

    use super::*;
    use crate::folder::Trust;

    fn open(path: &Path) -> Folder {
        Folder::open(&path.canonicalize().unwrap(), &Trust::with_owner(None)).unwrap()
    }

    fn look(mode: u32) -> Look {
        Look { owner: None, group: None, mode }
    }

    #[test]
    fn a_file_is_the_same_only_if_bytes_and_mode_are() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = open(temporary.path());
        let name = OsStr::new("key");
        assert_eq!(compare(&folder, name, b"one", &look(0o600)).unwrap(), Standing::Nothing);
        write_new(&folder, name, b"one", &look(0o600)).unwrap();
        assert_eq!(compare(&folder, name, b"one", &look(0o600)).unwrap(), Standing::Same);
        assert_eq!(compare(&folder, name, b"two", &look(0o600)).unwrap(), Standing::Different);
        assert_eq!(compare(&folder, name, b"longer", &look(0o600)).unwrap(), Standing::Different);
        assert_eq!(compare(&folder, name, b"one", &look(0o640)).unwrap(), Standing::Different);
        assert!(
            write_new(&folder, name, b"two", &look(0o600)).is_err(),
            "what is there is never written into"
        );
        assert_eq!(compare(&folder, name, b"one", &look(0o600)).unwrap(), Standing::Same);
    }

    #[test]
    fn owner_group_and_mode_are_as_asked_whatever_the_umask() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let temporary = tempfile::tempdir().unwrap();
        let folder = open(temporary.path());
        let look = Look { owner: Some(Uid::from_raw(4711)), group: Some(Gid::from_raw(4712)), mode: 0o664 };
        write_new(&folder, OsStr::new("x"), b"x", &look).unwrap();
        let is = std::fs::metadata(temporary.path().join("x")).unwrap();
        assert_eq!((is.uid(), is.gid(), is.permissions().mode() & 0o7777), (4711, 4712, 0o664));
        assert_eq!(compare(&folder, OsStr::new("x"), b"x", &look).unwrap(), Standing::Same);
    }

    #[test]
    fn links_folders_and_pipes_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = open(temporary.path());
        symlink("/etc/passwd", temporary.path().join("link")).unwrap();
        std::fs::create_dir(temporary.path().join("folder")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, temporary.path().join("pipe"), Mode::from_raw_mode(0o600))
            .unwrap();
        let table = [("link", "symbolic link"), ("folder", "is a folder"), ("pipe", "not a plain file")];
        for (name, wanted) in table {
            let told = compare(&folder, OsStr::new(name), b"", &look(0o600)).unwrap_err().to_string();
            assert!(told.contains(wanted), "{name}: {told}");
        }
    }

    #[test]
    fn a_file_that_cant_be_given_away_is_not_left_behind() {
        let temporary = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            return;
        }
        let folder = open(temporary.path());
        let look = Look { owner: Some(Uid::from_raw(0)), group: None, mode: 0o600 };
        assert!(write_new(&folder, OsStr::new("x"), b"x", &look).is_err());
        assert!(folder.names().unwrap().is_empty());
    }
}
