//! DER as tag, length and value: a bounded reader over the `der` crate's, and a writer that allocates once.
//! It knows no structure; those are in the files that own them. It never recurses, so depth can't hurt.

use std::fmt;

use der::{Header, Reader, SliceReader};

/// What is wrong with bytes that should have been DER of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const NUMERIC_STRING: u8 = 0x12;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const TELETEX_STRING: u8 = 0x14;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Context-specific tag `[n]` of a primitive value.
pub(super) const fn context(n: u8) -> u8 {
    0x80 | n
}

/// Context-specific tag `[n]` of a constructed value.
pub(super) const fn context_constructed(n: u8) -> u8 {
    0xa0 | n
}

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    /// The identifier octet (the first one, if there are more).
    pub(super) tag: u8,
    /// The contents.
    pub(super) value: &'a [u8],
    /// Tag, length and contents.
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements inside.
    pub(super) fn inside(&self) -> Result<Elements<'a>, Malformed> {
        Elements::new(self.value)
    }

    /// The bytes of a BIT STRING that has no unused bits.
    pub(super) fn bits(&self) -> Result<&'a [u8], Malformed> {
        match self.value.split_first() {
            Some((0, bits)) => Ok(bits),
            _ => Err(Malformed("bit string with unused bits")),
        }
    }
}

/// Elements one after the other.
#[derive(Debug, Clone)]
pub(super) struct Elements<'a> {
    reader: SliceReader<'a>,
}

impl<'a> Elements<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Elements<'a>, Malformed> {
        SliceReader::new(bytes).map(|reader| Elements { reader }).map_err(|_| Malformed("too long"))
    }

    /// The next element, whatever it is.
    pub(super) fn next(&mut self) -> Result<Element<'a>, Malformed> {
        const BROKEN: Malformed = Malformed("not DER");
        let header = Header::peek(&self.reader).map_err(|_| BROKEN)?;
        let whole = self.reader.tlv_bytes().map_err(|_| BROKEN)?;
        let length = usize::try_from(header.length()).map_err(|_| BROKEN)?;
        let value = whole.len().checked_sub(length).and_then(|at| whole.get(at..)).ok_or(BROKEN)?;
        let tag = *whole.first().ok_or(BROKEN)?;
        Ok(Element { tag, value, whole })
    }

    /// The next element, which must have this tag; `what` is told if it hasn't.
    pub(super) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element<'a>, Malformed> {
        let element = self.next().map_err(|_| Malformed(what))?;
        if element.tag == tag { Ok(element) } else { Err(Malformed(what)) }
    }

    /// The next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.reader.peek_byte() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reader.is_finished()
    }

    /// Nothing may be left.
    pub(super) fn finish(self, what: &'static str) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed(what)) }
    }
}

/// The only element in `bytes`, with this tag and nothing behind it.
pub(super) fn only<'a>(bytes: &'a [u8], tag: u8, what: &'static str) -> Result<Element<'a>, Malformed> {
    let mut elements = Elements::new(bytes)?;
    let element = elements.expect(tag, what)?;
    elements.finish(what)?;
    Ok(element)
}

/// An element with these parts one after the other as its contents. Memory is taken once, at its final size: when a key is written,
/// no outgrown copy of it stays behind.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let (size, skipped) = length_octets(length);
    let mut out = Vec::with_capacity(1 + size.len() + length);
    out.push(tag);
    out.extend(size.iter().skip(skipped));
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A BIT STRING of whole bytes.
pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], bytes])
}

/// Length octets (X.690 8.1.3), right-aligned, and how many to skip.
fn length_octets(length: usize) -> ([u8; 9], usize) {
    const SHORT_FORM_MOST: usize = 0x7f;
    const LONG_FORM: u8 = 0x80;
    let mut octets = [0; 9];
    let mut used = 0;
    let mut rest = length;
    for octet in octets.iter_mut().rev() {
        if rest == 0 && used > 0 {
            if length > SHORT_FORM_MOST {
                *octet = LONG_FORM | used;
                used += 1;
            }
            break;
        }
        *octet = (rest & 0xff) as u8;
        rest >>= 8;
        used += 1;
    }
    (octets, octets.len() - usize::from(used))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn lengths_are_written_in_their_shortest_form() {
        let table: [(usize, &[u8]); 8] = [
            (0, &[0]),
            (1, &[1]),
            (127, &[127]),
            (128, &[0x81, 128]),
            (255, &[0x81, 255]),
            (256, &[0x82, 1, 0]),
            (65_535, &[0x82, 255, 255]),
            (65_536, &[0x83, 1, 0, 0]),
        ];
        for (length, octets) in table {
            let body = vec![7; length];
            let written = tlv(OCTET_STRING, &[&body]);
            assert_eq!(&written[1..=octets.len()], octets, "{length}");
            assert_eq!(written.len(), 1 + octets.len() + length);
            assert_eq!(only(&written, OCTET_STRING, "").unwrap().value, body);
        }
    }

    #[test]
    fn what_is_longer_than_its_input_is_refused() {
        for bytes in [
            &[0x30][..],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x81, 1, 0],
        ] {
            assert!(Elements::new(bytes).and_then(|mut e| e.next()).is_err(), "{bytes:x?}");
        }
    }
}
