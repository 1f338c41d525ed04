//! The configuration that nodes replicate: namespaces with mounts, auth mounts and policies; quotas.
//! Cheap to copy behind an `Arc`: a lagging standby and a thawed leader keep an older copy (vault-measured 5.4, 5.6).
//! No tokens and no counters here: those are in the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::auth::AuthMethod;
use crate::pki::Pki;
use crate::state::policy::{DEFAULT, Policy};
use crate::state::quota::Quotas;

/// Default and greatest life of tokens and leases: 32 days.
pub(crate) const SYSTEM_TTL: Duration = Duration::from_secs(768 * 3600);

/// Everything that is configured.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// By path: `` is the root namespace, others end in a slash.
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    pub(crate) quotas: Quotas,
}

/// One namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Namespace {
    /// By path with a slash at the end.
    pub(crate) mounts: BTreeMap<String, Mount>,
    /// By path with a slash at the end, without `auth/`.
    pub(crate) auths: BTreeMap<String, AuthMount>,
    pub(crate) policies: BTreeMap<String, Policy>,
    /// The API lock of OpenBao.
    pub(crate) locked: bool,
}

/// A secrets engine.
#[derive(Debug, Clone)]
pub(crate) struct Mount {
    pub(crate) accessor: String,
    pub(crate) uuid: String,
    pub(crate) default_ttl: Duration,
    pub(crate) max_ttl: Duration,
    pub(crate) engine: Engine,
}

/// What kind of engine.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Pki(Box<Pki>),
    /// Key-value storage, here only as the wrong engine at a path: version 1 or 2 (vault-measured 1.9).
    Kv(u8),
}

impl Engine {
    /// The type's name in answers.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Engine::Pki(_) => "pki",
            Engine::Kv(_) => "kv",
        }
    }
}

/// An auth mount.
#[derive(Debug, Clone)]
pub(crate) struct AuthMount {
    pub(crate) accessor: String,
    pub(crate) method: AuthMethod,
}

impl Config {
    /// A root namespace with the default policy and nothing mounted.
    pub(crate) fn new() -> Config {
        let namespaces = [(String::new(), Namespace::new())].into();
        Config { namespaces, quotas: Quotas::default() }
    }

    pub(crate) fn namespace(&self, path: &str) -> Option<&Namespace> {
        self.namespaces.get(path)
    }
}

impl Namespace {
    pub(crate) fn new() -> Namespace {
        let policies = [(DEFAULT.to_owned(), Policy::default_policy())].into();
        Namespace { policies, ..Namespace::default() }
    }

    /// The mount that a path belongs to, with its own path and the rest.
    pub(crate) fn mount_of<'a, 'p>(&'a self, path: &'p str) -> Option<(&'a str, &'a Mount, &'p str)> {
        longest(&self.mounts, path)
    }

    /// The auth mount that a path (without `auth/`) belongs to.
    pub(crate) fn auth_of<'a, 'p>(&'a self, path: &'p str) -> Option<(&'a str, &'a AuthMount, &'p str)> {
        longest(&self.auths, path)
    }

    pub(crate) fn pki(&self, mount: &str) -> Option<&Pki> {
        match self.mounts.get(mount).map(|mount| &mount.engine) {
            Some(Engine::Pki(pki)) => Some(pki),
            _ => None,
        }
    }

    pub(crate) fn pki_mut(&mut self, mount: &str) -> Option<&mut Pki> {
        match self.mounts.get_mut(mount).map(|mount| &mut mount.engine) {
            Some(Engine::Pki(pki)) => Some(pki),
            _ => None,
        }
    }
}

fn longest<'a, 'p, T>(mounts: &'a BTreeMap<String, T>, path: &'p str) -> Option<(&'a str, &'a T, &'p str)> {
    // A longer prefix of the path sorts behind a shorter one.
    mounts.iter().rev().find_map(|(mount, value)| {
        let rest = path.strip_prefix(mount.as_str())?;
        Some((mount.as_str(), value, rest))
    })
}

/// A mount path with exactly one slash at its end.
pub(crate) fn mount_path(path: &str) -> String {
    format!("{}/", path.trim_matches('/'))
}
