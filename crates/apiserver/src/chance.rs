//! All chance of the API: uids and the tails of generated names, drawn from one injected source.
//! The same draws in the same order give the same names, so a seeded run repeats byte for byte.
//! It is no source for keys or tokens.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Gives the next 64 bits at each call.
pub type Chance = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The step of SplitMix64 (Steele, Lea, Flood 2014).
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
/// What Kubernetes builds generated names from: no vowels, no digits that look like letters.
const NAME_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// How many letters `generateName` adds.
const NAME_TAIL: usize = 5;
/// The longest base that `generateName` keeps, so that the whole stays a DNS label.
const NAME_BASE: usize = 63 - NAME_TAIL;

/// A stream that starts at this seed.
pub(crate) fn seeded(seed: u64) -> Chance {
    let state = AtomicU64::new(seed);
    Arc::new(move || {
        let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// A stream that differs at every start, seeded from what seeds the standard library's hash maps.
pub(crate) fn from_system() -> Chance {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    seeded(hasher.finish())
}

/// A version 4 UUID.
pub(crate) fn uid(chance: &Chance) -> String {
    let (high, low) = (chance(), chance());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

/// The base of `generateName` with five letters of chance after it.
pub(crate) fn name(chance: &Chance, base: &str) -> String {
    let mut name: String = base.chars().take(NAME_BASE).collect();
    let mut bits = chance();
    for _ in 0..NAME_TAIL {
        let index = (bits % NAME_LETTERS.len() as u64) as usize;
        bits /= NAME_LETTERS.len() as u64;
        name.push(NAME_LETTERS.get(index).map_or('x', |&letter| char::from(letter)));
    }
    name
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_names() {
        let (one, two) = (seeded(7), seeded(7));
        assert_eq!((uid(&one), name(&one, "a-")), (uid(&two), name(&two, "a-")));
        assert_ne!(uid(&one), uid(&one));
    }

    #[test]
    fn a_uid_has_the_form_of_a_version_4_uuid() {
        let uid = uid(&seeded(1));
        assert_eq!(uid.len(), 36);
        assert_eq!(&uid[14..15], "4");
        assert!("89ab".contains(&uid[19..20]));
    }

    #[test]
    fn a_generated_name_stays_a_dns_label() {
        let name = name(&seeded(1), &"a".repeat(80));
        assert_eq!(name.len(), 63);
    }
}
