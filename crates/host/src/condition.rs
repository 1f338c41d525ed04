//! What users read of the delivery: one condition on the Certificate, written by server-side apply, so that nobody else's is touched.
//! It is written when it would say something new, never to say the same again.

use everleaf_api::Certificate;
use everleaf_api::condition::{AnyCondition, find};
use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use everleaf_core::conditions::{Condition, clock};
use everleaf_core::words::cut;

use crate::due::Key;

/// The type of the condition.
pub const FILES_DELIVERED: &str = "everleaf.dev/FilesDelivered";
/// Who writes it.
const FIELD_MANAGER: &str = "everleaf-host";
/// The longest message.
const LONGEST_MESSAGE: usize = 1024;

/// Reasons.
pub(crate) mod reason {
    pub(crate) const DELIVERED: &str = "Delivered";
    pub(crate) const WAITING: &str = "WaitingForSecret";
    pub(crate) const INVALID: &str = "InvalidTargets";
    pub(crate) const TAKEN: &str = "PathTaken";
    pub(crate) const UNUSABLE: &str = "SecretUnusable";
    pub(crate) const UNREAD: &str = "SecretUnread";
    pub(crate) const NOT_WRITTEN: &str = "WriteFailed";
    pub(crate) const NOT_TOLD: &str = "ActionFailed";
}

/// The condition as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    condition: Condition,
    since: Option<Timestamp>,
    generation: Option<i64>,
}

impl Standing {
    /// What a Certificate says.
    pub(crate) fn of(certificate: &Certificate) -> Option<Standing> {
        let conditions = &certificate.status.as_ref()?.conditions;
        let found = find(conditions, FILES_DELIVERED)?;
        Some(Standing {
            condition: Condition {
                holds: found.status().as_str() == "True",
                reason: found.reason().to_owned(),
                message: found.message().to_owned(),
            },
            since: found.last_transition_time.as_ref().map(|time| time.0),
            generation: found.observed_generation,
        })
    }

    /// Whether it says this, the time of the next try apart.
    pub(crate) fn says(&self, wish: &Condition) -> bool {
        self.condition.holds == wish.holds && self.condition.reason == wish.reason
    }
}

/// The object that a condition is written to.
pub(crate) struct Object<'a> {
    pub(crate) key: &'a Key,
    pub(crate) uid: &'a str,
    pub(crate) generation: i64,
}

/// Publishes a condition, unless it stands there already.
pub(crate) async fn publish(
    client: &kube::Client,
    object: &Object<'_>,
    stands: Option<&Standing>,
    wish: &Condition,
    now: Timestamp,
) -> kube::Result<()> {
    let wish = Condition { message: cut(wish.message.clone(), LONGEST_MESSAGE), ..wish.clone() };
    let is_told =
        stands.is_some_and(|stands| stands.condition == wish && stands.generation == Some(object.generation));
    if is_told {
        return Ok(());
    }
    let kept = stands.filter(|stands| stands.condition.holds == wish.holds).and_then(|stands| stands.since);
    let condition = json!({
        "type": FILES_DELIVERED,
        "status": if wish.holds { "True" } else { "False" },
        "reason": wish.reason,
        "message": wish.message,
        "lastTransitionTime": clock(kept.unwrap_or(now)),
        "observedGeneration": object.generation,
    });
    apply(client, object, json!({ "conditions": [condition] })).await
}

/// Takes the condition away: nothing is asked for any more.
pub(crate) async fn withdraw(client: &kube::Client, object: &Object<'_>) -> kube::Result<()> {
    apply(client, object, json!({})).await
}

async fn apply(client: &kube::Client, object: &Object<'_>, status: Value) -> kube::Result<()> {
    let certificates: Api<Certificate> = Api::namespaced(client.clone(), &object.key.namespace);
    let patch = json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        // The UID keeps us from writing to a successor of the same name.
        "metadata": { "name": object.key.name, "namespace": object.key.namespace, "uid": object.uid },
        "status": status,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    certificates.patch_status(&object.key.name, &parameters, &Patch::Apply(patch)).await.map(|_| ())
}
