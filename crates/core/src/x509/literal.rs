//! `spec.literalSubject`: an LDAP distinguished name in the dialect of the peer's library, with its quirks, because specs are written to them.
//! Quotes are plain characters, keys are upper case, only blanks are trimmed, `#` starts hexadecimal BER. It never encodes; `name.rs` does.

use super::name::{
    COMMON_NAME, COUNTRY, DOMAIN_COMPONENT, LOCALITY, NameError, ORGANIZATION, ORGANIZATIONAL_UNIT, PROVINCE,
    SERIAL_NUMBER, STREET, USER_ID,
};
use super::oid::Oid;
use super::tlv::Elements;

/// The keys, by their only spelling (certificate-lifecycle 1.7).
const KEYS: [(&str, &[u8]); 10] = [
    ("C", COUNTRY),
    ("O", ORGANIZATION),
    ("OU", ORGANIZATIONAL_UNIT),
    ("CN", COMMON_NAME),
    ("SERIALNUMBER", SERIAL_NUMBER),
    ("L", LOCALITY),
    ("ST", PROVINCE),
    ("STREET", STREET),
    ("DC", DOMAIN_COMPONENT),
    ("UID", USER_ID),
];

/// The key of a type.
pub(super) fn key_of(kind: &Oid) -> Option<&'static str> {
    KEYS.iter().find(|(_, oid)| *oid == kind.contents()).map(|(key, _)| *key)
}

/// The attributes of each relative name, in the order written.
pub(super) fn parse(text: &str) -> Result<Vec<Vec<(Oid, String)>>, NameError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    let mut attributes = Vec::new();
    for piece in pieces(text)? {
        let kind = kind_of(&piece)?;
        attributes.push((kind, value_of(&piece)?));
        if piece.ends_name {
            names.push(std::mem::take(&mut attributes));
        }
    }
    Ok(names)
}

/// `key=value` with what it stands before: `+` joins it to the next one, anything else ends the relative name.
struct Piece<'a> {
    key: String,
    key_at: usize,
    value: &'a str,
    value_at: usize,
    ends_name: bool,
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, NameError> {
    let mut pieces = Vec::new();
    let mut key: Option<(String, usize)> = None;
    let (mut start, mut escaping) = (0, false);
    let between = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    // A separator behind the last piece ends it too.
    for (at, byte) in text.bytes().enumerate().chain([(text.len(), b',')]) {
        let last = at == text.len();
        if escaping && !last {
            escaping = false;
            continue;
        }
        match (byte, &key) {
            (b'\\', _) => escaping = true,
            // A key that is empty once trimmed is no key yet: the next equals sign is tried.
            (b'=', None) => {
                key = Some((unescape(between(start, at), start)?, start)).filter(|(key, _)| !key.is_empty());
                start = at + 1;
            }
            (b',' | b';' | b'+', None) => return Err(malformed("key or equals sign missing", start)),
            (b',' | b';' | b'+', Some(_)) => {
                let (key, key_at) = key.take().unwrap_or_default();
                pieces.push(Piece {
                    key,
                    key_at,
                    value: between(start, at),
                    value_at: start,
                    ends_name: byte != b'+',
                });
                start = at + 1;
            }
            _ => {}
        }
    }
    Ok(pieces)
}

fn kind_of(piece: &Piece<'_>) -> Result<Oid, NameError> {
    let known = KEYS.iter().find(|(key, _)| *key == piece.key).map(|(_, oid)| Oid::from_contents(oid));
    known
        .or_else(|| Oid::parse(&piece.key))
        .ok_or_else(|| NameError::UnrecognizedKey { key: piece.key.clone(), position: piece.key_at })
}

fn value_of(piece: &Piece<'_>) -> Result<String, NameError> {
    match piece.value.strip_prefix('#') {
        Some(hex) => ber_text(hex, piece.value_at),
        None => unescape(piece.value, piece.value_at),
    }
}

/// `#` and hexadecimal BER: its contents become the value, whatever type they were written as.
fn ber_text(hex: &str, at: usize) -> Result<String, NameError> {
    let bytes = bytes_of_hex(hex).ok_or_else(|| malformed("value that isn't hexadecimal after #", at))?;
    let element = Elements::new(&bytes).and_then(|mut elements| elements.next());
    let element = element.map_err(|_| malformed("value that isn't BER after #", at))?;
    String::from_utf8(element.value.to_vec()).map_err(|_| malformed("value that isn't UTF-8", at))
}

fn bytes_of_hex(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|pair| byte_of_hex(*pair)).collect())?
}

fn byte_of_hex([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Trims blanks (an escaped one at the end stays) and resolves `\,`-like and `\XX` escapes.
fn unescape(raw: &str, at: usize) -> Result<String, NameError> {
    let trimmed = raw.trim_matches(' ');
    let blank = if trimmed.ends_with('\\') && raw.ends_with(' ') { " " } else { "" };
    let mut bytes = Vec::with_capacity(trimmed.len());
    let mut rest = trimmed.bytes().chain(blank.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let first = rest.next().ok_or_else(|| malformed("backslash with nothing behind it", at))?;
        if br##" "#+,;<=>\"##.contains(&first) {
            bytes.push(first);
            continue;
        }
        let second = rest.next();
        let byte = second.and_then(|second| byte_of_hex([first, second]));
        bytes.push(byte.ok_or_else(|| malformed("backslash before something that isn't escaped", at))?);
    }
    String::from_utf8(bytes).map_err(|_| malformed("text that isn't UTF-8", at))
}

fn malformed(what: &'static str, position: usize) -> NameError {
    NameError::Malformed { what, position }
}
