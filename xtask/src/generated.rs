//! Files that are made from code: the CustomResourceDefinitions in `deploy/crds`, from the types in `crates/api`.
//! `cargo xtask crds` makes them, `cargo xtask test` fails when that changes anything.
//! It never edits a file itself: the generator does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::{cargo, project_folder};

const FOLDER: &str = "deploy/crds";

/// Makes all of them.
pub(crate) fn make() -> Result<()> {
    cargo(&["run", "--quiet", "--package", "everleaf-api", "--example", "crds"], &[])
}

/// Makes them and fails if they had not been what they are now.
pub(crate) fn check() -> Result<()> {
    let before = files()?;
    make()?;
    let after = files()?;
    let changed: Vec<String> = changed(&before, &after).map(|path| path.display().to_string()).collect();
    ensure!(
        changed.is_empty(),
        "not what the code makes, and written anew (commit them): {}",
        changed.join(", ")
    );
    println!("{} files in {FOLDER} are what the code makes", after.len());
    Ok(())
}

fn files() -> Result<BTreeMap<PathBuf, String>> {
    let folder = project_folder().join(FOLDER);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(BTreeMap::new()) };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        files.insert(path, text);
    }
    Ok(files)
}

fn changed<'a>(
    before: &'a BTreeMap<PathBuf, String>,
    after: &'a BTreeMap<PathBuf, String>,
) -> impl Iterator<Item = &'a PathBuf> {
    after.iter().filter(|(path, text)| before.get(*path) != Some(*text)).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_and_different_files_count_as_changed() {
        let files = |rows: &[(&str, &str)]| -> BTreeMap<PathBuf, String> {
            rows.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect()
        };
        let before = files(&[("a", "1"), ("b", "1")]);
        let after = files(&[("a", "1"), ("b", "2"), ("c", "1")]);
        let found: Vec<_> = changed(&before, &after).collect();
        assert_eq!(found, [&PathBuf::from("b"), &PathBuf::from("c")]);
    }
}
