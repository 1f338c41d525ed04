//! Prometheus metrics: the peer's names and labels, and ours under `everleaf_`. One registry per operator, no globals.
//! Series of objects are made at scrape time from the records, so they disappear with their objects.

use jiff::Timestamp;
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::clock::Clock;
use crate::ids::IssuerId;
use crate::lanes::Lanes;
use crate::records::Readiness;
use crate::world::World;

/// The counters that live as long as the operator.
pub struct Metrics {
    registry: Registry,
    attempts: IntCounterVec,
    issuances: HistogramVec,
    syncs: IntCounterVec,
    sync_errors: IntCounterVec,
}

impl Metrics {
    /// A fresh registry. Fails only if a name were registered twice.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let attempts = counter(
            "everleaf_sign_attempts",
            "Attempts to get a request signed, by issuer, class and code.",
            &["issuer_kind", "issuer_namespace", "issuer_name", "class", "code"],
        )?;
        let issuances = HistogramVec::new(
            HistogramOpts::new(
                "everleaf_issuance_seconds",
                "From the creation of a request to its certificate, by issuer.",
            )
            .buckets(ISSUANCE_SECONDS.to_vec()),
            &ISSUER_LABELS,
        )?;
        registry.register(Box::new(issuances.clone()))?;
        let syncs =
            counter("certmanager_controller_sync_call_count", "Passes over objects.", &["controller"])?;
        let sync_errors = counter(
            "certmanager_controller_sync_error_count",
            "Passes over objects that could not be finished, conflicts apart.",
            &["controller"],
        )?;
        Ok(Metrics { registry, attempts, issuances, syncs, sync_errors })
    }

    /// Counts one attempt to get a request signed.
    pub fn attempt(&self, issuer: &IssuerId, class: &str, code: &str) {
        let namespace = issuer.namespace().unwrap_or_default();
        self.attempts.with_label_values(&[issuer.kind(), namespace, issuer.name(), class, code]).inc();
    }

    /// Counts one certificate for a request that waited this long.
    pub fn issued(&self, issuer: &IssuerId, waited: std::time::Duration) {
        let labels = [issuer.kind(), issuer.namespace().unwrap_or_default(), issuer.name()];
        self.issuances.with_label_values(&labels).observe(waited.as_secs_f64());
    }

    /// Counts one pass of a controller.
    pub fn pass(&self, controller: &str, failed: bool) {
        self.syncs.with_label_values(&[controller]).inc();
        if failed {
            self.sync_errors.with_label_values(&[controller]).inc();
        }
    }

    /// The text that a scrape gets.
    pub fn text(&self, world: &World, lanes: &Lanes, clock: &Clock) -> Result<String, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(object_families(world, lanes, clock)?);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

const CERTIFICATE_LABELS: [&str; 5] = ["name", "namespace", "issuer_name", "issuer_kind", "issuer_group"];
const ISSUER_LABELS: [&str; 3] = ["issuer_kind", "issuer_namespace", "issuer_name"];
/// From a request that is signed at once to one that outlived an outage of a day.
const ISSUANCE_SECONDS: [f64; 12] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0, 86_400.0];
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

fn object_families(world: &World, lanes: &Lanes, clock: &Clock) -> prometheus::Result<Vec<MetricFamily>> {
    let scrape = Registry::new();
    certificates(&scrape, world, clock.now())?;
    issuers(&scrape, world)?;
    let waiting =
        int_gauge(&scrape, "everleaf_requests_waiting", "Requests that wait for an issuer.", &ISSUER_LABELS)?;
    let broken = int_gauge(
        &scrape,
        "everleaf_issuer_broken",
        "1 while one probe stands for all requests of an issuer.",
        &ISSUER_LABELS,
    )?;
    for lane in lanes.all() {
        let labels = [lane.id.kind(), lane.id.namespace().unwrap_or_default(), lane.id.name()];
        waiting.with_label_values(&labels).set(i64::try_from(lane.waiting()).unwrap_or(i64::MAX));
        broken.with_label_values(&labels).set(i64::from(lane.is_broken()));
    }
    let clock_gauge = int_gauge(&scrape, "certmanager_clock_time_seconds_gauge", "The wall clock.", &[])?;
    clock_gauge.with_label_values::<&str>(&[]).set(clock.now().as_second());
    Ok(scrape.gather())
}

fn certificates(scrape: &Registry, world: &World, now: Timestamp) -> prometheus::Result<()> {
    let mut ready_labels = vec!["name", "namespace", "condition"];
    ready_labels.extend(["issuer_name", "issuer_kind", "issuer_group"]);
    let ready = int_gauge(
        scrape,
        "certmanager_certificate_ready_status",
        "The ready status of the certificate.",
        &ready_labels,
    )?;
    let date = |name: &str, help: &str| gauge(scrape, name, help, &CERTIFICATE_LABELS);
    let expiration = date(
        "certmanager_certificate_expiration_timestamp_seconds",
        "When the certificate ends; 0 if unset.",
    )?;
    let not_after = date(
        "certmanager_certificate_not_after_timestamp_seconds",
        "When the certificate ends; 0 if unset.",
    )?;
    let not_before = date(
        "certmanager_certificate_not_before_timestamp_seconds",
        "When the certificate begins; 0 if unset.",
    )?;
    let renewal = date(
        "certmanager_certificate_renewal_timestamp_seconds",
        "When the certificate is renewed; 0 if unset.",
    )?;
    let left = date(
        "everleaf_certificate_life_left_ratio",
        "The share of its life that a certificate has left, from 1 to 0; no series where none was issued.",
    )?;
    let overdue = date(
        "everleaf_certificate_overdue_seconds",
        "For how long a certificate should have been renewed; 0 if it is not due.",
    )?;
    let state = world.look();
    for (key, record) in state.certificates() {
        let issuer = record.issuer_labels();
        let [issuer_name, issuer_kind, issuer_group] = issuer;
        let labels = [key.name.as_str(), &key.namespace, issuer_name, issuer_kind, issuer_group];
        for status in STATUSES {
            let is = record.ready.as_str() == status;
            let labels = [key.name.as_str(), &key.namespace, status, issuer_name, issuer_kind, issuer_group];
            ready.with_label_values(&labels).set(i64::from(is));
        }
        let dates = record.dates();
        expiration.with_label_values(&labels).set(dates.not_after);
        not_after.with_label_values(&labels).set(dates.not_after);
        not_before.with_label_values(&labels).set(dates.not_before);
        renewal.with_label_values(&labels).set(dates.renewal);
        let now = now.as_second() as f64;
        let life = dates.not_after - dates.not_before;
        if life > 0.0 {
            left.with_label_values(&labels).set(((dates.not_after - now) / life).clamp(0.0, 1.0));
        }
        let due = dates.renewal > 0.0;
        overdue.with_label_values(&labels).set(if due { (now - dates.renewal).max(0.0) } else { 0.0 });
    }
    Ok(())
}

fn issuers(scrape: &Registry, world: &World) -> prometheus::Result<()> {
    let help = "The ready status of the issuer.";
    let namespaced =
        int_gauge(scrape, "certmanager_issuer_ready_status", help, &["name", "namespace", "condition"])?;
    let cluster = int_gauge(scrape, "certmanager_clusterissuer_ready_status", help, &["name", "condition"])?;
    let state = world.look();
    for (id, record) in state.issuers() {
        for status in STATUSES {
            let is = i64::from(record.ready.as_str() == status);
            match id.namespace() {
                Some(namespace) => namespaced.with_label_values(&[id.name(), namespace, status]).set(is),
                None => cluster.with_label_values(&[id.name(), status]).set(is),
            }
        }
    }
    Ok(())
}

impl Readiness {
    /// The word in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Readiness::True => "True",
            Readiness::False => "False",
            Readiness::Unknown => "Unknown",
        }
    }
}

fn int_gauge(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntGaugeVec> {
    let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
    let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::ids::Key;
    use crate::records::CertificateRecord;

    fn scraped(now: &str) -> String {
        let world = World::default();
        let object = serde_json::json!({
            "metadata": {"name": "web", "namespace": "ns", "uid": "c", "resourceVersion": "1"},
            "spec": {"secretName": "web-tls", "issuerRef": {"name": "ca"}, "dnsNames": ["a.example"]},
            "status": {"notBefore": "2026-01-01T00:00:00Z", "renewalTime": "2026-01-03T00:00:00Z", "notAfter": "2026-01-05T00:00:00Z"},
        });
        let record = CertificateRecord::new(serde_json::from_value(object).unwrap());
        world.look().put_certificate(&Key::new("ns", "web"), Some(Arc::new(record)));
        let now: Timestamp = now.parse().unwrap();
        let metrics = Metrics::new().unwrap();
        metrics.issued(&IssuerId::ClusterIssuer("vault".to_owned()), std::time::Duration::from_secs(3));
        metrics.text(&world, &Lanes::default(), &Clock::new(move || now)).unwrap()
    }

    #[test]
    fn one_number_says_for_every_life_how_much_is_left_and_another_for_how_long_it_is_overdue() {
        let labels = r#"{issuer_group="",issuer_kind="",issuer_name="ca",name="web",namespace="ns"}"#;
        let rows = [
            ("2026-01-01T00:00:00Z", "1", "0"),
            ("2026-01-03T00:00:00Z", "0.5", "0"),
            ("2026-01-04T00:00:00Z", "0.25", "86400"),
            ("2026-02-01T00:00:00Z", "0", "2505600"),
        ];
        for (now, left, overdue) in rows {
            let text = scraped(now);
            for (name, value) in [("life_left_ratio", left), ("overdue_seconds", overdue)] {
                let line = format!("everleaf_certificate_{name}{labels} {value}\n");
                assert!(text.contains(&line), "{now}: no {line}{text}");
            }
        }
    }

    #[test]
    fn the_time_to_a_certificate_falls_into_its_bucket() {
        let text = scraped("2026-01-01T00:00:00Z");
        let labels = r#"issuer_kind="ClusterIssuer",issuer_name="vault",issuer_namespace="""#;
        assert!(text.contains(&format!("everleaf_issuance_seconds_bucket{{{labels},le=\"1\"}} 0")), "{text}");
        assert!(text.contains(&format!("everleaf_issuance_seconds_bucket{{{labels},le=\"5\"}} 1")), "{text}");
    }
}
