//! Keeps pieces of the configuration aside while a trouble changes them, and puts them back when it heals.
//! The first copy counts: two troubles on one piece heal to what was before both.
//! Pieces are small on purpose, so that healing one thing doesn't undo what others did meanwhile.

use std::collections::BTreeMap;

use crate::state::config::{AuthMount, Config, Mount, Namespace, mount_path};
use crate::state::policy::Policy;
use crate::state::quota::Quotas;

/// A piece of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    /// A policy, by name, in the root namespace.
    Policy(String),
    /// A secrets mount with its roles and CAs, by path.
    Mount(String),
    /// An auth mount with its roles, by path without `auth/`.
    Auth(String),
    /// All quotas.
    Quotas,
}

#[derive(Debug, Clone)]
enum Kept {
    Policy(Option<Policy>),
    Mount(Option<Mount>),
    Auth(Option<AuthMount>),
    Quotas(Quotas),
}

/// What is kept aside.
#[derive(Debug, Default)]
pub(crate) struct Stash(BTreeMap<Piece, Kept>);

impl Stash {
    /// Keeps a copy of the piece as it is, unless there is one.
    pub(crate) fn keep(&mut self, piece: &Piece, config: &Config) {
        self.0.entry(piece.clone()).or_insert_with(|| copy(piece, config));
    }

    /// Puts a piece back; nothing happens when no copy was kept.
    pub(crate) fn put_back(&mut self, piece: &Piece, config: &mut Config) {
        let Some(kept) = self.0.remove(piece) else { return };
        let Some(root) = config.namespaces.get_mut("") else { return };
        match (piece, kept) {
            (Piece::Policy(name), Kept::Policy(policy)) => set(&mut root.policies, name.clone(), policy),
            (Piece::Mount(path), Kept::Mount(mount)) => set(&mut root.mounts, mount_path(path), mount),
            (Piece::Auth(path), Kept::Auth(auth)) => set(&mut root.auths, mount_path(path), auth),
            (_, Kept::Quotas(quotas)) => config.quotas = quotas,
            _ => {}
        }
    }
}

fn copy(piece: &Piece, config: &Config) -> Kept {
    let root = config.namespace("");
    fn find<T: Clone>(root: Option<&Namespace>, pick: impl Fn(&Namespace) -> Option<&T>) -> Option<T> {
        root.and_then(pick).cloned()
    }
    match piece {
        Piece::Policy(name) => Kept::Policy(find(root, |root| root.policies.get(name))),
        Piece::Mount(path) => Kept::Mount(find(root, |root| root.mounts.get(&mount_path(path)))),
        Piece::Auth(path) => Kept::Auth(find(root, |root| root.auths.get(&mount_path(path)))),
        Piece::Quotas => Kept::Quotas(config.quotas.clone()),
    }
}

fn set<T>(map: &mut BTreeMap<String, T>, key: String, value: Option<T>) {
    match value {
        Some(value) => {
            map.insert(key, value);
        }
        None => {
            map.remove(&key);
        }
    }
}
