//! `everleaf completion`: what a shell needs to complete our commands and flags.
//! Made from the same description as the help, so it can't lag behind.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::screen;

/// Flags of `everleaf completion`.
#[derive(Args, Debug)]
#[command(after_help = "For bash: everleaf completion bash > /etc/bash_completion.d/everleaf")]
pub(crate) struct Flags {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(flags: &Flags, mut program: clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut program, "everleaf", &mut script);
    screen::print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
