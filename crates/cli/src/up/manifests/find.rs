//! Which files there are, and whether any has changed since the last look: by their dates, sizes and numbers, as `make` does.
//! It never reads what is in them.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// How deep folders are looked into.
const DEEPEST: usize = 8;
/// The most files.
const MOST_FILES: usize = 10_000;

/// The manifests below these paths, in the order of their names, and what could not be looked into.
pub(crate) fn files(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let mut found = BTreeSet::new();
    let mut faults = Vec::new();
    for path in paths {
        match path.metadata() {
            Ok(about) if about.is_dir() => look(path, DEEPEST, &mut found, &mut faults),
            // A file that is named is a manifest, whatever its ending.
            Ok(_) => {
                found.insert(path.clone());
            }
            Err(error) => faults.push(format!("{}: {error}", path.display())),
        }
    }
    if found.len() > MOST_FILES {
        faults.push(format!(
            "{} files are more than the limit of {MOST_FILES}; the last ones are left out",
            found.len()
        ));
    }
    (found.into_iter().take(MOST_FILES).collect(), faults)
}

fn look(folder: &Path, deeper: usize, found: &mut BTreeSet<PathBuf>, faults: &mut Vec<String>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return faults.push(format!("{}: {error}", folder.display())),
    };
    for entry in entries.flatten() {
        // Editors and volume mounts keep their own things under names with a dot.
        if entry.file_name().as_encoded_bytes().starts_with(b".") || found.len() > MOST_FILES {
            continue;
        }
        let path = entry.path();
        let is_folder = path.metadata().is_ok_and(|about| about.is_dir());
        if is_folder && deeper > 0 {
            look(&path, deeper - 1, found, faults);
        } else if is_folder {
            faults.push(format!("{}: folders are looked into {DEEPEST} deep, not deeper", path.display()));
        } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            found.insert(path);
        }
    }
}

/// What tells that files have changed. Files that aren't there count, too: they may come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint(Vec<(PathBuf, Option<[i64; 5]>)>);

impl Fingerprint {
    /// Of the manifests below these paths, and of these other files.
    pub(crate) fn of(paths: &[PathBuf], others: &[PathBuf]) -> Fingerprint {
        let (files, _) = files(paths);
        let all = files.into_iter().chain(others.iter().cloned());
        Fingerprint(all.map(|path| (path.clone(), about(&path))).collect())
    }
}

fn about(path: &Path) -> Option<[i64; 5]> {
    let about = path.metadata().ok()?;
    let number = |number: u64| i64::from_ne_bytes(number.to_ne_bytes());
    Some([about.mtime(), about.mtime_nsec(), number(about.size()), number(about.ino()), about.ctime_nsec()])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn manifests_are_found_by_their_endings_and_hidden_names_left_out() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path();
        std::fs::create_dir_all(top.join("b/..data")).unwrap();
        for name in ["z.yaml", "a.json", "b/c.yml", "b/..data/c.yml", "b/notes.txt", ".hidden.yaml", "named"]
        {
            std::fs::write(top.join(name), "").unwrap();
        }
        let (found, faults) = files(&[top.to_owned(), top.join("named"), top.join("gone")]);
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(top).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.json", "b/c.yml", "named", "z.yaml"]);
        assert_eq!(faults.len(), 1, "{faults:?}");
    }

    #[test]
    fn a_change_shows_in_the_fingerprint() {
        let temporary = tempfile::tempdir().unwrap();
        let (file, other) = (temporary.path().join("a.yaml"), temporary.path().join("secret"));
        let look = || Fingerprint::of(&[temporary.path().to_owned()], std::slice::from_ref(&other));
        let empty = look();
        assert_eq!(look(), empty);
        std::fs::write(&file, "one").unwrap();
        let one = look();
        assert_ne!(one, empty);
        std::fs::write(&other, "x").unwrap();
        let with_other = look();
        assert_ne!(with_other, one);
        std::fs::write(&other, "xy").unwrap();
        assert_ne!(look(), with_other);
    }
}
