//! Writes DER: just the shapes that a certificate consists of.
//! Everything is built inside out from byte strings; lengths are always the shortest form.
//! It never reads DER: that is `reading`.

use const_oid::ObjectIdentifier;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Tags of the universal and context-specific types that are used.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    pub(crate) const CONTEXT: u8 = 0x80;
    pub(crate) const CONSTRUCTED: u8 = 0x20;
}

/// One element: tag, length, content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    let length = content.len();
    if length < 0x80 {
        der.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        der.push(0x80 | bytes.len() as u8);
        der.extend(bytes);
    }
    der.extend_from_slice(content);
    der
}

/// A SEQUENCE of these elements.
pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag::SEQUENCE, &parts.concat())
}

/// An explicitly tagged element.
pub(crate) fn explicit(number: u8, inner: &[u8]) -> Vec<u8> {
    element(tag::CONTEXT | tag::CONSTRUCTED | number, inner)
}

/// An implicitly tagged primitive element.
pub(crate) fn implicit(number: u8, content: &[u8]) -> Vec<u8> {
    element(tag::CONTEXT | number, content)
}

pub(crate) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    element(tag::OID, oid.as_bytes())
}

/// A positive INTEGER from its big-endian bytes.
pub(crate) fn positive_integer(bytes: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    element(tag::INTEGER, &content)
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    element(tag::BOOLEAN, &[if value { 0xff } else { 0 }])
}

pub(crate) fn octet_string(content: &[u8]) -> Vec<u8> {
    element(tag::OCTET_STRING, content)
}

/// A BIT STRING without unused bits.
pub(crate) fn bit_string(content: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(content);
    element(tag::BIT_STRING, &bits)
}

/// A BIT STRING of named bits, the trailing zero bits left out.
pub(crate) fn named_bits(bits: u8) -> Vec<u8> {
    element(tag::BIT_STRING, &[bits.trailing_zeros().min(7) as u8, bits])
}

/// A time, as UTCTime until 2049 and GeneralizedTime from then on.
pub(crate) fn time(at: Timestamp) -> Vec<u8> {
    let zoned = at.to_zoned(TimeZone::UTC);
    if (1950..2050).contains(&zoned.year()) {
        element(tag::UTC_TIME, zoned.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        element(tag::GENERALIZED_TIME, zoned.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
    }
}

/// A text of a name: PrintableString where its letters allow it, as Go does.
pub(crate) fn directory_text(text: &str) -> Vec<u8> {
    let printable = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte));
    element(if printable { tag::PRINTABLE_STRING } else { tag::UTF8_STRING }, text.as_bytes())
}

/// PEM text of this label, without a line feed at its end (Vault trims it).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines.join("\n"))
}
