//! Key usages and extended key usages: from the words of the API to bits and OIDs, and to and from DER.
//! One place for CSRs, leaves and comparisons, so that they can't disagree. It never drops, sorts or merges a usage.

use super::oid::{Oid, oid_bytes};
use super::tlv::{self, BIT_STRING, Malformed, OBJECT_IDENTIFIER, SEQUENCE, tlv};
use crate::wanted::Usage;

/// The bits of a KeyUsage extension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// digitalSignature
    pub const DIGITAL_SIGNATURE: KeyUsage = KeyUsage(1);
    /// nonRepudiation, now called contentCommitment
    pub const CONTENT_COMMITMENT: KeyUsage = KeyUsage(1 << 1);
    /// keyEncipherment
    pub const KEY_ENCIPHERMENT: KeyUsage = KeyUsage(1 << 2);
    /// dataEncipherment
    pub const DATA_ENCIPHERMENT: KeyUsage = KeyUsage(1 << 3);
    /// keyAgreement
    pub const KEY_AGREEMENT: KeyUsage = KeyUsage(1 << 4);
    /// keyCertSign
    pub const CERT_SIGN: KeyUsage = KeyUsage(1 << 5);
    /// cRLSign
    pub const CRL_SIGN: KeyUsage = KeyUsage(1 << 6);
    /// encipherOnly
    pub const ENCIPHER_ONLY: KeyUsage = KeyUsage(1 << 7);
    /// decipherOnly
    pub const DECIPHER_ONLY: KeyUsage = KeyUsage(1 << 8);

    const BITS: usize = 9;

    /// No bit at all.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All bits of `other` are there.
    pub fn contains(self, other: KeyUsage) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    pub fn with(self, other: KeyUsage) -> KeyUsage {
        KeyUsage(self.0 | other.0)
    }

    /// The bit's number counts from the left in DER, and zeros at the end are left out.
    pub(super) fn der(self) -> Vec<u8> {
        let reversed = self.0.reverse_bits();
        let [first, second] = reversed.to_be_bytes();
        let used = 16 - reversed.trailing_zeros().min(16);
        let unused = |bytes: u32| u8::try_from(bytes * 8 - used).unwrap_or_default();
        match used {
            0 => tlv(BIT_STRING, &[&[0]]),
            1..=8 => tlv(BIT_STRING, &[&[unused(1), first]]),
            _ => tlv(BIT_STRING, &[&[unused(2), first, second]]),
        }
    }

    pub(super) fn read(der: &[u8]) -> Result<KeyUsage, Malformed> {
        const BROKEN: Malformed = Malformed("malformed key usage");
        let element = tlv::only(der, BIT_STRING, "malformed key usage")?;
        let (_unused, bytes) = element.value.split_first().ok_or(BROKEN)?;
        let padded = [bytes.first().copied().unwrap_or_default(), bytes.get(1).copied().unwrap_or_default()];
        let known = (1 << KeyUsage::BITS) - 1;
        Ok(KeyUsage(u16::from_be_bytes(padded).reverse_bits() & known))
    }
}

const ANY: &[u8] = oid_bytes!("2.5.29.37.0");
const SERVER_AUTH: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.2");
const CODE_SIGNING: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.3");
const EMAIL_PROTECTION: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.4");
const IPSEC_END_SYSTEM: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.5");
const IPSEC_TUNNEL: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.6");
const IPSEC_USER: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.7");
const TIME_STAMPING: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.8");
const OCSP_SIGNING: &[u8] = oid_bytes!("1.3.6.1.5.5.7.3.9");
const MICROSOFT_SGC: &[u8] = oid_bytes!("1.3.6.1.4.1.311.10.3.3");
const NETSCAPE_SGC: &[u8] = oid_bytes!("2.16.840.1.113730.4.1");
const MICROSOFT_COMMERCIAL_CODE: &[u8] = oid_bytes!("1.3.6.1.4.1.311.2.1.22");
const MICROSOFT_KERNEL_CODE: &[u8] = oid_bytes!("1.3.6.1.4.1.311.61.1.1");

/// The extended usages the peer knows; it leaves others out of comparisons (and out of what it signs).
const KNOWN: [&[u8]; 14] = [
    ANY,
    SERVER_AUTH,
    CLIENT_AUTH,
    CODE_SIGNING,
    EMAIL_PROTECTION,
    IPSEC_END_SYSTEM,
    IPSEC_TUNNEL,
    IPSEC_USER,
    TIME_STAMPING,
    OCSP_SIGNING,
    MICROSOFT_SGC,
    NETSCAPE_SGC,
    MICROSOFT_COMMERCIAL_CODE,
    MICROSOFT_KERNEL_CODE,
];

/// What a usage is in X.509.
enum Meaning {
    Bit(KeyUsage),
    Extended(&'static [u8]),
}

/// What usages mean for a certificate: bits, and OIDs in the order written. No usages mean digital signature and key encipherment; a CA
/// always gets cert sign (certificate-lifecycle 2.12). A usage written twice comes out twice, as with the peer, whose webhook compares.
pub fn effective(usages: &[Usage], is_ca: bool) -> (KeyUsage, Vec<Oid>) {
    const DEFAULT: [Usage; 2] = [Usage::DigitalSignature, Usage::KeyEncipherment];
    let usages = if usages.is_empty() { &DEFAULT[..] } else { usages };
    let mut bits = if is_ca { KeyUsage::CERT_SIGN } else { KeyUsage::default() };
    let mut extended = Vec::new();
    for usage in usages {
        match meaning(*usage) {
            Meaning::Bit(bit) => bits = bits.with(bit),
            Meaning::Extended(oid) => extended.push(Oid::from_contents(oid)),
        }
    }
    (bits, extended)
}

fn meaning(usage: Usage) -> Meaning {
    match usage {
        Usage::Signing | Usage::DigitalSignature => Meaning::Bit(KeyUsage::DIGITAL_SIGNATURE),
        Usage::ContentCommitment => Meaning::Bit(KeyUsage::CONTENT_COMMITMENT),
        Usage::KeyEncipherment => Meaning::Bit(KeyUsage::KEY_ENCIPHERMENT),
        Usage::KeyAgreement => Meaning::Bit(KeyUsage::KEY_AGREEMENT),
        Usage::DataEncipherment => Meaning::Bit(KeyUsage::DATA_ENCIPHERMENT),
        Usage::CertSign => Meaning::Bit(KeyUsage::CERT_SIGN),
        Usage::CrlSign => Meaning::Bit(KeyUsage::CRL_SIGN),
        Usage::EncipherOnly => Meaning::Bit(KeyUsage::ENCIPHER_ONLY),
        Usage::DecipherOnly => Meaning::Bit(KeyUsage::DECIPHER_ONLY),
        Usage::Any => Meaning::Extended(ANY),
        Usage::ServerAuth => Meaning::Extended(SERVER_AUTH),
        Usage::ClientAuth => Meaning::Extended(CLIENT_AUTH),
        Usage::CodeSigning => Meaning::Extended(CODE_SIGNING),
        Usage::EmailProtection | Usage::SMime => Meaning::Extended(EMAIL_PROTECTION),
        Usage::IpsecEndSystem => Meaning::Extended(IPSEC_END_SYSTEM),
        Usage::IpsecTunnel => Meaning::Extended(IPSEC_TUNNEL),
        Usage::IpsecUser => Meaning::Extended(IPSEC_USER),
        Usage::Timestamping => Meaning::Extended(TIME_STAMPING),
        Usage::OcspSigning => Meaning::Extended(OCSP_SIGNING),
        Usage::MicrosoftSgc => Meaning::Extended(MICROSOFT_SGC),
        Usage::NetscapeSgc => Meaning::Extended(NETSCAPE_SGC),
    }
}

/// Whether the peer knows an extended usage.
pub(super) fn is_known(oid: &Oid) -> bool {
    KNOWN.contains(&oid.contents())
}

/// ExtKeyUsageSyntax.
pub(super) fn extended_der(usages: &[Oid]) -> Vec<u8> {
    let encoded: Vec<Vec<u8>> = usages.iter().map(Oid::der).collect();
    let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    tlv(SEQUENCE, &parts)
}

pub(super) fn read_extended(der: &[u8]) -> Result<Vec<Oid>, Malformed> {
    let mut elements = tlv::only(der, SEQUENCE, "malformed extended key usage")?.inside()?;
    let mut usages = Vec::new();
    while !elements.is_empty() {
        let oid = elements.expect(OBJECT_IDENTIFIER, "malformed extended key usage")?;
        usages.push(Oid::from_contents(oid.value));
    }
    Ok(usages)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn key_usage_bits_are_written_as_der_demands_and_read_back() {
        let both = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT);
        let table: [(KeyUsage, &[u8]); 6] = [
            (KeyUsage::default(), &[3, 1, 0]),
            (KeyUsage::DIGITAL_SIGNATURE, &[3, 2, 7, 0x80]),
            (both, &[3, 2, 5, 0xa0]),
            (both.with(KeyUsage::CERT_SIGN), &[3, 2, 2, 0xa4]),
            (KeyUsage::ENCIPHER_ONLY, &[3, 2, 0, 1]),
            (KeyUsage::DECIPHER_ONLY, &[3, 3, 7, 0, 0x80]),
        ];
        for (usage, der) in table {
            assert_eq!(usage.der(), der);
            assert_eq!(KeyUsage::read(der).unwrap(), usage);
        }
    }

    #[test]
    fn no_usages_mean_the_default_pair_and_a_ca_signs_certificates() {
        let pair = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT);
        assert_eq!(effective(&[], false), (pair, vec![]));
        assert_eq!(effective(&[], true), (pair.with(KeyUsage::CERT_SIGN), vec![]));
        assert_eq!(effective(&[Usage::ServerAuth], true).0, KeyUsage::CERT_SIGN);
        assert_eq!(effective(&[Usage::ServerAuth], false).0, KeyUsage::default());
        assert_eq!(effective(&[Usage::Signing], false).0, KeyUsage::DIGITAL_SIGNATURE);
    }

    #[test]
    fn extended_usages_keep_their_order_and_their_number() {
        let (_, oids) = effective(&[Usage::SMime, Usage::ClientAuth, Usage::EmailProtection], false);
        let dotted: Vec<String> = oids.iter().map(ToString::to_string).collect();
        assert_eq!(dotted, ["1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"]);
        assert_eq!(read_extended(&extended_der(&oids)).unwrap(), oids);
        assert!(oids.iter().all(is_known));
    }
}
