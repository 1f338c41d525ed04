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

/// A leaf that is its own issuer, and its key.
pub(crate) fn self_signed_leaf(name: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key, subject) = (path("tls.crt"), path("tls.key"), format!("/CN={name}"));
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    let mut arguments = new.to_vec();
    arguments.extend(["-addext", "basicConstraints=critical,CA:FALSE", "-subj", &subject]);
    arguments.extend(["-keyout", &key, "-out", &certificate]);
    openssl::run(&arguments, b"").unwrap();
    (std::fs::read_to_string(certificate).unwrap(), std::fs::read_to_string(key).unwrap())
}

/// The key of the last of so many intermediates, with all of them, each with so many bytes of comment, and their root.
pub(crate) fn fat_chain(links: usize, bytes: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let (root, root_key) = openssl::root("a root with a long line");
    write("0.crt", &root);
    write("0.key", &root_key);
    let comment = "x".repeat(bytes);
    let usage =
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash";
    write("extensions", &format!("{usage}\nnsComment={comment}\n"));
    for link in 1..=links {
        let (key, request) = (path(&format!("{link}.key")), path(&format!("{link}.csr")));
        let new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let mut arguments = new.to_vec();
        let subject = format!("/CN=link {link}");
        arguments.extend(["-subj", &subject, "-keyout", &key, "-out", &request]);
        openssl::run(&arguments, b"").unwrap();
        let (ca, ca_key) = (path(&format!("{}.crt", link - 1)), path(&format!("{}.key", link - 1)));
        let (out, extensions) = (path(&format!("{link}.crt")), path("extensions"));
        let sign =
            ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-days", "3650", "-out", &out];
        let mut arguments = sign.to_vec();
        arguments.extend(["-extfile", &extensions]);
        openssl::run(&arguments, b"").unwrap();
    }
    let certificates: String = (0..=links).rev().map(|link| read(&format!("{link}.crt"))).collect();
    read(&format!("{links}.key")) + &certificates
}
