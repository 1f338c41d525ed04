//! A signal to the process whose number stands in a file: only signals that mean "read your files again".
//! Whoever owns the file may only have their own processes told. It never ends a process.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{Pid, Signal, geteuid};

use crate::fault::Fault;
use crate::folder::{Entry, Folder, Trust, entry_of};

/// The longest pid file: a number and a line end, with room.
const LONGEST: usize = 64;

/// Sends the signal.
pub(crate) fn tell(pid_file: &Path, signal: Signal) -> Result<(), Fault> {
    let (pid, owner) = read(pid_file)?;
    let is_trusted = owner == 0 || owner == geteuid().as_raw();
    if !is_trusted && process_owner(pid) != Some(owner) {
        let why = format!("belongs to user {owner}, but process {} in it doesn't", pid.as_raw_nonzero());
        return Err(Fault::refused(pid_file, why));
    }
    rustix::process::kill_process(pid, signal).map_err(|error| {
        let what = format!(
            "process {} of {} can't be told: {}",
            pid.as_raw_nonzero(),
            pid_file.display(),
            std::io::Error::from(error)
        );
        Fault::After(what)
    })
}

/// The number in the file, and whose the file is.
fn read(path: &Path) -> Result<(Pid, u32), Fault> {
    use std::io::Read as _;
    let file = match (path.parent(), path.file_name()) {
        // Services make their pid files in folders of their own, so those may belong to anybody: the file's owner decides.
        (Some(above), Some(name)) => match std::fs::metadata(above) {
            Ok(folder) => {
                let trust = Trust::with_owner(Some(rustix::fs::Uid::from_raw(folder.uid())));
                Folder::open(above, &trust)?.read(name)?
            }
            Err(error) => return Err(Fault::io("read", path, error)),
        },
        _ => return Err(Fault::refused(path, "is not the path of a file")),
    };
    let Entry::File { owner, mode, .. } = entry_of(&file, path)? else {
        return Err(Fault::refused(path, "is not a plain file"));
    };
    if mode & 0o002 != 0 {
        return Err(Fault::refused(path, "everybody can write to this pid file"));
    }
    let mut text = String::new();
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    file.take(limit).read_to_string(&mut text).map_err(|error| Fault::io("read", path, error))?;
    let number = text.trim().parse().ok().filter(|number| *number > 1).and_then(Pid::from_raw);
    let pid = number.ok_or_else(|| Fault::refused(path, "holds no process number"))?;
    Ok((pid, owner.as_raw()))
}

/// Whose a process is.
fn process_owner(pid: Pid) -> Option<u32> {
    std::fs::metadata(format!("/proc/{}", pid.as_raw_nonzero())).ok().map(|process| process.uid())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_process_in_the_file_gets_the_signal() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().canonicalize().unwrap().join("pid");
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        std::fs::write(&path, format!("{}\n", child.id())).unwrap();
        tell(&path, Signal::USR1).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::USR1.as_raw()));
        assert!(
            tell(&path, Signal::USR1).unwrap_err().to_string().contains("can't be told"),
            "it is gone now"
        );
    }

    #[test]
    fn files_that_hold_no_process_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().canonicalize().unwrap();
        for text in ["", "x", "0", "1", "-5", "99999999999", "12 13"] {
            let path = folder.join("pid");
            std::fs::write(&path, text).unwrap();
            let told = tell(&path, Signal::HUP).unwrap_err().to_string();
            assert!(told.contains("holds no process number"), "{text:?}: {told}");
        }
        assert!(tell(&folder.join("none"), Signal::HUP).is_err());
        symlink(folder.join("pid"), folder.join("link")).unwrap();
        assert!(tell(&folder.join("link"), Signal::HUP).is_err(), "a link is not followed");
        let own = folder.join("own");
        std::fs::write(&own, std::process::id().to_string()).unwrap();
        std::fs::set_permissions(&own, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(tell(&own, Signal::HUP).unwrap_err().to_string().contains("everybody can write"));
    }

    #[test]
    fn the_owner_of_a_file_can_not_reach_processes_of_others() {
        if !geteuid().is_root() {
            return;
        }
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().canonicalize().unwrap().join("pid");
        std::fs::write(&path, std::process::id().to_string()).unwrap();
        chown(&path, Some(4711), None).unwrap();
        let told = tell(&path, Signal::HUP).unwrap_err().to_string();
        assert!(told.contains("belongs to user 4711"), "{told}");
    }
}
