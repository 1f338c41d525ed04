//! Object identifiers, as text and as bytes. Arcs of 64 bits: `2.999` and other large arcs that the `const-oid` crate can't hold do occur
//! in otherNames and names. It never interprets one.

use std::fmt;

use super::tlv::{OBJECT_IDENTIFIER, tlv};

/// Encodes an OID at compile time.
macro_rules! oid_bytes {
    ($text:literal) => {{
        const OID: &const_oid::ObjectIdentifier = &const_oid::ObjectIdentifier::new_unwrap($text);
        OID.as_bytes()
    }};
}
pub(super) use oid_bytes;

/// The most arcs that are read; the longest in use have about 20.
const MOST_ARCS: usize = 64;

/// An object identifier.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid {
    bytes: Box<[u8]>,
}

impl Oid {
    /// Reads dotted decimal text, such as `1.3.6.1.4.1.311.20.2.3`; `None` if it isn't an OID.
    pub fn parse(dotted: &str) -> Option<Oid> {
        const ROOTS: u64 = 2;
        const SECOND_BELOW_JOINT: u64 = 40;
        let mut arcs = dotted.split('.').map(arc);
        let (first, second) = (arcs.next()??, arcs.next()??);
        if first > ROOTS || (first < ROOTS && second >= SECOND_BELOW_JOINT) {
            return None;
        }
        let mut bytes = Vec::new();
        push_arc(&mut bytes, second.checked_add(first * SECOND_BELOW_JOINT)?);
        for (count, arc) in arcs.enumerate() {
            if count >= MOST_ARCS {
                return None;
            }
            push_arc(&mut bytes, arc?);
        }
        Some(Oid { bytes: bytes.into() })
    }

    /// Takes the contents octets as they are.
    pub(super) fn from_contents(bytes: &[u8]) -> Oid {
        Oid { bytes: bytes.into() }
    }

    /// The contents octets of its DER.
    pub fn contents(&self) -> &[u8] {
        &self.bytes
    }

    /// Its DER.
    pub(super) fn der(&self) -> Vec<u8> {
        tlv(OBJECT_IDENTIFIER, &[&self.bytes])
    }

    /// Dotted decimal text; `None` if the bytes aren't those of an OID with arcs of at most 64 bits.
    pub fn dotted(&self) -> Option<String> {
        const LAST_OF_ARC: u8 = 0x80;
        let mut text = String::new();
        let (mut value, mut arcs, mut inside) = (0_u64, 0_usize, false);
        for byte in &self.bytes {
            value = value.checked_mul(0x80)?.checked_add(u64::from(byte & 0x7f))?;
            inside = byte & LAST_OF_ARC != 0;
            if inside {
                continue;
            }
            if arcs == 0 {
                let root = (value / 40).min(2);
                text = format!("{root}.{}", value - root * 40);
            } else {
                text.push('.');
                text.push_str(&value.to_string());
            }
            (value, arcs) = (0, arcs + 1);
            if arcs > MOST_ARCS {
                return None;
            }
        }
        (arcs > 0 && !inside).then_some(text)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.dotted().as_deref().unwrap_or("?"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

fn arc(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn push_arc(bytes: &mut Vec<u8>, arc: u64) {
    const MORE: u8 = 0x80;
    let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let seven = ((arc >> (7 * group)) & 0x7f) as u8;
        bytes.push(if group == 0 { seven } else { seven | MORE });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn object_identifiers_survive_the_way_to_bytes_and_back() {
        for text in [
            "0.9.2342.19200300.100.1.25",
            "1.3.6.1.4.1.311.20.2.3",
            "2.5.4.3",
            "2.999.1",
            "2.25.18446744073709551615",
            "1.2",
        ] {
            assert_eq!(Oid::parse(text).unwrap().dotted().as_deref(), Some(text));
        }
        assert_eq!(Oid::parse("2.5.4.3").unwrap().contents(), oid_bytes!("2.5.4.3"));
        assert_eq!(
            Oid::parse("1.2.840.113549.1.9.14").unwrap().contents(),
            oid_bytes!("1.2.840.113549.1.9.14")
        );
    }

    #[test]
    fn what_is_no_object_identifier_is_refused() {
        for text in [
            "",
            "1",
            "1.",
            ".1",
            "3.1",
            "1.40",
            "a.b",
            "1.2.x",
            "1.2.-3",
            "1.2.+3",
            "1.2.18446744073709551616",
            "2.18446744073709551615",
        ] {
            assert_eq!(Oid::parse(text), None, "{text}");
        }
        let long = "1.2".to_owned() + &".3".repeat(1_000);
        assert_eq!(Oid::parse(&long), None);
    }

    #[test]
    fn bytes_that_are_no_object_identifier_have_no_text() {
        for bytes in [&[][..], &[0x80], &[0x2a, 0x86], &[0xff; 11]] {
            assert_eq!(Oid::from_contents(bytes).dotted(), None, "{bytes:x?}");
        }
    }
}
