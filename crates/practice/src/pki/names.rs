//! Which names a role allows, by Vault's rules and in its order, with its refusals (vault-server 3.4, vault-measured 2).
//! Names come from the request or from the API's fields; the ones that are dropped go without a word or with a warning.
//! Only names: keys and dates are judged elsewhere.

use std::net::IpAddr;

use super::reading::{AltNames, Request};
use super::role::Role;
use crate::http::answer::Refusal;
use crate::options::Product;
use crate::state::fields::Fields;

/// The names of a certificate to be.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) common_name: String,
    pub(crate) alt: AltNames,
    pub(crate) warnings: Vec<String>,
}

/// Collects the names and judges them.
pub(crate) fn judge(
    product: Product,
    role: &Role,
    request: Option<&Request>,
    fields: Fields<'_>,
) -> Result<Names, Refusal> {
    let common_name = wanted_common_name(role, request, fields)?;
    let mut alt = wanted_alt_names(product, role, request, fields)?;
    if !common_name.is_empty() && !fields.flag("exclude_cn_from_sans", false)? {
        if common_name.contains('@') {
            alt.emails.push(common_name.clone());
        } else if is_hostname(&common_name) {
            alt.dns.push(common_name.clone());
        }
    }
    for list in [&mut alt.dns, &mut alt.emails] {
        list.sort();
        list.dedup();
    }
    if !common_name.is_empty() && !allows(role, &common_name) {
        return Err(Refusal::bad(format!("common name {common_name} not allowed by this role")));
    }
    check_other_names(role, &alt)?;
    if let Some(bad) = alt.dns.iter().find(|name| !allows(role, name)) {
        return Err(Refusal::bad(format!("subject alternate name {bad} not allowed by this role")));
    }
    if let Some(bad) = alt.emails.iter().find(|name| !allows(role, name)) {
        return Err(Refusal::bad(format!("email address {bad} not allowed by this role")));
    }
    check_addresses(product, role, &alt, from_request(role, request))?;
    check_uris(role, &alt, from_request(role, request))?;
    Ok(Names { common_name, alt, warnings: warnings(role, request, fields)? })
}

fn from_request(role: &Role, request: Option<&Request>) -> bool {
    request.is_some() && role.use_csr_sans
}

fn wanted_common_name(role: &Role, request: Option<&Request>, fields: Fields<'_>) -> Result<String, Refusal> {
    let from_csr = request.filter(|_| role.use_csr_common_name).map(|request| request.common_name.clone());
    let name = match from_csr.filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => fields.text("common_name")?,
    };
    if name.is_empty() && role.require_cn {
        return Err(Refusal::bad(
            "the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to true, unless \"require_cn\" is set to false",
        ));
    }
    Ok(name)
}

fn wanted_alt_names(
    product: Product,
    role: &Role,
    request: Option<&Request>,
    fields: Fields<'_>,
) -> Result<AltNames, Refusal> {
    if let Some(request) = request.filter(|_| role.use_csr_sans) {
        return Ok(request.names.clone());
    }
    let mut alt = AltNames { uris: fields.list("uri_sans"), ..AltNames::default() };
    for name in fields.list("alt_names") {
        if name.contains('@') {
            alt.emails.push(name);
        } else {
            alt.dns.push(name);
        }
    }
    let addresses = fields.list("ip_sans");
    if !addresses.is_empty() && !role.allow_ip_sans {
        let shown = addresses.join(" ");
        return Err(Refusal::bad(match product {
            Product::Vault => {
                format!(
                    "IP Subject Alternative Names are not allowed in this role, but was provided [{shown}]"
                )
            }
            Product::OpenBao => {
                "IP Subject Alternative Names are not allowed in this role, but was provided via the API"
                    .to_owned()
            }
        }));
    }
    for text in addresses {
        let address: Result<IpAddr, _> = text.parse();
        alt.addresses.push(
            address.map_err(|_| Refusal::bad(format!("the value \"{text}\" is not a valid IP address")))?,
        );
    }
    Ok(alt)
}

fn warnings(role: &Role, request: Option<&Request>, fields: Fields<'_>) -> Result<Vec<String>, Refusal> {
    let mut warnings = Vec::new();
    if request.is_none() {
        return Ok(warnings);
    }
    for (field, flag, on) in [
        ("common_name", "use_csr_common_name", role.use_csr_common_name),
        ("alt_names", "use_csr_sans", role.use_csr_sans),
    ] {
        if on && !fields.text(field)?.is_empty() {
            warnings.push(format!(
                "the {field} field was provided but the role is set with \"{flag}\" set to true"
            ));
        }
    }
    Ok(warnings)
}

/// Whether one host name, wildcard or e-mail address is allowed; the order of the tests is Vault's.
fn allows(role: &Role, name: &str) -> bool {
    let (host, email) = match name.split_once('@') {
        Some((_, domain)) => (domain, true),
        None => (name, false),
    };
    let wildcard = host.contains('*');
    let base = host.strip_prefix("*.").unwrap_or(host);
    if wildcard && (!role.allow_wildcard_certificates || base.contains('*')) {
        return false;
    }
    if role.enforce_hostnames && !is_hostname(base) {
        return false;
    }
    if role.allow_any_name {
        return true;
    }
    let local = ["localhost", "localdomain"].contains(&name) || email && host == "localhost";
    if role.allow_localhost && local {
        return true;
    }
    role.allowed_domains.iter().any(|domain| domain_allows(role, domain, name, host, base, wildcard))
}

fn domain_allows(role: &Role, domain: &str, name: &str, host: &str, base: &str, wildcard: bool) -> bool {
    let same = |one: &str| one.eq_ignore_ascii_case(domain);
    let below = base.len() > domain.len()
        && base.to_ascii_lowercase().ends_with(&format!(".{}", domain.to_ascii_lowercase()));
    let bare = role.allow_bare_domains && !wildcard && (same(host) || same(name));
    let sub = role.allow_subdomains && (below || wildcard && same(base));
    let pattern = role.allow_glob_domains && domain.contains('*') && glob(domain, name);
    bare || sub || pattern
}

/// `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|head| text.strip_prefix(head)) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        match rest.split_once(piece) {
            Some((_, tail)) => rest = tail,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The longest label, and the longest name.
const LONGEST_LABEL: usize = 63;
const LONGEST_NAME: usize = 253;

fn is_hostname(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && label.len() <= LONGEST_LABEL
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= LONGEST_NAME && name.trim_end_matches('.').split('.').all(label)
}

fn check_other_names(role: &Role, alt: &AltNames) -> Result<(), Refusal> {
    if alt.others.is_empty() || !role.allowed_other_sans.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad("other SANs are not allowed in this role, but were provided via CSR"))
}

fn check_addresses(product: Product, role: &Role, alt: &AltNames, from_request: bool) -> Result<(), Refusal> {
    if alt.addresses.is_empty() || role.allow_ip_sans || !from_request {
        return Ok(());
    }
    Err(Refusal::bad(match product {
        Product::Vault => {
            "IP Subject Alternative Names are not allowed in this role, but was provided some via CSR"
        }
        Product::OpenBao => {
            "IP Subject Alternative Names are not allowed in this role, but was provided via CSR"
        }
    }))
}

fn check_uris(role: &Role, alt: &AltNames, from_request: bool) -> Result<(), Refusal> {
    if alt.uris.is_empty() {
        return Ok(());
    }
    let source = if from_request { "CSR" } else { "the API" };
    if role.allowed_uri_sans.is_empty() {
        return Err(Refusal::bad(format!(
            "URI Subject Alternative Names are not allowed in this role, but were provided via {source}"
        )));
    }
    if alt.uris.iter().any(|uri| !role.allowed_uri_sans.iter().any(|pattern| glob(pattern, uri))) {
        return Err(Refusal::bad(format!(
            "URI Subject Alternative Names were provided via {source} which are not valid for this role"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(change: impl FnOnce(&mut Role)) -> Role {
        let mut role = Role { allowed_domains: vec!["example.com".into()], ..Role::default() };
        change(&mut role);
        role
    }

    #[test]
    fn domains_allow_what_vault_says_they_allow() {
        let sub = role(|role| role.allow_subdomains = true);
        let bare = role(|role| role.allow_bare_domains = true);
        let any = role(|role| role.allow_any_name = true);
        let globs = role(|role| {
            role.allow_glob_domains = true;
            role.allowed_domains = vec!["web-*.example.com".into()];
        });
        let rows = [
            (&sub, "web.example.com", true),
            (&sub, "example.com", false),
            (&sub, "*.example.com", true),
            (&sub, "web.evil.org", false),
            (&sub, "badexample.com", false),
            (&sub, "a_b.example.com", false),
            (&sub, "a@web.example.com", true),
            (&sub, "a@evil.org", false),
            (&bare, "example.com", true),
            (&bare, "EXAMPLE.com", true),
            (&bare, "web.example.com", false),
            (&bare, "localhost", true),
            (&any, "web.evil.org", true),
            (&any, "a_b.evil.org", false),
            (&any, "*.x.*.org", false),
            (&globs, "web-1.example.com", true),
            (&globs, "db-1.example.com", false),
        ];
        for (role, name, expected) in rows {
            assert_eq!(allows(role, name), expected, "{name} {:?}", role.allowed_domains);
        }
    }

    #[test]
    fn globs_match_in_the_middle_too() {
        let rows = [
            ("spiffe://*/ns/*", "spiffe://cluster.local/ns/a", true),
            ("spiffe://*/ns/*", "spiffe://cluster.local/sa/a", false),
            ("*", "anything", true),
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("exact", "exact", true),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
