//! What the same writes cost without a controller: for each certificate create a CertificateRequest, write its
//! status, apply a Secret, write the Certificate's status and create an event, by a bare client without watches.
//! The objects are those that the run before has left, under new names, so their sizes are the same.
//! It speaks as the controller's user: the admin would pass the API server's fair queues.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use everleaf_testkit::servers::CONTROLLER_USER;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Event, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::Value;

use super::load::{self, CONCURRENCY, certificates, resource};
use crate::lab::Stage;

const NAMESPACE: &str = "ceiling";
const FIELD_MANAGER: &str = "cert-manager-certificates-issuing";
/// The certificate of the run before whose objects are written again.
const PATTERN: &str = "c-00000";

/// One of each object, stripped of what the API server filled in.
struct Patterns {
    certificate: DynamicObject,
    request: DynamicObject,
    secret: DynamicObject,
    event: DynamicObject,
}

/// The four APIs in the namespace of the ceiling.
struct Apis {
    certificates: Api<DynamicObject>,
    requests: Api<DynamicObject>,
    secrets: Api<DynamicObject>,
    events: Api<DynamicObject>,
}

/// The time that the writes of `n` issuances take.
pub(super) async fn measure(stage: &Stage, n: usize) -> Result<Duration> {
    let admin = stage.kube.client()?;
    stage.kube.make_namespace(NAMESPACE).await?;
    let patterns = patterns(&admin).await?;
    let objects = (0..n).map(|number| certificate(&patterns.certificate, number)).collect::<Result<_>>()?;
    let made = load::create_all(&admin, objects).await?;
    let apis = apis(&stage.kube.client_as(CONTROLLER_USER)?, NAMESPACE);
    let begun = Instant::now();
    let issuances = stream::iter(&made).map(|certificate| write_one(&apis, &patterns, certificate));
    issuances.buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
    Ok(begun.elapsed())
}

fn apis(client: &Client, namespace: &str) -> Apis {
    let api = |kind: &ApiResource| Api::namespaced_with(client.clone(), namespace, kind);
    Apis {
        certificates: api(&certificates()),
        requests: api(&resource("CertificateRequest", "certificaterequests")),
        secrets: api(&ApiResource::erase::<Secret>(&())),
        events: api(&ApiResource::erase::<Event>(&())),
    }
}

async fn patterns(admin: &Client) -> Result<Patterns> {
    let apis = apis(admin, load::NAMESPACE);
    let all = ListParams::default();
    let requests = apis.requests.list(&all).await?;
    let certificate = apis.certificates.get(PATTERN).await?;
    let is_owned = |object: &&DynamicObject| {
        let owners = object.meta().owner_references.iter().flatten();
        owners.into_iter().any(|owner| Some(&owner.uid) == certificate.metadata.uid.as_ref())
    };
    let request = requests.iter().find(is_owned).context("the certificate has no request")?;
    let about = ListParams::default().fields(&format!("involvedObject.name={PATTERN}"));
    let events = apis.events.list(&about).await?;
    let event = events.iter().next().context("the certificate has no event")?;
    Ok(Patterns {
        request: stripped(request),
        secret: stripped(&apis.secrets.get(&format!("{PATTERN}-tls")).await?),
        event: stripped(event),
        certificate: stripped(&certificate),
    })
}

/// Keeps what a writer sends: labels, annotations, owners and the body.
fn stripped(object: &DynamicObject) -> DynamicObject {
    let metadata = ObjectMeta {
        labels: object.metadata.labels.clone(),
        annotations: object.metadata.annotations.clone(),
        owner_references: object.metadata.owner_references.clone(),
        namespace: Some(NAMESPACE.to_owned()),
        ..ObjectMeta::default()
    };
    DynamicObject { types: object.types.clone(), metadata, data: object.data.clone() }
}

fn named(pattern: &DynamicObject, name: String, version: Option<String>) -> DynamicObject {
    let mut object = pattern.clone();
    object.metadata.name = Some(name);
    object.metadata.resource_version = version;
    object
}

/// As it is created: the status is written later.
fn without_status(mut object: DynamicObject) -> DynamicObject {
    if let Some(body) = object.data.as_object_mut() {
        body.remove("status");
    }
    object
}

fn certificate(pattern: &DynamicObject, number: usize) -> Result<Value> {
    let object = without_status(named(pattern, format!("c-{number:05}"), None));
    Ok(serde_json::to_value(object)?)
}

async fn write_one(apis: &Apis, patterns: &Patterns, certificate: &ObjectMeta) -> Result<()> {
    let post = PostParams::default();
    let name = certificate.name.clone().context("a created object has a name")?;
    let request_name = format!("{name}-1");
    let request = without_status(named(&patterns.request, request_name.clone(), None));
    let made = apis.requests.create(&post, &request).await?;
    let request = named(&patterns.request, request_name.clone(), made.metadata.resource_version);
    apis.requests.replace_status(&request_name, &post, &request).await?;
    let secret = named(&patterns.secret, format!("{name}-tls"), None);
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    apis.secrets.patch(&format!("{name}-tls"), &apply, &Patch::Apply(&secret)).await?;
    let with_status = named(&patterns.certificate, name.clone(), certificate.resource_version.clone());
    apis.certificates.replace_status(&name, &post, &with_status).await?;
    let mut event = named(&patterns.event, format!("{name}.event"), None);
    if let Some(about) = event.data.get_mut("involvedObject") {
        // The API server wants an event to stand where its object stands.
        about["namespace"] = Value::from(NAMESPACE);
    }
    apis.events.create(&post, &event).await?;
    Ok(())
}
