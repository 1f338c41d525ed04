//! `cargo xtask tidy`: the house rules that no compiler checks, over every file that git knows or would take.
//! Each rule is a plain function from a file's text to complaints; the list of rules is the list below.
//! It only reads: what it finds is mended by hand.

mod functions;
mod source;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Files that are read as text; everything else (lock files, generated sums) is left alone.
const TEXT_ENDINGS: [&str; 9] = ["rs", "md", "toml", "yaml", "yml", "sh", "txt", "mod", "json"];
const TEXT_NAMES: [&str; 3] = ["Dockerfile", "run", "LICENSE"];

/// One thing to mend.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    /// Counted from 1.
    line: usize,
    what: String,
}

/// A file on its way through the rules.
struct File {
    path: PathBuf,
    text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)
    }
}

/// Checks the whole tree and fails when there is anything to mend.
pub(crate) fn run() -> Result<()> {
    let files = project_files()?;
    let mut found = 0;
    for file in &files {
        for complaint in complaints(file) {
            println!("{}:{complaint}", file.path.display());
            found += 1;
        }
    }
    ensure!(found == 0, "{found} to mend");
    println!("tidy: {} files, nothing to mend", files.len());
    Ok(())
}

fn complaints(file: &File) -> Vec<Complaint> {
    let mut all = words::complaints(&file.text);
    if is_rust(&file.path) {
        all.extend(source::complaints(&file.path, &file.text));
        all.extend(functions::complaints(&file.path, &file.text));
    }
    all
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rs")
}

/// Integration tests and benches: a table there may be as long as it needs to be.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
}

/// The line (counted from 0) where the unit tests of a file begin, or its length.
fn code_ends(text: &str) -> usize {
    let begins = text.lines().position(|line| line.trim_start().starts_with("#[cfg(test)]"));
    begins.unwrap_or_else(|| text.lines().count())
}

fn project_files() -> Result<Vec<File>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(crate::project_folder())
        .output()
        .context("ask git for the files of the project")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let wanted = names.split('\0').map(PathBuf::from).filter(|path| is_text(path));
    // A file that was deleted and not yet committed is still in git's list.
    Ok(wanted.filter_map(|path| read(&path)).collect())
}

fn read(path: &Path) -> Option<File> {
    let bytes = std::fs::read(crate::project_folder().join(path)).ok()?;
    Some(File { path: path.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() })
}

fn is_text(path: &Path) -> bool {
    let matches = |part: Option<&std::ffi::OsStr>, list: &[&str]| {
        part.and_then(|part| part.to_str()).is_some_and(|part| list.contains(&part))
    };
    matches(path.extension(), &TEXT_ENDINGS) || matches(path.file_name(), &TEXT_NAMES)
}
