//! Keys, requests and certificates made and judged by the `openssl` command, so that nothing of the product judges itself.

use serde_json::Value;

use crate::support::openssl;
use crate::support::space::data;

/// A CSR for a host name, signed by a key that is thrown away.
pub(crate) fn csr(name: &str) -> String {
    csr_with(name, &[])
}

/// One that asks for the usages of a server.
pub(crate) fn csr_for_servers(name: &str) -> String {
    csr_with(name, &["-addext", "extendedKeyUsage=serverAuth"])
}

/// One that asks for a CA.
pub(crate) fn csr_for_a_ca(name: &str) -> String {
    csr_with(name, &["-addext", "basicConstraints=critical,CA:TRUE"])
}

fn csr_with(name: &str, more: &[&str]) -> String {
    let (subject, sans) = (format!("/CN={name}"), format!("subjectAltName=DNS:{name}"));
    let new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let mut arguments = new.to_vec();
    arguments.extend(["-keyout", "/dev/null", "-subj", &subject, "-addext", &sans]);
    arguments.extend(more);
    openssl::run(&arguments, b"").unwrap()
}

/// What is wrong with a target Secret: a key that doesn't fit its certificate, or either of them alone.
pub(crate) fn mismatch(secret: &Value) -> Option<String> {
    let (key, certificate) = (data(secret, "tls.key"), data(secret, "tls.crt"));
    if key.is_empty() || certificate.is_empty() {
        return Some(format!("tls.key has {} bytes, tls.crt {}", key.len(), certificate.len()));
    }
    let of_key = openssl::run(&["pkey", "-pubout"], &key);
    let of_certificate = openssl::run(&["x509", "-noout", "-pubkey"], &certificate);
    match (of_key, of_certificate) {
        (Ok(key), Ok(certificate)) if key == certificate => None,
        (key, certificate) => Some(format!("key {key:?} certificate {certificate:?}")),
    }
}
