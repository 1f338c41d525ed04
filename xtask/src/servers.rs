//! `cargo xtask servers`: builds the real servers from the Go modules under `servers/`, each version once.
//! A build has a name of its own until it is whole, so an interrupted one leaves nothing that looks ready.
//! It never changes `go.mod` or `go.sum`: what is built is what they pin.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use everleaf_testkit::servers::{Component, LOCATION_VARIABLE, Program};

/// Builds what is missing and says where everything stands.
pub(crate) fn make_ready() -> Result<()> {
    let mut missing = Vec::new();
    for program in Program::ALL {
        match program.ready()? {
            Some(path) => println!("{:<24} ready: {}", program.name(), path.display()),
            None => missing.push(program),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    ensure_go(&missing)?;
    for program in missing {
        build(program)?;
    }
    Ok(())
}

fn ensure_go(missing: &[Program]) -> Result<()> {
    let go = Command::new("go").arg("version").stdin(Stdio::null()).output();
    if go.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|program| program.name()).collect();
    bail!(
        "{} must be built, and there is no Go on the PATH. Install Go 1.26 or later, or set {LOCATION_VARIABLE} to a \
         folder that holds these programs, or leave the tests against real servers out with \
         `cargo xtask test --no-servers`",
        names.join(", ")
    )
}

fn build(program: Program) -> Result<()> {
    let component = program.component();
    let version = component.version()?;
    let place = program.place()?;
    let folder = place.parent().context("a program stands in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    println!(
        "{:<24} building {version} ({} on two cores the first time) ...",
        program.name(),
        usual_time(program)
    );
    let begun = Instant::now();
    let unfinished = folder.join(format!(".{}.{}", program.name(), std::process::id()));
    let built = go_build(program, &version, &unfinished);
    if built.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    built.with_context(|| format!("build {} from servers/{}", program.name(), component.name()))?;
    std::fs::rename(&unfinished, &place)?;
    println!("{:<24} built in {} s: {}", program.name(), begun.elapsed().as_secs(), place.display());
    Ok(())
}

fn go_build(program: Program, version: &str, target: &Path) -> Result<()> {
    let status = Command::new("go")
        .args([
            "build",
            "-mod=readonly",
            "-trimpath",
            "-ldflags",
            &linker_flags(program.component(), version),
            "-o",
        ])
        .arg(target)
        .arg(package(program))
        .current_dir(program.component().source())
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "")
        .stdin(Stdio::null())
        .status()?;
    ensure!(status.success(), "go build ended with {status}");
    Ok(())
}

fn package(program: Program) -> &'static str {
    match program {
        Program::Etcd => "go.etcd.io/etcd/server/v3",
        Program::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
        Program::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
        Program::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
        Program::Vault => "github.com/hashicorp/vault",
    }
}

/// Kubernetes learns its version from the linker; clients ask for it and kube-apiserver checks what it emulates by it.
fn linker_flags(component: Component, version: &str) -> String {
    let mut flags = "-s -w".to_owned();
    if component == Component::Kubernetes {
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        for (name, value) in [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)] {
            flags += &format!(" -X k8s.io/component-base/version.{name}={value}");
        }
    }
    flags
}

fn usual_time(program: Program) -> &'static str {
    match program {
        Program::Etcd => "about a minute",
        Program::KubeApiserver => "about 6 minutes",
        Program::Kubectl | Program::KubeControllerManager => "about a minute",
        Program::Vault => "about 5 minutes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_is_told_its_version_and_the_others_are_not() {
        let flags = linker_flags(Component::Kubernetes, "v1.36.3");
        for part in ["version.gitVersion=v1.36.3", "version.gitMajor=1", "version.gitMinor=36"] {
            assert!(flags.contains(part), "{flags}");
        }
        assert_eq!(linker_flags(Component::Vault, "v1.21.1"), "-s -w");
    }
}
