//! How long a certificate lives: wished, capped, cut or refused (vault-server 3.5, vault-measured 2).
//! Capping is a warning, the end of the CA is an error, a cut or a permission, by the issuer's setting.
//! Dead certificates are given out where the real servers do so.

use std::time::Duration;

use jiff::Timestamp;

use super::ca::{Issuer, LeafNotAfter};
use super::role::Role;
use crate::clock::{earlier, later};
use crate::golang;
use crate::http::answer::Refusal;
use crate::options::Product;
use crate::state::fields::Fields;

/// The life of a certificate to be.
#[derive(Debug)]
pub(crate) struct Validity {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) warnings: Vec<String>,
}

/// The limits of the mount.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MountLimits {
    pub(crate) default_ttl: Duration,
    pub(crate) max_ttl: Duration,
}

/// Decides the life.
pub(crate) fn decide(
    product: Product,
    now: Timestamp,
    role: &Role,
    mount: MountLimits,
    issuer: &Issuer,
    fields: Fields<'_>,
) -> Result<Validity, Refusal> {
    let wished = fields.duration("ttl")?;
    let not_after = fields.text("not_after")?;
    if wished.is_some() && !not_after.is_empty() {
        return Err(Refusal::bad(
            "Either ttl or not_after should be provided. Both should not be provided in the same request.",
        ));
    }
    let mut warnings = Vec::new();
    let ttl = wished.or(role.ttl).unwrap_or(mount.default_ttl);
    let max = role.max_ttl.map_or(mount.max_ttl, |max| max.min(mount.max_ttl));
    let granted = ttl.min(max);
    if granted < ttl {
        warnings.push(format!(
            "TTL \"{}\" is longer than permitted maxTTL \"{}\", so maxTTL is being used",
            golang::duration_text(ttl),
            golang::duration_text(max)
        ));
    }
    let not_before = earlier(now, role.not_before_duration);
    // A `not_after` passes the role's limit (vault-measured 2).
    let wanted = if not_after.is_empty() { later(now, granted) } else { parse_not_after(&not_after)? };
    let not_after = bounded_by_ca(wanted, issuer)?;
    if product == Product::Vault && not_after < not_before {
        return Err(Refusal::bad("notAfter before notBefore"));
    }
    Ok(Validity { not_before, not_after, warnings })
}

fn parse_not_after(text: &str) -> Result<Timestamp, Refusal> {
    text.parse().map_err(|_| {
        let quoted = golang::quote(text);
        Refusal::bad(format!(
            "parsing time {quoted} as \"2006-01-02T15:04:05Z07:00\": cannot parse {quoted} as \"2006\""
        ))
    })
}

fn bounded_by_ca(wanted: Timestamp, issuer: &Issuer) -> Result<Timestamp, Refusal> {
    let end = issuer.certificate.not_after;
    match issuer.leaf_not_after {
        LeafNotAfter::Err if wanted > end => Err(Refusal::bad(format!(
            "cannot satisfy request, as TTL would result in notAfter of {} that is beyond the expiration of the CA certificate at {}",
            golang::rfc3339_nano(wanted),
            golang::rfc3339(end)
        ))),
        LeafNotAfter::Truncate => Ok(wanted.min(end)),
        LeafNotAfter::Err | LeafNotAfter::Permit => Ok(wanted),
    }
}
