//! Builds the program `everleaf` and says where it stands.
//! It never runs it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build.
    Dev,
    /// Quick to run.
    Release,
}

/// Builds `target/<profile>/everleaf` and returns its path.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let mut arguments = vec!["build", "--package", "everleaf-cli", "--bin", "everleaf"];
    if profile == Profile::Release {
        arguments.push("--release");
    }
    println!("building everleaf ...");
    cargo(&arguments, &[])?;
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    let program = target_folder()?.join(folder).join("everleaf");
    ensure!(program.is_file(), "cargo built no {}", program.display());
    Ok(program)
}

/// The target folder is the one that this program was built in.
fn target_folder() -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let target = here.ancestors().nth(2).context("this program stands in no target folder")?;
    Ok(target.to_owned())
}
