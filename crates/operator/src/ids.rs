//! Names of objects as keys. Plain data.

use std::fmt;

use everleaf_core::wanted::IssuerRef;

/// A namespaced object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The key of `namespace/name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Key {
        Key { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    pub fn of<K: kube::ResourceExt>(object: &K) -> Key {
        Key { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A built-in issuer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IssuerId {
    /// An Issuer in a namespace.
    Issuer(Key),
    /// A ClusterIssuer.
    ClusterIssuer(String),
}

impl IssuerId {
    /// The built-in issuer that a reference made in `namespace` points to; `None` for foreign groups and kinds.
    pub fn of(reference: &IssuerRef, namespace: &str) -> Option<IssuerId> {
        if reference.group() != IssuerRef::GROUP {
            return None;
        }
        match reference.kind() {
            "Issuer" => Some(IssuerId::Issuer(Key::new(namespace, &reference.name))),
            "ClusterIssuer" => Some(IssuerId::ClusterIssuer(reference.name.clone())),
            _ => None,
        }
    }

    /// `Issuer` or `ClusterIssuer`.
    pub fn kind(&self) -> &'static str {
        match self {
            IssuerId::Issuer(_) => "Issuer",
            IssuerId::ClusterIssuer(_) => "ClusterIssuer",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            IssuerId::Issuer(key) => &key.name,
            IssuerId::ClusterIssuer(name) => name,
        }
    }

    /// Its namespace, if it has one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            IssuerId::Issuer(key) => Some(&key.namespace),
            IssuerId::ClusterIssuer(_) => None,
        }
    }
}

impl fmt::Display for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IssuerId::Issuer(key) => write!(f, "Issuer/{key}"),
            IssuerId::ClusterIssuer(name) => write!(f, "ClusterIssuer/{name}"),
        }
    }
}
