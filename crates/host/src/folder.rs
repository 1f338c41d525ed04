//! Folders, opened step by step: no link is followed that someone else could have made, no folder entered that someone else owns.
//! All work in a folder goes by its open handle, so that nobody can move it away in between (peers 3.10: flaws with links).
//! It never makes a folder but the last one of a path, and only when asked to.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;

use crate::fault::Fault;

/// The most links on the way, as the system's own limit.
const MOST_LINKS: usize = 40;
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o755);
/// Writing by others in a folder where anybody may remove anything.
const OTHERS_WRITE: u32 = 0o002;
const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// To pass through a folder, search rights are enough.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Who may own what lies on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trust {
    ours: Uid,
    owner: Option<Uid>,
}

impl Trust {
    /// Root and we ourselves; and whoever shall own the files, for folders.
    pub(crate) fn with_owner(owner: Option<Uid>) -> Trust {
        Trust { ours: rustix::process::geteuid(), owner }
    }

    fn may_own_folder(&self, uid: u32) -> bool {
        self.may_own_link(uid) || self.owner.is_some_and(|owner| owner.as_raw() == uid)
    }

    fn may_own_link(&self, uid: u32) -> bool {
        uid == 0 || uid == self.ours.as_raw()
    }
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Nothing,
    File { owner: Uid, group: Gid, mode: u32, size: u64 },
    Link,
    Folder,
    Other,
}

impl Folder {
    /// Opens a folder that is there.
    pub(crate) fn open(path: &Path, trust: &Trust) -> Result<Folder, Fault> {
        Walk::along(path, trust)?.arrive()
    }

    /// Opens a folder; makes it, the last step of its path only, if it isn't there.
    pub(crate) fn open_or_make(path: &Path, trust: &Trust) -> Result<Folder, Fault> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Folder::open(path, trust);
        };
        let above = Folder::open(above, trust)?;
        if above.entry(name)? == Entry::Nothing {
            above.make(name, FOLDER_MODE)?;
            // Whatever the umask: those who may read the files must be able to come to them.
            above.inner(name)?.set_mode(FOLDER_MODE.as_raw_mode())?;
            above.sync()?;
        }
        Folder::open(path, trust)
    }

    /// The folder of this name in it, which must not be a link.
    pub(crate) fn inner(&self, name: &OsStr) -> Result<Folder, Fault> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())
            .map_err(|error| Fault::io("open the folder", &path, error))?;
        Ok(Folder { fd, path })
    }

    /// The path of an entry, for messages.
    pub(crate) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// What stands under this name. Links aren't followed.
    pub(crate) fn entry(&self, name: &OsStr) -> Result<Entry, Fault> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(entry(&stat)),
            Err(Errno::NOENT) => Ok(Entry::Nothing),
            Err(error) => Err(Fault::io("look at", &self.at(name), error)),
        }
    }

    /// Makes a file that isn't there yet, for its owner alone.
    pub(crate) fn create(&self, name: &OsStr) -> Result<std::fs::File, Fault> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(0o600))
            .map(std::fs::File::from)
            .map_err(|error| Fault::io("create", &self.at(name), error))
    }

    /// Opens a file for reading. A pipe or device doesn't block; the caller looks at what it got.
    pub(crate) fn read(&self, name: &OsStr) -> Result<std::fs::File, Fault> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags, Mode::empty())
            .map(std::fs::File::from)
            .map_err(|error| Fault::io("read", &self.at(name), error))
    }

    /// Moves an entry over another.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), Fault> {
        rustix::fs::renameat(&self.fd, from, &self.fd, to)
            .map_err(|error| Fault::io("replace", &self.at(to), error))
    }

    /// Swaps two entries. False where the file system can't, or one isn't there.
    pub(crate) fn exchange(&self, one: &OsStr, other: &OsStr) -> Result<bool, Fault> {
        match rustix::fs::renameat_with(&self.fd, one, &self.fd, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOENT) => Ok(false),
            Err(error) => Err(Fault::io("replace", &self.at(other), error)),
        }
    }

    /// Removes a file or link; it may be gone already.
    pub(crate) fn remove(&self, name: &OsStr) -> Result<(), Fault> {
        self.remove_as(name, AtFlags::empty())
    }

    /// Removes an empty folder; it may be gone already.
    pub(crate) fn remove_folder(&self, name: &OsStr) -> Result<(), Fault> {
        self.remove_as(name, AtFlags::REMOVEDIR)
    }

    fn remove_as(&self, name: &OsStr, flags: AtFlags) -> Result<(), Fault> {
        match rustix::fs::unlinkat(&self.fd, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Fault::io("remove", &self.at(name), error)),
        }
    }

    pub(crate) fn make(&self, name: &OsStr, mode: Mode) -> Result<(), Fault> {
        match rustix::fs::mkdirat(&self.fd, name, mode) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(Fault::io("make the folder", &self.at(name), error)),
        }
    }

    pub(crate) fn link(&self, to: &OsStr, name: &OsStr) -> Result<(), Fault> {
        rustix::fs::symlinkat(to, &self.fd, name).map_err(|error| Fault::io("link", &self.at(name), error))
    }

    /// Where a link leads; `None` if there is no link of this name.
    pub(crate) fn link_target(&self, name: &OsStr) -> Result<Option<OsString>, Fault> {
        match rustix::fs::readlinkat(&self.fd, name, Vec::new()) {
            Ok(target) => Ok(Some(OsString::from_vec(target.into_bytes()))),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(error) => Err(Fault::io("read the link", &self.at(name), error)),
        }
    }

    pub(crate) fn set_mode(&self, mode: u32) -> Result<(), Fault> {
        rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))
            .map_err(|error| Fault::io("set the mode of", &self.path, error))
    }

    /// Makes names last.
    pub(crate) fn sync(&self) -> Result<(), Fault> {
        rustix::fs::fsync(&self.fd).map_err(|error| Fault::io("write to disk", &self.path, error))
    }

    /// The names in it.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, Fault> {
        let failed = |error| Fault::io("list", &self.path, error);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }
}

fn entry(stat: &Stat) -> Entry {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Entry::File {
            owner: Uid::from_raw(stat.st_uid),
            group: Gid::from_raw(stat.st_gid),
            mode: bits(stat),
            size: u64::try_from(stat.st_size).unwrap_or_default(),
        },
        FileType::Symlink => Entry::Link,
        FileType::Directory => Entry::Folder,
        _ => Entry::Other,
    }
}

/// What an open file is.
pub(crate) fn entry_of(file: &std::fs::File, path: &Path) -> Result<Entry, Fault> {
    rustix::fs::fstat(file).map(|stat| entry(&stat)).map_err(|error| Fault::io("look at", path, error))
}

/// The bits that `chmod` can set.
fn bits(stat: &Stat) -> u32 {
    let mode: u32 = Mode::from_raw_mode(stat.st_mode).as_raw_mode();
    mode & 0o7777
}

/// A way down from the root, one step at a time.
struct Walk<'a> {
    trust: &'a Trust,
    at: OwnedFd,
    path: PathBuf,
    links: usize,
}

impl<'a> Walk<'a> {
    fn along(path: &Path, trust: &'a Trust) -> Result<Walk<'a>, Fault> {
        let mut walk = Walk { trust, at: root()?, path: PathBuf::from("/"), links: 0 };
        let mut rest = steps(path);
        while let Some(step) = rest.pop() {
            if step == ".." {
                walk.enter(&step)?;
                continue;
            }
            let stat = rustix::fs::statat(&walk.at, &step, AtFlags::SYMLINK_NOFOLLOW);
            let here = walk.path.join(&step);
            match stat.map(|stat| (entry(&stat), stat)) {
                Ok((Entry::Folder, _)) => walk.enter(&step)?,
                Ok((Entry::Link, stat)) => rest.extend(walk.follow(&step, &stat)?),
                Ok(_) => return Err(Fault::refused(&here, "is not a folder")),
                Err(Errno::NOENT) => return Err(Fault::refused(&here, "this folder does not exist")),
                Err(error) => return Err(Fault::io("look at", &here, error)),
            }
        }
        Ok(walk)
    }

    fn enter(&mut self, step: &OsStr) -> Result<(), Fault> {
        let path = self.path.join(step);
        self.at = rustix::fs::openat(&self.at, step, STEP, Mode::empty())
            .map_err(|error| Fault::io("enter", &path, error))?;
        if step == ".." {
            self.path.pop();
        } else {
            self.path = path;
        }
        let stat = self.stat()?;
        if !self.trust.may_own_folder(stat.st_uid) {
            let why = format!("this folder belongs to user {}, who could move what lies in it", stat.st_uid);
            return Err(Fault::refused(&self.path, why));
        }
        if bits(&stat) & OTHERS_WRITE != 0 && bits(&stat) & STICKY == 0 {
            return Err(Fault::refused(&self.path, "everybody can replace what lies in this folder"));
        }
        Ok(())
    }

    /// The steps that a link stands for, last one first. A link counts only if nobody but root and we could have put it there.
    fn follow(&mut self, step: &OsStr, link: &Stat) -> Result<Vec<OsString>, Fault> {
        let path = self.path.join(step);
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Fault::refused(&path, "too many links on the way"));
        }
        let around = self.stat()?;
        let is_guarded = self.trust.may_own_link(around.st_uid)
            && (bits(&around) & GROUP_OR_OTHERS_WRITE == 0 || bits(&around) & STICKY != 0);
        if !self.trust.may_own_link(link.st_uid) || !is_guarded {
            return Err(Fault::refused(
                &path,
                "is a symbolic link that others can change, so it is not followed",
            ));
        }
        let target = rustix::fs::readlinkat(&self.at, step, Vec::new())
            .map_err(|error| Fault::io("read the link", &path, error))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            self.at = root()?;
            self.path = PathBuf::from("/");
        }
        Ok(steps(&target))
    }

    fn stat(&self) -> Result<Stat, Fault> {
        rustix::fs::fstat(&self.at).map_err(|error| Fault::io("look at", &self.path, error))
    }

    /// The folder, opened so that its names can be listed and made to last.
    fn arrive(self) -> Result<Folder, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.at, ".", flags, Mode::empty())
            .map_err(|error| Fault::io("open the folder", &self.path, error))?;
        Ok(Folder { fd, path: self.path })
    }
}

fn root() -> Result<OwnedFd, Fault> {
    rustix::fs::open("/", STEP, Mode::empty()).map_err(|error| Fault::io("enter", Path::new("/"), error))
}

/// The steps of a path, last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let step = |step: Component<'_>| match step {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    fn ours() -> Trust {
        Trust::with_owner(None)
    }

    fn refused(path: &Path, trust: &Trust) -> String {
        Folder::open(path, trust).unwrap_err().to_string()
    }

    #[test]
    fn links_of_ours_are_followed_wherever_they_lead() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("real/deep")).unwrap();
        symlink("real", top.join("near")).unwrap();
        symlink(top.join("near/deep"), top.join("far")).unwrap();
        symlink("../real/./deep", top.join("real/round")).unwrap();
        for path in ["near/deep", "far", "real/round", "real/deep/../deep"] {
            let folder = Folder::open(&top.join(path), &ours()).unwrap();
            assert_eq!(folder.path, top.join("real/deep"), "{path}");
        }
        symlink("loop", top.join("loop")).unwrap();
        assert!(refused(&top.join("loop"), &ours()).contains("too many links"));
    }

    #[test]
    fn a_folder_that_is_missing_or_no_folder_is_told_by_its_own_path() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        std::fs::write(top.join("file"), "").unwrap();
        let told = refused(&top.join("a/b"), &ours());
        assert_eq!(told, format!("{}: this folder does not exist", top.join("a").display()));
        assert!(refused(&top.join("file/b"), &ours()).contains("is not a folder"));
    }

    #[test]
    fn only_the_last_folder_is_made() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        Folder::open_or_make(&top.join("new"), &ours()).unwrap();
        assert_eq!(std::fs::metadata(top.join("new")).unwrap().permissions().mode() & 0o022, 0);
        assert!(Folder::open_or_make(&top.join("x/y"), &ours()).is_err());
        assert!(!top.join("x").exists());
    }

    #[test]
    fn a_folder_open_to_everybody_is_refused_unless_it_is_sticky() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        let open = top.join("open");
        std::fs::create_dir_all(open.join("in")).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(refused(&open.join("in"), &ours()).contains("everybody can replace"));
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o1777)).unwrap();
        assert!(Folder::open(&open.join("in"), &ours()).is_ok());
    }

    #[test]
    fn links_that_others_can_change_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        let shared = top.join("shared");
        std::fs::create_dir(&shared).unwrap();
        std::fs::create_dir(top.join("goal")).unwrap();
        symlink(top.join("goal"), shared.join("link")).unwrap();
        assert!(Folder::open(&shared.join("link"), &ours()).is_ok());
        std::fs::set_permissions(&shared, PermissionsExt::from_mode(0o775)).unwrap();
        assert!(refused(&shared.join("link"), &ours()).contains("not followed"));
    }

    #[test]
    fn what_another_user_owns_is_entered_only_for_files_of_that_user() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        let theirs = top.join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(4711), None).unwrap();
        assert!(refused(&theirs, &ours()).contains("belongs to user 4711"));
        let trust = Trust::with_owner(Some(Uid::from_raw(4711)));
        assert!(Folder::open(&theirs, &trust).is_ok());
        // Not even for their own files is a link followed that they made.
        symlink("/etc", theirs.join("link")).unwrap();
        rustix::fs::chownat(
            rustix::fs::CWD,
            theirs.join("link"),
            Some(Uid::from_raw(4711)),
            None,
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .unwrap();
        assert!(refused(&theirs.join("link"), &trust).contains("not followed"));
    }
}
