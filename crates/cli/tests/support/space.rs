//! One test's namespace: applies and changes objects as a user does, reads them as plain JSON, and waits by watching, with a bound.
//! It knows nothing of what is right; a wait that ends in vain shows what was seen last and what the controller said.

use std::pin::pin;
use std::time::Duration;

use everleaf_testkit::makers::Maker;
use everleaf_testkit::servers::{Controller, Kube, apply_manifests};
use futures::TryStreamExt;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::stage::Stage;

/// Long enough for a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Lines of the controller's log shown when a wait ends in vain.
const LOG_LINES: usize = 25;

/// A namespace and a client with all rights.
#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) client: Client,
    pub(crate) name: String,
    log: Option<&'static Controller>,
}

impl Space {
    /// A fresh namespace on the shared servers.
    pub(crate) async fn new(stage: &'static Stage) -> Space {
        Space { log: Some(&stage.controller), ..Space::on(stage.kube).await }
    }

    /// A fresh namespace anywhere.
    pub(crate) async fn on(kube: &Kube) -> Space {
        let name = kube.namespace().await.unwrap();
        Space { client: kube.client().unwrap(), name, log: None }
    }

    /// The same servers, seen in another namespace.
    pub(crate) fn elsewhere(&self, namespace: &str) -> Space {
        Space { name: namespace.to_owned(), ..self.clone() }
    }

    pub(crate) fn api(&self, kind: &str) -> Api<DynamicObject> {
        match kind {
            "ClusterIssuer" => Api::all_with(self.client.clone(), &resource(kind)),
            _ => Api::namespaced_with(self.client.clone(), &self.name, &resource(kind)),
        }
    }

    /// Applies as a user's tool does.
    pub(crate) async fn apply(&self, object: Maker) -> Value {
        let object = object.json();
        apply_manifests(&self.client, std::slice::from_ref(&object), &self.name)
            .await
            .unwrap_or_else(|error| panic!("apply {object}: {error:#}"));
        object
    }

    /// Changes parts of an object by a merge patch.
    pub(crate) async fn merge(&self, kind: &str, name: &str, change: Value) -> Value {
        let patched = self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(&change)).await;
        plain(&patched.unwrap_or_else(|error| panic!("patch {kind} {name} with {change}: {error}")))
    }

    /// Changes an object's status by a merge patch.
    pub(crate) async fn merge_status(&self, kind: &str, name: &str, status: Value) -> Value {
        let change = json!({ "status": status });
        let patched =
            self.api(kind).patch_status(name, &PatchParams::default(), &Patch::Merge(&change)).await;
        plain(&patched.unwrap_or_else(|error| panic!("patch status of {kind} {name}: {error}")))
    }

    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        let deleted = self.api(kind).delete(name, &DeleteParams::default()).await;
        deleted.unwrap_or_else(|error| panic!("delete {kind} {name}: {error}"));
    }

    pub(crate) async fn find(&self, kind: &str, name: &str) -> Option<Value> {
        self.api(kind).get_opt(name).await.unwrap().map(|object| plain(&object))
    }

    pub(crate) async fn get(&self, kind: &str, name: &str) -> Value {
        self.find(kind, name).await.unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    pub(crate) async fn list(&self, kind: &str) -> Vec<Value> {
        let all = self.api(kind).list(&ListParams::default()).await.unwrap();
        all.items.iter().map(plain).collect()
    }

    pub(crate) async fn names(&self, kind: &str) -> Vec<String> {
        let all = self.list(kind).await;
        all.iter().map(|object| text(object, "/metadata/name")).collect()
    }

    /// Watches one object until it is as `wanted` says.
    pub(crate) async fn until(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        self.until_within(PATIENCE, kind, name, what, wanted).await
    }

    pub(crate) async fn until_within(
        &self,
        patience: Duration,
        kind: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let fields = format!("metadata.name={name}");
        self.until_any(patience, kind, &fields, &format!("{kind} {name}: {what}"), wanted).await
    }

    /// Watches the objects that a field selector picks until one is as `wanted` says.
    pub(crate) async fn until_any(
        &self,
        patience: Duration,
        kind: &str,
        fields: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        let found = tokio::time::timeout(patience, async {
            let mut changes = pin!(watcher(self.api(kind), watcher::Config::default().fields(fields)));
            loop {
                let change = changes.try_next().await.unwrap().unwrap();
                if let watcher::Event::InitApply(object) | watcher::Event::Apply(object) = change {
                    last = plain(&object);
                    if wanted(&last) {
                        return last.clone();
                    }
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!(
                "not within {patience:?}: {what}\nlast seen: {}\n{}",
                serde_json::to_string_pretty(&without_managed_fields(last)).unwrap(),
                self.controller_says()
            ),
        }
    }

    /// Watches until an object is gone.
    pub(crate) async fn until_gone(&self, kind: &str, name: &str) {
        let gone =
            kube::runtime::wait::await_condition(self.api(kind), name, |object: Option<&DynamicObject>| {
                object.is_none()
            });
        let gone = tokio::time::timeout(PATIENCE, gone).await;
        gone.unwrap_or_else(|_| panic!("{kind} {name} is still there\n{}", self.controller_says())).unwrap();
    }

    /// Watches a Certificate until it is issued as it is wished for now: Ready for its generation, and nothing running.
    pub(crate) async fn issued(&self, name: &str) -> Value {
        self.issued_within(PATIENCE, name).await
    }

    pub(crate) async fn issued_within(&self, patience: Duration, name: &str) -> Value {
        self.until_within(patience, "Certificate", name, "issued", is_issued).await
    }

    /// Waits for an event about an object.
    pub(crate) async fn event(&self, name: &str, reason: &str, words: &str) -> Value {
        let fields = format!("involvedObject.name={name}");
        let what = format!("event {reason} \"{words}\" about {name}");
        self.until_any(PATIENCE, "Event", &fields, &what, |event| {
            event["reason"] == reason && text(event, "/message").contains(words)
        })
        .await
    }

    /// What the controller said of this namespace lately.
    pub(crate) fn controller_says(&self) -> String {
        let Some(controller) = self.log else { return String::new() };
        let log = controller.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&self.name)).collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
        format!("the controller said:\n{}", shown.join("\n"))
    }
}

/// Ready for this generation, and no issuance runs.
pub(crate) fn is_issued(certificate: &Value) -> bool {
    let ready = condition(certificate, "Ready");
    ready["status"] == "True"
        && ready["observedGeneration"] == certificate["metadata"]["generation"]
        && condition(certificate, "Issuing")["status"] != "True"
}

/// A condition, or null.
pub(crate) fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.cloned().unwrap_or_default()
}

/// A text, empty if there is none.
pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A list of texts, empty if there is none.
pub(crate) fn texts(object: &Value, pointer: &str) -> Vec<String> {
    let list = object.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An entry of a Secret's data.
pub(crate) fn data(secret: &Value, key: &str) -> Vec<u8> {
    decoded(&secret["data"][key])
}

/// Bytes that the API carries in base64.
pub(crate) fn decoded(value: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).unwrap()
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn plain(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

fn without_managed_fields(mut object: Value) -> Value {
    if let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

fn resource(kind: &str) -> ApiResource {
    let (group, plural) = match kind {
        "Certificate" => ("cert-manager.io", "certificates"),
        "CertificateRequest" => ("cert-manager.io", "certificaterequests"),
        "Issuer" => ("cert-manager.io", "issuers"),
        "ClusterIssuer" => ("cert-manager.io", "clusterissuers"),
        "Secret" => ("", "secrets"),
        "Event" => ("", "events"),
        "Lease" => ("coordination.k8s.io", "leases"),
        other => panic!("which resource is {other}?"),
    };
    let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    ApiResource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
