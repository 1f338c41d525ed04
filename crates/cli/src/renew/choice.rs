//! Which Certificates are meant, and what is written on one so that it is issued anew: pure.
//! The mark is the one of `cmctl renew` (certificate-lifecycle 4.5), which this controller and cert-manager both obey.

use everleaf_api::condition::is_true;
use everleaf_api::references::issuer_ref;
use everleaf_api::{Certificate, ConditionStatus, ObservedCondition, items};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const ISSUING: &str = "Issuing";
const REASON: &str = "ManuallyTriggered";
const MESSAGE: &str = "Certificate re-issuance manually triggered";

/// What is known of a Certificate before it is asked to renew, and afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// The number of its last issuance.
    pub(super) revision: i64,
    /// How often it has failed in a row.
    pub(super) failures: i64,
}

impl Target {
    /// The facts of a Certificate.
    pub(super) fn of(certificate: &Certificate) -> Target {
        let status = certificate.status.clone().unwrap_or_default();
        Target {
            namespace: certificate.metadata.namespace.clone().unwrap_or_default(),
            name: certificate.metadata.name.clone().unwrap_or_default(),
            revision: status.revision.unwrap_or(0),
            failures: status.failed_issuance_attempts.unwrap_or(0),
        }
    }

    /// How it is named to people.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Whether a Certificate comes from the issuer that is written as `NAME` or `KIND/NAME`.
pub(super) fn comes_from(certificate: &Certificate, issuer: &str) -> bool {
    let named = issuer_ref(&certificate.spec.issuer_ref);
    match issuer.split_once('/') {
        Some((kind, name)) => named.name == name && named.kind().eq_ignore_ascii_case(kind),
        None => named.name == issuer,
    }
}

/// The conditions with `Issuing=True` by hand; `None` if an issuance runs already.
pub(super) fn marked(certificate: &Certificate, now: Timestamp) -> Option<Vec<ObservedCondition>> {
    let conditions = certificate.status.as_ref().and_then(|status| status.conditions.clone());
    if is_true(&conditions, ISSUING) {
        return None;
    }
    let mut all: Vec<ObservedCondition> =
        items(&conditions).iter().filter(|condition| condition.type_ != ISSUING).cloned().collect();
    all.push(ObservedCondition {
        type_: ISSUING.to_owned(),
        status: ConditionStatus::True,
        reason: Some(REASON.to_owned()),
        message: Some(MESSAGE.to_owned()),
        last_transition_time: Timestamp::from_second(now.as_second()).ok().map(Time),
        observed_generation: certificate.metadata.generation,
    });
    Some(all)
}

/// What has become of a Certificate that was asked to renew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// A new certificate is there.
    Issued,
    /// The issuance ended without one.
    Failed,
    /// It isn't over.
    Running,
}

/// Compares a Certificate with what it was before.
pub(super) fn became(before: &Target, now: &Certificate) -> Became {
    let conditions = now.status.as_ref().and_then(|status| status.conditions.clone());
    let after = Target::of(now);
    match (after.revision > before.revision, after.failures > before.failures) {
        (true, _) => Became::Issued,
        (false, true) if !is_true(&conditions, ISSUING) => Became::Failed,
        (false, _) => Became::Running,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use serde_json::{Value, json};

    use super::*;

    fn certificate(issuer: Value, status: Value) -> Certificate {
        let meta = json!({ "name": "web", "namespace": "ns", "generation": 3 });
        serde_json::from_value(
            json!({ "metadata": meta, "spec": { "secretName": "s", "issuerRef": issuer }, "status": status }),
        )
        .unwrap()
    }

    #[test]
    fn the_mark_is_that_of_cmctl_and_other_conditions_stay() {
        let ready = json!({ "type": "Ready", "status": "True", "reason": "Ready", "message": "fine" });
        let failed = json!({ "type": "Issuing", "status": "False", "reason": "Failed", "message": "no" });
        let now = "2026-11-25T01:02:03.9Z".parse().unwrap();
        let before = certificate(json!({ "name": "ca" }), json!({ "conditions": [ready, failed] }));
        let written = serde_json::to_value(marked(&before, now).unwrap()).unwrap();
        assert_eq!(
            written[0],
            json!({ "type": "Ready", "status": "True", "reason": "Ready", "message": "fine" })
        );
        assert_eq!(
            written[1],
            json!({
                "type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
                "message": "Certificate re-issuance manually triggered",
                "lastTransitionTime": "2026-11-25T01:02:03Z", "observedGeneration": 3,
            })
        );
        let running = json!({ "conditions": [{ "type": "Issuing", "status": "True" }] });
        assert_eq!(marked(&certificate(json!({ "name": "ca" }), running), now), None);
    }

    #[test]
    fn issuers_are_named_with_or_without_their_kind() {
        let of_cluster = certificate(json!({ "name": "ca", "kind": "ClusterIssuer" }), json!({}));
        let of_namespace = certificate(json!({ "name": "ca" }), json!({}));
        let rows = [
            (&of_cluster, "ca", true),
            (&of_cluster, "clusterissuer/ca", true),
            (&of_cluster, "issuer/ca", false),
            (&of_namespace, "Issuer/ca", true),
            (&of_namespace, "other", false),
        ];
        for (certificate, issuer, comes) in rows {
            assert_eq!(comes_from(certificate, issuer), comes, "{issuer}");
        }
    }

    #[test]
    fn an_issuance_is_over_when_its_revision_or_its_failures_grow() {
        let at = |status: Value| certificate(json!({ "name": "ca" }), status);
        let before = Target::of(&at(json!({ "revision": 2, "failedIssuanceAttempts": 1 })));
        let issuing = json!([{ "type": "Issuing", "status": "True" }]);
        let rows = [
            (json!({ "revision": 3 }), Became::Issued),
            (json!({ "revision": 2, "failedIssuanceAttempts": 2 }), Became::Failed),
            (json!({ "revision": 2, "failedIssuanceAttempts": 2, "conditions": issuing }), Became::Running),
            (json!({ "revision": 2, "failedIssuanceAttempts": 1 }), Became::Running),
        ];
        for (status, wanted) in rows {
            assert_eq!(became(&before, &at(status.clone())), wanted, "{status}");
        }
    }
}
