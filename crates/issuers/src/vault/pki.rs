//! What a sign call carries and what its reply holds. The fields are the peer's, all of them strings (vault-issuer 2.3).
//! The reply is only read here: whether the certificate is the one that was asked for is checked by `Checked` in core.

use std::time::Duration;

use everleaf_core::failure::{Blame, Call, Class, Failure};
use everleaf_core::go_duration;
use everleaf_core::wanted::DEFAULT_DURATION;
use everleaf_core::x509::{Certificate, Chain};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::answer::Body;
use crate::order::Order;
use crate::surroundings::failure;

/// A CSR longer than this is never sent: Vault answers what is too large with a server fault (vault-measured 2).
pub(super) const LONGEST_CSR: usize = 256 * 1024;
/// The most certificates of a chain that are looked at (vault-issuer 2.5).
const MOST_LINKS: usize = 1000;
/// The most warnings that are passed on.
const MOST_WARNINGS: usize = 8;
/// A life that fits under the CA's end keeps this distance from it: clocks differ.
const DISTANCE_FROM_CA: SignedDuration = SignedDuration::from_secs(60);
/// A life shorter than this is of no use.
const SHORTEST_LIFE: SignedDuration = SignedDuration::from_secs(300);

#[derive(Serialize)]
struct SignBody<'a> {
    csr: &'a str,
    common_name: &'a str,
    alt_names: String,
    ip_sans: String,
    uri_sans: String,
    ttl: String,
    exclude_cn_from_sans: &'static str,
}

/// The body of a sign call, for a life of this length.
pub(super) fn body(order: &Order<'_>, life: Duration) -> Zeroizing<Vec<u8>> {
    let names = order.csr.sans();
    let common_name = order.csr.subject().common_name().unwrap_or_default();
    let ips: Vec<_> = names.ips.iter().map(ToString::to_string).collect();
    let body = SignBody {
        csr: order.csr_pem,
        common_name: &common_name,
        alt_names: names.dns.join(","),
        ip_sans: ips.join(","),
        uri_sans: names.uris.join(","),
        ttl: go_duration::format(SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX)),
        exclude_cn_from_sans: "true",
    };
    // Strings always serialise.
    Zeroizing::new(serde_json::to_vec(&body).unwrap_or_default())
}

/// The life to ask for.
pub(super) fn life(order: &Order<'_>) -> Duration {
    order.duration.unwrap_or(DEFAULT_DURATION)
}

/// Reads the certificate and what belongs above it: `issuing_ca` and `ca_chain` both count, since either may lack what the other has
/// (vault-issuer 0.9, 2.5). A CA certificate that can't be read is left out; a leaf that can't is the issuer's fault.
pub(super) fn chain(body: &Body) -> Result<Chain, Failure> {
    let leaf = body.text_at("/data/certificate").unwrap_or_default();
    let leaf = Certificate::from_pem(leaf.as_bytes())
        .map_err(|why| unusable(&format!("the certificate in the reply: {why}")))?;
    let links = body.at("/data/ca_chain").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let above =
        links.iter().take(MOST_LINKS).filter_map(Value::as_str).chain(body.text_at("/data/issuing_ca"));
    let above = above.filter_map(|pem| Certificate::from_pem(pem.as_bytes()).ok()).collect();
    Chain::for_leaf(leaf, above).map_err(|why| unusable(&format!("the chain in the reply: {why}")))
}

fn unusable(says: &str) -> Failure {
    failure(Class::Issuer, Call::Sign, "CertificateUnusable", says, Blame::Issuer)
}

/// What Vault warns of, each once: it says everything twice (vault-measured 2).
pub(super) fn warnings(body: &Body) -> Vec<String> {
    let list = body.at("/warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut warnings = Vec::new();
    for warning in list.iter().filter_map(Value::as_str) {
        let warning = everleaf_core::failure::Says::new(warning).as_str().to_owned();
        if warnings.len() < MOST_WARNINGS && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
}

/// When the CA ends, out of the text that refuses a longer life:
/// `... notAfter of <t> that is beyond the expiration of the CA certificate at <t>` (vault-measured 2).
pub(super) fn ca_end(body: &Body) -> Option<Timestamp> {
    let Body::Errors(text) = body else { return None };
    let (_, end) = text.rsplit_once("beyond the expiration of the CA certificate at ")?;
    end.trim().parse().ok()
}

/// The longest life that ends before the CA does.
pub(super) fn fitting_life(ca_end: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = ca_end.duration_since(now) - DISTANCE_FROM_CA;
    let whole = SignedDuration::from_secs(left.as_secs());
    (whole >= SHORTEST_LIFE).then(|| Duration::try_from(whole).ok()).flatten()
}
