//! Annotations and labels that the core reads from Secrets or computes for them, by the peer's names.
//! It never writes an object; the operator and the API crate use these names too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::wanted::IssuerRef;
use crate::x509::Certificate;

/// The Certificate a Secret or request belongs to.
pub const CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";
/// Name of the issuer that signed.
pub const ISSUER_NAME: &str = "cert-manager.io/issuer-name";
/// Its kind as written in the reference.
pub const ISSUER_KIND: &str = "cert-manager.io/issuer-kind";
/// Its group as written in the reference.
pub const ISSUER_GROUP: &str = "cert-manager.io/issuer-group";
/// What a Secret says of its Certificate and issuer: written with a certificate, and carried over when only the dress changes.
pub const CARRIED: [&str; 4] = [CERTIFICATE_NAME, ISSUER_NAME, ISSUER_KIND, ISSUER_GROUP];
/// Label of Secrets that the controller caches in full.
pub const FAO_LABEL: &str = "controller.cert-manager.io/fao";
/// Prefixes of keys that are ours on a Secret and never come from a template.
pub const OWN_PREFIXES: [&str; 2] = ["cert-manager.io/", "controller.cert-manager.io/"];

/// The issuer a Secret says it was issued by; `None` if it says nothing.
pub fn issued_by(annotations: &BTreeMap<String, String>) -> Option<IssuerRef> {
    let read = |key: &str| annotations.get(key).cloned();
    let (name, kind, group) = (read(ISSUER_NAME), read(ISSUER_KIND), read(ISSUER_GROUP));
    if name.is_none() && kind.is_none() && group.is_none() {
        return None;
    }
    Some(IssuerRef {
        name: name.unwrap_or_default(),
        written_kind: kind.unwrap_or_default(),
        written_group: group.unwrap_or_default(),
    })
}

/// The annotations that describe a leaf. The first four are always there, even when empty; the rest only with a value.
pub fn details(leaf: &Certificate) -> BTreeMap<String, String> {
    let sans = leaf.sans();
    let subject = leaf.subject().to_fields();
    let ips: Vec<String> = sans.ips.iter().map(ToString::to_string).collect();
    let mut details = BTreeMap::new();
    let always = [
        ("common-name", subject.common_name.clone().unwrap_or_default()),
        ("alt-names", csv(&sans.dns)),
        ("ip-sans", csv(&ips)),
        ("uri-sans", csv(&sans.uris)),
    ];
    let with_value = [
        ("email-sans", csv(&sans.emails)),
        ("subject-organizations", csv(&subject.organizations)),
        ("subject-organizationalunits", csv(&subject.organizational_units)),
        ("subject-countries", csv(&subject.countries)),
        ("subject-provinces", csv(&subject.provinces)),
        ("subject-localities", csv(&subject.localities)),
        ("subject-postalcodes", csv(&subject.postal_codes)),
        ("subject-streetaddresses", csv(&subject.street_addresses)),
        ("subject-serialnumber", subject.serial_number.clone().unwrap_or_default()),
    ];
    details.extend(always.into_iter().map(|(key, value)| (format!("cert-manager.io/{key}"), value)));
    let rest = with_value.into_iter().filter(|(_, value)| !value.is_empty());
    details.extend(rest.map(|(key, value)| (format!("cert-manager.io/{key}"), value)));
    details
}

/// One line of RFC 4180: a field with a comma, a quote, a line break or a leading blank is quoted.
fn csv(fields: &[String]) -> String {
    let mut line = String::new();
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        let quoted = field.contains([',', '"', '\r', '\n']) || field.starts_with([' ', '\t']);
        // Writing to a String can't fail.
        let _ =
            if quoted { write!(line, "\"{}\"", field.replace('"', "\"\"")) } else { write!(line, "{field}") };
    }
    line
}
