//! Why a certificate must be issued again: an ordered list of small checks, read from the top, first violation wins.
//! The order, the reasons and the key words of the messages are the peer's, because users and tools know them. It never decides what to do.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::annotations;
use crate::observed::{Entry, Identity, KeyFacts, RequestSeen, SecretSeen};
use crate::renewal::{RenewalTime, renewal_time};
use crate::temporary;
use crate::wanted::{OtherName, Subject, SubjectFields, Wanted};
use crate::x509::Certificate;

/// Something that isn't as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The condition reason.
    pub reason: Reason,
    /// A sentence.
    pub message: String,
}

/// Reasons of the `Issuing` and `Ready` conditions of a Certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Reason {
    DoesNotExist,
    MissingData,
    InvalidKeyPair,
    InvalidCertificate,
    IncorrectIssuer,
    IncorrectCertificate,
    SecretMismatch,
    InvalidCertificateRequest,
    RequestChanged,
    Renewing,
    Expired,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Reason; 11] = [
        Reason::DoesNotExist,
        Reason::MissingData,
        Reason::InvalidKeyPair,
        Reason::InvalidCertificate,
        Reason::IncorrectIssuer,
        Reason::IncorrectCertificate,
        Reason::SecretMismatch,
        Reason::InvalidCertificateRequest,
        Reason::RequestChanged,
        Reason::Renewing,
        Reason::Expired,
    ];

    /// The word in conditions and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::DoesNotExist => "DoesNotExist",
            Reason::MissingData => "MissingData",
            Reason::InvalidKeyPair => "InvalidKeyPair",
            Reason::InvalidCertificate => "InvalidCertificate",
            Reason::IncorrectIssuer => "IncorrectIssuer",
            Reason::IncorrectCertificate => "IncorrectCertificate",
            Reason::SecretMismatch => "SecretMismatch",
            Reason::InvalidCertificateRequest => "InvalidCertificateRequest",
            Reason::RequestChanged => "RequestChanged",
            Reason::Renewing => "Renewing",
            Reason::Expired => "Expired",
        }
    }
}

/// What the checks look at.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The wish.
    pub wanted: &'a Wanted,
    /// Whose wish it is.
    pub me: &'a Identity,
    /// The target Secret.
    pub secret: Option<&'a SecretSeen>,
    /// The request the Secret came from, if it still exists.
    pub current: Option<&'a RequestSeen>,
    /// Whether it has to be owned by the Certificate.
    pub owned: bool,
    /// The time.
    pub now: Timestamp,
}

type Check = fn(&Evidence<'_>) -> Option<Violation>;

const SOUND: [Check; 9] = [
    secret_is_missing,
    secret_lacks_data,
    key_and_certificate_differ,
    issued_by_another_issuer,
    issued_for_another_certificate,
    key_is_not_as_wanted,
    key_is_not_that_of_the_request,
    request_is_not_as_wanted,
    certificate_is_not_as_wanted,
];

/// The first reason to issue, if there is one: something is wrong, or its time has come.
pub fn must_issue(evidence: &Evidence<'_>) -> Option<Violation> {
    first(&SOUND, evidence).or_else(|| renewal_is_due(evidence))
}

/// The first reason why the certificate in use isn't ready: something is wrong, or it has expired.
pub fn not_ready(evidence: &Evidence<'_>) -> Option<Violation> {
    first(&SOUND, evidence).or_else(|| has_expired(evidence))
}

/// The first reason why the Secret can't be used at all: what a temporary certificate would mend.
pub fn unusable(evidence: &Evidence<'_>) -> Option<Violation> {
    first(&[secret_is_missing, secret_lacks_data, key_and_certificate_differ], evidence)
}

fn first(checks: &[Check], evidence: &Evidence<'_>) -> Option<Violation> {
    checks.iter().find_map(|check| check(evidence))
}

fn violation(reason: Reason, message: impl Into<String>) -> Option<Violation> {
    Some(Violation { reason, message: message.into() })
}

fn secret_is_missing(evidence: &Evidence<'_>) -> Option<Violation> {
    match evidence.secret {
        Some(_) => None,
        None => violation(Reason::DoesNotExist, "Issuing certificate as Secret does not exist"),
    }
}

fn secret_lacks_data(evidence: &Evidence<'_>) -> Option<Violation> {
    let secret = evidence.secret?;
    let lacking = match (secret.data_keys.is_empty(), &secret.key, &secret.certificate) {
        (true, ..) => "any data",
        (_, Entry::Missing, _) => "a private key",
        (_, _, Entry::Missing) => "a certificate",
        _ => return None,
    };
    violation(Reason::MissingData, format!("Issuing certificate as Secret does not contain {lacking}"))
}

fn key_and_certificate_differ(evidence: &Evidence<'_>) -> Option<Violation> {
    let secret = evidence.secret?;
    let prefix = "Issuing certificate as Secret contains";
    match (&secret.key, &secret.certificate) {
        (Entry::Unreadable(why), _) => {
            violation(Reason::InvalidKeyPair, format!("{prefix} invalid private key data: {why}"))
        }
        (_, Entry::Unreadable(why)) => {
            violation(Reason::InvalidCertificate, format!("{prefix} an invalid certificate: {why}"))
        }
        (Entry::Read(key), Entry::Read(leaf)) if key.public != *leaf.public_key() => violation(
            Reason::InvalidKeyPair,
            format!("{prefix} a private key that does not match the certificate"),
        ),
        _ => None,
    }
}

fn issued_by_another_issuer(evidence: &Evidence<'_>) -> Option<Violation> {
    let wanted = &evidence.wanted.issuer;
    let said = annotations::issued_by(&evidence.secret?.annotations);
    let leaf = evidence.secret?.certificate.read();
    if said.is_none() && leaf.is_some_and(temporary::is_temporary) {
        return violation(
            Reason::IncorrectIssuer,
            format!(
                "Issuing certificate as Secret holds a temporary certificate of \"{}\"",
                temporary::CA_NAME
            ),
        );
    }
    // A Secret that says nothing fits every issuer of the default kind and group (peer's rule for old Secrets).
    let default_kind = wanted.kind() == "Issuer" && wanted.group() == crate::wanted::IssuerRef::GROUP;
    match said {
        Some(said) if said == *wanted => None,
        None if default_kind => None,
        Some(said) => violation(
            Reason::IncorrectIssuer,
            format!(
                "Issuing certificate as Secret was previously issued by \"{}.{}/{}\"",
                said.kind(),
                said.group(),
                said.name
            ),
        ),
        None => violation(
            Reason::IncorrectIssuer,
            "Issuing certificate as Secret was previously issued by \"Issuer.cert-manager.io/\"",
        ),
    }
}

fn issued_for_another_certificate(evidence: &Evidence<'_>) -> Option<Violation> {
    let other = evidence.secret?.annotations.get(annotations::CERTIFICATE_NAME)?;
    if *other == evidence.me.name {
        return None;
    }
    violation(
        Reason::IncorrectCertificate,
        format!(
            "Secret was issued for \"{other}\". If this message is not transient, you might have two conflicting Certificates \
             pointing to the same secret."
        ),
    )
}

fn key_is_not_as_wanted(evidence: &Evidence<'_>) -> Option<Violation> {
    let facts = evidence.secret?.key.read()?;
    let field = key_difference(facts, evidence.wanted)?;
    violation(Reason::SecretMismatch, format!("Existing private key is not up to date for spec: [{field}]"))
}

/// The field of the spec that a key doesn't fit.
pub fn key_difference(facts: &KeyFacts, wanted: &Wanted) -> Option<&'static str> {
    if facts.kind == wanted.key.kind {
        return None;
    }
    let same_algorithm = std::mem::discriminant(&facts.kind) == std::mem::discriminant(&wanted.key.kind);
    Some(if same_algorithm { "spec.privateKey.size" } else { "spec.privateKey.algorithm" })
}

fn key_is_not_that_of_the_request(evidence: &Evidence<'_>) -> Option<Violation> {
    let key = evidence.secret?.key.read()?;
    match &evidence.current?.csr {
        Err(why) => violation(
            Reason::InvalidCertificateRequest,
            format!("Failed to decode current CertificateRequest: {why}"),
        ),
        Ok(csr) if *csr.public_key() != key.public => violation(
            Reason::SecretMismatch,
            "Secret contains a private key that does not match the current CertificateRequest",
        ),
        Ok(_) => None,
    }
}

fn request_is_not_as_wanted(evidence: &Evidence<'_>) -> Option<Violation> {
    let differences = request_differences(evidence.current?, evidence.wanted);
    if differences.is_empty() {
        return None;
    }
    violation(
        Reason::RequestChanged,
        format!("Fields on existing CertificateRequest resource not up to date: [{}]", differences.join(" ")),
    )
}

/// Without the request (a restored backup, a request deleted by hand) only the names are compared, so that nothing is reissued in vain.
fn certificate_is_not_as_wanted(evidence: &Evidence<'_>) -> Option<Violation> {
    if evidence.current.is_some() {
        return None;
    }
    let leaf = evidence.secret?.certificate.read()?;
    let differences = leaf_differences(leaf, evidence.wanted);
    if differences.is_empty() {
        return None;
    }
    violation(
        Reason::SecretMismatch,
        format!("Existing issued Secret is not up to date for spec: [{}]", differences.join(" ")),
    )
}

fn renewal_is_due(evidence: &Evidence<'_>) -> Option<Violation> {
    let leaf = evidence.secret?.certificate.read()?;
    let time = renewal_time(&evidence.wanted.renewal, leaf.not_before(), leaf.not_after());
    let at = time.moment().filter(|at| evidence.now >= *at)?;
    let without_window = match time {
        RenewalTime::NoWindow { why, .. } => format!(" ({why})"),
        _ => String::new(),
    };
    violation(
        Reason::Renewing,
        format!("Renewing certificate as renewal was scheduled at {at}{without_window}"),
    )
}

fn has_expired(evidence: &Evidence<'_>) -> Option<Violation> {
    let end = evidence.secret?.certificate.read()?.not_after();
    if evidence.now <= end {
        return None;
    }
    violation(
        Reason::Expired,
        format!("Certificate expired on {}", end.strftime("%a, %d %b %Y %H:%M:%S UTC")),
    )
}

/// Fields of the spec that a request doesn't fit, in the order and with the names of the peer.
pub fn request_differences(request: &RequestSeen, wanted: &Wanted) -> Vec<&'static str> {
    let Ok(csr) = &request.csr else { return vec!["spec.request"] };
    let (sans, names) = (csr.sans(), &wanted.sans);
    let mut fields = Vec::new();
    let mut differs = |is: bool, field: &'static str| {
        if is {
            fields.push(field)
        }
    };
    differs(set(&sans.ips) != set(&names.ips), "spec.ipAddresses");
    differs(set(&sans.uris) != set(&names.uris), "spec.uris");
    differs(set(&sans.emails) != set(&names.emails), "spec.emailAddresses");
    differs(set(&sans.dns) != set(&names.dns), "spec.dnsNames");
    differs(other_names_differ(&sans.other_names, names.other_names.as_deref()), "spec.otherNames");
    match &wanted.subject {
        Subject::Literal(literal) => differs(csr.subject() != literal, "spec.literalSubject"),
        Subject::Fields(subject) => fields.extend(subject_differences(&csr.subject().to_fields(), subject)),
    }
    let mut differs = |is: bool, field: &'static str| {
        if is {
            fields.push(field)
        }
    };
    differs(request.is_ca != wanted.is_ca, "spec.isCA");
    differs(set(&request.usages) != set(&wanted.usages), "spec.usages");
    let both = request.duration.zip(wanted.duration);
    differs(both.is_some_and(|(is, should)| is != should), "spec.duration");
    differs(request.issuer != wanted.issuer, "spec.issuerRef");
    fields
}

fn other_names_differ(is: &[OtherName], should: Option<&[OtherName]>) -> bool {
    should.is_some_and(|should| set(is) != set(should))
}

fn subject_differences(is: &SubjectFields, should: &SubjectFields) -> Vec<&'static str> {
    let one = |text: &Option<String>| text.clone().unwrap_or_default();
    let pairs = [
        (one(&is.common_name) != one(&should.common_name), "spec.commonName"),
        (one(&is.serial_number) != one(&should.serial_number), "spec.subject.serialNumber"),
        (set(&is.organizations) != set(&should.organizations), "spec.subject.organizations"),
        (set(&is.countries) != set(&should.countries), "spec.subject.countries"),
        (set(&is.localities) != set(&should.localities), "spec.subject.localities"),
        (
            set(&is.organizational_units) != set(&should.organizational_units),
            "spec.subject.organizationalUnits",
        ),
        (set(&is.postal_codes) != set(&should.postal_codes), "spec.subject.postCodes"),
        (set(&is.provinces) != set(&should.provinces), "spec.subject.provinces"),
        (set(&is.street_addresses) != set(&should.street_addresses), "spec.subject.streetAddresses"),
    ];
    pairs.into_iter().filter_map(|(differs, field)| differs.then_some(field)).collect()
}

fn leaf_differences(leaf: &Certificate, wanted: &Wanted) -> Vec<&'static str> {
    let (sans, names) = (leaf.sans(), &wanted.sans);
    let leaf_name = leaf.subject().to_fields().common_name;
    let wanted_name = match &wanted.subject {
        Subject::Fields(fields) => fields.common_name.clone(),
        Subject::Literal(literal) => literal.to_fields().common_name,
    };
    let with = |dns: &[String], name: Option<String>| -> BTreeSet<String> {
        dns.iter().cloned().chain(name.filter(|name| !name.is_empty())).collect()
    };
    let pairs = [
        (with(&sans.dns, leaf_name) != with(&names.dns, wanted_name), "spec.dnsNames"),
        (set(&sans.ips) != set(&names.ips), "spec.ipAddresses"),
        (set(&sans.uris) != set(&names.uris), "spec.uris"),
        (set(&sans.emails) != set(&names.emails), "spec.emailAddresses"),
    ];
    pairs.into_iter().filter_map(|(differs, field)| differs.then_some(field)).collect()
}

fn set<T: Ord>(list: &[T]) -> BTreeSet<&T> {
    list.iter().collect()
}
