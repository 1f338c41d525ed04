//! The record of a Secret: the facts of one of ours, or only that another one is there. It holds no private key.

use std::sync::Arc;

use everleaf_core::observed::{KeyFacts, SecretSeen};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::secrets;

/// A Secret.
pub struct SecretRecord {
    /// Its version.
    pub resource_version: String,
    /// What is known of it.
    pub body: SecretBody,
}

/// What is known of a Secret.
pub enum SecretBody {
    /// That it is there.
    Unread,
    /// A watch shows it no longer: it is gone, or it lost or got our label and the other watch has yet to show it.
    Lost,
    /// A Secret with our label.
    Target(Arc<SecretSeen>),
    /// The key of a running issuance: its facts, and who controls it.
    NextKey(Option<KeyFacts>, Option<Owner>),
}

/// A Certificate that controls something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its UID.
    pub uid: String,
    /// Its name.
    pub name: String,
}

impl SecretRecord {
    /// The record of a Secret that carries our label.
    pub fn in_full(secret: &Secret) -> SecretRecord {
        let seen = secrets::facts(secret);
        let is_next_key = seen.labels.get(secrets::NEXT_KEY_LABEL).is_some_and(|value| value == "true");
        let body = if is_next_key {
            SecretBody::NextKey(seen.key.read().cloned(), owner(&secret.metadata))
        } else {
            SecretBody::Target(Arc::new(seen))
        };
        SecretRecord { resource_version: secret.metadata.resource_version.clone().unwrap_or_default(), body }
    }

    /// The record of any other Secret.
    pub fn unread(meta: &ObjectMeta) -> SecretRecord {
        SecretRecord {
            resource_version: meta.resource_version.clone().unwrap_or_default(),
            body: SecretBody::Unread,
        }
    }

    /// The record of a Secret that a watch shows no longer.
    pub fn lost() -> SecretRecord {
        SecretRecord { resource_version: String::new(), body: SecretBody::Lost }
    }

    /// True if this was shown by the other watch in a later version. Versions of one watch always follow each other, and may go back when the
    /// store behind the API was restored.
    pub fn outdates(&self, other: &SecretRecord) -> bool {
        let by_the_same = matches!(self.body, SecretBody::Unread) == matches!(other.body, SecretBody::Unread);
        let version = |record: &SecretRecord| record.resource_version.parse::<u64>().ok();
        !by_the_same && version(self).zip(version(other)).is_some_and(|(is, was)| is > was)
    }

    /// The facts of a target Secret.
    pub fn facts(&self) -> Option<Arc<SecretSeen>> {
        match &self.body {
            SecretBody::Target(seen) => Some(seen.clone()),
            _ => None,
        }
    }

    /// The key in it, if it holds the key of a running issuance.
    pub fn next_key(&self) -> Option<KeyFacts> {
        match &self.body {
            SecretBody::NextKey(facts, _) => facts.clone(),
            _ => None,
        }
    }

    /// Whose next key it holds.
    pub fn next_key_owner(&self) -> Option<Owner> {
        match &self.body {
            SecretBody::NextKey(_, owner) => owner.clone(),
            _ => None,
        }
    }
}

fn owner(meta: &ObjectMeta) -> Option<Owner> {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true) && owner.kind == "Certificate")?;
    Some(Owner { uid: owner.uid.clone(), name: owner.name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(version: &str) -> ObjectMeta {
        ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() }
    }

    fn unread(version: &str) -> SecretRecord {
        SecretRecord::unread(&meta(version))
    }

    fn labelled(version: &str) -> SecretRecord {
        SecretRecord::in_full(&Secret { metadata: meta(version), ..Secret::default() })
    }

    #[test]
    fn what_a_watch_that_is_behind_shows_replaces_nothing_that_the_other_has_shown() {
        assert!(labelled("12").outdates(&unread("11")), "the label was taken away and given back meanwhile");
        assert!(unread("12").outdates(&labelled("11")));
        assert!(!labelled("12").outdates(&unread("13")));
        assert!(!labelled("12").outdates(&labelled("11")), "a restored store counts from an earlier version");
        assert!(!SecretRecord::lost().outdates(&unread("11")));
    }
}
