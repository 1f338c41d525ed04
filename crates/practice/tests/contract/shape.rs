//! What a signed certificate says, the parts aside that differ from run to run: serial number, dates, CA key.
//! Two servers that follow the same rules give the same shape for the same request.
//! Extensions are compared in their order, with their criticality and their bytes.

use const_oid::db::rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER;
use der::{DecodePem, Encode};
use serde_json::Value;
use x509_cert::Certificate;

/// The shape of the certificate in an answer; nothing where there is none in PEM.
pub fn shape(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let pem = body.pointer("/data/certificate")?.as_str()?;
    // A bundle holds the leaf first; the pipe of PEM blocks isn't one document.
    let end = "-----END CERTIFICATE-----";
    let leaf = &pem[..pem.find(end)? + end.len()];
    let certificate = Certificate::from_pem(leaf).ok()?;
    let tbs = certificate.tbs_certificate();
    let validity = tbs.validity();
    let life =
        validity.not_after.to_unix_duration().as_secs() - validity.not_before.to_unix_duration().as_secs();
    let mut shape = format!(
        "version {:?}, signed by {}, subject {}, life {life}\n",
        tbs.version(),
        certificate.signature_algorithm().oid,
        hex(&tbs.subject().to_der().ok()?)
    );
    for extension in tbs.extensions()? {
        let value = match extension.extn_id {
            // Names the CA's key, which differs.
            ID_CE_AUTHORITY_KEY_IDENTIFIER => format!("{} bytes", extension.extn_value.as_bytes().len()),
            _ => hex(extension.extn_value.as_bytes()),
        };
        shape.push_str(&format!("{} critical {} {value}\n", extension.extn_id, extension.critical));
    }
    Some(shape)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
