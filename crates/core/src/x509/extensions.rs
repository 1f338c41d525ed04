//! Extensions: the frame around each, and the values of those that are simple enough to need no file of their own.
//! It never decides which extensions a certificate gets; `csr.rs` and `issue.rs` do.

use std::net::IpAddr;

use super::csr::CsrError;
use super::oid::{Oid, oid_bytes};
use super::sans::{self, DNS, EMAIL, IP, URI, address_octets};
use super::tlv::{
    self, BOOLEAN, Element, Elements, INTEGER, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, context,
    context_constructed, tlv,
};
use crate::wanted::{NameConstraints, NameSubtrees};

pub(super) const SUBJECT_KEY_ID: &[u8] = oid_bytes!("2.5.29.14");
pub(super) const KEY_USAGE: &[u8] = oid_bytes!("2.5.29.15");
pub(super) const SUBJECT_ALT_NAME: &[u8] = oid_bytes!("2.5.29.17");
pub(super) const BASIC_CONSTRAINTS: &[u8] = oid_bytes!("2.5.29.19");
pub(super) const NAME_CONSTRAINTS: &[u8] = oid_bytes!("2.5.29.30");
pub(super) const CRL_DISTRIBUTION_POINTS: &[u8] = oid_bytes!("2.5.29.31");
pub(super) const AUTHORITY_KEY_ID: &[u8] = oid_bytes!("2.5.29.35");
pub(super) const EXTENDED_KEY_USAGE: &[u8] = oid_bytes!("2.5.29.37");
pub(super) const AUTHORITY_ACCESS: &[u8] = oid_bytes!("1.3.6.1.5.5.7.1.1");
const OCSP: &[u8] = oid_bytes!("1.3.6.1.5.5.7.48.1");
const CA_ISSUERS: &[u8] = oid_bytes!("1.3.6.1.5.5.7.48.2");

/// The most extensions that are read from one certificate or request.
const MOST_EXTENSIONS: usize = 200;

/// An extension, not interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its type.
    pub oid: Oid,
    /// Whether it is critical.
    pub critical: bool,
    /// The DER inside.
    pub value: Vec<u8>,
}

impl Extension {
    pub(super) fn new(oid: &[u8], critical: bool, value: Vec<u8>) -> Extension {
        Extension { oid: Oid::from_contents(oid), critical, value }
    }

    pub(super) fn is(&self, oid: &[u8]) -> bool {
        self.oid.contents() == oid
    }

    fn der(&self) -> Vec<u8> {
        let critical = if self.critical { tlv(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
        tlv(SEQUENCE, &[&self.oid.der(), &critical, &tlv(OCTET_STRING, &[&self.value])])
    }

    fn read(element: &Element<'_>) -> Result<Extension, Malformed> {
        let mut parts = element.inside()?;
        let oid = Oid::from_contents(parts.expect(OBJECT_IDENTIFIER, "extension without type")?.value);
        let critical = parts.optional(BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
        let value = parts.expect(OCTET_STRING, "extension without value")?.value.to_vec();
        parts.finish("bytes after an extension")?;
        Ok(Extension { oid, critical, value })
    }
}

/// A SEQUENCE of extensions.
pub(super) fn list_der(extensions: &[Extension]) -> Vec<u8> {
    let encoded: Vec<Vec<u8>> = extensions.iter().map(Extension::der).collect();
    let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    tlv(SEQUENCE, &parts)
}

/// Reads a SEQUENCE of extensions.
pub(super) fn read_list(der: &[u8]) -> Result<Vec<Extension>, Malformed> {
    let mut elements = tlv::only(der, SEQUENCE, "malformed extensions")?.inside()?;
    let mut extensions = Vec::new();
    while !elements.is_empty() {
        if extensions.len() >= MOST_EXTENSIONS {
            return Err(Malformed("too many extensions"));
        }
        extensions.push(Extension::read(&elements.expect(SEQUENCE, "malformed extension")?)?);
    }
    Ok(extensions)
}

/// BasicConstraints without a path length.
pub(super) fn basic_constraints(is_ca: bool) -> Extension {
    let flag = if is_ca { tlv(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    Extension::new(BASIC_CONSTRAINTS, true, tlv(SEQUENCE, &[&flag]))
}

/// The CA bit.
pub(super) fn read_ca_bit(der: &[u8]) -> Result<bool, Malformed> {
    let mut parts = tlv::only(der, SEQUENCE, "malformed basic constraints")?.inside()?;
    let is_ca = parts.optional(BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
    parts.optional(INTEGER)?;
    parts.finish("malformed basic constraints")?;
    Ok(is_ca)
}

/// SubjectKeyIdentifier.
pub(super) fn subject_key_id(id: &[u8]) -> Extension {
    Extension::new(SUBJECT_KEY_ID, false, tlv(OCTET_STRING, &[id]))
}

/// AuthorityKeyIdentifier with nothing but the key's identifier.
pub(super) fn authority_key_id(id: &[u8]) -> Extension {
    Extension::new(AUTHORITY_KEY_ID, false, tlv(SEQUENCE, &[&tlv(context(0), &[id])]))
}

pub(super) fn read_subject_key_id(der: &[u8]) -> Option<Vec<u8>> {
    tlv::only(der, OCTET_STRING, "").ok().map(|id| id.value.to_vec())
}

pub(super) fn read_authority_key_id(der: &[u8]) -> Option<Vec<u8>> {
    let mut parts = tlv::only(der, SEQUENCE, "").and_then(|element| element.inside()).ok()?;
    parts.optional(context(0)).ok()?.map(|id| id.value.to_vec())
}

/// CRLDistributionPoints: one point for each URL. `None` without URLs; an error names the URL that isn't ASCII.
pub(super) fn crl_distribution_points(urls: &[String]) -> Result<Option<Extension>, CsrError> {
    let points = urls.iter().map(|url| {
        let name = sans::ascii_name("crlDistributionPoints", URI, url)?;
        Ok(tlv(SEQUENCE, &[&tlv(context_constructed(0), &[&tlv(context_constructed(0), &[&name])])]))
    });
    sequence_of(points, CRL_DISTRIBUTION_POINTS)
}

/// AuthorityInfoAccess: OCSP responders, then where the issuer's certificate is.
pub(super) fn authority_access(ocsp: &[String], issuers: &[String]) -> Result<Option<Extension>, CsrError> {
    let ocsp = ocsp.iter().map(|url| (OCSP, "ocspServers", url));
    let issuers = issuers.iter().map(|url| (CA_ISSUERS, "issuingCertificateURLs", url));
    let entries = ocsp.chain(issuers).map(|(method, field, url)| {
        Ok(tlv(SEQUENCE, &[&tlv(OBJECT_IDENTIFIER, &[method]), &sans::ascii_name(field, URI, url)?]))
    });
    sequence_of(entries, AUTHORITY_ACCESS)
}

fn sequence_of(
    entries: impl Iterator<Item = Result<Vec<u8>, CsrError>>,
    oid: &[u8],
) -> Result<Option<Extension>, CsrError> {
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    Ok((!parts.is_empty()).then(|| Extension::new(oid, false, tlv(SEQUENCE, &parts))))
}

/// NameConstraints; `None` if nothing is constrained.
pub(super) fn name_constraints(wanted: &NameConstraints) -> Result<Option<Extension>, CsrError> {
    let permitted = subtrees(context_constructed(0), &wanted.permitted)?;
    let excluded = subtrees(context_constructed(1), &wanted.excluded)?;
    if permitted.is_empty() && excluded.is_empty() {
        return Ok(None);
    }
    Ok(Some(Extension::new(NAME_CONSTRAINTS, wanted.critical, tlv(SEQUENCE, &[&permitted, &excluded]))))
}

/// One side, in Go's order; empty if it names nothing.
fn subtrees(tag: u8, side: &NameSubtrees) -> Result<Vec<u8>, CsrError> {
    let mut bases = Vec::new();
    for domain in &side.dns_domains {
        bases.push(sans::ascii_name("nameConstraints dnsDomains", DNS, domain)?);
    }
    bases.extend(side.ip_ranges.iter().map(|(ip, prefix)| tlv(IP, &[&range(*ip, *prefix)])));
    for address in &side.email_addresses {
        bases.push(sans::ascii_name("nameConstraints emailAddresses", EMAIL, address)?);
    }
    for domain in &side.uri_domains {
        bases.push(sans::ascii_name("nameConstraints uriDomains", URI, domain)?);
    }
    let encoded: Vec<Vec<u8>> = bases.iter().map(|base| tlv(SEQUENCE, &[base])).collect();
    let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    Ok(if parts.is_empty() { Vec::new() } else { tlv(tag, &parts) })
}

/// Address and mask; bits of the address that the mask hides are zero.
fn range(ip: IpAddr, prefix: u8) -> Vec<u8> {
    let octets = address_octets(ip);
    // A mapped IPv4 address has lost its first 96 bits, and so has its prefix.
    let hidden = if ip.is_ipv6() && octets.len() == 4 { 96 } else { 0 };
    let prefix = usize::from(prefix).saturating_sub(hidden);
    let mask: Vec<u8> = (0..octets.len())
        .map(|at| {
            let ones = prefix.saturating_sub(at * 8).min(8);
            u8::try_from(0xff00_u16 >> ones & 0xff).unwrap_or_default()
        })
        .collect();
    octets.iter().zip(&mask).map(|(octet, mask)| octet & mask).chain(mask.iter().copied()).collect()
}

/// Whether `der` is NameConstraints that say something: what a CSR asks for is copied only if a reader can make sense of it.
pub(super) fn are_name_constraints(der: &[u8]) -> Result<(), Malformed> {
    const WHAT: &str = "malformed name constraints";
    let mut sides: Elements<'_> = tlv::only(der, SEQUENCE, WHAT)?.inside()?;
    let mut bases = 0;
    for side in [context_constructed(0), context_constructed(1)] {
        let Some(side) = sides.optional(side)? else { continue };
        let mut subtrees = side.inside()?;
        while !subtrees.is_empty() {
            subtrees.expect(SEQUENCE, WHAT)?.inside()?.next()?;
            bases += 1;
        }
    }
    sides.finish(WHAT)?;
    if bases == 0 { Err(Malformed("empty name constraints")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ip_ranges_are_masked() {
        let table: [(&str, u8, &[u8]); 6] = [
            ("10.1.2.3", 8, &[10, 0, 0, 0, 255, 0, 0, 0]),
            ("10.1.2.3", 31, &[10, 1, 2, 2, 255, 255, 255, 254]),
            ("10.1.2.3", 32, &[10, 1, 2, 3, 255, 255, 255, 255]),
            ("10.1.2.3", 0, &[0; 8]),
            ("10.255.0.0", 12, &[10, 240, 0, 0, 255, 240, 0, 0]),
            ("::ffff:10.1.2.3", 104, &[10, 0, 0, 0, 255, 0, 0, 0]),
        ];
        for (ip, prefix, octets) in table {
            assert_eq!(range(ip.parse().unwrap(), prefix), octets, "{ip}/{prefix}");
        }
        let six = range("2001:db8::1".parse().unwrap(), 32);
        let zeros = [0_u8; 12];
        assert_eq!(six, [&[0x20, 1, 0x0d, 0xb8][..], &zeros, &[255; 4], &zeros].concat());
    }
}
