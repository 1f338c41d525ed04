//! What issuers read from Kubernetes: Secrets and ServiceAccount tokens of their resource namespace, by name, and nothing else.
//! It never lists, never caches and never logs what it read.

use std::collections::BTreeMap;
use std::time::Duration;

use everleaf_issuers::{ReadFailure, SecretData, Surroundings};
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;
use kube::api::PostParams;
use zeroize::Zeroizing;

/// Reads for the issuers of one namespace.
pub struct KubeSurroundings {
    client: kube::Client,
    namespace: String,
}

impl KubeSurroundings {
    /// Reads in `namespace`.
    pub fn new(client: kube::Client, namespace: &str) -> KubeSurroundings {
        KubeSurroundings { client, namespace: namespace.to_owned() }
    }

    async fn read_secret(&self, name: &str) -> Result<SecretData, ReadFailure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let secret = secrets.get(name).await.map_err(|error| failure(&error))?;
        let data = secret.data.unwrap_or_default();
        let data: BTreeMap<String, Zeroizing<Vec<u8>>> =
            data.into_iter().map(|(key, value)| (key, Zeroizing::new(value.0))).collect();
        Ok(SecretData { resource_version: secret.metadata.resource_version.unwrap_or_default(), data })
    }

    async fn request_token(
        &self,
        account: &str,
        audiences: &[String],
        life: Duration,
    ) -> Result<Zeroizing<String>, ReadFailure> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: audiences.to_vec(),
                expiration_seconds: i64::try_from(life.as_secs()).ok(),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await;
        let answer = answer.map_err(|error| failure(&error))?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        Ok(Zeroizing::new(token))
    }
}

impl Surroundings for KubeSurroundings {
    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<SecretData, ReadFailure>> {
        Box::pin(self.read_secret(name))
    }

    fn service_account_token<'a>(
        &'a self,
        name: &'a str,
        audiences: &'a [String],
        life: Duration,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, ReadFailure>> {
        Box::pin(self.request_token(name, audiences, life))
    }
}

fn failure(error: &kube::Error) -> ReadFailure {
    match error {
        kube::Error::Api(status) if status.code == 404 => ReadFailure::Missing,
        kube::Error::Api(status) if status.code == 403 => ReadFailure::Forbidden(status.message.clone()),
        other => ReadFailure::Unreachable(other.to_string()),
    }
}
