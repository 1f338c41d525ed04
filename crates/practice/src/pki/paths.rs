//! The paths of a PKI mount: signing and CA files here, roles and issuers in `manage`.
//! Wrong paths and verbs get the texts of Vault's framework (vault-measured 2).
//! Signing itself is in `sign`.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Pki;
use super::manage;
use super::role;
use super::sign::{self, Kind, Order};
use super::validity::MountLimits;
use crate::http::answer::{Handled, Raw, Refusal, Reply, Success};
use crate::http::ask::Verb;
use crate::state::config::Mount;
use crate::state::fields::Fields;
use crate::state::turn::Turn;

/// Where a call goes.
pub(crate) struct Target<'a> {
    pub(crate) namespace: &'a str,
    /// The mount's path, with a slash at its end.
    pub(crate) mount_path: &'a str,
    pub(crate) mount: &'a Mount,
    pub(crate) pki: &'a Pki,
    /// The path inside the mount.
    pub(crate) rest: &'a str,
    pub(crate) verb: Verb,
    pub(crate) fields: &'a Map<String, Value>,
}

/// Paths that need no token.
pub(crate) fn is_open(rest: &str) -> bool {
    let segments: Vec<&str> = rest.split('/').collect();
    matches!(
        segments.as_slice(),
        ["ca" | "ca_chain" | "crl"]
            | ["ca" | "crl", "pem"]
            | ["cert", "ca" | "ca_chain" | "crl"]
            | ["issuer", _, "json" | "pem" | "der"]
    )
}

/// Fields that signing knows; others get a warning.
const SIGN_FIELDS: [&str; 24] = [
    "csr",
    "use_csr_values",
    "max_path_length",
    "common_name",
    "alt_names",
    "ip_sans",
    "uri_sans",
    "other_sans",
    "serial_number",
    "ttl",
    "not_after",
    "exclude_cn_from_sans",
    "format",
    "private_key_format",
    "remove_roots_from_chain",
    "user_ids",
    "key_type",
    "key_bits",
    "issuer_ref",
    "cert_metadata",
    "role",
    "key_usage",
    "ext_key_usage",
    "signature_bits",
];

/// Answers a call inside a PKI mount.
pub(crate) fn answer(turn: &mut Turn<'_>, target: &Target<'_>) -> Handled {
    let segments: Vec<&str> = target.rest.split('/').collect();
    match (segments.as_slice(), target.verb) {
        (["sign", role], _) => sign_with(turn, target, Kind::Sign, role, None),
        (["issue", role], _) => sign_with(turn, target, Kind::Issue, role, None),
        (["sign-verbatim"], _) => sign_with(turn, target, Kind::Verbatim, "", None),
        (["sign-verbatim", role], _) => sign_with(turn, target, Kind::Verbatim, role, None),
        (["issuer", issuer, "sign", role], _) => sign_with(turn, target, Kind::Sign, role, Some(issuer)),
        (["issuer", issuer, "issue", role], _) => sign_with(turn, target, Kind::Issue, role, Some(issuer)),
        (["root", "sign-intermediate"], _) => sign_with(turn, target, Kind::Intermediate, "", None),
        (["issuer", issuer, "sign-intermediate"], _) => {
            sign_with(turn, target, Kind::Intermediate, "", Some(issuer))
        }
        (["roles", name], verb) => manage::role_call(turn, target, name, verb),
        (["roles"], Verb::List) => list(target.pki.roles.keys()),
        (["issuers"], Verb::List) => list(target.pki.issuers.keys()),
        (["certs"], Verb::List) => {
            let mount = target.mount_path;
            let stored = turn.ledger.signed.iter().filter(|signed| signed.stored && signed.mount == mount);
            list(stored.map(|signed| &signed.serial))
        }
        (["ca" | "ca_chain"] | ["ca", "pem"] | ["cert", "ca" | "ca_chain"], Verb::Read) => ca_file(target),
        (["issuer", reference, form @ ("json" | "pem" | "der")], Verb::Read) => {
            issuer_file(target, reference, form)
        }
        (["root", "generate", "internal"], Verb::Write) => manage::generate_root(turn, target),
        (["config", "ca"] | ["issuers", "import", "bundle"], Verb::Write) => manage::import(turn, target),
        (["config", "issuers"], Verb::Write) => manage::set_default(turn, target),
        (["config", "urls" | "cluster" | "crl"], Verb::Write) => Ok(Reply::NoContent),
        (["issuer", reference], verb) => manage::issuer_call(turn, target, reference, verb),
        _ => Err(Refusal::unsupported_path()),
    }
}

fn list<'a>(keys: impl Iterator<Item = &'a String>) -> Handled {
    let keys: Vec<&String> = keys.collect();
    if keys.is_empty() {
        return Err(Refusal::empty(404));
    }
    Ok(Success::data(json!({ "keys": keys }), "pki"))
}

fn sign_with(
    turn: &mut Turn<'_>,
    target: &Target<'_>,
    kind: Kind,
    role_name: &str,
    issuer_ref: Option<&str>,
) -> Handled {
    match target.verb {
        Verb::Write => {}
        Verb::List => return Err(Refusal::unsupported_path()),
        _ => return Err(Refusal::unsupported_operation()),
    }
    let fixed = match kind {
        Kind::Verbatim => Some(role::verbatim()),
        Kind::Intermediate => Some(role::intermediate(Fields(target.fields))?),
        Kind::Sign | Kind::Issue => None,
    };
    let named = || target.pki.roles.get(role_name);
    let role = fixed.as_ref().or_else(named);
    let role = role.ok_or_else(|| Refusal::bad(format!("unknown role: {role_name}")))?;
    let ignored =
        target.fields.keys().filter(|name| !SIGN_FIELDS.contains(&name.as_str())).cloned().collect();
    let order = Order {
        kind,
        mount: target.mount_path,
        limits: MountLimits { default_ttl: target.mount.default_ttl, max_ttl: target.mount.max_ttl },
        pki: target.pki,
        role_name,
        role,
        issuer_ref,
        fields: Fields(target.fields),
        ignored,
    };
    sign::sign(turn, &order)
}

fn file(content_type: &'static str, body: impl Into<Bytes>) -> Handled {
    let body = body.into();
    let status = if body.is_empty() { 204 } else { 200 };
    Ok(Reply::Raw(Raw { status, content_type: Some(content_type), headers: Vec::new(), body }))
}

/// CA files; a mount without an issuer gives 204 (vault-answers: "mount without any issuer").
fn ca_file(target: &Target<'_>) -> Handled {
    let issuer = target.pki.issuer("default").ok();
    let chain = issuer.map(|issuer| target.pki.chain(issuer)).unwrap_or_default();
    let pem = chain.iter().map(|issuer| issuer.certificate.pem()).collect::<Vec<_>>().join("\n");
    match target.rest {
        "ca" => file(
            "application/pkix-cert",
            issuer.map(|issuer| issuer.certificate.der.clone()).unwrap_or_default(),
        ),
        "ca/pem" => file(
            "application/pem-certificate-chain",
            issuer.map(|issuer| issuer.certificate.pem()).unwrap_or_default(),
        ),
        "ca_chain" => file("application/pkix-cert", pem),
        "cert/ca" => {
            let pem = issuer.map(|issuer| issuer.certificate.pem()).unwrap_or_default();
            Ok(Success::data(json!({ "certificate": pem, "revocation_time": 0 }), "pki"))
        }
        _ => Ok(Success::data(json!({ "certificate": pem, "ca_chain": pem, "revocation_time": 0 }), "pki")),
    }
}

fn issuer_file(target: &Target<'_>, reference: &str, form: &str) -> Handled {
    let issuer = target.pki.issuer(reference).map_err(Refusal::bad)?;
    match form {
        "der" => file("application/pkix-cert", issuer.certificate.der.clone()),
        "pem" => file("application/pem-certificate-chain", issuer.certificate.pem()),
        _ => {
            let chain: Vec<_> =
                target.pki.chain(issuer).iter().map(|issuer| issuer.certificate.pem()).collect();
            let data = json!({
                "ca_chain": chain,
                "certificate": issuer.certificate.pem(),
                "issuer_id": issuer.id,
                "issuer_name": issuer.name,
            });
            Ok(Success::data(data, "pki"))
        }
    }
}
