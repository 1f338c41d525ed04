//! Small files of ours: written whole or not at all, for us alone; read with a bound.
//! It never leaves half a file behind, and what was there stays until the new one is complete.

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::file::{Look, write_new};
use crate::folder::{Folder, Trust};
use crate::paths::temporary_name;

/// The mode of files that only we may read.
const PRIVATE: u32 = 0o600;

/// Writes a file that only we may read, replacing what stood there in one step.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Fault::refused(path, "is not the path of a file"));
    };
    let folder = Folder::open(above, &Trust::with_owner(None))?;
    let temporary = temporary_name(name);
    folder.remove(&temporary)?;
    write_new(&folder, &temporary, bytes, &Look { owner: None, group: None, mode: PRIVATE })?;
    folder.rename(&temporary, name)?;
    folder.sync()
}

/// Reads a plain file of at most so many bytes. A pipe or a device is refused: it might never end, or never begin.
pub fn read_within(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let failed = |error| Fault::io("read", path, error);
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(Fault::refused(path, "is not a plain file"));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len().min(limit);
    // Room from the start, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(Fault::refused(path, format!("is longer than the limit of {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_private_file_is_replaced_in_one_step_and_read_with_a_bound() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().canonicalize().unwrap().join("token");
        write(&path, b"one").unwrap();
        write(&path, b"two!").unwrap();
        assert_eq!(**read_within(&path, 4).unwrap(), *b"two!");
        assert!(read_within(&path, 3).unwrap_err().to_string().contains("longer than the limit of 3 bytes"));
        assert!(read_within(Path::new("/dev/zero"), 3).unwrap_err().to_string().contains("not a plain file"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
