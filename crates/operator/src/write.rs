//! The lean writes: status by PUT and creation by POST, with only as much of the answer parsed as we need (its version).
//! It never retries and never reads.

use http::Request as HttpRequest;
use kube::api::{PostParams, Request};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ids::Key;

/// A kind by its place in the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource {
    kind: &'static str,
    plural: &'static str,
}

/// Certificates
pub(crate) const CERTIFICATES: Resource = Resource { kind: "Certificate", plural: "certificates" };
/// CertificateRequests
pub(crate) const REQUESTS: Resource = Resource { kind: "CertificateRequest", plural: "certificaterequests" };
/// Issuers
pub(crate) const ISSUERS: Resource = Resource { kind: "Issuer", plural: "issuers" };
/// ClusterIssuers
pub(crate) const CLUSTER_ISSUERS: Resource = Resource { kind: "ClusterIssuer", plural: "clusterissuers" };

const API_VERSION: &str = "cert-manager.io/v1";

#[derive(Deserialize)]
struct Written {
    metadata: WrittenMeta,
}

#[derive(Deserialize)]
struct WrittenMeta {
    #[serde(rename = "resourceVersion")]
    resource_version: String,
}

impl Resource {
    fn path(self, namespace: &str) -> String {
        if namespace.is_empty() {
            format!("/apis/{API_VERSION}/{}", self.plural)
        } else {
            format!("/apis/{API_VERSION}/namespaces/{namespace}/{}", self.plural)
        }
    }
}

/// Replaces the status of an object at a version. Returns the new version.
pub(crate) async fn status(
    client: &kube::Client,
    resource: Resource,
    key: &Key,
    version: &str,
    status: &impl Serialize,
) -> kube::Result<String> {
    let namespace = Some(&key.namespace).filter(|namespace| !namespace.is_empty());
    let metadata = json!({ "name": key.name, "namespace": namespace, "resourceVersion": version });
    let body =
        json!({ "apiVersion": API_VERSION, "kind": resource.kind, "metadata": metadata, "status": status });
    let body = serde_json::to_vec(&body).map_err(kube::Error::SerdeError)?;
    let request = Request::new(resource.path(&key.namespace));
    let request = request
        .replace_subresource("status", &key.name, &PostParams::default(), body)
        .map_err(kube::Error::BuildRequest)?;
    send(client, request).await
}

/// Creates an object. Returns its version.
pub(crate) async fn create(
    client: &kube::Client,
    resource: Resource,
    namespace: &str,
    object: &impl Serialize,
) -> kube::Result<String> {
    let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
    let request = Request::new(resource.path(namespace))
        .create(&PostParams::default(), body)
        .map_err(kube::Error::BuildRequest)?;
    send(client, request).await
}

async fn send(client: &kube::Client, request: HttpRequest<Vec<u8>>) -> kube::Result<String> {
    let written: Written = client.request(request).await?;
    Ok(written.metadata.resource_version)
}
