//! Who guards the API against forged approvals: the shipped policy, a webhook, or nobody.
//! A pure look at the objects that say so; the controller warns by it, and `migrate check` tells it.

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::Value;

/// The policy that asks who may approve (deploy/policy/approval.yaml).
const POLICY: &str = "everleaf-certificaterequest-approval";
const ADMISSION: &str = "admissionregistration.k8s.io";
const GROUP: &str = "cert-manager.io";

/// Said where nobody guards.
pub(crate) const OPEN: &str = "anybody who may write certificaterequests/status can approve requests: neither the policies (deploy/policy) \
                               nor a webhook are installed";

/// Who asks whether a user may approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The shipped policy, bound so that it denies.
    Policy,
    /// The webhook configuration of this name.
    Webhook(String),
    /// Nobody.
    Nobody,
}

/// Finds the guard among bindings of policies and ValidatingWebhookConfigurations.
pub(crate) fn guard(bindings: &[Value], configurations: &[Value]) -> Guard {
    let denies = |binding: &Value| {
        let actions = binding.pointer("/spec/validationActions").and_then(Value::as_array);
        actions.is_some_and(|actions| actions.iter().any(|action| action == "Deny"))
    };
    let is_ours = |binding: &Value| binding.pointer("/spec/policyName").is_some_and(|name| name == POLICY);
    if bindings.iter().any(|binding| is_ours(binding) && denies(binding)) {
        return Guard::Policy;
    }
    let found = configurations.iter().find(|configuration| {
        list(configuration, "webhooks").any(|webhook| list(webhook, "rules").any(looks_at_decisions))
    });
    match found {
        Some(configuration) => Guard::Webhook(text(configuration, "/metadata/name")),
        None => Guard::Nobody,
    }
}

/// Updates of the status of requests.
fn looks_at_decisions(rule: &Value) -> bool {
    let has = |field: &str, words: &[&str]| {
        list(rule, field).filter_map(Value::as_str).any(|word| words.contains(&word))
    };
    let resources = ["*/*", "certificaterequests/*", "certificaterequests/status", "*/status"];
    has("apiGroups", &["*", GROUP]) && has("operations", &["*", "UPDATE"]) && has("resources", &resources)
}

/// The entries of a list in an object.
pub(crate) fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// A text in an object; empty where there is none.
pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// All objects of a kind, as they are stored.
pub(crate) async fn all(client: &Client, group: &str, version: &str, kind: &str) -> kube::Result<Vec<Value>> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut found = Vec::new();
    let mut page = ListParams::default().limit(500);
    loop {
        let some = api.list(&page).await?;
        found.extend(some.items.iter().filter_map(|object| serde_json::to_value(object).ok()));
        match some.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// Warns if nobody guards. Whoever may not look says nothing.
pub(crate) async fn warn_if_open(client: Client) {
    let bindings = all(&client, ADMISSION, "v1", "ValidatingAdmissionPolicyBinding").await;
    let configurations = all(&client, ADMISSION, "v1", "ValidatingWebhookConfiguration").await;
    match (bindings, configurations) {
        (Ok(bindings), Ok(configurations)) => {
            if guard(&bindings, &configurations) == Guard::Nobody {
                tracing::warn!("{OPEN}");
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::debug!(%error, "could not look for admission policies and webhooks");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bound_policy_or_a_webhook_that_sees_decisions_guards() {
        let binding = |policy: &str, action: &str| json!({ "spec": { "policyName": policy, "validationActions": [action] } });
        let webhook = |group: &str, operation: &str, resource: &str| {
            let rule = json!({ "apiGroups": [group], "operations": [operation], "resources": [resource] });
            json!({ "metadata": { "name": "w" }, "webhooks": [{ "rules": [rule] }] })
        };
        let table = [
            (vec![], vec![], Guard::Nobody),
            (vec![binding(POLICY, "Deny")], vec![], Guard::Policy),
            (vec![binding(POLICY, "Audit")], vec![], Guard::Nobody),
            (vec![binding("other", "Deny")], vec![], Guard::Nobody),
            (vec![], vec![webhook(GROUP, "UPDATE", "*/*")], Guard::Webhook("w".into())),
            (vec![], vec![webhook("*", "*", "certificaterequests/status")], Guard::Webhook("w".into())),
            (vec![], vec![webhook(GROUP, "CREATE", "*/*")], Guard::Nobody),
            (vec![], vec![webhook(GROUP, "UPDATE", "certificates")], Guard::Nobody),
            (vec![], vec![webhook("apps", "UPDATE", "*/*")], Guard::Nobody),
        ];
        for (bindings, configurations, expected) in table {
            assert_eq!(guard(&bindings, &configurations), expected, "{bindings:?} {configurations:?}");
        }
    }
}
