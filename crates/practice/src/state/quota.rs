//! Rate-limit quotas (vault-server 1.6, vault-measured 2): one bucket per quota and client address, refilled at each interval.
//! `Retry-After` is rounded up by Vault and cut by OpenBao, and is only sent when the quota configuration says so.
//! Looked at before the token, and not at all by a sealed node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{later, span};
use crate::golang;
use crate::http::answer::{Raw, Refusal};
use crate::options::Product;

/// Paths that no quota counts, until somebody writes the quota configuration (vault-measured 1.10).
const DEFAULT_EXEMPT: [&str; 5] =
    ["sys/generate-recovery-token/", "sys/generate-root/", "sys/health", "sys/seal-status", "sys/unseal"];

/// One quota.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quota {
    /// Empty: everything. Ending in a slash: a mount. Else one path.
    pub(crate) path: String,
    /// Requests per interval.
    pub(crate) rate: u64,
    /// The interval.
    pub(crate) interval: Duration,
    /// How long a client that went over is kept out.
    pub(crate) block: Option<Duration>,
}

/// All quotas and their configuration.
#[derive(Debug, Clone)]
pub(crate) struct Quotas {
    pub(crate) by_name: BTreeMap<String, Quota>,
    pub(crate) response_headers: bool,
    pub(crate) exempt: Vec<String>,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            by_name: BTreeMap::new(),
            response_headers: false,
            exempt: DEFAULT_EXEMPT.map(str::to_owned).to_vec(),
        }
    }
}

/// The buckets of all clients.
#[derive(Debug, Default)]
pub(crate) struct Buckets(BTreeMap<(String, IpAddr), Bucket>);

#[derive(Debug)]
struct Bucket {
    until: Timestamp,
    left: u64,
    blocked_until: Option<Timestamp>,
}

impl Quotas {
    /// The most special quota for a path.
    fn for_path(&self, path: &str) -> Option<(&str, &Quota)> {
        let covers = |quota: &Quota| {
            quota.path.is_empty()
                || quota.path == path
                || quota.path.ends_with('/') && path.starts_with(&quota.path)
        };
        let fitting = self.by_name.iter().filter(|(_, quota)| covers(quota));
        fitting.max_by_key(|(_, quota)| quota.path.len()).map(|(name, quota)| (name.as_str(), quota))
    }

    fn is_exempt(&self, path: &str) -> bool {
        self.exempt
            .iter()
            .any(|exempt| path == exempt || exempt.ends_with('/') && path.starts_with(exempt.as_str()))
    }
}

/// The 429 for this request, if it is one too many.
pub(crate) fn refuse(
    quotas: &Quotas,
    buckets: &mut Buckets,
    product: Product,
    path: &str,
    from: IpAddr,
    now: Timestamp,
) -> Option<Raw> {
    if quotas.is_exempt(path) {
        return None;
    }
    let (name, quota) = quotas.for_path(path)?;
    let full = Bucket { until: later(now, quota.interval), left: quota.rate, blocked_until: None };
    let bucket = buckets.0.entry((name.to_owned(), from)).or_insert(full);
    if bucket.until <= now {
        bucket.until = later(now, quota.interval);
        bucket.left = quota.rate;
    }
    bucket.blocked_until = bucket.blocked_until.filter(|until| *until > now);
    if bucket.blocked_until.is_none() && bucket.left > 0 {
        bucket.left -= 1;
        return None;
    }
    let newly_blocked = bucket.blocked_until.is_none().then_some(quota.block).flatten();
    if let Some(block) = newly_blocked {
        bucket.blocked_until = Some(later(now, block));
    }
    let wait = span(now, bucket.blocked_until.unwrap_or(bucket.until));
    let mut raw = Raw::refusal(&Refusal::new(
        429,
        format!("request path {}: rate limit quota exceeded", golang::quote(path)),
    ));
    if quotas.response_headers {
        raw.headers = headers(product, quota, bucket, wait);
    }
    Some(raw)
}

fn headers(product: Product, quota: &Quota, bucket: &Bucket, wait: Duration) -> Vec<(&'static str, String)> {
    let rounded_up = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let seconds = match product {
        Product::Vault => rounded_up,
        Product::OpenBao => wait.as_secs(),
    };
    let mut headers = vec![("retry-after", seconds.to_string())];
    // While a client is kept out, only Retry-After is sent (vault-measured 2).
    if bucket.blocked_until.is_none() {
        headers.push(("x-ratelimit-limit", quota.rate.to_string()));
        headers.push(("x-ratelimit-remaining", bucket.left.to_string()));
        headers.push(("x-ratelimit-reset", seconds.to_string()));
    }
    headers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn quotas(quota: Quota, response_headers: bool) -> Quotas {
        Quotas { by_name: [("q".to_owned(), quota)].into(), response_headers, ..Quotas::default() }
    }

    fn per_second(path: &str, rate: u64) -> Quota {
        Quota { path: path.to_owned(), rate, interval: Duration::from_secs(1), block: None }
    }

    #[test]
    fn a_bucket_refills_at_its_interval() {
        let quotas = quotas(per_second("pki/", 2), false);
        let (mut buckets, from) = (Buckets::default(), "127.0.0.1".parse().unwrap());
        let start = Timestamp::UNIX_EPOCH;
        let mut ask = |millis, path| {
            let now = later(start, Duration::from_millis(millis));
            refuse(&quotas, &mut buckets, Product::Vault, path, from, now).map_or(200, |raw| raw.status)
        };
        assert_eq!([ask(0, "pki/sign/web"), ask(1, "pki/sign/web"), ask(2, "pki/sign/web")], [200, 200, 429]);
        assert_eq!([ask(3, "auth/approle/login"), ask(1001, "pki/sign/web")], [200, 200]);
    }

    #[test]
    fn retry_after_is_rounded_as_each_product_does() {
        for (product, expected) in [(Product::Vault, "1"), (Product::OpenBao, "0")] {
            let quotas = quotas(per_second("", 1), true);
            let (mut buckets, from) = (Buckets::default(), "127.0.0.1".parse().unwrap());
            let at = |millis| later(Timestamp::UNIX_EPOCH, Duration::from_millis(millis));
            assert!(refuse(&quotas, &mut buckets, product, "pki/sign/web", from, at(0)).is_none());
            let raw = refuse(&quotas, &mut buckets, product, "pki/sign/web", from, at(300)).unwrap();
            assert_eq!(raw.headers.first().unwrap(), &("retry-after", expected.to_owned()));
            assert!(refuse(&quotas, &mut buckets, product, "sys/health", from, at(400)).is_none());
        }
    }
}
