//! Reads the objects that a story is told from. It only reads; what can't be read is told in its place, and ends nothing but the
//! subject's own story. The private key in a Secret is wiped before anything else is done with it.

use everleaf_api::{
    Certificate, CertificateRequest, ClusterIssuer, Issuer, IssuerReference, IssuerSpec, IssuerStatus,
    references::issuer_ref,
};
use everleaf_core::x509;
use futures::future::{join, join_all};
use k8s_openapi::api::core::v1::{Event, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::ListParams;
use zeroize::Zeroize as _;

use super::facts;
use super::objects::{EventSeen, Found, IssuerSeen, LeafSeen, Objects, SecretSeen, User};
use super::subject::{Kind, Subject};
use crate::cluster::{Cluster, told};

/// Names of requests are made from names of Certificates up to this length; longer ones are cut and must be looked for.
const NAME_KEPT: usize = 52;
/// The most certificates that are read of a bundle.
const BUNDLE_BYTES: usize = 1 << 20;

/// Everything about the subject; an error if the subject itself can't be read.
pub(super) async fn objects(cluster: &Cluster, subject: &Subject) -> anyhow::Result<Objects> {
    match subject.kind {
        Kind::Certificate => of_certificate(cluster, &subject.name).await,
        Kind::CertificateRequest => of_request(cluster, &subject.name).await,
        Kind::Issuer | Kind::ClusterIssuer => of_issuer(cluster, subject).await,
    }
}

async fn of_certificate(cluster: &Cluster, name: &str) -> anyhow::Result<Objects> {
    let api: Api<Certificate> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let Some(certificate) = api.get_opt(name).await.map_err(told)? else { return Ok(Objects::default()) };
    let spec = &certificate.spec;
    let (requests, (secret, (issuer, sharers))) = join(
        requests(cluster, &certificate),
        join(
            secret(cluster, &spec.secret_name),
            join(issuer(cluster, &spec.issuer_ref), sharers(cluster, &certificate)),
        ),
    )
    .await;
    let mut objects =
        Objects { requests, secret, issuer: issuer.0, namesake: issuer.1, sharers, ..Objects::default() };
    let mut about = vec![(Kind::Certificate, name.to_owned())];
    about.extend(
        objects
            .requests
            .iter()
            .map(|request| (Kind::CertificateRequest, facts::name(&request.metadata).to_owned())),
    );
    objects.events = events(cluster, &cluster.namespace, about).await;
    objects.certificate = Some(certificate);
    Ok(objects)
}

async fn of_request(cluster: &Cluster, name: &str) -> anyhow::Result<Objects> {
    let api: Api<CertificateRequest> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let Some(request) = api.get_opt(name).await.map_err(told)? else { return Ok(Objects::default()) };
    let about = vec![(Kind::CertificateRequest, name.to_owned())];
    let ((issuer, namesake), events) =
        join(issuer(cluster, &request.spec.issuer_ref), events(cluster, &cluster.namespace, about)).await;
    Ok(Objects { requests: vec![request], issuer, namesake, events, ..Objects::default() })
}

async fn of_issuer(cluster: &Cluster, subject: &Subject) -> anyhow::Result<Objects> {
    let Some(seen) = issuer_named(cluster, subject).await? else { return Ok(Objects::default()) };
    let client = cluster.client.clone();
    let (users_in, events_in) = match subject.kind {
        Kind::ClusterIssuer => (Api::<Certificate>::all(client), "default"),
        _ => (Api::namespaced(client, &cluster.namespace), cluster.namespace.as_str()),
    };
    let about = vec![(subject.kind, subject.name.clone())];
    let (users, events) = join(users(users_in, subject), events(cluster, events_in, about)).await;
    Ok(Objects { issuer: Found::There(seen), users, events, ..Objects::default() })
}

/// The Issuer or ClusterIssuer of this name.
pub(crate) async fn issuer_named(cluster: &Cluster, subject: &Subject) -> anyhow::Result<Option<IssuerSeen>> {
    let (client, name) = (cluster.client.clone(), subject.name.as_str());
    if subject.kind == Kind::ClusterIssuer {
        let found = Api::<ClusterIssuer>::all(client).get_opt(name).await.map_err(told)?;
        return Ok(found.map(cluster_issuer_seen));
    }
    let found = Api::<Issuer>::namespaced(client, &cluster.namespace).get_opt(name).await.map_err(told)?;
    Ok(found.map(issuer_seen))
}

/// The requests of the last and of the next issuance; all of the Certificate's where these can't be named.
async fn requests(cluster: &Cluster, certificate: &Certificate) -> Vec<CertificateRequest> {
    let api: Api<CertificateRequest> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let name = facts::name(&certificate.metadata);
    let revision = certificate.status.as_ref().and_then(|status| status.revision).unwrap_or(0);
    let mut found = Vec::new();
    if name.len() <= NAME_KEPT {
        let names = [format!("{name}-{revision}"), format!("{name}-{}", revision + 1)];
        let both = join_all(names.iter().map(|name| api.get_opt(name))).await;
        found.extend(both.into_iter().filter_map(|answer| answer.ok().flatten()));
    }
    // Requests under other names are made by other tools, and by versions of the peer before names were stable.
    if found.is_empty()
        && let Ok(all) = api.list(&ListParams::default()).await
    {
        found = all.items;
    }
    found.retain(|request| facts::certificate_of(request) == Some(name));
    found.sort_by_key(facts::revision);
    found
}

async fn secret(cluster: &Cluster, name: &str) -> Found<SecretSeen> {
    let api: Api<Secret> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let mut data = match api.get_opt(name).await {
        Ok(Some(secret)) => secret.data.unwrap_or_default(),
        Ok(None) => return Found::Missing,
        Err(error) => return Found::Unread(told(error).to_string()),
    };
    let has_key = data.get("tls.key").is_some_and(|key| !key.0.is_empty());
    let leaf = data.get("tls.crt").filter(|pem| !pem.0.is_empty()).map(|pem| leaf(&pem.0));
    data.values_mut().for_each(|value| value.0.zeroize());
    Found::There(SecretSeen { leaf, has_key })
}

fn leaf(pem: &[u8]) -> Result<LeafSeen, String> {
    let read = x509::Certificate::from_pem_within(pem, BUNDLE_BYTES);
    read.map(|leaf| LeafSeen::of(&leaf)).map_err(|error| error.to_string())
}

/// The issuer, and, if it isn't there, whether one of the other kind has its name.
async fn issuer(cluster: &Cluster, reference: &IssuerReference) -> (Found<IssuerSeen>, Option<Kind>) {
    let named = issuer_ref(reference);
    if !named.is_builtin() {
        return (Found::NotAsked, None);
    }
    let of_namespace: Api<Issuer> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let of_cluster: Api<ClusterIssuer> = Api::all(cluster.client.clone());
    let (asked, other) = match named.kind() {
        "Issuer" => (Kind::Issuer, Kind::ClusterIssuer),
        "ClusterIssuer" => (Kind::ClusterIssuer, Kind::Issuer),
        _ => return (Found::NotAsked, None),
    };
    let look = async |kind: Kind| match kind {
        Kind::ClusterIssuer => {
            of_cluster.get_opt(&named.name).await.map(|found| found.map(cluster_issuer_seen))
        }
        _ => of_namespace.get_opt(&named.name).await.map(|found| found.map(issuer_seen)),
    };
    match look(asked).await {
        Ok(Some(seen)) => (Found::There(seen), None),
        Ok(None) => (Found::Missing, look(other).await.ok().flatten().map(|_| other)),
        Err(error) => (Found::Unread(told(error).to_string()), None),
    }
}

fn issuer_seen(found: Issuer) -> IssuerSeen {
    let namespace = found.metadata.namespace.clone();
    seen(Kind::Issuer, namespace, found.metadata, found.spec, found.status)
}

fn cluster_issuer_seen(found: ClusterIssuer) -> IssuerSeen {
    seen(Kind::ClusterIssuer, None, found.metadata, found.spec, found.status)
}

fn seen(
    kind: Kind,
    namespace: Option<String>,
    meta: ObjectMeta,
    spec: IssuerSpec,
    status: Option<IssuerStatus>,
) -> IssuerSeen {
    IssuerSeen {
        kind,
        namespace,
        name: meta.name.unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        created: meta.creation_timestamp.map(|time| time.0),
        spec,
        status: status.unwrap_or_default(),
    }
}

/// Other Certificates with the same Secret. Looked for only where something is amiss: it reads all Certificates of the namespace.
async fn sharers(cluster: &Cluster, certificate: &Certificate) -> Vec<String> {
    let conditions = certificate.status.as_ref().and_then(|status| status.conditions.clone());
    if everleaf_api::condition::is_true(&conditions, "Ready") {
        return Vec::new();
    }
    let api: Api<Certificate> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let all = api.list(&ListParams::default()).await.map(|all| all.items).unwrap_or_default();
    let name = facts::name(&certificate.metadata);
    let same = |other: &&Certificate| {
        other.spec.secret_name == certificate.spec.secret_name && facts::name(&other.metadata) != name
    };
    all.iter().filter(same).map(|other| facts::name(&other.metadata).to_owned()).collect()
}

async fn users(certificates: Api<Certificate>, subject: &Subject) -> Vec<User> {
    let all = certificates.list(&ListParams::default()).await.map(|all| all.items).unwrap_or_default();
    let refers = |certificate: &&Certificate| {
        let named = issuer_ref(&certificate.spec.issuer_ref);
        named.is_builtin() && named.kind() == subject.kind.as_str() && named.name == subject.name
    };
    let user = |certificate: &Certificate| {
        let conditions = certificate.status.as_ref().and_then(|status| status.conditions.clone());
        let namespace = certificate.metadata.namespace.as_deref().unwrap_or_default();
        User {
            name: format!("{namespace}/{}", facts::name(&certificate.metadata)),
            ready: everleaf_api::condition::is_true(&conditions, "Ready"),
            issuing: everleaf_api::condition::is_true(&conditions, "Issuing"),
        }
    };
    all.iter().filter(refers).map(user).collect()
}

/// Events about these objects, the newest last. Whoever may not read them gets a story without.
async fn events(cluster: &Cluster, namespace: &str, about: Vec<(Kind, String)>) -> Vec<EventSeen> {
    let api: Api<Event> = Api::namespaced(cluster.client.clone(), namespace);
    let lists = about.iter().map(async |(kind, name)| {
        let params = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let all = api.list(&params).await.map(|all| all.items).unwrap_or_default();
        all.into_iter()
            .filter(|event| event.involved_object.kind.as_deref() == Some(kind.as_str()))
            .map(event_seen)
            .collect::<Vec<_>>()
    });
    let mut all: Vec<EventSeen> = join_all(lists).await.into_iter().flatten().collect();
    all.sort_by_key(|event| event.at);
    all
}

fn event_seen(event: Event) -> EventSeen {
    let object = event.involved_object;
    let times = [
        event.last_timestamp.map(|time| time.0),
        event.event_time.map(|time| time.0),
        event.metadata.creation_timestamp.map(|time| time.0),
    ];
    EventSeen {
        at: times.into_iter().flatten().next(),
        kind: event.type_.unwrap_or_default(),
        reason: event.reason.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
        about: format!("{} {}", object.kind.unwrap_or_default(), object.name.unwrap_or_default()),
    }
}
