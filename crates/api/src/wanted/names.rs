//! Names a certificate shall carry or forbid: subject, alternative names, name constraints.
//! Names that no CSR can carry are found here, with their paths, and not when the CSR is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use everleaf_core::wanted::{NameConstraints, NameSubtrees, OtherName, Sans, Subject, SubjectFields};
use everleaf_core::x509::DistinguishedName;

use crate::certificate::{self, CertificateSpec, NameConstraintItems, X509Subject};
use crate::field_error::FieldError;
use crate::validate::Faults;

/// The most bytes of a common name (RFC 5280, upper bound of X.520).
const COMMON_NAME_MAX: usize = 64;
const LITERAL: &str = "spec.literalSubject";
const NOT_ASCII: &str =
    "only ASCII can be written into a certificate; write international names as punycode (xn--...)";

pub(super) fn subject(spec: &CertificateSpec, faults: &mut Faults) -> Subject {
    let subject = match spec.literal_subject.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => literal(text, spec, faults),
        None => Subject::Fields(fields(spec)),
    };
    let common_name = match &subject {
        Subject::Fields(fields) => fields.common_name.clone(),
        Subject::Literal(name) => name.common_name(),
    }
    .unwrap_or_default();
    if common_name.is_empty() && !has_alternative_name(spec) {
        let detail = "at least one of commonName (from the commonName field or from a literalSubject), dnsNames, uris, \
                      emailAddresses, ipAddresses or otherNames must be set";
        faults.push(FieldError::invalid("spec", "", detail));
    }
    if common_name.len() > COMMON_NAME_MAX {
        faults.push(FieldError::too_long("spec.commonName", COMMON_NAME_MAX));
    }
    subject
}

fn has_alternative_name(spec: &CertificateSpec) -> bool {
    let lists = [&spec.dns_names, &spec.uris, &spec.email_addresses, &spec.ip_addresses];
    lists.iter().any(|list| !crate::items(list).is_empty()) || !crate::items(&spec.other_names).is_empty()
}

/// A literal subject stands alone.
fn literal(text: &str, spec: &CertificateSpec, faults: &mut Faults) -> Subject {
    if let Some(name) = spec.common_name.as_deref().filter(|name| !name.is_empty()) {
        let detail = "When providing a `literalSubject` no `commonName` may be provided.";
        faults.push(FieldError::invalid("spec.commonName", name, detail));
    }
    if spec.subject.as_deref().is_some_and(says_something) {
        let detail = "When providing a `literalSubject` no `subject` properties may be provided.";
        faults.push(FieldError::forbidden("spec.subject", detail));
    }
    match DistinguishedName::parse_literal(text) {
        Ok(name) => Subject::Literal(name),
        Err(error) => {
            faults.push(FieldError::invalid(LITERAL, text, error.to_string()));
            Subject::Fields(SubjectFields::default())
        }
    }
}

fn says_something(subject: &X509Subject) -> bool {
    let lists = [
        &subject.organizations,
        &subject.countries,
        &subject.organizational_units,
        &subject.localities,
        &subject.provinces,
        &subject.street_addresses,
        &subject.postal_codes,
    ];
    let serial_number = crate::text(&subject.serial_number);
    lists.iter().any(|list| !crate::items(list).is_empty()) || !serial_number.is_empty()
}

fn fields(spec: &CertificateSpec) -> SubjectFields {
    let nothing = X509Subject::default();
    let subject = spec.subject.as_deref().unwrap_or(&nothing);
    let list = |list: &Option<Vec<String>>| crate::items(list).to_vec();
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    SubjectFields {
        common_name: filled(&spec.common_name),
        organizations: list(&subject.organizations),
        countries: list(&subject.countries),
        organizational_units: list(&subject.organizational_units),
        localities: list(&subject.localities),
        provinces: list(&subject.provinces),
        street_addresses: list(&subject.street_addresses),
        postal_codes: list(&subject.postal_codes),
        serial_number: filled(&subject.serial_number),
    }
}

pub(super) fn sans(spec: &CertificateSpec, faults: &mut Faults) -> Sans {
    let ips = crate::items(&spec.ip_addresses).iter().enumerate().filter_map(|(index, text)| {
        // An IPv4 address in IPv6 clothes is an IPv4 address to Go, and gets four bytes.
        let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
        if address.is_err() {
            faults.push(FieldError::invalid(
                format!("spec.ipAddresses[{index}]"),
                text,
                "invalid IP address",
            ));
        }
        address.ok()
    });
    let ips = ips.collect();
    for (index, address) in crate::items(&spec.email_addresses).iter().enumerate() {
        if address.is_ascii() && !is_address(address) {
            let detail =
                "invalid email address: make sure the supplied value only contains the email address itself";
            faults.push(FieldError::invalid(format!("spec.emailAddresses[{index}]"), address, detail));
        }
    }
    Sans {
        dns: ascii(&spec.dns_names, "spec.dnsNames", faults),
        emails: ascii(&spec.email_addresses, "spec.emailAddresses", faults),
        ips,
        uris: ascii(&spec.uris, "spec.uris", faults),
        other_names: spec.other_names.as_ref().map(|names| other_names(names, faults)),
    }
}

/// The extension holds IA5Strings: what isn't ASCII can't be written.
fn ascii(list: &Option<Vec<String>>, path: &str, faults: &mut Faults) -> Vec<String> {
    for (index, text) in crate::items(list).iter().enumerate() {
        if !text.is_ascii() {
            faults.push(FieldError::invalid(format!("{path}[{index}]"), text, NOT_ASCII));
        }
    }
    crate::items(list).to_vec()
}

/// A bare address: local part and domain, both of dot-separated atoms; no name around it, no quotes, no comments.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let literal = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let domain_ok = literal.map_or_else(|| is_dot_atom(domain), |address| address.parse::<IpAddr>().is_ok());
    is_dot_atom(local) && domain_ok
}

fn is_dot_atom(text: &str) -> bool {
    const SPECIALS: &[u8] = b"()<>[]:;@\\,\"";
    let is_atom =
        |atom: &str| !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_graphic() && !SPECIALS.contains(&b));
    text.split('.').all(is_atom)
}

fn other_names(names: &[certificate::OtherName], faults: &mut Faults) -> Vec<OtherName> {
    for (index, name) in names.iter().enumerate() {
        let path = format!("spec.otherNames[{index}]");
        let oid = crate::text(&name.oid);
        if oid.is_empty() {
            faults.push(FieldError::required(format!("{path}.oid"), "must be specified"));
        } else if !is_oid(oid) {
            faults.push(FieldError::invalid(format!("{path}.oid"), oid, "invalid oid syntax"));
        }
        if crate::text(&name.utf8_value).is_empty() {
            let detail = "must be set to a valid non-empty UTF8 string";
            faults.push(FieldError::required(format!("{path}.utf8Value"), detail));
        }
    }
    let known = |name: &certificate::OtherName| OtherName {
        oid: crate::text(&name.oid).to_owned(),
        value: crate::text(&name.utf8_value).to_owned(),
    };
    names.iter().map(known).collect()
}

/// Dotted numbers that can be encoded: the first is 0, 1 or 2, and below 2 the second is less than 40.
fn is_oid(text: &str) -> bool {
    let is_number = |arc: &str| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit());
    let arcs: Option<Vec<u64>> =
        text.split('.').map(|arc| is_number(arc).then(|| arc.parse().ok()).flatten()).collect();
    match arcs.as_deref() {
        Some([0 | 1, second, ..]) => *second < 40,
        Some([2, _, ..]) => true,
        _ => false,
    }
}

pub(super) fn name_constraints(spec: &CertificateSpec, faults: &mut Faults) -> Option<NameConstraints> {
    const PATH: &str = "spec.nameConstraints";
    let constraints = spec.name_constraints.as_deref()?;
    if spec.is_ca != Some(true) {
        faults.push(FieldError::forbidden(PATH, "isCA should be true when nameConstraints is set"));
    }
    if constraints.permitted.is_none() && constraints.excluded.is_none() {
        faults.push(FieldError::required(PATH, "either permitted or excluded must be set"));
    }
    let mut side = |items: &Option<NameConstraintItems>, name: &str| {
        items.as_ref().map(|items| subtrees(items, &format!("{PATH}.{name}"), faults)).unwrap_or_default()
    };
    let permitted = side(&constraints.permitted, "permitted");
    let excluded = side(&constraints.excluded, "excluded");
    Some(NameConstraints { critical: constraints.critical.unwrap_or(false), permitted, excluded })
}

fn subtrees(items: &NameConstraintItems, path: &str, faults: &mut Faults) -> NameSubtrees {
    let mut ip_ranges = Vec::new();
    for (index, text) in crate::items(&items.ip_ranges).iter().enumerate() {
        match ip_range(text) {
            Some(range) => ip_ranges.push(range),
            None => {
                let detail = "must be a network address with a prefix length, such as 10.0.0.0/8";
                faults.push(FieldError::invalid(format!("{path}.ipRanges[{index}]"), text, detail));
            }
        }
    }
    NameSubtrees {
        dns_domains: ascii(&items.dns_domains, &format!("{path}.dnsDomains"), faults),
        ip_ranges,
        email_addresses: ascii(&items.email_addresses, &format!("{path}.emailAddresses"), faults),
        uri_domains: ascii(&items.uri_domains, &format!("{path}.uriDomains"), faults),
    }
}

/// A range in CIDR notation; bits of the address beyond the prefix are cleared.
fn ip_range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let length: u8 = length.parse().ok()?;
    match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) if u32::from(length) <= Ipv4Addr::BITS => {
            let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - u32::from(length)).unwrap_or(0);
            Some((IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask)), length))
        }
        IpAddr::V6(address) if u32::from(length) <= Ipv6Addr::BITS => {
            let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - u32::from(length)).unwrap_or(0);
            Some((IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask)), length))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}
