//! A folder of its own for every group of servers, and the chance that names and tokens are made of.
//! It is removed when it is dropped and, through a leash, also when its process dies without dropping it.
//! It never removes anything that it didn't make; `EVERLEAF_KEEP=1` keeps it for a look at the logs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, anyhow};

/// When set, folders with logs and data stay where they are and their names are printed.
pub const KEEP_VARIABLE: &str = "EVERLEAF_KEEP";

/// Removes the folder once its standard input ends; servers may still be writing for a moment, hence the tries.
const REMOVE_ON_EOF: &str =
    r#"read -r _; for n in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" 2>/dev/null && exit 0; sleep 0.2; done"#;

/// A temporary folder that goes away with its owner.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    leash: Option<Child>,
}

impl Folder {
    /// Makes `everleaf-<what>-<random>` under the system's temporary folder, readable by its owner only.
    pub(crate) fn make(what: &str) -> Result<Self> {
        let made = tempfile::Builder::new().prefix(&format!("everleaf-{what}-")).tempdir()?;
        let path = made.keep();
        let leash = if std::env::var_os(KEEP_VARIABLE).is_some() {
            announce(&path);
            None
        } else {
            Some(leash(REMOVE_ON_EOF, &path.to_string_lossy())?)
        };
        Ok(Self { path, leash })
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file inside it and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.file(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let Some(leash) = self.leash.as_mut() else { return };
        let _ = leash.kill();
        let _ = leash.wait();
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Starts a shell that runs `script` (with `argument` as `$1`) once this process is gone, whatever ended it:
/// the pipe to its standard input closes then. `PR_SET_PDEATHSIG` would need unsafe code.
pub(crate) fn leash(script: &str, argument: &str) -> Result<Child> {
    use std::os::unix::process::CommandExt;
    Command::new("sh")
        .args(["-c", script, "leash", argument])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("start sh, which ends servers when their owner dies")
}

#[allow(clippy::print_stderr, reason = "asked for by the person who set the variable")]
fn announce(path: &Path) {
    eprintln!("{KEEP_VARIABLE} is set: {} stays", path.display());
}

/// A random number from the system.
pub(crate) fn random_u64() -> Result<u64> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow!("the system gave no random bytes"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// 128 random bits in hexadecimal, for tokens.
pub(crate) fn random_name() -> Result<String> {
    let mut name = String::new();
    for _ in 0..2 {
        write!(name, "{:016x}", random_u64()?)?;
    }
    Ok(name)
}
