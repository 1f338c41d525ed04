//! Tables of what admission refuses and takes (certificate-lifecycle 1.7), and how to ask an API server about them.
//! Asking is a dry run: everything is checked as for a real write, and nothing is stored.

#![allow(dead_code)]

pub(crate) mod good;
pub(crate) mod issuers;
pub(crate) mod people;
pub(crate) mod rows;

use std::time::{Duration, Instant};

use everleaf_testkit::makers::Maker;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};

/// Policies, webhooks and definitions take a moment to become effective, and longer on a busy machine.
const EFFECTIVE_WITHIN: Duration = Duration::from_secs(120);

/// An object that one rule refuses, and the field that the refusal names.
pub(crate) struct Row {
    pub(crate) object: Value,
    pub(crate) field: &'static str,
}

/// A row made of a good object and changes to it.
pub(crate) fn row(good: &Maker, changes: &[(&str, Value)], field: &'static str) -> Row {
    let object = changes.iter().fold(good.clone(), |object, (at, value)| object.with(at, value.clone()));
    Row { object: object.json(), field }
}

/// A request for a certificate. Only the webhook looks into what is asked for.
pub(crate) fn request(name: &str, csr: &str) -> Maker {
    Maker::of(json!({
        "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "metadata": { "name": name },
        "spec": { "request": csr, "issuerRef": { "name": "issuer" } },
    }))
}

/// The API of a kind of ours.
pub(crate) fn api(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("cert-manager.io", "v1", kind));
    match kind {
        "ClusterIssuer" => Api::all_with(client.clone(), &resource),
        _ => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}

/// The API of the kind that an object is of, and the object.
pub(crate) fn of(client: &Client, object: &Value, namespace: &str) -> (Api<DynamicObject>, DynamicObject) {
    let kind = object["kind"].as_str().unwrap();
    (api(client, kind, namespace), serde_json::from_value(object.clone()).unwrap())
}

/// The fields that the server's refusal names, each once; none if it takes the object. Webhooks name them in the text only.
pub(crate) async fn refused_fields(client: &Client, object: &Value, namespace: &str) -> Vec<String> {
    let (api, object) = of(client, object, namespace);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let status = match api.create(&dry, &object).await {
        Ok(_) => return Vec::new(),
        Err(kube::Error::Api(status)) => status,
        Err(error) => panic!("{error}"),
    };
    let causes = status.details.map(|details| details.causes).unwrap_or_default();
    let mut fields: Vec<String> = causes.into_iter().map(|cause| cause.field).collect();
    // Says that rules were left out because of a fault in the shape.
    fields.retain(|field| field != "<nil>");
    fields.sort();
    fields.dedup();
    if fields.iter().all(String::is_empty) { vec![status.message] } else { fields }
}

/// Asks again and again until the answer is as it shall be; what becomes effective does so some time.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + EFFECTIVE_WITHIN;
    while !is_so().await {
        assert!(Instant::now() < give_up, "not within {EFFECTIVE_WITHIN:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
