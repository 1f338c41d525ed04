//! A cluster without Vault: the embedded API with a CA and a SelfSigned issuer, and lives of the operator that come and go, all in virtual
//! time. Every version that a Secret ever has is recorded. It only sets up, waits and looks; it opens no socket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use everleaf_api::condition::is_true;
use everleaf_api::{Certificate, CertificateRequest, text};
use everleaf_apiserver::Server;
use everleaf_core::retry::Cadence;
use everleaf_issuers::Common;
use everleaf_issuers::keys::KeySource;
use everleaf_operator::clock::Clock;
use everleaf_operator::context::{Behaviour, CopiedAnnotations};
use everleaf_operator::controllers::Controllers;
use everleaf_operator::leader::Election;
use everleaf_operator::run::{Operator, Parts};
use everleaf_operator::secrets;
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::ApiResource;
use kube::runtime::watcher::{self, watcher};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::door::{Door, Fate, Late};
use crate::stage::{NAMESPACE, seconds};

const BEGINNING: Timestamp = Timestamp::constant(1_800_000_000, 0);
const LOOK: Duration = Duration::from_millis(200);
const SEED: u64 = 11;
const WORKERS: usize = 8;

/// The cluster.
pub struct Ground {
    pub client: kube::Client,
    server: Server,
    began: Instant,
    secrets: Arc<Mutex<Vec<Version>>>,
    late: Late,
    over: CancellationToken,
}

/// One version of a Secret with a certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub secret: String,
    pub certificate: Vec<u8>,
    pub matches: bool,
}

/// One life of an operator.
pub struct Life {
    pub door: Door,
    pub dead: CancellationToken,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<everleaf_operator::run::Ended>,
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl Ground {
    /// A cluster with the issuers `ca` and `self`, and no operator.
    pub async fn new() -> Ground {
        let began = Instant::now();
        let clock = move || now(began);
        let mut server = Server::builder().seed(SEED).clock(Arc::new(clock));
        for definition in everleaf_api::crds::all() {
            server = server.crd(serde_json::to_value(definition).unwrap());
        }
        let server = server.build().unwrap();
        let client = kube::Client::new(server.clone(), NAMESPACE);
        let over = CancellationToken::new();
        let ground = Ground { client, server, began, secrets: Arc::default(), late: Late::default(), over };
        ground.record_secrets();
        ground.apply(issuer("self", json!({ "selfSigned": {} }))).await;
        ground.apply(issuer("ca", json!({ "ca": { "secretName": "root-tls" } }))).await;
        let life = ground.start(Fate::Lives);
        let root = json!({ "isCA": true, "commonName": "root", "duration": "87600h" });
        ground.ask("root", "self", root).await;
        assert!(ground.until_issued("root", 1, seconds(60)).await, "{}", ground.story().await);
        sleep(seconds(120)).await;
        life.stop().await;
        ground
    }

    /// Starts an operator with this fate.
    pub fn start(&self, fate: Fate) -> Life {
        self.start_with(fate, Controllers::default(), None)
    }

    pub fn start_with(&self, fate: Fate, controllers: Controllers, election: Option<Election>) -> Life {
        let (dead, stop, began) = (CancellationToken::new(), self.over.child_token(), self.began);
        let door = Door::new(self.server.clone(), fate, self.late.clone(), dead.clone());
        let operator = Operator::new(Parts {
            client: kube::Client::new(door.clone(), NAMESPACE),
            clock: Clock::new(move || now(began)),
            keys: KeySource::default(),
            common: Common::default(),
            behaviour: Behaviour {
                controllers,
                cadence: Cadence::BoundByLife,
                owner_references: false,
                copied_annotations: CopiedAnnotations::default(),
                cluster_resource_namespace: NAMESPACE.to_owned(),
                namespace: String::new(),
                workers: WORKERS,
            },
            election,
        });
        let ended = tokio::spawn(operator.unwrap().run(stop.clone()));
        Life { door, dead, stop, ended }
    }

    pub async fn apply(&self, object: Value) {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let types = object.types.clone().unwrap();
        let resource = ApiResource::from_gvk(&kube::core::GroupVersionKind::try_from(&types).unwrap());
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), NAMESPACE, &resource);
        let name = object.metadata.name.clone().unwrap();
        api.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(&object)).await.unwrap();
    }

    /// Asks for a certificate; `more` are fields of its spec.
    pub async fn ask(&self, name: &str, issuer: &str, more: Value) {
        let mut spec = json!({ "secretName": format!("{name}-tls"), "dnsNames": [format!("{name}.example")],
            "issuerRef": { "name": issuer }, "privateKey": { "algorithm": "ECDSA" } });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        self.apply(json!({ "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": { "name": name }, "spec": spec }))
            .await;
    }

    pub async fn certificates(&self) -> BTreeMap<String, Certificate> {
        named(self.all().await, |certificate: &Certificate| &certificate.metadata)
    }

    pub async fn requests(&self) -> BTreeMap<String, CertificateRequest> {
        named(self.all().await, |request: &CertificateRequest| &request.metadata)
    }

    async fn all<K>(&self) -> Vec<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
        K::DynamicType: Default,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), NAMESPACE);
        api.list(&ListParams::default()).await.unwrap().items
    }

    pub async fn secrets(&self) -> BTreeMap<String, Secret> {
        named(self.all().await, |secret: &Secret| &secret.metadata)
    }

    /// True if it is ready with this revision, and nothing runs.
    pub async fn is_issued(&self, name: &str, revision: i64) -> bool {
        let api: Api<Certificate> = Api::namespaced(self.client.clone(), NAMESPACE);
        let status = api.get(name).await.unwrap().status.unwrap_or_default();
        status.revision == Some(revision)
            && is_true(&status.conditions, "Ready")
            && !is_true(&status.conditions, "Issuing")
    }

    /// Waits for that at most so long; false: in vain.
    pub async fn until_issued(&self, name: &str, revision: i64, most: Duration) -> bool {
        let give_up = Instant::now() + most;
        while !self.is_issued(name, revision).await {
            if Instant::now() > give_up {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    /// Ready, nothing runs, and its Secret has held so many certificates by now, whatever number status gives to the last.
    pub async fn has_its(&self, name: &str, certificates: i64) -> bool {
        let api: Api<Certificate> = Api::namespaced(self.client.clone(), NAMESPACE);
        let conditions = api.get(name).await.unwrap().status.unwrap_or_default().conditions;
        let held = i64::try_from(self.held(name).len()).unwrap();
        held >= certificates && is_true(&conditions, "Ready") && !is_true(&conditions, "Issuing")
    }

    /// Every certificate that its Secret has held.
    fn held(&self, name: &str) -> BTreeSet<Vec<u8>> {
        let secret = format!("{name}-tls");
        let versions = self.versions().into_iter().filter(|version| version.secret == secret);
        versions.map(|version| version.certificate).collect()
    }

    /// Lets time pass until this long after the beginning.
    pub async fn until_age(&self, age: Duration) {
        tokio::time::sleep_until(self.began + age).await;
    }

    /// Every version of Secrets with certificates so far.
    pub fn versions(&self) -> Vec<Version> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record_secrets(&self) {
        let (client, record, over) = (self.client.clone(), self.secrets.clone(), self.over.clone());
        tokio::spawn(async move {
            let api: Api<Secret> = Api::namespaced(client, NAMESPACE);
            let mut changes = Box::pin(watcher(api, watcher::Config::default()));
            loop {
                let change = tokio::select! {
                    () = over.cancelled() => return,
                    change = changes.try_next() => change,
                };
                let Ok(Some(watcher::Event::Apply(secret) | watcher::Event::InitApply(secret))) = change
                else {
                    continue;
                };
                record.lock().unwrap_or_else(PoisonError::into_inner).extend(version(&secret));
            }
        });
    }

    /// Everything about all Certificates, for messages.
    pub async fn story(&self) -> String {
        let certificates = self.certificates().await;
        let of_certificates =
            certificates.iter().map(|(name, certificate)| format!("{name}: {:?}", certificate.status));
        let requests = self.requests().await;
        let of_requests = requests.iter().map(|(name, request)| format!("{name}: {:?}", request.status));
        let secrets = self.secrets().await.into_keys().collect::<Vec<_>>().join(" ");
        let lines = of_certificates.chain(of_requests).chain([secrets]);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What must hold of a Certificate when all is done, with the number of different certificates that its Secret may have held.
    pub async fn faults(&self, name: &str, most: usize) -> Vec<String> {
        let mut faults = Vec::new();
        let secret = format!("{name}-tls");
        if self.versions().iter().any(|version| version.secret == secret && !version.matches) {
            faults.push(format!("{name}: a key that doesn't match"));
        }
        let held = self.held(name).len();
        if held > most {
            faults.push(format!("{name}: {held} certificates instead of {most}"));
        }
        let requests = self.requests().await;
        let of = requests.keys().filter(|request| request.starts_with(&format!("{name}-"))).count();
        if of > 1 {
            faults.push(format!("{name}: {of} requests are left"));
        }
        let left = self.secrets().await.into_iter().filter(|(_, secret)| is_next_key(secret));
        faults.extend(left.map(|(secret, _)| format!("{name}: the key {secret} is left")));
        let status = self.certificates().await[name].status.clone().unwrap_or_default();
        if status.next_private_key_secret_name.is_some() || status.last_failure_time.is_some() {
            faults.push(format!("{name}: {status:?}"));
        }
        faults
    }
}

impl Life {
    /// Stops it as Kubernetes does, and waits for its end.
    pub async fn stop(self) {
        self.stop.cancel();
        self.ended.await.unwrap();
    }

    /// Waits until its fate has come. A dead one does nothing more: its door lets nothing pass.
    pub async fn died(&self) {
        self.dead.cancelled().await;
        self.stop.cancel();
    }
}

/// The time of day that belongs to a moment.
fn now(began: Instant) -> Timestamp {
    let passed = SignedDuration::try_from(began.elapsed()).unwrap();
    BEGINNING.checked_add(passed).unwrap()
}

fn issuer(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": { "name": name }, "spec": spec })
}

fn named<K>(all: Vec<K>, meta: impl Fn(&K) -> &kube::api::ObjectMeta) -> BTreeMap<String, K> {
    all.into_iter().map(|object| (text(&meta(&object).name).to_owned(), object)).collect()
}

fn is_next_key(secret: &Secret) -> bool {
    secret.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(secrets::NEXT_KEY_LABEL))
}

fn version(secret: &Secret) -> Option<Version> {
    let certificate = secret.data.as_ref()?.get("tls.crt")?.0.clone();
    let facts = secrets::facts(secret);
    let pair = facts.key.read().zip(facts.certificate.read());
    let matches = pair.is_some_and(|(key, leaf)| key.public == *leaf.public_key());
    Some(Version { secret: secret.metadata.name.clone()?, certificate, matches })
}
