//! A role: which names, keys and lives it allows (vault-server 3.4, 3.5).
//! The defaults are those that Vault 1.21 writes back for an empty role.
//! Plain data: the rules are applied in `names` and `validity`.

use std::time::Duration;

use super::ca::BACKDATING;
use crate::http::answer::Refusal;
use crate::state::fields::Fields;

/// A role.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) allow_any_name: bool,
    pub(crate) allow_bare_domains: bool,
    pub(crate) allow_glob_domains: bool,
    pub(crate) allow_ip_sans: bool,
    pub(crate) allow_localhost: bool,
    pub(crate) allow_subdomains: bool,
    pub(crate) allow_wildcard_certificates: bool,
    pub(crate) allowed_domains: Vec<String>,
    pub(crate) allowed_other_sans: Vec<String>,
    pub(crate) allowed_uri_sans: Vec<String>,
    pub(crate) client_flag: bool,
    pub(crate) enforce_hostnames: bool,
    pub(crate) generate_lease: bool,
    pub(crate) issuer_ref: String,
    pub(crate) key_bits: u64,
    pub(crate) key_type: String,
    pub(crate) max_ttl: Option<Duration>,
    pub(crate) no_store: bool,
    pub(crate) not_before_duration: Duration,
    pub(crate) organization: Vec<String>,
    pub(crate) ou: Vec<String>,
    pub(crate) require_cn: bool,
    pub(crate) server_flag: bool,
    pub(crate) ttl: Option<Duration>,
    pub(crate) use_csr_common_name: bool,
    pub(crate) use_csr_sans: bool,
}

impl Default for Role {
    fn default() -> Role {
        Role {
            allow_any_name: false,
            allow_bare_domains: false,
            allow_glob_domains: false,
            allow_ip_sans: true,
            allow_localhost: true,
            allow_subdomains: false,
            allow_wildcard_certificates: true,
            allowed_domains: Vec::new(),
            allowed_other_sans: Vec::new(),
            allowed_uri_sans: Vec::new(),
            client_flag: true,
            enforce_hostnames: true,
            generate_lease: false,
            issuer_ref: "default".to_owned(),
            key_bits: 0,
            key_type: "rsa".to_owned(),
            max_ttl: None,
            no_store: false,
            not_before_duration: BACKDATING,
            organization: Vec::new(),
            ou: Vec::new(),
            require_cn: true,
            server_flag: true,
            ttl: None,
            use_csr_common_name: true,
            use_csr_sans: true,
        }
    }
}

/// The role behind `sign-intermediate`: names come from the API, unless the request's are asked for or there are none
/// (seen on Vault 1.21.1).
pub(crate) fn intermediate(fields: Fields<'_>) -> Result<Role, Refusal> {
    let by_request = fields.flag("use_csr_values", false)?;
    let named = !fields.text("common_name")?.is_empty();
    Ok(Role { use_csr_common_name: by_request || !named, use_csr_sans: by_request, ..verbatim() })
}

/// The role behind `sign-verbatim`: everything is allowed and taken from the request.
pub(crate) fn verbatim() -> Role {
    Role {
        allow_any_name: true,
        allowed_other_sans: vec!["*".to_owned()],
        allowed_uri_sans: vec!["*".to_owned()],
        client_flag: false,
        server_flag: false,
        enforce_hostnames: false,
        key_type: "any".to_owned(),
        require_cn: false,
        ..Role::default()
    }
}
