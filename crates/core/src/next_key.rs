//! Which private key the next request is made with: one in hand, the one in use, or a new one (certificate-lifecycle 2.5).
//! It never makes, reads or stores a key.

use crate::observed::{Entry, NextKey, Observed};
use crate::plan::KeyOrigin;
use crate::reissue::key_difference;
use crate::wanted::{Rotation, Wanted};

/// What to do about the key.
pub(crate) enum KeyChoice {
    /// Take it from there; the name is that of its Secret, should it be stored.
    Use(KeyOrigin, String),
    /// Delete the Secret with the one in hand, and why.
    Discard(String, &'static str),
    /// The one in use must be kept and can't be: only a person can resolve it.
    Stuck,
}

/// The key for the next request.
pub(crate) fn choose(wanted: &Wanted, seen: &Observed) -> KeyChoice {
    match &seen.key {
        NextKey::Spoilt { secret_name } => KeyChoice::Discard(secret_name.clone(), "it can't be read"),
        NextKey::Stored { facts, secret_name } if key_difference(facts, wanted).is_some() => {
            KeyChoice::Discard(secret_name.clone(), "it is not as wanted any more")
        }
        NextKey::Held { facts, .. } if key_difference(facts, wanted).is_some() => kept_or_new(wanted, seen),
        NextKey::Held { secret_name, .. } | NextKey::Stored { secret_name, .. } => {
            KeyChoice::Use(KeyOrigin::InHand, secret_name.clone())
        }
        NextKey::None => kept_or_new(wanted, seen),
    }
}

fn kept_or_new(wanted: &Wanted, seen: &Observed) -> KeyChoice {
    let name = seen.free_key_name.clone();
    let present = seen.secret.as_deref().map(|secret| &secret.key);
    match (wanted.key.rotation, present) {
        (Rotation::Never, Some(Entry::Read(facts))) if key_difference(facts, wanted).is_some() => {
            KeyChoice::Stuck
        }
        (Rotation::Never, Some(Entry::Read(_))) => KeyChoice::Use(KeyOrigin::Kept, name),
        _ => KeyChoice::Use(KeyOrigin::Made, name),
    }
}
