//! Where issuers read what they need from: Secrets and ServiceAccount tokens, by a trait that the operator and the tests implement.
//! A read that fails is a `Failure` like any other: waiting, never terminal. Values are wiped after use and never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use everleaf_core::failure::{Blame, Call, Class, Failure, Finality, Says};
use futures::future::BoxFuture;
use zeroize::Zeroizing;

/// Where issuers read what they need from, in the resource namespace of the issuer.
pub trait Surroundings: Send + Sync + 'static {
    /// The data of a Secret.
    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<SecretData, ReadFailure>>;

    /// A fresh token of a ServiceAccount, for these audiences, living this long.
    fn service_account_token<'a>(
        &'a self,
        name: &'a str,
        audiences: &'a [String],
        life: Duration,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, ReadFailure>>;
}

/// The data of a Secret.
#[derive(Clone, Default)]
pub struct SecretData {
    /// Its resource version.
    pub resource_version: String,
    /// Its values, decoded.
    pub data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: BTreeMap<_, _> = self.data.iter().map(|(key, value)| (key, value.len())).collect();
        f.debug_struct("SecretData")
            .field("resource_version", &self.resource_version)
            .field("lengths", &lengths)
            .finish()
    }
}

/// Why something couldn't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFailure {
    /// It isn't there.
    Missing,
    /// We may not read it; the API server's words.
    Forbidden(String),
    /// The API server couldn't be asked; its words, or ours.
    Unreachable(String),
}

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRef {
    /// Name of the Secret.
    pub name: String,
    /// Key in it.
    pub key: String,
}

/// Reads a value of a Secret. A Secret or value that isn't there is waited for: the Secret is to blame, and its appearance wakes us.
pub(crate) async fn read(from: &dyn Surroundings, at: &KeyRef) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut secret = from.secret(&at.name).await.map_err(|why| unread_secret(&at.name, &why))?;
    match secret.data.remove(&at.key) {
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) => Err(lacking(&at.name, &format!("key {} of Secret {} is empty", at.key, at.name))),
        None => Err(lacking(&at.name, &format!("Secret {} has no key {}", at.name, at.key))),
    }
}

/// Reads a value that must be text; white space at both ends goes (vault-issuer 1.2).
pub(crate) async fn read_text(from: &dyn Surroundings, at: &KeyRef) -> Result<Zeroizing<String>, Failure> {
    let bytes = read(from, at).await?;
    let text = std::str::from_utf8(&bytes).map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Err(unusable(&at.name, &format!("key {} of Secret {} holds no text", at.key, at.name)));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// A Secret that couldn't be read.
pub(crate) fn unread_secret(name: &str, why: &ReadFailure) -> Failure {
    let (class, code, says) = match why {
        ReadFailure::Missing => (Class::Access, "SecretMissing", format!("Secret {name} not found")),
        ReadFailure::Forbidden(words) => (Class::Access, "SecretForbidden", words.clone()),
        ReadFailure::Unreachable(words) => (Class::Transient, "SecretUnread", words.clone()),
    };
    failure(class, Call::ReadSecret, code, &says, Blame::Secret(name.to_owned()))
}

/// A ServiceAccount token that wasn't given.
pub(crate) fn unread_token(account: &str, why: &ReadFailure) -> Failure {
    let (class, code, says) = match why {
        ReadFailure::Missing => {
            (Class::Access, "ServiceAccountMissing", format!("ServiceAccount {account} not found"))
        }
        ReadFailure::Forbidden(words) => (Class::Access, "TokenRequestForbidden", words.clone()),
        ReadFailure::Unreachable(words) => (Class::Transient, "TokenRequestFailed", words.clone()),
    };
    failure(class, Call::TokenRequest, code, &says, Blame::ServiceAccount(account.to_owned()))
}

/// A Secret without a value that is needed.
pub(crate) fn lacking(secret: &str, says: &str) -> Failure {
    failure(Class::Access, Call::ReadSecret, "SecretKeyMissing", says, Blame::Secret(secret.to_owned()))
}

/// A Secret whose value can't be used.
pub(crate) fn unusable(secret: &str, says: &str) -> Failure {
    failure(Class::Access, Call::ReadSecret, "SecretUnusable", says, Blame::Secret(secret.to_owned()))
}

/// A failure that never ends a request.
pub(crate) fn failure(class: Class, call: Call, code: &'static str, says: &str, blame: Blame) -> Failure {
    Failure { class, call, code, says: Says::new(says), retry_after: None, blame, finality: Finality::Never }
}
