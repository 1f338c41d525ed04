//! DER as it is written here: tag, length, value, and the handful of types that PKCS#12 needs.
//! It never reads DER, and takes memory once, so that no outgrown copy of a key stays behind.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0] EXPLICIT`
pub(crate) const EXPLICIT_0: u8 = 0xa0;
/// `[0] IMPLICIT` of a primitive value.
pub(crate) const IMPLICIT_0: u8 = 0x80;
/// The whole encoding of NULL.
pub(crate) const NULL: [u8; 2] = [0x05, 0x00];

/// Encodes an OID at compile time.
macro_rules! oid {
    ($text:literal) => {{
        const OID: &const_oid::ObjectIdentifier = &const_oid::ObjectIdentifier::new_unwrap($text);
        OID.as_bytes()
    }};
}
pub(crate) use oid;

/// An element with these parts, one after the other, as its contents.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    const SHORT_FORM_MOST: usize = 0x7f;
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let octets = length.to_be_bytes();
    let used = octets.iter().skip_while(|octet| **octet == 0);
    let count = used.clone().count();
    let mut out = Vec::with_capacity(2 + count + length);
    out.push(tag);
    if length <= SHORT_FORM_MOST {
        out.push(length as u8);
    } else {
        out.push(0x80 | count as u8);
        out.extend(used);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

pub(crate) fn object_identifier(contents: &[u8]) -> Vec<u8> {
    tlv(OBJECT_IDENTIFIER, &[contents])
}

/// A number, in as few bytes as its sign allows.
pub(crate) fn integer(number: u32) -> Vec<u8> {
    let bytes = u64::from(number).to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    // The first byte kept must not look negative.
    let negative = bytes.get(zeros).is_none_or(|byte| *byte >= 0x80);
    let from = if negative { zeros - 1 } else { zeros };
    tlv(INTEGER, &[bytes.get(from..).unwrap_or_default()])
}

/// A SET OF: its elements in the order of their bytes.
pub(crate) fn set_of(mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    tlv(SET, &elements.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// UTF-16, big endian, as BMPString and Java write text.
pub(crate) fn utf16(text: &str) -> zeroize::Zeroizing<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2 * text.len() + 2);
    text.encode_utf16().for_each(|unit| bytes.extend_from_slice(&unit.to_be_bytes()));
    zeroize::Zeroizing::new(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_are_written_in_their_shortest_form() {
        let numbers: [(u32, &[u8]); 6] = [
            (0, &[2, 1, 0]),
            (3, &[2, 1, 3]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (2048, &[2, 2, 8, 0]),
            (u32::MAX, &[2, 5, 0, 255, 255, 255, 255]),
        ];
        for (number, bytes) in numbers {
            assert_eq!(integer(number), bytes, "{number}");
        }
        let heads: [(usize, &[u8]); 5] = [
            (0, &[4, 0]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (256, &[4, 0x82, 1, 0]),
            (65_536, &[4, 0x83, 1, 0, 0]),
        ];
        for (length, head) in heads {
            let body = vec![7; length];
            assert_eq!(tlv(OCTET_STRING, &[&body]), [head, &body].concat(), "{length}");
        }
    }
}
