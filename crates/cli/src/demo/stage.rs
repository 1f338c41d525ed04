//! Sets the demo's stage: an API in memory, issuers of a Vault, and certificates. And looks at it.
//! With the practice Vault nothing leaves this process: its address leads to a service, not to a socket.

use std::future::Future;

use anyhow::Context as _;
use everleaf_api::condition::{AnyCondition, find, is_true};
use everleaf_api::{Certificate, CertificateRequest, text};
use everleaf_apiserver::Server;
use everleaf_issuers::Common;
use everleaf_issuers::keys::KeySource;
use everleaf_operator::clock::Clock;
use everleaf_operator::context::{Behaviour, CopiedAnnotations};
use everleaf_operator::controllers::Controllers;
use everleaf_operator::run::{Operator, Parts};
use jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::vaults::{Access, ISSUERS, Vault};

const NAMESPACE: &str = "default";
/// The Secret with which the issuers log in.
pub(super) const SECRET: &str = "vault-login";
const WORKERS: usize = 8;

/// The stage.
pub(super) struct Stage {
    client: kube::Client,
    /// The Vault that signs.
    pub(super) vault: Vault,
}

/// A certificate as it stands.
pub(super) struct Seen {
    /// Its name.
    pub(super) name: String,
    /// Ready.
    pub(super) ready: bool,
    /// When it ends.
    pub(super) ends: Option<Timestamp>,
    /// Its revision.
    pub(super) revision: i64,
    /// Its request has failed for good.
    pub(super) failed: bool,
    /// What it waits for, if it waits.
    pub(super) waits: Option<String>,
}

impl Stage {
    /// Sets it around a Vault, without certificates.
    pub(super) async fn set((vault, access): (Vault, Access)) -> anyhow::Result<Stage> {
        let mut server = Server::builder();
        for definition in everleaf_api::crds::all() {
            server = server.crd(serde_json::to_value(definition)?);
        }
        let stage = Stage { client: kube::Client::new(server.build()?, NAMESPACE), vault };
        let (key, value) = &access.secret;
        stage
            .apply(json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": SECRET }, "stringData": { *key: value.as_str() },
            }))
            .await?;
        for (name, role, _) in ISSUERS {
            let path = format!("{}/sign/{role}", access.mount);
            stage
                .apply(json!({
                    "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": { "name": name },
                    "spec": { "vault": { "server": access.server, "path": path, "auth": access.auth } },
                }))
                .await?;
        }
        Ok(stage)
    }

    /// Asks for one more certificate.
    pub(super) async fn ask_for(&self, number: u16) -> anyhow::Result<()> {
        let name = format!("web-{number:02}");
        let [(usual, ..), (short, ..)] = ISSUERS;
        let issuer = if number.is_multiple_of(2) { short } else { usual };
        self.apply(json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": { "name": name },
            "spec": { "secretName": format!("{name}-tls"), "dnsNames": [format!("{name}.example")],
                "issuerRef": { "name": issuer }, "privateKey": { "algorithm": "ECDSA" } },
        }))
        .await
    }

    async fn apply(&self, object: Value) -> anyhow::Result<()> {
        let object: DynamicObject = serde_json::from_value(object)?;
        let types = object.types.clone().context("the object has no kind")?;
        let resource = ApiResource::from_gvk(&kube::core::GroupVersionKind::try_from(&types)?);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), NAMESPACE, &resource);
        let name = object.metadata.name.clone().unwrap_or_default();
        api.patch(&name, &PatchParams::apply("everleaf-demo").force(), &Patch::Apply(&object)).await?;
        Ok(())
    }

    /// The operator: the same code that runs on a cluster.
    pub(super) fn operator(
        &self,
        stop: CancellationToken,
    ) -> anyhow::Result<impl Future<Output = ()> + use<>> {
        let operator = Operator::new(Parts {
            client: self.client.clone(),
            clock: Clock::system(),
            keys: KeySource::default(),
            common: Common { network: self.vault.network(), ..Common::default() },
            behaviour: Behaviour {
                controllers: Controllers::default(),
                cadence: everleaf_core::retry::Cadence::BoundByLife,
                owner_references: false,
                copied_annotations: CopiedAnnotations::default(),
                cluster_resource_namespace: NAMESPACE.to_owned(),
                namespace: String::new(),
                workers: WORKERS,
            },
            election: None,
        })?;
        Ok(async move {
            operator.run(stop).await;
        })
    }

    /// Every certificate as it stands.
    pub(super) async fn look(&self) -> anyhow::Result<Vec<Seen>> {
        let certificates: Api<Certificate> = Api::namespaced(self.client.clone(), NAMESPACE);
        let requests: Api<CertificateRequest> = Api::namespaced(self.client.clone(), NAMESPACE);
        let all = ListParams::default();
        let (certificates, requests) = tokio::try_join!(certificates.list(&all), requests.list(&all))?;
        let failed = |name: &str| {
            requests.items.iter().any(|request| {
                let owner =
                    request.metadata.owner_references.iter().flatten().any(|owner| owner.name == name);
                let status = request.status.as_ref();
                owner
                    && status.is_some_and(|status| {
                        find(&status.conditions, "Ready").is_some_and(|ready| ready.reason() == "Failed")
                    })
            })
        };
        Ok(certificates.items.into_iter().map(|certificate| seen(&certificate, &failed)).collect())
    }
}

fn seen(certificate: &Certificate, failed: &impl Fn(&str) -> bool) -> Seen {
    let name = text(&certificate.metadata.name).to_owned();
    let status = certificate.status.clone().unwrap_or_default();
    let issuing = find(&status.conditions, "Issuing").filter(|_| is_true(&status.conditions, "Issuing"));
    let story = |message: &str| message.split_once(" | ").map_or(message, |(_, story)| story).to_owned();
    Seen {
        failed: failed(&name),
        name,
        ready: is_true(&status.conditions, "Ready"),
        ends: status.not_after.map(|time| time.0),
        revision: status.revision.unwrap_or_default(),
        waits: issuing.map(|condition| story(condition.message())),
    }
}
