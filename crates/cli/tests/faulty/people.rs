//! People and programs beside the controller: approvers who may patch the status of requests and nothing else, clients who make
//! requests of their own, and a controller user with rights counted out. It knows nothing of what is right.

use everleaf_testkit::makers::Maker;
use everleaf_testkit::servers::{Kube, apply_manifests};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::pair;
use crate::support::space::{Space, condition, encoded};

/// What an approver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approved,
    Denied,
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Lets `user` patch the status of requests in a namespace.
pub(crate) async fn may_approve(space: &Space, user: &str) {
    let rules = json!([{
        "apiGroups": ["cert-manager.io"], "resources": ["certificaterequests/status"], "verbs": ["patch"],
    }]);
    let objects = [
        json!({"apiVersion": RBAC, "kind": "Role", "metadata": {"name": "approver"}, "rules": rules}),
        json!({
            "apiVersion": RBAC, "kind": "RoleBinding", "metadata": {"name": format!("approver-{user}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "approver"},
            "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
        }),
    ];
    apply_manifests(&space.client, &objects, &space.name).await.unwrap();
}

/// `user` judges a request by a patch of its status, as `cmctl approve` does it.
pub(crate) async fn judge(kube: &Kube, space: &Space, user: &str, request: &str, verdict: Verdict) {
    let kind = format!("{verdict:?}");
    let said = json!({
        "type": kind, "status": "True", "reason": "ByHand", "message": format!("{kind} by {user}"),
        "lastTransitionTime": now(),
    });
    let there = space.get("CertificateRequest", request).await;
    let mut conditions = there["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.push(said);
    let change = json!({
        "metadata": {"resourceVersion": there["metadata"]["resourceVersion"]}, "status": {"conditions": conditions},
    });
    let resource = kube::api::ApiResource {
        group: "cert-manager.io".into(),
        version: "v1".into(),
        api_version: "cert-manager.io/v1".into(),
        kind: "CertificateRequest".into(),
        plural: "certificaterequests".into(),
    };
    let client = kube.client_as(user).unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(client, &space.name, &resource);
    api.patch_status(request, &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
}

fn now() -> String {
    let now = jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A request as another client makes it, e.g. a service mesh: nobody owns it.
pub(crate) fn foreign_request(name: &str, issuer: Value) -> Maker {
    let request = encoded(pair::csr(&format!("{name}.example")));
    let made = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "metadata": {"name": name},
        "spec": {"request": request, "issuerRef": issuer, "duration": "1h", "usages": ["digital signature", "server auth"]},
    });
    Maker::of(made)
}

/// What a request says about its approval.
pub(crate) fn approval(request: &Value) -> (bool, bool) {
    (condition(request, "Approved")["status"] == "True", condition(request, "Denied")["status"] == "True")
}

/// Grants `user` what an install for one namespace grants, the right to approve apart.
pub(crate) async fn grant_all_but_approval(kube: &Kube, space: &Space, user: &str) {
    let file = format!("{}/../../deploy/namespaced/rbac.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let subject = format!("- kind: User\n    name: {user}\n    apiGroup: rbac.authorization.k8s.io");
    let parts: Vec<String> = text
        .split("\n---\n")
        .filter(|part| part.contains("kind: Role\n") || part.contains("kind: RoleBinding\n"))
        .map(|part| {
            part.replace("- kind: ServiceAccount\n    name: everleaf\n    namespace: everleaf", &subject)
        })
        .map(|part| part.replace("namespace: everleaf", &format!("namespace: {}", space.name)))
        .collect();
    assert_eq!(parts.len(), 2, "role and binding of deploy/namespaced/rbac.yaml");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rbac.yaml");
    std::fs::write(&path, parts.join("\n---\n")).unwrap();
    kube.kubectl(&["apply", "-f", &path.display().to_string()]).await.unwrap();
}

/// Grants the right to approve for the signers named so.
pub(crate) async fn grant_approval(kube: &Kube, space: &Space, user: &str, signers: &str) {
    let name = format!("{}-approver-{}", space.name, signers.replace(['/', '*', '.'], "-"));
    let objects = [
        json!({
            "apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [{
                "apiGroups": ["cert-manager.io"], "resources": ["signers"], "verbs": ["approve"],
                "resourceNames": [signers],
            }],
        }),
        json!({
            "apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
        }),
    ];
    apply_manifests(&kube.client().unwrap(), &objects, &space.name).await.unwrap();
}
