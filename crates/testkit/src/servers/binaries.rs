//! Where the programs of the real servers stand and which versions the project pins (`servers/*/go.mod`).
//! `cargo xtask servers` fills the cache folder, everyone else only looks here.
//! It never builds and never looks on the PATH: a test must not run against a chance version.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Names a folder with ready programs, either flat or laid out as the cache is (`<component>-<version>/<program>`).
pub const LOCATION_VARIABLE: &str = "EVERLEAF_SERVERS";

/// One Go module under `servers/`: a unit that has one version and is built together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// etcd, the store under the API server.
    Etcd,
    /// kube-apiserver, kubectl and kube-controller-manager.
    Kubernetes,
    /// HashiCorp Vault.
    Vault,
}

/// One program that tests start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `etcd`
    Etcd,
    /// `kube-apiserver`
    KubeApiserver,
    /// `kubectl`
    Kubectl,
    /// `kube-controller-manager`
    KubeControllerManager,
    /// `vault`
    Vault,
}

impl Component {
    /// The name of its folder under `servers/` and the first half of its folder in the cache.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Kubernetes => "kubernetes",
            Self::Vault => "vault",
        }
    }

    /// The Go module whose version is the component's version.
    fn module(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::Kubernetes => "k8s.io/kubernetes",
            Self::Vault => "github.com/hashicorp/vault",
        }
    }

    /// The folder with its `go.mod`.
    pub fn source(self) -> PathBuf {
        project_folder().join("servers").join(self.name())
    }

    /// The pinned version with its leading `v`, read from `go.mod` so that it is written once.
    pub fn version(self) -> Result<String> {
        let path = self.source().join("go.mod");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        pinned_version(&text, self.module())
            .with_context(|| format!("{} does not require {}", path.display(), self.module()))
    }
}

impl Program {
    /// Every program, in the order of building: the quick one first.
    pub const ALL: [Self; 5] =
        [Self::Etcd, Self::KubeApiserver, Self::Kubectl, Self::KubeControllerManager, Self::Vault];

    /// The file name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::Kubectl => "kubectl",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Vault => "vault",
        }
    }

    /// The module it is built from.
    pub fn component(self) -> Component {
        match self {
            Self::Etcd => Component::Etcd,
            Self::KubeApiserver | Self::Kubectl | Self::KubeControllerManager => Component::Kubernetes,
            Self::Vault => Component::Vault,
        }
    }

    /// Where a build of it belongs: `<servers>/<component>-<version>/<program>`.
    pub fn place(self) -> Result<PathBuf> {
        let component = self.component();
        let folder = format!("{}-{}", component.name(), component.version()?);
        Ok(servers_folder()?.join(folder).join(self.name()))
    }

    /// The ready program, if there is one: flat in the folder that `EVERLEAF_SERVERS` names, or in its place.
    pub fn ready(self) -> Result<Option<PathBuf>> {
        let flat = named_folder().map(|folder| folder.join(self.name()));
        let candidates = flat.into_iter().chain([self.place()?]);
        Ok(candidates.into_iter().find(|path| path.is_file()))
    }

    /// The ready program, or an error that says how to come by it.
    pub fn locate(self) -> Result<PathBuf> {
        match self.ready()? {
            Some(path) => Ok(path),
            None => bail!(
                "{} is not built: run `cargo xtask servers` (needs Go), or set {LOCATION_VARIABLE} to a folder \
                 that holds it",
                self.name()
            ),
        }
    }
}

/// The project's root folder.
pub(crate) fn project_folder() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

fn named_folder() -> Option<PathBuf> {
    std::env::var_os(LOCATION_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from)
}

fn servers_folder() -> Result<PathBuf> {
    if let Some(folder) = named_folder() {
        return Ok(folder);
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    let cache =
        cache.with_context(|| format!("neither {LOCATION_VARIABLE}, XDG_CACHE_HOME nor HOME is set"))?;
    Ok(cache.join("everleaf").join("servers"))
}

/// Finds `<module> <version>` in a `go.mod`, inside a `require` block or on a line of its own.
fn pinned_version(go_mod: &str, module: &str) -> Option<String> {
    go_mod.lines().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("require ").unwrap_or(line);
        let mut words = line.split_whitespace();
        let version = (words.next() == Some(module)).then(|| words.next()).flatten()?;
        version.starts_with('v').then(|| version.to_owned())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_version_is_the_one_that_go_mod_requires() {
        let text = "module x\n\ntool k8s.io/kubernetes/cmd/kubectl\nrequire (\n\tk8s.io/kubernetes v1.36.3 // indirect\n)\n\
                    replace k8s.io/api => k8s.io/api v0.36.3\n";
        assert_eq!(pinned_version(text, "k8s.io/kubernetes").as_deref(), Some("v1.36.3"));
        assert_eq!(pinned_version(text, "k8s.io/api"), None, "a replacement is not a requirement");
        assert_eq!(pinned_version("require a/b v2.0.0\n", "a/b").as_deref(), Some("v2.0.0"));
    }

    #[test]
    fn every_component_is_pinned_in_this_tree() {
        for program in Program::ALL {
            assert!(program.component().version().unwrap().starts_with('v'), "{}", program.name());
        }
    }
}
