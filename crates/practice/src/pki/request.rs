//! Writes certificate requests (PKCS#10): subject, key, alternative names. For tests and the demo.
//! Only what requests in this crate need; the product has its own writer.
//! Nothing is checked: a bad name gives a bad request, which is sometimes wanted.

use const_oid::db::{rfc5280, rfc5912};

use super::certificate;
use super::der_out::{bit_string, element, explicit, octet_string, oid, positive_integer, sequence, tag};
use super::keys::CaKey;
use super::reading::AltNames;

/// Writes and signs a request.
pub(crate) fn sign(common_name: &str, names: &AltNames, key: &CaKey) -> Option<Vec<u8>> {
    let written = certificate::general_names(names);
    let attributes = if written.is_empty() {
        Vec::new()
    } else {
        let names = octet_string(&sequence(&written));
        let extension = sequence(&[oid(rfc5280::ID_CE_SUBJECT_ALT_NAME), names]);
        let values = element(tag::SET, &sequence(&[extension]));
        sequence(&[oid(rfc5912::ID_EXTENSION_REQ), values])
    };
    let info = sequence(&[
        positive_integer(&[0]),
        certificate::common_name(common_name),
        key.public(),
        explicit(0, &attributes),
    ]);
    let signature = key.sign(&info)?;
    Some(sequence(&[info, key.signature_algorithm(), bit_string(&signature)]))
}
