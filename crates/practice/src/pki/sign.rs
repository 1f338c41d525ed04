//! `sign`, `sign-verbatim` and `issue`: from a request to a certificate, in Vault's order of checks (vault-server 1.4, 3).
//! The order matters: which of two faults is told is part of what clients see.
//! A fault may twist the result (dead, foreign key, other names), because clients must notice that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use const_oid::db::rfc4519;
use der::Encode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::certificate::{self, Extras, Plan};
use super::der_out;
use super::keys::{self, CaKey, PublicKind};
use super::names::{self, Names};
use super::reading::{AltNames, Read, Request};
use super::role::Role;
use super::validity::{self, MountLimits, Validity};
use super::{Issuer, Pki};
use crate::clock::{earlier, span};
use crate::faults::Twist;
use crate::http::answer::{Handled, Refusal, Reply, Success};
use crate::options::{CaKeyKind, Product};
use crate::state::fields::Fields;
use crate::state::ledger::Signed;
use crate::state::turn::{Turn, Write};

/// What is asked of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sign a request by a role.
    Sign,
    /// Sign a request as it is.
    Verbatim,
    /// Make a key too; a request that is sent along is not looked at.
    Issue,
    /// Sign a CA below this one.
    Intermediate,
}

/// One order for a certificate.
pub(crate) struct Order<'a> {
    pub(crate) kind: Kind,
    pub(crate) mount: &'a str,
    pub(crate) limits: MountLimits,
    pub(crate) pki: &'a Pki,
    pub(crate) role_name: &'a str,
    pub(crate) role: &'a Role,
    /// The issuer that the path names, if it does.
    pub(crate) issuer_ref: Option<&'a str>,
    pub(crate) fields: Fields<'a>,
    /// Fields that this endpoint doesn't know.
    pub(crate) ignored: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Pem,
    Der,
    Bundle,
}

/// Carries an order out.
pub(crate) fn sign(turn: &mut Turn<'_>, order: &Order<'_>) -> Handled {
    let fields = order.fields;
    // The framework converts all fields before the engine sees one.
    let csr = fields.text("csr")?;
    fields.duration("ttl")?;
    let format = format(&fields.text("format")?)?;
    let reference = order.issuer_ref.unwrap_or(&order.role.issuer_ref);
    let issuer = order.pki.signing_issuer(reference)?;
    let request = match order.kind {
        Kind::Issue => None,
        Kind::Sign | Kind::Verbatim | Kind::Intermediate => Some(read_request(&csr, order.role)?),
    };
    let new_key = if request.is_none() { Some(new_key(turn, order.role, fields)?) } else { None };
    let mut names = names::judge(turn.product, order.role, request.as_ref(), fields)?;
    let mut validity = validity::decide(turn.product, turn.now, order.role, order.limits, issuer, fields)?;
    if request.as_ref().is_some_and(|request| !request.is_signed()) {
        return Err(Refusal::bad("request signature invalid"));
    }
    let public_key = match (&request, &new_key) {
        (Some(request), _) => request.key.to_der().unwrap_or_default(),
        (None, Some(key)) => key.public(),
        (None, None) => Vec::new(),
    };
    let public_key = twist(turn, &mut names, &mut validity, public_key);
    let leaf = write_leaf(turn, order, issuer, request.as_ref(), &names, &validity, public_key)?;
    if !order.role.no_store {
        turn.commit(Write::Certificate)?;
    }
    remember(turn, order, &names, &leaf);
    let warnings = warnings(order, &names, &validity, request.as_ref());
    let data = data(turn.product, order, issuer, &leaf, format, new_key.as_ref(), validity.not_before)?;
    let lease = order.role.generate_lease.then(|| {
        let id =
            format!("{}{}/{}/{}", order.mount, kind_word(order.kind), order.role_name, turn.chance.word(24));
        (id, span(turn.now, leaf.not_after))
    });
    let success = Success { data, warnings, lease, mount_type: "pki", ..Success::default() };
    Ok(Reply::Data(Box::new(success)))
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Sign => "sign",
        Kind::Verbatim => "sign-verbatim",
        Kind::Issue => "issue",
        Kind::Intermediate => "sign-intermediate",
    }
}

fn format(text: &str) -> Result<Format, Refusal> {
    match text {
        "" | "pem" => Ok(Format::Pem),
        "der" => Ok(Format::Der),
        "pem_bundle" => Ok(Format::Bundle),
        _ => {
            let text = "the \"format\" path parameter must be \"pem\", \"der\", or \"pem_bundle\"";
            Err(Refusal::bad(text))
        }
    }
}

/// The smallest RSA key that Vault signs at all.
const SMALLEST_RSA: usize = 2048;

fn read_request(csr: &str, role: &Role) -> Result<Request, Refusal> {
    if csr.is_empty() {
        return Err(Refusal::bad("\"csr\" is empty"));
    }
    let request = Request::from_pem(csr).map_err(Refusal::bad)?;
    let kind = keys::kind_of(&request.key);
    let (word, bits) = match kind {
        PublicKind::Rsa { bits } => ("rsa", bits),
        PublicKind::Ec { bits } => ("ec", bits),
        PublicKind::Ed25519 => ("ed25519", 0),
        PublicKind::UnknownCurve | PublicKind::Other => {
            return Err(Refusal::bad("could not parse CSR's public key"));
        }
    };
    if role.key_type != "any" && role.key_type != word {
        return Err(Refusal::bad(format!("role requires keys of type {}", role.key_type)));
    }
    if word == "rsa" && bits < SMALLEST_RSA {
        return Err(Refusal::bad("RSA keys < 2048 bits are unsafe and not supported"));
    }
    if word != "ed25519" && (bits as u64) < role.key_bits {
        return Err(Refusal::bad(format!(
            "role requires a minimum of a {}-bit key, but CSR's key is {bits} bits",
            role.key_bits
        )));
    }
    Ok(request)
}

fn new_key(turn: &mut Turn<'_>, role: &Role, fields: Fields<'_>) -> Result<CaKey, Refusal> {
    let wanted = match role.key_type.as_str() {
        "any" if turn.product == Product::Vault => String::new(),
        "any" => fields.text("key_type")?,
        fixed => fixed.to_owned(),
    };
    let kind = match wanted.as_str() {
        "" => {
            return Err(Refusal::bad(match turn.product {
                Product::Vault => "role key type \"any\" not allowed for issuing certificates, only signing",
                Product::OpenBao => {
                    "role key type \"any\" not allowed for issuing certificates without providing key_type and/or key_bits request parameters"
                }
            }));
        }
        "ed25519" => CaKeyKind::Ed25519,
        // This stand-in makes no RSA keys: a P-256 key stands in for one.
        _ => CaKeyKind::P256,
    };
    CaKey::draw(kind, turn.chance).ok_or_else(Refusal::internal)
}

/// Does to the certificate what a fault wants; gives the public key that it will hold.
fn twist(turn: &mut Turn<'_>, names: &mut Names, validity: &mut Validity, public_key: Vec<u8>) -> Vec<u8> {
    match turn.twist {
        None => {}
        Some(Twist::Dead) => {
            validity.not_before = earlier(turn.now, DEAD_SINCE * 2);
            validity.not_after = earlier(turn.now, DEAD_SINCE);
        }
        Some(Twist::OtherNames) => {
            "other.invalid".clone_into(&mut names.common_name);
            names.alt = AltNames { dns: vec!["other.invalid".to_owned()], ..AltNames::default() };
        }
        Some(Twist::OtherKey) => {
            if let Some(key) = CaKey::draw(turn.ca_key, turn.chance) {
                return key.public();
            }
        }
    }
    public_key
}

/// How long a dead certificate has been dead.
const DEAD_SINCE: std::time::Duration = std::time::Duration::from_secs(3600);

fn write_leaf(
    turn: &mut Turn<'_>,
    order: &Order<'_>,
    issuer: &Issuer,
    request: Option<&Request>,
    names: &Names,
    validity: &Validity,
    public_key: Vec<u8>,
) -> Result<Read, Refusal> {
    let key = issuer.key.as_deref().ok_or_else(Refusal::internal)?;
    let subject = match (order.kind, request) {
        (Kind::Verbatim, Some(request)) => request.subject.clone(),
        _ => subject(order.role, names),
    };
    let plan = Plan {
        serial: certificate::serial(turn.chance),
        issuer: issuer.certificate.subject.clone(),
        subject,
        not_before: validity.not_before,
        not_after: validity.not_after,
        public_key,
        authority_key: key.public(),
        extras: match order.kind {
            Kind::Intermediate => Extras::Authority { names: names.alt.clone() },
            _ => Extras::Leaf {
                names: names.alt.clone(),
                server: order.role.server_flag,
                client: order.role.client_flag,
            },
        },
    };
    let der = certificate::sign(&plan, key).ok_or_else(Refusal::internal)?;
    Read::from_der(&der).ok_or_else(Refusal::internal)
}

fn subject(role: &Role, names: &Names) -> Vec<u8> {
    let mut attributes: Vec<_> = role.organization.iter().map(|text| (rfc4519::O, text.clone())).collect();
    attributes.extend(role.ou.iter().map(|text| (rfc4519::OU, text.clone())));
    attributes.push((rfc4519::CN, names.common_name.clone()));
    certificate::name(&attributes)
}

fn remember(turn: &mut Turn<'_>, order: &Order<'_>, names: &Names, leaf: &Read) {
    let name = if names.common_name.is_empty() { names.alt.dns.first() } else { Some(&names.common_name) };
    let signed = Signed {
        at: turn.now,
        mount: order.mount.to_owned(),
        role: order.role_name.to_owned(),
        serial: leaf.serial_text(),
        name: name.cloned().unwrap_or_default(),
        not_after: leaf.not_after,
        stored: !order.role.no_store,
    };
    turn.ledger.remember_signed(signed);
}

/// What is told besides. Vault tells what concerns the certificate twice: while it plans it and when it is done
/// (vault-measured 2); for CAs it tells something else.
fn warnings(order: &Order<'_>, names: &Names, validity: &Validity, request: Option<&Request>) -> Vec<String> {
    if order.kind == Kind::Intermediate {
        return vec![NO_AIA.to_owned()];
    }
    let creation = creation_warnings(validity, request);
    [creation.clone(), names.warnings.clone(), creation, ignored_warning(order)].concat()
}

const NO_AIA: &str = "This mount hasn't configured any authority information access (AIA) fields; this may make it harder for systems to find missing certificates in the chain or to validate revocation status of certificates. Consider updating /config/urls or the newly generated issuer with this information.";

fn creation_warnings(validity: &Validity, request: Option<&Request>) -> Vec<String> {
    let mut warnings = validity.warnings.clone();
    if request.is_some_and(|request| request.asks_for_ca) {
        warnings.push(
            "specified CSR contained a Basic Constraints extension that was ignored during issuance"
                .to_owned(),
        );
    }
    warnings
}

fn ignored_warning(order: &Order<'_>) -> Vec<String> {
    if order.ignored.is_empty() {
        return Vec::new();
    }
    vec![format!("Endpoint ignored these unrecognized parameters: [{}]", order.ignored.join(" "))]
}

fn data(
    product: Product,
    order: &Order<'_>,
    issuer: &Issuer,
    leaf: &Read,
    format: Format,
    new_key: Option<&CaKey>,
    not_before: Timestamp,
) -> Result<Value, Refusal> {
    let without_roots = order.fields.flag("remove_roots_from_chain", false)?;
    let chain = order.pki.chain(issuer).into_iter().map(|issuer| &issuer.certificate);
    let mut chain: Vec<&Read> = chain.filter(|read| !(without_roots && read.is_self_signed())).collect();
    if order.kind == Kind::Intermediate {
        // A new CA heads its own chain.
        chain.insert(0, leaf);
    }
    let written = |read: &Read| match format {
        Format::Der => STANDARD.encode(&read.der),
        Format::Pem | Format::Bundle => read.pem(),
    };
    let key_pem = new_key.map(|key| der_out::pem("PRIVATE KEY", key.pkcs8()));
    let certificate = match format {
        Format::Bundle => {
            let mut parts: Vec<String> = key_pem.iter().cloned().collect();
            parts.push(leaf.pem());
            parts.extend(chain.iter().map(|read| read.pem()));
            parts.join("\n")
        }
        Format::Pem | Format::Der => written(leaf),
    };
    let mut data = json!({
        "certificate": certificate,
        "expiration": leaf.not_after.as_second(),
        "issuing_ca": written(&issuer.certificate),
        "serial_number": leaf.serial_text(),
    });
    let mut add = |name: &str, value: Value| {
        if let Value::Object(data) = &mut data {
            data.insert(name.to_owned(), value);
        }
    };
    if !chain.is_empty() {
        add("ca_chain", chain.iter().map(|read| written(read)).collect::<Vec<_>>().into());
    }
    match product {
        Product::Vault if order.kind == Kind::Intermediate => {}
        Product::Vault => add("authority_key_id", leaf.authority_key_id_text().into()),
        Product::OpenBao => add("not_before", not_before.as_second().into()),
    }
    if let Some(key) = key_pem {
        add("private_key", key.into());
        add("private_key_type", order.role.key_type.as_str().into());
    }
    Ok(data)
}
