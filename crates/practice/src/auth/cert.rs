//! TLS certificates: the client certificate of the connection for a token (vault-server 4.5, vault-measured 3).
//! The transport hands the certificate over; Vault and OpenBao have different texts for every refusal.
//! Only signature, dates and names are looked at: no CRL and no OCSP.

use std::collections::BTreeMap;

use serde_json::json;

use super::{AuthMethod, Place, Principal, TokenRole, store, welcome};
use crate::golang;
use crate::http::answer::{Handled, Refusal, Success};
use crate::http::ask::{Ask, Verb};
use crate::options::Product;
use crate::pki::reading::Read;
use crate::state::fields::Fields;
use crate::state::token::Origin;
use crate::state::turn::Turn;
use crate::state::{Digest, digest};

/// A TLS certificate auth mount.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cert {
    pub(crate) roles: BTreeMap<String, Role>,
}

/// A trusted certificate: a CA, or the client's own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    trusted: Vec<Read>,
    allowed_names: Vec<String>,
    pub(crate) token: TokenRole,
}

pub(crate) fn login(
    turn: &mut Turn<'_>,
    ask: &Ask,
    place: &Place,
    method: &Cert,
    fields: Fields<'_>,
) -> Handled {
    let der = ask.peer.certificate.as_deref().ok_or_else(|| none_shown(turn.product))?;
    let shown = Read::from_der(der).ok_or_else(|| mismatch(turn.product, false))?;
    let wanted = fields.text("name")?;
    let candidates = method.roles.iter().filter(|(name, _)| wanted.is_empty() || **name == wanted);
    let trusting: Vec<_> = candidates.filter(|(_, role)| role.trusts(&shown)).collect();
    if trusting.is_empty() {
        return Err(mismatch(turn.product, false));
    }
    check_dates(turn, &shown)?;
    let fitting = trusting.into_iter().find(|(_, role)| role.allows_name_of(&shown));
    let (name, role) = fitting.ok_or_else(|| mismatch(turn.product, true))?;
    let (name, role) = (name.clone(), role.token.clone());
    let principal = Principal {
        alias: shown.common_name.clone(),
        display_name: name.clone(),
        metadata: json!({
            "cert_name": name,
            "common_name": shown.common_name,
            "serial_number": shown.serial_decimal(),
            "subject_key_id": shown.subject_key_id_text(),
            "authority_key_id": shown.authority_key_id_text(),
        }),
        role: name,
        certificate: Some(certificate_digest(der)),
    };
    welcome(turn, place, principal, &role)
}

impl Role {
    fn trusts(&self, shown: &Read) -> bool {
        self.trusted.iter().any(|trusted| trusted.der == shown.der || trusted.has_signed(shown))
    }

    fn allows_name_of(&self, shown: &Read) -> bool {
        let names = std::iter::once(&shown.common_name).chain(&shown.dns);
        let mut fits =
            names.map(|name| self.allowed_names.iter().any(|allowed| allowed == name || allowed == "*"));
        self.allowed_names.is_empty() || fits.any(|fits| fits)
    }
}

fn certificate_digest(der: &[u8]) -> Digest {
    digest(&der.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn none_shown(product: Product) -> Refusal {
    Refusal::bad(match product {
        Product::Vault => "client certificate must be supplied",
        Product::OpenBao => "no client certificate found",
    })
}

fn mismatch(product: Product, chain_was_good: bool) -> Refusal {
    Refusal::bad(match (product, chain_was_good) {
        (Product::Vault, _) => "failed to match all constraints for this login certificate",
        (Product::OpenBao, true) => {
            "no chain matching all constraints could be found for this login certificate"
        }
        (Product::OpenBao, false) => "invalid certificate or no client certificate supplied",
    })
}

fn check_dates(turn: &Turn<'_>, shown: &Read) -> Result<(), Refusal> {
    let now = golang::rfc3339(turn.now);
    let why = if turn.now > shown.not_after {
        format!("current time {now} is after {}", golang::rfc3339(shown.not_after))
    } else if turn.now < shown.not_before {
        format!("current time {now} is before {}", golang::rfc3339(shown.not_before))
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        500,
        format!(
            "failed to verify client's certificate: x509: certificate has expired or is not yet valid: {why}"
        ),
    ))
}

/// Whether the connection may renew a token of this login (vault-measured 3: OpenBao wants the same certificate).
pub(crate) fn check_renewal(turn: &Turn<'_>, ask: &Ask, origin: &Origin) -> Result<(), Refusal> {
    let der = ask.peer.certificate.as_deref().ok_or_else(|| none_shown(turn.product))?;
    let same = origin.certificate == Some(certificate_digest(der));
    if same || turn.product == Product::Vault {
        return Ok(());
    }
    let text = "failed to renew entry: client identity during renewal not matching client identity used during login:\n\toriginal: [<DER bytes>]\n\trenewal: [<DER bytes>]";
    Err(Refusal::wrapped(500, text))
}

pub(crate) fn configure(
    turn: &mut Turn<'_>,
    place: &Place,
    method: &Cert,
    segments: &[&str],
    verb: Verb,
    fields: Fields<'_>,
) -> Handled {
    let mut method = method.clone();
    match (segments, verb) {
        (["certs", name], Verb::Write) => {
            let trusted = Read::all_from_pem(&fields.text("certificate")?);
            if trusted.is_empty() {
                return Err(Refusal::bad("failed to parse certificate"));
            }
            let mut role = Role { trusted, ..Role::default() };
            for list in ["allowed_names", "allowed_common_names", "allowed_dns_sans"] {
                role.allowed_names.extend(fields.list(list));
            }
            role.token.read(fields)?;
            method.roles.insert((*name).to_owned(), role);
        }
        (["certs", name], Verb::Read) => {
            let role = method.roles.get(*name).ok_or(Refusal::empty(404))?;
            return Ok(Success::data(json!({ "token_policies": role.token.policies }), "cert"));
        }
        (["certs", name], Verb::Delete) => {
            method.roles.remove(*name);
        }
        _ => return Err(Refusal::unsupported_path()),
    }
    store(turn, place, AuthMethod::Cert(method))
}
