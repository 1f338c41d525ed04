//! Sets the demo's stage: an API in memory, a practice Vault with a role of short lives, an issuer and certificates. And looks at it.
//! Nothing leaves this process: the Vault's address leads to a service, not to a socket.

use std::future::Future;

use anyhow::Context as _;
use everleaf_api::condition::{AnyCondition, find, is_true};
use everleaf_api::{Certificate, CertificateRequest, text};
use everleaf_apiserver::Server;
use everleaf_issuers::Common;
use everleaf_issuers::keys::KeySource;
use everleaf_issuers::wire::Network;
use everleaf_operator::clock::Clock;
use everleaf_operator::context::{Behaviour, CopiedAnnotations};
use everleaf_operator::controllers::Controllers;
use everleaf_operator::run::{Operator, Parts};
use everleaf_practice::{FaultId, Furnished, Options, Practice, Scene, Seen as Answered, furnish};
use jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::acts::{Act, Trouble};

const NAMESPACE: &str = "default";
/// The address that the issuer names; it leads to the practice Vault in this process.
const ADDRESS: &str = "http://vault.practice:8200";
/// Two issuers, by name, role, and the life of their certificates. Vault dates each back by another 30 s, so a third of life and 30 s is left
/// when it is renewed: they renew every 10 and every 6 seconds, and no outage falls between all of them.
const ISSUERS: [(&str, &str, &str); 2] = [("vault", "web", "30s"), ("vault-short", "web-short", "24s")];
const WORKERS: usize = 8;

/// The stage.
pub(super) struct Stage {
    client: kube::Client,
    vault: Practice,
    running: std::sync::Mutex<Option<FaultId>>,
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
    /// Sets it, without certificates.
    pub(super) async fn set() -> anyhow::Result<Stage> {
        let mut server = Server::builder();
        for definition in everleaf_api::crds::all() {
            server = server.crd(serde_json::to_value(definition)?);
        }
        let client = kube::Client::new(server.build()?, NAMESPACE);
        let seed = u64::try_from(Timestamp::now().as_nanosecond() & 0xffff_ffff).unwrap_or(1);
        let vault = Practice::new(Options::new("demo-root", seed));
        let credentials = furnish(&vault, &Scene::default())?;
        let scene = Scene::default();
        for (_, role, life) in ISSUERS {
            let rules = json!({ "allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "require_cn": false, "max_ttl": life });
            vault.write_role(&scene.pki, role, rules)?;
        }
        vault
            .write_policy(&scene.policy, "path \"pki/sign/*\" { capabilities = [\"create\", \"update\"] }")?;
        let stage = Stage { client, vault, running: std::sync::Mutex::default() };
        stage.apply_issuer(&credentials).await?;
        Ok(stage)
    }

    async fn apply_issuer(&self, credentials: &Furnished) -> anyhow::Result<()> {
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "vault-approle" },
            "stringData": { "secretId": credentials.secret_id.as_str() },
        }))
        .await?;
        for (name, role, _) in ISSUERS {
            self.apply(json!({
                "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": { "name": name },
                "spec": { "vault": { "server": ADDRESS, "path": format!("pki/sign/{role}"), "auth": { "appRole": {
                    "path": "approle", "roleId": credentials.role_id, "secretRef": { "name": "vault-approle", "key": "secretId" },
                } } } },
            }))
            .await?;
        }
        Ok(())
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
            common: Common { network: Network::in_process(self.vault.over_bodies()), ..Common::default() },
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

    /// Begins an outage.
    pub(super) fn inflict(&self, act: &Act) {
        match &act.trouble {
            Trouble::Sealed => self.vault.seal(),
            Trouble::Answers(rule) => *self.fault() = Some(self.vault.inflict(rule.clone())),
        }
    }

    /// Ends it.
    pub(super) fn heal(&self, act: &Act) {
        match act.trouble {
            Trouble::Sealed => self.vault.unseal(),
            Trouble::Answers(_) => {
                let running = self.fault().take();
                running.into_iter().for_each(|id| self.vault.lift(id));
            }
        }
    }

    fn fault(&self) -> std::sync::MutexGuard<'_, Option<FaultId>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// How many certificates the practice Vault has signed.
    pub(super) fn signed(&self) -> u64 {
        self.vault.audit().signatures()
    }

    /// How many calls the practice Vault did not answer well.
    pub(super) fn refused(&self) -> u64 {
        self.vault.audit().count(|_, _, seen| !matches!(seen, Answered::Status(200..=299)))
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
