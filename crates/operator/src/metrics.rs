//! Prometheus metrics: the peer's names and labels, and ours under `everleaf_`. One registry per operator, no globals.
//! Series of objects are made at scrape time from the records, so they disappear with their objects.

use prometheus::proto::MetricFamily;
use prometheus::{Encoder, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::clock::Clock;
use crate::ids::IssuerId;
use crate::lanes::Lanes;
use crate::records::Readiness;
use crate::world::World;

/// The counters that live as long as the operator.
pub struct Metrics {
    registry: Registry,
    attempts: IntCounterVec,
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
        let syncs =
            counter("certmanager_controller_sync_call_count", "Passes over objects.", &["controller"])?;
        let sync_errors = counter(
            "certmanager_controller_sync_error_count",
            "Passes over objects that could not be finished, conflicts apart.",
            &["controller"],
        )?;
        Ok(Metrics { registry, attempts, syncs, sync_errors })
    }

    /// Counts one attempt to get a request signed.
    pub fn attempt(&self, issuer: &IssuerId, class: &str, code: &str) {
        let namespace = issuer.namespace().unwrap_or_default();
        self.attempts.with_label_values(&[issuer.kind(), namespace, issuer.name(), class, code]).inc();
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
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

fn object_families(world: &World, lanes: &Lanes, clock: &Clock) -> prometheus::Result<Vec<MetricFamily>> {
    let scrape = Registry::new();
    certificates(&scrape, world)?;
    issuers(&scrape, world)?;
    let waiting = int_gauge(
        &scrape,
        "everleaf_requests_waiting",
        "Requests that wait for an issuer.",
        &["issuer_kind", "issuer_namespace", "issuer_name"],
    )?;
    let broken = int_gauge(
        &scrape,
        "everleaf_issuer_broken",
        "1 while one probe stands for all requests of an issuer.",
        &["issuer_kind", "issuer_namespace", "issuer_name"],
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

fn certificates(scrape: &Registry, world: &World) -> prometheus::Result<()> {
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
