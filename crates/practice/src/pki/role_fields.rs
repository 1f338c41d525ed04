//! Roles over HTTP: reads the fields of a role write and gives them back.
//! A write replaces the whole role, as in Vault; only what is named here has an effect.
//! The defaults live in `role`.

use serde_json::{Value, json};

use super::role::Role;
use crate::http::answer::Refusal;
use crate::state::fields::Fields;

/// The smallest keys of a kind, where the role doesn't say (vault-answers: the role's own answer).
const RSA_BITS: u64 = 2048;
const EC_BITS: u64 = 256;

/// The role that a write describes.
pub(crate) fn read(fields: Fields<'_>) -> Result<Role, Refusal> {
    let mut role = Role::default();
    for (name, flag) in [
        ("allow_any_name", &mut role.allow_any_name),
        ("allow_bare_domains", &mut role.allow_bare_domains),
        ("allow_glob_domains", &mut role.allow_glob_domains),
        ("allow_ip_sans", &mut role.allow_ip_sans),
        ("allow_localhost", &mut role.allow_localhost),
        ("allow_subdomains", &mut role.allow_subdomains),
        ("allow_wildcard_certificates", &mut role.allow_wildcard_certificates),
        ("client_flag", &mut role.client_flag),
        ("enforce_hostnames", &mut role.enforce_hostnames),
        ("generate_lease", &mut role.generate_lease),
        ("no_store", &mut role.no_store),
        ("require_cn", &mut role.require_cn),
        ("server_flag", &mut role.server_flag),
        ("use_csr_common_name", &mut role.use_csr_common_name),
        ("use_csr_sans", &mut role.use_csr_sans),
    ] {
        *flag = fields.flag(name, *flag)?;
    }
    role.allowed_domains = fields.list("allowed_domains");
    role.allowed_other_sans = fields.list("allowed_other_sans");
    role.allowed_uri_sans = fields.list("allowed_uri_sans");
    role.organization = fields.list("organization");
    role.ou = fields.list("ou");
    role.max_ttl = fields.duration("max_ttl")?;
    role.ttl = fields.duration("ttl")?;
    if let Some(backdating) = fields.duration("not_before_duration")? {
        role.not_before_duration = backdating;
    }
    for (name, text) in [("issuer_ref", &mut role.issuer_ref), ("key_type", &mut role.key_type)] {
        let given = fields.text(name)?;
        if !given.is_empty() {
            *text = given;
        }
    }
    role.key_bits = fields.number("key_bits", 0)?;
    if role.key_bits == 0 {
        role.key_bits = match role.key_type.as_str() {
            "rsa" => RSA_BITS,
            "ec" => EC_BITS,
            _ => 0,
        };
    }
    if role.max_ttl.zip(role.ttl).is_some_and(|(max, ttl)| ttl > max) {
        return Err(Refusal::bad("\"ttl\" value must be less than \"max_ttl\" value"));
    }
    if !["rsa", "ec", "ed25519", "any"].contains(&role.key_type.as_str()) {
        return Err(Refusal::bad(format!("unknown key type {}", role.key_type)));
    }
    Ok(role)
}

/// What a role read gives back.
pub(crate) fn shown(role: &Role) -> Value {
    let mut data = json!({
        "allow_any_name": role.allow_any_name,
        "allow_bare_domains": role.allow_bare_domains,
        "allow_glob_domains": role.allow_glob_domains,
        "allow_ip_sans": role.allow_ip_sans,
        "allow_localhost": role.allow_localhost,
        "allow_subdomains": role.allow_subdomains,
        "allow_wildcard_certificates": role.allow_wildcard_certificates,
        "allowed_domains": role.allowed_domains,
        "allowed_other_sans": role.allowed_other_sans,
        "allowed_uri_sans": role.allowed_uri_sans,
        "client_flag": role.client_flag,
        "enforce_hostnames": role.enforce_hostnames,
        "generate_lease": role.generate_lease,
        "issuer_ref": role.issuer_ref,
        "key_bits": role.key_bits,
        "key_type": role.key_type,
        "max_ttl": role.max_ttl.unwrap_or_default().as_secs(),
        "no_store": role.no_store,
        "not_before_duration": role.not_before_duration.as_secs(),
        "organization": role.organization,
        "ou": role.ou,
        "require_cn": role.require_cn,
        "server_flag": role.server_flag,
        "ttl": role.ttl.unwrap_or_default().as_secs(),
        "use_csr_common_name": role.use_csr_common_name,
        "use_csr_sans": role.use_csr_sans,
    });
    if let (Value::Object(data), Value::Object(fixed)) = (&mut data, without_effect()) {
        data.extend(fixed);
    }
    data
}

/// Fields that Vault shows and that have no effect here, with their defaults.
fn without_effect() -> Value {
    json!({
        "allow_token_displayname": false,
        "allowed_domains_template": false,
        "allowed_serial_numbers": [],
        "allowed_uri_sans_template": false,
        "allowed_user_ids": [],
        "basic_constraints_valid_for_non_ca": false,
        "cn_validations": ["email", "hostname"],
        "code_signing_flag": false,
        "country": [],
        "email_protection_flag": false,
        "ext_key_usage": [],
        "ext_key_usage_oids": [],
        "key_usage": ["DigitalSignature", "KeyAgreement", "KeyEncipherment"],
        "locality": [],
        "not_after": "",
        "policy_identifiers": [],
        "postal_code": [],
        "province": [],
        "serial_number_source": "json-csr",
        "signature_bits": 0,
        "street_address": [],
        "use_pss": false,
    })
}
