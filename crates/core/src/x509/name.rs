//! Distinguished names: built from fields in Go's order, parsed from `literalSubject` (`literal.rs`), kept as DER.
//! Two names are equal when their DER is: that is how issuers and subjects are matched. It never guesses at a value it can't read.

use std::fmt;

use super::literal;
use super::oid::{Oid, oid_bytes};
use super::tlv::{
    self, BMP_STRING, Elements, IA5_STRING, Malformed, NUMERIC_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING,
    SEQUENCE, SET, TELETEX_STRING, UTF8_STRING, tlv,
};
use crate::wanted::SubjectFields;

pub(super) const COMMON_NAME: &[u8] = oid_bytes!("2.5.4.3");
pub(super) const SERIAL_NUMBER: &[u8] = oid_bytes!("2.5.4.5");
pub(super) const COUNTRY: &[u8] = oid_bytes!("2.5.4.6");
pub(super) const LOCALITY: &[u8] = oid_bytes!("2.5.4.7");
pub(super) const PROVINCE: &[u8] = oid_bytes!("2.5.4.8");
pub(super) const STREET: &[u8] = oid_bytes!("2.5.4.9");
pub(super) const ORGANIZATION: &[u8] = oid_bytes!("2.5.4.10");
pub(super) const ORGANIZATIONAL_UNIT: &[u8] = oid_bytes!("2.5.4.11");
pub(super) const POSTAL_CODE: &[u8] = oid_bytes!("2.5.4.17");
pub(super) const USER_ID: &[u8] = oid_bytes!("0.9.2342.19200300.100.1.1");
pub(super) const DOMAIN_COMPONENT: &[u8] = oid_bytes!("0.9.2342.19200300.100.1.25");

/// The most relative names of a name, and attributes of a relative name, that are read.
const MOST_ATTRIBUTES: usize = 1_000;

/// Why a `literalSubject` isn't a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// An attribute key that isn't known and isn't a dotted OID. Keys are upper case.
    #[error("unrecognized key {key:?} at position {position}")]
    UnrecognizedKey {
        /// The key.
        key: String,
        /// Bytes from the start.
        position: usize,
    },
    /// Not an LDAP distinguished name.
    #[error("{what} at position {position}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Bytes from the start.
        position: usize,
    },
}

/// A distinguished name, as the DER of an RDNSequence.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    der: Box<[u8]>,
}

impl DistinguishedName {
    /// Parses `spec.literalSubject` (certificate-lifecycle 1.7): an LDAP name as the peer's LDAP library reads it, encoded in reverse order, because
    /// LDAP writes the most special part first and X.509 last.
    pub fn parse_literal(text: &str) -> Result<DistinguishedName, NameError> {
        let mut relative_names: Vec<Vec<u8>> =
            literal::parse(text)?.iter().map(|attributes| relative(attributes)).collect();
        relative_names.reverse();
        Ok(DistinguishedName::from_relative(&relative_names))
    }

    /// Builds a name in Go's order: one relative name for each kind of field, with all its values in it. The order is that of Go 1.26's
    /// `pkix.Name.ToRDNSequence` (C, ST, L, STREET, postalCode, O, OU, CN, serialNumber), checked byte for byte; Go's comment lists another one.
    pub fn from_fields(fields: &SubjectFields) -> DistinguishedName {
        let one =
            |text: &Option<String>| text.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>();
        let (common_name, serial_number) = (one(&fields.common_name), one(&fields.serial_number));
        let in_order = [
            (COUNTRY, &fields.countries),
            (PROVINCE, &fields.provinces),
            (LOCALITY, &fields.localities),
            (STREET, &fields.street_addresses),
            (POSTAL_CODE, &fields.postal_codes),
            (ORGANIZATION, &fields.organizations),
            (ORGANIZATIONAL_UNIT, &fields.organizational_units),
            (COMMON_NAME, &common_name),
            (SERIAL_NUMBER, &serial_number),
        ];
        let relative_names: Vec<Vec<u8>> = in_order
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(kind, values)| {
                relative(
                    &values.iter().map(|text| (Oid::from_contents(kind), text.clone())).collect::<Vec<_>>(),
                )
            })
            .collect();
        DistinguishedName::from_relative(&relative_names)
    }

    /// The fields a spec can name, as Go reads them (of several common names the last one); what else the name holds is left out.
    pub fn to_fields(&self) -> SubjectFields {
        let mut fields = SubjectFields::default();
        for (kind, value) in self.attributes() {
            let Some(value) = value else { continue };
            match kind.contents() {
                COMMON_NAME => fields.common_name = Some(value),
                SERIAL_NUMBER => fields.serial_number = Some(value),
                COUNTRY => fields.countries.push(value),
                ORGANIZATION => fields.organizations.push(value),
                ORGANIZATIONAL_UNIT => fields.organizational_units.push(value),
                LOCALITY => fields.localities.push(value),
                PROVINCE => fields.provinces.push(value),
                STREET => fields.street_addresses.push(value),
                POSTAL_CODE => fields.postal_codes.push(value),
                _ => {}
            }
        }
        fields
    }

    /// The DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// True if it has no attributes at all.
    pub fn is_empty(&self) -> bool {
        const EMPTY_SEQUENCE: usize = 2;
        self.der.len() <= EMPTY_SEQUENCE
    }

    /// The common name; the last one if there are several.
    pub fn common_name(&self) -> Option<String> {
        self.to_fields().common_name
    }

    /// Types and values in the order of the encoding; `None` for a value that isn't readable text.
    pub fn attributes(&self) -> Vec<(Oid, Option<String>)> {
        read(&self.der).unwrap_or_default()
    }

    /// Takes DER as it is, after a look at its structure. Values aren't judged.
    pub(super) fn from_der(der: &[u8]) -> Result<DistinguishedName, Malformed> {
        read(der)?;
        Ok(DistinguishedName { der: der.into() })
    }

    fn from_relative(relative_names: &[Vec<u8>]) -> DistinguishedName {
        let parts: Vec<&[u8]> = relative_names.iter().map(Vec::as_slice).collect();
        DistinguishedName { der: tlv(SEQUENCE, &parts).into() }
    }
}

impl fmt::Display for DistinguishedName {
    /// `CN=a,O=b`, the order of the encoding turned round; for people only, it isn't meant to be parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kind, value)) in self.attributes().iter().rev().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let value = value.as_deref().unwrap_or("?");
            match literal::key_of(kind) {
                Some(key) => write!(f, "{comma}{key}={value}")?,
                None => write!(f, "{comma}{kind}={value}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinguishedName({self})")
    }
}

/// A relative name: a SET of its attributes, in the order DER demands.
fn relative(attributes: &[(Oid, String)]) -> Vec<u8> {
    let mut encoded: Vec<Vec<u8>> =
        attributes.iter().map(|(kind, value)| tlv(SEQUENCE, &[&kind.der(), &text(value)])).collect();
    encoded.sort();
    let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    tlv(SET, &parts)
}

/// A string as Go writes it: PrintableString where that can hold it, UTF8String otherwise (`*` and `&` are not printable here).
fn text(value: &str) -> Vec<u8> {
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    let tag = if value.bytes().all(printable) { PRINTABLE_STRING } else { UTF8_STRING };
    tlv(tag, &[value.as_bytes()])
}

fn read(der: &[u8]) -> Result<Vec<(Oid, Option<String>)>, Malformed> {
    const TOO_MANY: Malformed = Malformed("name with too many attributes");
    let mut attributes = Vec::new();
    let mut relative_names = tlv::only(der, SEQUENCE, "malformed name")?.inside()?;
    while !relative_names.is_empty() {
        let mut set = relative_names.expect(SET, "malformed relative name")?.inside()?;
        while !set.is_empty() {
            attributes.push(attribute(set.expect(SEQUENCE, "malformed attribute of a name")?.value)?);
            if attributes.len() > MOST_ATTRIBUTES {
                return Err(TOO_MANY);
            }
        }
    }
    Ok(attributes)
}

fn attribute(pair: &[u8]) -> Result<(Oid, Option<String>), Malformed> {
    let mut parts = Elements::new(pair)?;
    let kind = parts.expect(OBJECT_IDENTIFIER, "attribute of a name without type")?;
    Ok((
        Oid::from_contents(kind.value),
        parts.next().ok().and_then(|element| string(element.tag, element.value)),
    ))
}

fn string(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING | NUMERIC_STRING => {
            std::str::from_utf8(value).ok().map(str::to_owned)
        }
        // T.61 in theory, Latin-1 in practice.
        TELETEX_STRING => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        BMP_STRING => {
            let (units, rest) = value.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16(&units).ok().filter(|_| rest.is_empty())
        }
        _ => None,
    }
}
