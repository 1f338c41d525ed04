//! Subject alternative names: written for a CSR, read from a CSR or a certificate.
//! It never judges a name beyond what the extension can carry, which is ASCII.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::csr::CsrError;
use super::oid::Oid;
use super::tlv::{
    self, Element, Malformed, OBJECT_IDENTIFIER, SEQUENCE, UTF8_STRING, context, context_constructed, tlv,
};
use crate::wanted::{OtherName, Sans};

/// The choices of GeneralName (RFC 5280 4.2.1.6) that we write.
const OTHER_NAME: u8 = context_constructed(0);
pub(super) const EMAIL: u8 = context(1);
pub(super) const DNS: u8 = context(2);
pub(super) const URI: u8 = context(6);
pub(super) const IP: u8 = context(7);
/// The last choice there is: registeredID.
const LAST_CHOICE: u8 = 8;

/// The most names that are read from one extension.
const MOST_NAMES: usize = 10_000;

/// Subject alternative names, in the order found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// DNS names.
    pub dns: Vec<String>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// IP addresses. An IPv4 address written as IPv6 is read as what it is.
    pub ips: Vec<IpAddr>,
    /// URIs.
    pub uris: Vec<String>,
    /// otherNames that hold a UTF8String; others are left out.
    pub other_names: Vec<OtherName>,
}

impl Names {
    /// True if there is no name of a kind we know.
    pub fn is_empty(&self) -> bool {
        *self == Names::default()
    }

    /// Reads the value of the extension.
    pub(super) fn read(der: &[u8]) -> Result<Names, Malformed> {
        let mut elements = tlv::only(der, SEQUENCE, "malformed subject alternative names")?.inside()?;
        let (mut names, mut count) = (Names::default(), 0);
        while !elements.is_empty() {
            names.push(&elements.next()?)?;
            count += 1;
            if count > MOST_NAMES {
                return Err(Malformed("too many subject alternative names"));
            }
        }
        Ok(names)
    }

    fn push(&mut self, name: &Element<'_>) -> Result<(), Malformed> {
        match name.tag {
            EMAIL => self.emails.push(ascii(name.value)?),
            DNS => self.dns.push(ascii(name.value)?),
            URI => self.uris.push(ascii(name.value)?),
            IP => self.ips.push(address(name.value)?),
            OTHER_NAME => self.other_names.extend(other_name(name)?),
            tag if (context(0)..=context(LAST_CHOICE)).contains(&(tag & !0x20)) => {}
            _ => return Err(Malformed("subject alternative name of an unknown kind")),
        }
        Ok(())
    }
}

/// The value of the extension, in Go's order (DNS, e-mail, IP, URI, then otherNames); `None` if there are no names.
pub(super) fn der(sans: &Sans) -> Result<Option<Vec<u8>>, CsrError> {
    let mut names = Vec::new();
    for (field, tag, values) in [("dnsNames", DNS, &sans.dns), ("emailAddresses", EMAIL, &sans.emails)] {
        for value in values {
            names.push(ascii_name(field, tag, value)?);
        }
    }
    names.extend(sans.ips.iter().map(|ip| tlv(IP, &[&address_octets(*ip)])));
    for value in &sans.uris {
        names.push(ascii_name("uris", URI, value)?);
    }
    for name in sans.other_names.iter().flatten() {
        let kind = Oid::parse(&name.oid).ok_or_else(|| CsrError::NotAnOid(name.oid.clone()))?;
        let value = tlv(context_constructed(0), &[&tlv(UTF8_STRING, &[name.value.as_bytes()])]);
        names.push(tlv(OTHER_NAME, &[&kind.der(), &value]));
    }
    let parts: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    Ok((!parts.is_empty()).then(|| tlv(SEQUENCE, &parts)))
}

/// A name that must be ASCII.
pub(super) fn ascii_name(field: &'static str, tag: u8, value: &str) -> Result<Vec<u8>, CsrError> {
    if !value.is_ascii() {
        return Err(CsrError::NotAscii { field, value: value.to_owned() });
    }
    Ok(tlv(tag, &[value.as_bytes()]))
}

/// IPv4 in four bytes, also when it was written as an IPv6 address.
pub(super) fn address_octets(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn ascii(bytes: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii());
    text.map(str::to_owned).ok_or(Malformed("subject alternative name that isn't ASCII"))
}

fn address(bytes: &[u8]) -> Result<IpAddr, Malformed> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Ok(IpAddr::V4(Ipv4Addr::from(four)));
    }
    let sixteen =
        <[u8; 16]>::try_from(bytes).map_err(|_| Malformed("IP address of neither 4 nor 16 bytes"))?;
    Ok(IpAddr::V6(Ipv6Addr::from(sixteen)).to_canonical())
}

fn other_name(name: &Element<'_>) -> Result<Option<OtherName>, Malformed> {
    let mut parts = name.inside()?;
    let kind = parts.expect(OBJECT_IDENTIFIER, "otherName without type")?;
    let wrapped = parts.expect(context_constructed(0), "otherName without value")?;
    let value = wrapped.inside()?.next()?;
    let text = (value.tag == UTF8_STRING).then(|| String::from_utf8(value.value.to_vec()).ok()).flatten();
    let oid = Oid::from_contents(kind.value).dotted();
    Ok(oid.zip(text).map(|(oid, value)| OtherName { oid, value }))
}
