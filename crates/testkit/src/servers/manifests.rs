//! Applies manifests as `kubectl apply --server-side` does, and waits until a definition is served.
//! The kinds are asked of the server, so CRDs and what uses them may stand in one file.
//! It never deletes: what a test applies goes with its server.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, WatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

const FIELD_MANAGER: &str = "everleaf-testkit";
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(25);

/// Applies every document of a YAML file; objects without a namespace go to `namespace`.
pub async fn apply_file(client: &Client, path: &Path, namespace: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).with_context(|| format!("{}", path.display()))?;
    apply_manifests(client, &documents, namespace).await.with_context(|| format!("{}", path.display()))
}

/// Applies objects in their order; those without a namespace go to `namespace`.
pub async fn apply_manifests(client: &Client, objects: &[Value], namespace: &str) -> Result<()> {
    for object in objects.iter().filter(|object| !object.is_null()) {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let name = object.name_any();
        apply_one(client, &object, namespace).await.with_context(|| format!("apply {name}"))?;
    }
    Ok(())
}

async fn apply_one(client: &Client, object: &DynamicObject, namespace: &str) -> Result<()> {
    let types = object.types.as_ref().context("apiVersion and kind are missing")?;
    let gvk = GroupVersionKind::try_from(types)?;
    let (resource, capabilities) = discovery::pinned_kind(client, &gvk).await?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&object.name_any(), &parameters, &Patch::Apply(object)).await?;
    Ok(())
}

/// Waits until every definition in the cluster is served, watches included: right after it is established the API
/// server answers 429 to a watch while it fills its cache, and a client that meets that waits a second.
pub async fn await_established(client: &Client) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let give_up = Instant::now() + ESTABLISHED_WITHIN;
    loop {
        let mut waiting = Vec::new();
        for definition in definitions.list(&ListParams::default()).await? {
            if !(is_established(&definition) && can_be_watched(client, &definition).await) {
                waiting.push(definition.name_any());
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        if Instant::now() > give_up {
            bail!("not established after {ESTABLISHED_WITHIN:?}: {}", waiting.join(", "));
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}

async fn can_be_watched(client: &Client, definition: &CustomResourceDefinition) -> bool {
    let names = &definition.spec.names;
    let Some(version) = definition.spec.versions.iter().find(|version| version.served) else { return false };
    let gvk = GroupVersionKind::gvk(&definition.spec.group, &version.name, &names.kind);
    let kind = ApiResource::from_gvk_with_plural(&gvk, &names.plural);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    api.watch(&WatchParams::default(), "0").await.is_ok()
}
