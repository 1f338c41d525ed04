//! The report of `everleaf status`: pure, from lists of objects and the time to rows.
//! Rows repeat what conditions say; the words are read by the same reader as those of `why`.

use std::collections::BTreeMap;

use everleaf_api::condition::{AnyCondition, find, is_true};
use everleaf_api::issuer::Authority;
use everleaf_api::references::issuer_ref;
use everleaf_api::{Certificate, ClusterIssuer, Issuer, IssuerSpec, IssuerStatus};
use everleaf_core::wanted::IssuerRef;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::screen::span;
use crate::why::Told;

/// Names of waiting Certificates shown for an issuer.
const NAMED: usize = 4;

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// One sentence over all.
    pub(super) summary: String,
    /// Namespace, kind and name, type, ready, used by, state.
    pub(super) issuers: Vec<Vec<String>>,
    /// Namespace, name, ready, life left, renewal, issuer, state; the least life left first.
    pub(super) certificates: Vec<Vec<String>>,
    /// What waits on what.
    pub(super) waiting: Vec<String>,
}

/// A Certificate in short.
struct Row {
    namespace: String,
    name: String,
    issuer: IssuerRef,
    is_ready: bool,
    is_issuing: bool,
    end: Option<Timestamp>,
    renewal: Option<Timestamp>,
    state: String,
}

/// Makes the report.
pub(super) fn report(
    certificates: &[Certificate],
    issuers: &[Issuer],
    cluster_issuers: &[ClusterIssuer],
    now: Timestamp,
) -> Report {
    let mut rows: Vec<Row> = certificates.iter().map(row).collect();
    rows.sort_by(|a, b| (a.end, &a.namespace, &a.name).cmp(&(b.end, &b.namespace, &b.name)));
    let of_namespace = issuers.iter().map(|it| ("Issuer", &it.metadata, &it.spec, &it.status));
    let of_cluster = cluster_issuers.iter().map(|it| ("ClusterIssuer", &it.metadata, &it.spec, &it.status));
    let mut states: BTreeMap<String, String> = BTreeMap::new();
    let mut issuer_rows = Vec::new();
    for (kind, meta, spec, status) in of_namespace.chain(of_cluster) {
        let (label, state, cells) = issuer_row(kind, meta, spec, status.as_ref(), &rows);
        states.insert(label, state);
        issuer_rows.push(cells);
    }
    Report {
        summary: summary(&rows, issuer_rows.len(), now),
        issuers: issuer_rows,
        waiting: waiting(&rows, &states),
        certificates: rows.iter().map(|row| cells(row, now)).collect(),
    }
}

fn row(certificate: &Certificate) -> Row {
    let status = certificate.status.clone().unwrap_or_default();
    let is_ready = is_true(&status.conditions, "Ready");
    let issuing = find(&status.conditions, "Issuing");
    let state = match (issuing, find(&status.conditions, "Ready")) {
        (Some(issuing), _) => Told::read(issuing.message()).line(),
        (None, Some(ready)) if !is_ready => Told::read(ready.message()).line(),
        (None, None) => "nothing is known yet".to_owned(),
        (None, Some(_)) => String::new(),
    };
    Row {
        namespace: text(&certificate.metadata.namespace),
        name: text(&certificate.metadata.name),
        issuer: issuer_ref(&certificate.spec.issuer_ref),
        is_ready,
        is_issuing: is_true(&status.conditions, "Issuing"),
        end: status.not_after.map(|time| time.0),
        renewal: status.renewal_time.map(|time| time.0),
        state,
    }
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

/// `Issuer default/vault`, `ClusterIssuer vault`.
fn label(kind: &str, namespace: &str, name: &str) -> String {
    if kind == "Issuer" { format!("{kind} {namespace}/{name}") } else { format!("{kind} {name}") }
}

impl Row {
    fn issuer_label(&self) -> String {
        label(self.issuer.kind(), &self.namespace, &self.issuer.name)
    }

    fn waits(&self) -> bool {
        !self.is_ready || self.is_issuing
    }
}

fn issuer_row(
    kind: &str,
    meta: &ObjectMeta,
    spec: &IssuerSpec,
    status: Option<&IssuerStatus>,
    rows: &[Row],
) -> (String, String, Vec<String>) {
    let (namespace, name) = (text(&meta.namespace), text(&meta.name));
    let label = label(kind, &namespace, &name);
    let conditions = status.and_then(|status| status.conditions.clone());
    let ready = find(&conditions, "Ready");
    let word = ready.map_or("Unknown", |ready| ready.status().as_str()).to_owned();
    let told = match ready {
        Some(ready) if word == "True" => ready.message().to_owned(),
        Some(ready) => Told::read(ready.message()).line(),
        None => "no controller has looked at it yet".to_owned(),
    };
    let used = rows.iter().filter(|row| row.issuer_label() == label).count();
    let kind_and_name = format!("{kind}/{name}");
    let cells = vec![
        namespace,
        kind_and_name,
        kind_of(spec).to_owned(),
        word.clone(),
        used.to_string(),
        told.clone(),
    ];
    let state = if word == "True" { "ready".to_owned() } else { told };
    (label, state, cells)
}

fn kind_of(spec: &IssuerSpec) -> &'static str {
    match spec.authority() {
        Some(Authority::Vault(_)) => "Vault",
        Some(Authority::Ca(_)) => "CA",
        Some(Authority::SelfSigned(_)) => "SelfSigned",
        Some(Authority::Acme(_)) => "ACME",
        Some(Authority::Venafi(_)) => "Venafi",
        None => "none",
    }
}

fn cells(row: &Row, now: Timestamp) -> Vec<String> {
    let left = |at: Timestamp| at.as_second() - now.as_second();
    let life = match row.end.map(left) {
        None => "none".to_owned(),
        Some(seconds) if seconds <= 0 => format!("ended {} ago", span(seconds)),
        Some(seconds) => span(seconds),
    };
    let renewal = match row.renewal.map(left) {
        None => "-".to_owned(),
        Some(seconds) if seconds <= 0 => "due".to_owned(),
        Some(seconds) => format!("in {}", span(seconds)),
    };
    let ready = if row.is_ready { "True" } else { "False" };
    let issuer = format!("{}/{}", row.issuer.kind(), row.issuer.name);
    vec![row.namespace.clone(), row.name.clone(), ready.to_owned(), life, renewal, issuer, row.state.clone()]
}

fn summary(rows: &[Row], issuers: usize, now: Timestamp) -> String {
    let count = |holds: fn(&Row) -> bool| rows.iter().filter(|row| holds(row)).count();
    let ended = rows.iter().filter(|row| row.end.is_some_and(|end| end <= now)).count();
    format!(
        "{} certificates: {} ready, {} not ready, {} being issued, {ended} expired. {issuers} issuers.",
        rows.len(),
        count(|row| row.is_ready),
        count(|row| !row.is_ready),
        count(|row| row.is_issuing),
    )
}

fn waiting(rows: &[Row], states: &BTreeMap<String, String>) -> Vec<String> {
    let mut waits: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.waits()) {
        waits.entry(row.issuer_label()).or_default().push(row);
    }
    let line = |(issuer, rows): (&String, &Vec<&Row>)| {
        let state = states.get(issuer).map_or("not there, or not of this list", String::as_str);
        let names: Vec<String> =
            rows.iter().take(NAMED).map(|row| format!("{}/{}", row.namespace, row.name)).collect();
        let more = rows.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{} on {issuer}: {}{more} ({state})", rows.len(), names.join(", "))
    };
    waits.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use serde_json::{Value, json};

    use super::*;

    fn certificate(name: &str, issuer: &str, status: Value) -> Certificate {
        let object = json!({
            "metadata": { "name": name, "namespace": "ns" },
            "spec": { "secretName": name, "issuerRef": { "name": issuer } },
            "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    fn condition(kind: &str, status: &str, message: &str) -> Value {
        json!({ "type": kind, "status": status, "reason": "Any", "message": message })
    }

    fn sample() -> Report {
        let sealed = "Transient (sign failed: Vault is sealed). It is expected to recover.";
        let certificates = [
            certificate(
                "long",
                "vault",
                json!({
                    "conditions": [condition("Ready", "True", "fine")],
                    "notAfter": "2026-12-25T00:00:00Z", "renewalTime": "2026-12-15T00:00:00Z",
                }),
            ),
            certificate(
                "short",
                "vault",
                json!({
                    "conditions": [condition("Ready", "True", "fine"), condition("Issuing", "True", &format!("Renewing | {sealed} Next try by 2026-11-25T00:01:00Z."))],
                    "notAfter": "2026-11-25T02:00:00Z", "renewalTime": "2026-11-24T23:00:00Z",
                }),
            ),
            certificate(
                "ended",
                "vault",
                json!({
                    "conditions": [condition("Ready", "False", "Certificate expired")], "notAfter": "2026-11-24T23:00:00Z",
                }),
            ),
            certificate("new", "nobody", json!({})),
        ];
        let issuer = json!({
            "metadata": { "name": "vault", "namespace": "ns" }, "spec": { "vault": { "server": "https://v", "path": "pki/sign/web", "auth": {} } },
            "status": { "conditions": [condition("Ready", "False", sealed)] },
        });
        let root = json!({ "metadata": { "name": "root" }, "spec": { "selfSigned": {} }, "status": { "conditions": [condition("Ready", "True", "")] } });
        report(
            &certificates,
            &[serde_json::from_value(issuer).unwrap()],
            &[serde_json::from_value(root).unwrap()],
            "2026-11-25T00:00:00Z".parse().unwrap(),
        )
    }

    #[test]
    fn certificates_are_told_by_the_life_that_is_left() {
        let report = sample();
        let wanted: [[&str; 7]; 4] = [
            ["ns", "new", "False", "none", "-", "Issuer/nobody", "nothing is known yet"],
            ["ns", "ended", "False", "ended 1h ago", "-", "Issuer/vault", "Certificate expired"],
            [
                "ns",
                "short",
                "True",
                "2h",
                "due",
                "Issuer/vault",
                "Transient (sign failed: Vault is sealed). It is expected to recover.",
            ],
            ["ns", "long", "True", "30d", "in 20d", "Issuer/vault", ""],
        ];
        assert_eq!(report.certificates, wanted);
        assert_eq!(
            report.summary,
            "4 certificates: 2 ready, 2 not ready, 1 being issued, 1 expired. 2 issuers."
        );
    }

    #[test]
    fn issuers_are_told_with_their_state_and_who_waits_for_them() {
        let report = sample();
        let sealed = "Transient (sign failed: Vault is sealed). It is expected to recover.";
        assert_eq!(report.issuers[0], ["ns", "Issuer/vault", "Vault", "False", "3", sealed]);
        assert_eq!(report.issuers[1], ["", "ClusterIssuer/root", "SelfSigned", "True", "0", ""]);
        assert_eq!(
            report.waiting,
            [
                "1 on Issuer ns/nobody: ns/new (not there, or not of this list)".to_owned(),
                format!("2 on Issuer ns/vault: ns/ended, ns/short ({sealed})"),
            ]
        );
    }
}
