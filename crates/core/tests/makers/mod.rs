//! Makers for tests of the core: a wish, a key, a certificate, a Secret, a request, each with sound defaults.
// Keys for tests may come from chance; the core itself may not.
#![allow(dead_code, clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use everleaf_core::annotations;
use everleaf_core::conditions::Condition;
use everleaf_core::observed::*;
use everleaf_core::wanted::*;
use everleaf_core::x509::{Certificate, Chain, Csr, KeyKind, LeafPlan, PrivateKey, Serial, sign_self};
use jiff::{SignedDuration, Timestamp};

/// The moment all tests start from.
pub(crate) fn start() -> Timestamp {
    "2026-01-10T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A fresh Ed25519 key: quick to make.
pub(crate) fn key() -> PrivateKey {
    let rng = aws_lc_rs::rand::SystemRandom::new();
    let pkcs8 = aws_lc_rs::signature::Ed25519KeyPair::generate_pkcs8(&rng).unwrap();
    PrivateKey::from_pkcs8_der(pkcs8.as_ref()).unwrap()
}

/// A wish for one DNS name, an Ed25519 key and an issuer named `ca`.
pub(crate) fn wanted(dns: &str) -> Wanted {
    Wanted {
        secret_name: "web-tls".into(),
        issuer: IssuerRef { name: "ca".into(), written_kind: String::new(), written_group: String::new() },
        subject: Subject::Fields(SubjectFields::default()),
        sans: Sans { dns: vec![dns.into()], ..Sans::default() },
        duration: None,
        renewal: Renewal { before: RenewBefore::Default, policy: RenewalPolicy::AtTime },
        key: KeyWish { kind: KeyKind::Ed25519, encoding: KeyEncoding::Pkcs1, rotation: Rotation::Always },
        usages: vec![],
        usages_in_csr: true,
        is_ca: false,
        name_constraints: None,
        signature: None,
        secret_template: SecretTemplate::default(),
        output_formats: vec![],
        keystores: Keystores::default(),
        revision_history_limit: 1,
    }
}

/// A self-signed certificate for the wish, alive for `life` from `from`.
pub(crate) fn certificate(
    wanted: &Wanted,
    key: &PrivateKey,
    from: Timestamp,
    life: SignedDuration,
) -> Certificate {
    let csr = Csr::build(wanted, key).unwrap();
    let plan = LeafPlan {
        csr: &csr,
        serial: Serial::from_random([7; 20]),
        not_before: from,
        not_after: from + life,
        usages: &wanted.usages,
        is_ca: wanted.is_ca,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    };
    sign_self(&plan, key).unwrap()
}

pub(crate) fn facts(key: &PrivateKey) -> KeyFacts {
    KeyFacts { public: key.public().clone(), kind: key.kind() }
}

/// The Secret as it stands after an issuance.
pub(crate) fn secret(wanted: &Wanted, key: &PrivateKey, leaf: &Certificate) -> SecretSeen {
    let marks = [
        (annotations::CERTIFICATE_NAME, "web"),
        (annotations::ISSUER_NAME, &wanted.issuer.name),
        (annotations::ISSUER_KIND, ""),
        (annotations::ISSUER_GROUP, ""),
    ];
    SecretSeen {
        resource_version: "10".into(),
        kind: "kubernetes.io/tls".into(),
        key: Entry::Read(facts(key)),
        certificate: Entry::Read(leaf.clone()),
        data_keys: BTreeSet::from(["tls.crt".to_owned(), "tls.key".to_owned()]),
        unsound_formats: BTreeSet::new(),
        has_ca: false,
        labels: [(annotations::FAO_LABEL.to_owned(), "true".to_owned())].into(),
        annotations: marks
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .chain(annotations::details(leaf))
            .collect(),
        owners: vec![],
        managed: Ok(None),
    }
}

/// A request for the wish that waits.
pub(crate) fn request(wanted: &Wanted, key: &PrivateKey, name: &str) -> RequestSeen {
    RequestSeen {
        name: name.into(),
        csr: Ok(Csr::build(wanted, key).unwrap()),
        issuer: wanted.issuer.clone(),
        duration: wanted.duration,
        is_ca: wanted.is_ca,
        usages: wanted.usages.clone(),
        created: start(),
        state: RequestState::Waiting { approved: false, told: None },
    }
}

pub(crate) fn issued(mut request: RequestSeen, leaf: Certificate) -> RequestSeen {
    let chain = Chain::from_parts(vec![leaf], None).map_err(|e| e.to_string());
    request.state = RequestState::Issued { chain, at: start() };
    request
}

pub(crate) fn ended(mut request: RequestSeen, reason: &str, message: &str, at: Timestamp) -> RequestSeen {
    request.state = RequestState::Ended(Ending { reason: reason.into(), message: message.into(), at });
    request
}

/// A Certificate that has nothing yet, answered in this process.
pub(crate) fn nothing() -> Observed {
    Observed {
        me: Identity { name: "web".into(), uid: "uid-1".into(), created: start(), wants_temporary: false },
        secret: None,
        claim: Claim::Ours,
        current: None,
        next: vec![],
        strays: vec![],
        history: vec![],
        key: NextKey::None,
        stored_keys: vec![],
        free_key_name: "web-x7k2p".into(),
        status: StatusSeen::default(),
        answered_here: true,
    }
}

/// A Certificate in order: revision 1, a 90-day certificate issued at the start.
pub(crate) fn in_order(wanted: &Wanted) -> (Observed, PrivateKey) {
    let key = key();
    let leaf = certificate(wanted, &key, start(), hours(90 * 24));
    let current = issued(request(wanted, &key, "web-1"), leaf.clone());
    let status = StatusSeen { revision: Some(1), ..StatusSeen::default() };
    let seen = Observed {
        secret: Some(Arc::new(secret(wanted, &key, &leaf))),
        current: Some(current),
        history: vec![(1, "web-1".into())],
        status,
        ..nothing()
    };
    (seen, key)
}

/// The same, with a change to its Secret.
pub(crate) fn with_secret(mut seen: Observed, change: impl FnOnce(&mut SecretSeen)) -> Observed {
    let mut secret = seen.secret.as_deref().unwrap().clone();
    change(&mut secret);
    seen.secret = Some(Arc::new(secret));
    seen
}

pub(crate) fn issuing(reason: &str, since: Timestamp) -> Option<(Condition, Timestamp)> {
    Some((Condition::yes(reason, "asked for"), since))
}

pub(crate) fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}
