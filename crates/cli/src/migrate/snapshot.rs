//! What of a cluster is looked at, read once. A kind that isn't served, or may not be read, is missing and said to be.

use kube::Client;
use serde_json::Value;

use crate::cluster::told;
use crate::guard::all;

const CERT_MANAGER: &str = "cert-manager.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// The objects, as they are stored.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) certificates: Vec<Value>,
    pub(crate) requests: Vec<Value>,
    pub(crate) issuers: Vec<Value>,
    pub(crate) cluster_issuers: Vec<Value>,
    /// Ingresses, Gateways and others that name an issuer in an annotation.
    pub(crate) shimmed: Vec<Value>,
    /// Objects that cainjector could write a CA into.
    pub(crate) injectable: Vec<Value>,
    pub(crate) deployments: Vec<Value>,
    pub(crate) bindings: Vec<Value>,
    pub(crate) validating: Vec<Value>,
    /// Kinds that could not be read, and why.
    pub(crate) unread: Vec<(&'static str, String)>,
}

/// Reads a cluster. Without Certificates there is nothing to say.
pub(crate) async fn take(client: &Client) -> anyhow::Result<Snapshot> {
    let certificates = all(client, CERT_MANAGER, "v1", "Certificate").await.map_err(told)?;
    let mut snapshot = Snapshot { certificates, ..Snapshot::default() };
    let unread = &mut snapshot.unread;
    snapshot.requests = read(client, CERT_MANAGER, "CertificateRequest", unread).await;
    snapshot.issuers = read(client, CERT_MANAGER, "Issuer", unread).await;
    snapshot.cluster_issuers = read(client, CERT_MANAGER, "ClusterIssuer", unread).await;
    snapshot.deployments = read(client, "apps", "Deployment", unread).await;
    snapshot.bindings = read(client, ADMISSION, "ValidatingAdmissionPolicyBinding", unread).await;
    snapshot.validating = read(client, ADMISSION, "ValidatingWebhookConfiguration", unread).await;
    for (group, kind) in [("networking.k8s.io", "Ingress"), ("gateway.networking.k8s.io", "Gateway")] {
        snapshot.shimmed.extend(read(client, group, kind, unread).await);
    }
    let injectable = [
        (ADMISSION, "MutatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
    ];
    for (group, kind) in injectable {
        snapshot.injectable.extend(read(client, group, kind, unread).await);
    }
    snapshot.injectable.extend(snapshot.validating.iter().cloned());
    Ok(snapshot)
}

async fn read(
    client: &Client,
    group: &str,
    kind: &'static str,
    unread: &mut Vec<(&'static str, String)>,
) -> Vec<Value> {
    const NOT_FOUND: u16 = 404;
    match all(client, group, "v1", kind).await {
        Ok(mut found) => {
            // Entries of a list come without their kind.
            found.iter_mut().for_each(|object| object["kind"] = Value::from(kind));
            found
        }
        // A kind that isn't served has no objects.
        Err(kube::Error::Api(status)) if status.code == NOT_FOUND => Vec::new(),
        Err(error) => {
            unread.push((kind, told(error).to_string()));
            Vec::new()
        }
    }
}
