//! Users with rights counted out, and what they try: everything as a dry run.

use everleaf_testkit::servers::{Kube, apply_manifests};
use kube::Client;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{api, of};

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Lets `user` do everything with requests in a namespace, their status included.
pub(crate) async fn may_write_requests(kube: &Kube, namespace: &str, user: &str) {
    let rules = json!([{
        "apiGroups": ["cert-manager.io"], "resources": ["certificaterequests", "certificaterequests/status"], "verbs": ["*"],
    }]);
    grant(kube, namespace, user, "Role", "requests", rules).await;
}

/// Grants `user` the approval for signers named so.
pub(crate) async fn may_approve(kube: &Kube, namespace: &str, user: &str, signers: &[&str]) {
    let rules = json!([{
        "apiGroups": ["cert-manager.io"], "resources": ["signers"], "verbs": ["approve"], "resourceNames": signers,
    }]);
    grant(kube, namespace, user, "ClusterRole", "signers", rules).await;
}

async fn grant(kube: &Kube, namespace: &str, user: &str, kind: &str, what: &str, rules: Value) {
    let name = format!("{namespace}-{what}-{user}");
    let objects = [
        json!({ "apiVersion": RBAC, "kind": kind, "metadata": { "name": name }, "rules": rules }),
        json!({
            "apiVersion": RBAC, "kind": format!("{kind}Binding"), "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name },
            "subjects": [{ "kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io" }],
        }),
    ];
    apply_manifests(&kube.client().unwrap(), &objects, namespace).await.unwrap();
}

/// What the server says to an attempt: nothing, or its refusal.
pub(crate) type Said = Option<String>;

fn said<T>(answer: kube::Result<T>) -> Said {
    answer.err().map(|error| error.to_string())
}

/// `client` tries to make an object.
pub(crate) async fn tries_to_create(client: &Client, namespace: &str, object: &Value) -> Said {
    let (api, object) = of(client, object, namespace);
    said(api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await)
}

/// `client` tries to change a request.
pub(crate) async fn tries_to_change(client: &Client, namespace: &str, name: &str, change: Value) -> Said {
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    said(api(client, "CertificateRequest", namespace).patch(name, &dry, &Patch::Merge(&change)).await)
}

/// `client` tries to give a request conditions of these types.
pub(crate) async fn tries_to_say(client: &Client, namespace: &str, name: &str, types: &[&str]) -> Said {
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let change = conditions(types);
    said(api(client, "CertificateRequest", namespace).patch_status(name, &dry, &Patch::Merge(&change)).await)
}

/// A status with conditions of these types, all True.
pub(crate) fn conditions(types: &[&str]) -> Value {
    let one = |kind: &&str| json!({ "type": kind, "status": "True", "reason": "R", "message": "m", "lastTransitionTime": "2026-01-02T03:04:05Z" });
    json!({ "status": { "conditions": types.iter().map(one).collect::<Vec<_>>() } })
}
