//! The load: an issuer, then many Certificates at once, and one watch that sees them become ready.
//! It speaks as the admin, so its requests are told from the controller's.
//! It never lists again and again: that would be what is measured.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::apply_manifests;
use futures::{StreamExt, TryStreamExt, pin_mut, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::{GroupVersionKind, NotUsed, Object};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Issuance, Issuer, Key};
use crate::lab::Stage;

pub(super) const NAMESPACE: &str = "bench";
/// Requests of the load, and of the ceiling, that are on their way at once.
pub(super) const CONCURRENCY: usize = 32;

const READY_WITHIN: Duration = Duration::from_secs(1200);

/// Of a Certificate or an Issuer only what says that it is ready.
pub(super) type Lean = Object<NotUsed, Conditions>;

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Conditions {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

/// The API of a `cert-manager.io/v1` kind.
pub(super) fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("cert-manager.io", "v1", kind), plural)
}

pub(super) fn certificates() -> ApiResource {
    resource("Certificate", "certificates")
}

/// Makes the issuer and waits until it is ready; its name.
pub(super) async fn make_issuer(stage: &Stage, issuance: &Issuance) -> Result<String> {
    let client = stage.kube.client()?;
    stage.kube.make_namespace(NAMESPACE).await?;
    let objects = match issuance.issuer {
        Issuer::Vault => {
            let (vault, pki) = stage.vault()?;
            let secret = makers::approle_secret("issuer", &pki.approle.secret_id);
            vec![secret, makers::vault_issuer("issuer", vault.url(), &pki.sign_path, &pki.approle.role_id)]
        }
        Issuer::Ca => {
            let ca = with_key(makers::certificate("ca").from_issuer("self-signed"), issuance.key);
            let ca = ca.with("/spec/isCA", json!(true)).with("/spec/commonName", json!("Bench CA"));
            vec![makers::self_signed_issuer("self-signed"), ca, makers::ca_issuer("issuer", "ca-tls")]
        }
    };
    let objects: Vec<Value> = objects.into_iter().map(Maker::json).collect();
    apply_manifests(&client, &objects, NAMESPACE).await?;
    await_ready(&client, &resource("Issuer", "issuers"), &["issuer".to_owned()]).await?;
    Ok("issuer".to_owned())
}

fn with_key(certificate: Maker, key: Key) -> Maker {
    match key {
        Key::Ecdsa => certificate,
        Key::Rsa => certificate.with("/spec/privateKey", json!({"algorithm": "RSA", "size": 2048})),
    }
}

/// The certificates of the load.
pub(super) fn wanted(issuance: &Issuance, issuer: &str) -> Vec<(String, Value)> {
    let certificate = |number: usize| {
        let name = format!("c-{number:05}");
        let certificate = makers::certificate(&name).from_issuer(issuer).in_namespace(NAMESPACE);
        (name, with_key(certificate, issuance.key).json())
    };
    (0..issuance.n).map(certificate).collect()
}

/// Creates all and waits until all are ready; the time from before the first creation to the last `Ready=True`.
pub(super) async fn issue(stage: &Stage, issuance: &Issuance, issuer: &str) -> Result<Duration> {
    let client = stage.kube.client()?;
    let wanted = wanted(issuance, issuer);
    let names: Vec<String> = wanted.iter().map(|(name, _)| name.clone()).collect();
    let watching = client.clone();
    let all_ready = tokio::spawn(async move { await_ready(&watching, &certificates(), &names).await });
    let begun = Instant::now();
    create_all(&client, wanted.into_iter().map(|(_, object)| object).collect()).await?;
    all_ready.await??;
    Ok(begun.elapsed())
}

/// Creates Certificates; their names and versions.
pub(super) async fn create_all(client: &Client, objects: Vec<Value>) -> Result<Vec<ObjectMeta>> {
    let creations = stream::iter(objects).map(|object| async move {
        let object: DynamicObject = serde_json::from_value(object)?;
        let namespace = object.metadata.namespace.clone().context("an object of the load has a namespace")?;
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &certificates());
        anyhow::Ok(api.create(&PostParams::default(), &object).await?.metadata)
    });
    creations.buffer_unordered(CONCURRENCY).try_collect().await
}

/// Watches until every one of `names` is ready.
pub(super) async fn await_ready(client: &Client, kind: &ApiResource, names: &[String]) -> Result<()> {
    let api: Api<Lean> = Api::namespaced_with(client.clone(), NAMESPACE, kind);
    let mut waiting: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let events = watcher(api, watcher::Config::default());
    pin_mut!(events);
    let watching = async {
        while let Some(event) = events.next().await {
            if let Event::Apply(object) | Event::InitApply(object) = event? {
                if is_ready(&object) {
                    waiting.remove(object.metadata.name.as_deref().unwrap_or_default());
                }
                if waiting.is_empty() {
                    return Ok(());
                }
            }
        }
        bail!("the watch ended")
    };
    let outcome = tokio::time::timeout(READY_WITHIN, watching).await;
    match outcome {
        Ok(outcome) => outcome,
        Err(_) => {
            bail!("{} of {} {} not ready after {READY_WITHIN:?}", waiting.len(), names.len(), kind.plural)
        }
    }
}

pub(super) fn is_ready(object: &Lean) -> bool {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|condition| condition.kind == "Ready" && condition.status == "True")
}
