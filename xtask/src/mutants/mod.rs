//! `cargo xtask mutants`: does the simulation see what it is there to see? Deliberate faults are built into a copy of the tree, all at once,
//! and switched on one at a time; each must break an invariant within so many seeds, and with none of them all must hold.
//! It never changes the tree itself.

mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::project_folder;
use list::{MUTANTS, Mutant};

/// The variable by which the simulation is told which fault is on.
const SWITCH: &str = "EVERLEAF_MUTANT";

/// Which faults, and how long they are looked for.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seeds within which each must be found
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// Only these
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Tries all faults and prints a table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let chosen: Vec<&Mutant> = MUTANTS
        .iter()
        .filter(|mutant| options.only.is_empty() || options.only.iter().any(|name| name == mutant.name))
        .collect();
    let program = build(&copied_tree()?)?;
    let without = try_out(&program, "", options.seeds)?;
    ensure!(without.is_none(), "without any fault an invariant breaks: {}", without.unwrap_or_default());
    println!("| fault | what it does | found |\n|---|---|---|");
    let mut survivors = Vec::new();
    for mutant in chosen {
        let began = Instant::now();
        let found = try_out(&program, mutant.name, options.seeds)?;
        let shown = found.clone().unwrap_or_else(|| format!("**not within {} seeds**", options.seeds));
        println!("| `{}` | {} | {shown} |", mutant.name, mutant.what);
        eprintln!("{}: {:.0} s", mutant.name, began.elapsed().as_secs_f64());
        survivors.extend(found.is_none().then_some(mutant.name));
    }
    ensure!(survivors.is_empty(), "not found: {}", survivors.join(", "));
    Ok(())
}

/// A copy of everything that git knows, with the faults in it.
fn copied_tree() -> Result<PathBuf> {
    let copy = project_folder().join("target/mutants");
    let _ = fs::remove_dir_all(copy.join("crates"));
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(project_folder()).output();
    let listed = listed.context("start git")?.stdout;
    for name in String::from_utf8(listed)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (project_folder().join(name), copy.join(name));
        if let (true, Some(folder)) = (from.is_file(), to.parent()) {
            fs::create_dir_all(folder)?;
            fs::copy(&from, &to).with_context(|| format!("copy {name}"))?;
        }
    }
    for mutant in MUTANTS {
        put_in(&copy, mutant)?;
    }
    Ok(copy)
}

fn put_in(copy: &Path, mutant: &Mutant) -> Result<()> {
    let switched_on = format!("(std::env::var(\"{SWITCH}\").as_deref() == Ok(\"{}\"))", mutant.name);
    for edit in mutant.edits {
        let path = copy.join(edit.file);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", edit.file))?;
        let places = text.matches(edit.find).count();
        ensure!(places == 1, "{}: its place is found {places} times in {}", mutant.name, edit.file);
        fs::write(&path, text.replace(edit.find, &edit.put.replace("MUTANT", &switched_on)))?;
    }
    Ok(())
}

/// Builds the program that runs seeds, in the same target folder, so that libraries are built once.
fn build(copy: &Path) -> Result<PathBuf> {
    let target = project_folder().join("target");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet", "--package", "everleaf-simulation", "--example", "seeds"])
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(copy)
        .status()
        .context("start cargo")?;
    ensure!(status.success(), "the tree with the faults in it can't be built");
    let program = copy.join("seeds");
    fs::copy(target.join("release/examples/seeds"), &program)?;
    Ok(program)
}

/// The first invariant that breaks, and in which seed; nothing if all hold.
fn try_out(program: &Path, name: &str, seeds: u64) -> Result<Option<String>> {
    let output = Command::new(program)
        .args(["--no-shrink", "--most-failures", "1", "--seeds", &seeds.to_string()])
        .env(SWITCH, name)
        .output()
        .context("start the simulation")?;
    if output.status.success() {
        return Ok(None);
    }
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let seed = printed.lines().find_map(|line| line.strip_prefix("seed ")?.split_once(':'));
    let broken = printed.lines().find(|line| line.starts_with("  ") && !line.starts_with("  again"));
    let (Some((seed, _)), Some(broken)) = (seed, broken) else {
        bail!(
            "{name}: the simulation failed otherwise: {printed}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let rule = broken.split_whitespace().nth(1).unwrap_or_default().trim_end_matches(':');
    Ok(Some(format!("seed {seed}, `{rule}`")))
}
