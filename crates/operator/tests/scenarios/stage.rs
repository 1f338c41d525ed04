//! Operator, embedded API and practice Vault in one process and in virtual time, and what a test does with them.
//! It only sets up, looks and counts; it decides nothing and opens no socket.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use everleaf_api::condition::{AnyCondition, find, is_true};
use everleaf_api::{Certificate, CertificateRequest, Issuer, text};
use everleaf_apiserver::Server;
use everleaf_core::retry::Cadence;
use everleaf_issuers::Common;
use everleaf_issuers::keys::KeySource;
use everleaf_issuers::wire::Network;
use everleaf_operator::clock::Clock;
use everleaf_operator::context::{Behaviour, CopiedAnnotations};
use everleaf_operator::controllers::Controllers;
use everleaf_operator::run::{Operator, Parts};
use everleaf_practice::{
    Balance, Balancer, CaKeyKind, Cluster, Furnished, Options, Practice, Product, RequestNames, Scene,
    certificate_request, furnish,
};
use http_body_util::Full;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::door::{Door, Fate, Late};
use crate::front::{AUTHORITY, Front};

pub const NAMESPACE: &str = "default";
/// How often the test looks, and tries a sign of its own.
const LOOK: Duration = Duration::from_millis(250);
/// How long a sign of the test's own may take.
const OWN_PATIENCE: Duration = Duration::from_secs(2);
const SEED: u64 = 5;
const WORKERS: usize = 8;

/// What a stage is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plot {
    pub product: Product,
    pub nodes: usize,
    pub balance: Balance,
    pub login: Login,
}

/// How the issuer logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    AppRole,
    Kubernetes,
    Token,
}

impl Default for Plot {
    fn default() -> Plot {
        Plot { product: Product::Vault, nodes: 1, balance: Balance::RoundRobin, login: Login::AppRole }
    }
}

pub struct Stage {
    pub client: kube::Client,
    server: Server,
    pub vault: Practice,
    pub cluster: Cluster,
    pub scene: Scene,
    pub credentials: Furnished,
    login_body: Value,
    front: Front,
    /// For the signs of the test's own.
    own: Balancer,
    plot: Plot,
    stop: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Every certificate and request, as seen at one look.
#[derive(Debug, Default)]
pub struct Seen {
    pub ready: BTreeSet<String>,
    pub failed: Vec<String>,
    pub stories: Vec<String>,
    pub pending: Vec<String>,
}

impl Stage {
    /// A stage with an issuer, `vault`, and the operator at work.
    pub async fn set(plot: Plot) -> Stage {
        let stage = Stage::bare(plot).await;
        stage.start();
        stage
    }

    /// The same, without the operator.
    pub async fn bare(plot: Plot) -> Stage {
        let cluster = Cluster::of(plot.nodes, Options::simulated(SEED).speaking_as(plot.product));
        let vault = cluster.node(0);
        let scene = match plot.login {
            Login::Kubernetes => Scene { auth: "kubernetes".into(), ..Scene::default() },
            Login::AppRole | Login::Token => Scene::default(),
        };
        // AppRole is furnished always: it makes the policy and the given token.
        let credentials = furnish(&vault, &Scene::default()).unwrap();
        let clock = vault.clone();
        let mut server = Server::builder().seed(SEED).clock(std::sync::Arc::new(move || clock.now()));
        for definition in everleaf_api::crds::all() {
            server = server.crd(serde_json::to_value(definition).unwrap());
        }
        let server = server.build().unwrap();
        let client = kube::Client::new(server.clone(), NAMESPACE);
        let front = Front::new(cluster.clone(), cluster.balancer(plot.balance));
        let own = cluster.balancer(plot.balance);
        let mut stage = Stage {
            client,
            server,
            vault,
            cluster,
            scene,
            credentials,
            login_body: Value::Null,
            front,
            own,
            plot,
            stop: CancellationToken::new(),
        };
        let auth = stage.auth().await;
        stage.issuer("vault", json!({ "auth": auth })).await;
        stage
    }

    /// The login of the plot, with its Secret.
    async fn auth(&mut self) -> Value {
        let (role_id, secret_id) = (self.credentials.role_id.clone(), self.credentials.secret_id.clone());
        match self.plot.login {
            Login::AppRole => {
                self.secret("vault-login", json!({ "secretId": secret_id.as_str() })).await;
                self.login_body = json!({ "role_id": role_id, "secret_id": secret_id.as_str() });
                json!({ "appRole": { "path": "approle", "roleId": role_id,
                    "secretRef": { "name": "vault-login", "key": "secretId" } } })
            }
            Login::Token => {
                self.secret("vault-login", json!({ "token": self.credentials.token.as_str() })).await;
                json!({ "tokenSecretRef": { "name": "vault-login", "key": "token" } })
            }
            Login::Kubernetes => {
                let (names, namespaces) = (&["app"], &["ns"]);
                kubernetes_auth(&self.vault, names, namespaces);
                let jwt = jwt(self.vault.now());
                self.secret("vault-login", json!({ "token": jwt })).await;
                self.login_body = json!({ "role": "everleaf", "jwt": jwt });
                json!({ "kubernetes": { "role": "everleaf", "secretRef": { "name": "vault-login", "key": "token" } } })
            }
        }
    }

    /// An issuer at the practice Vault; `more` are fields of `spec.vault`.
    pub async fn issuer(&self, name: &str, more: Value) {
        let mut vault = json!({ "server": format!("http://{AUTHORITY}"), "path": "pki/sign/web" });
        for (field, value) in more.as_object().into_iter().flatten() {
            vault[field] = value.clone();
        }
        self.apply(json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": { "name": name }, "spec": { "vault": vault },
        }))
        .await;
    }

    pub async fn secret(&self, name: &str, data: Value) {
        self.apply(
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data }),
        )
        .await;
    }

    pub async fn delete_secret(&self, name: &str) {
        let secrets: Api<k8s_openapi::api::core::v1::Secret> =
            Api::namespaced(self.client.clone(), NAMESPACE);
        secrets.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Asks for certificates `<name>-0` and so on, from this issuer.
    pub async fn ask_of(&self, issuer: &str, name: &str, count: usize) {
        for number in 0..count {
            self.certificate(&format!("{name}-{number}"), json!({ "issuerRef": { "name": issuer } })).await;
        }
    }

    pub async fn ask(&self, name: &str, count: usize) {
        self.ask_of("vault", name, count).await;
    }

    /// One certificate; `more` are fields of its spec.
    pub async fn certificate(&self, name: &str, more: Value) {
        let mut spec = json!({ "secretName": format!("{name}-tls"), "dnsNames": [format!("{name}.example")],
            "issuerRef": { "name": "vault" }, "privateKey": { "algorithm": "ECDSA" } });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        self.apply(json!({ "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": { "name": name }, "spec": spec }))
            .await;
    }

    pub async fn apply(&self, object: Value) {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let types = object.types.clone().unwrap();
        let resource = ApiResource::from_gvk(&kube::core::GroupVersionKind::try_from(&types).unwrap());
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), NAMESPACE, &resource);
        let name = object.metadata.name.clone().unwrap();
        api.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(&object)).await.unwrap();
    }

    /// Starts the operator; it stops with the stage, or with the token that is given back.
    pub fn start(&self) -> CancellationToken {
        self.start_with(self.client.clone())
    }

    /// The same, with a door between operator and API at which this happens.
    pub fn start_behind(&self, fate: Fate) -> CancellationToken {
        let door = Door::new(self.server.clone(), fate, Late::default(), CancellationToken::new());
        self.start_with(kube::Client::new(door, NAMESPACE))
    }

    fn start_with(&self, client: kube::Client) -> CancellationToken {
        let clock = self.vault.clone();
        let operator = Operator::new(Parts {
            client,
            clock: Clock::new(move || clock.now()),
            keys: KeySource::default(),
            common: Common { network: Network::in_process(self.front.clone()), ..Common::default() },
            behaviour: Behaviour {
                controllers: Controllers::default(),
                cadence: Cadence::BoundByLife,
                owner_references: false,
                copied_annotations: CopiedAnnotations::default(),
                cluster_resource_namespace: NAMESPACE.to_owned(),
                namespace: String::new(),
                workers: WORKERS,
            },
            election: None,
        });
        let stop = self.stop.child_token();
        tokio::spawn(operator.unwrap().run(stop.clone()));
        stop
    }

    /// One look at everything.
    pub async fn look(&self) -> Seen {
        let certificates: Api<Certificate> = Api::namespaced(self.client.clone(), NAMESPACE);
        let requests: Api<CertificateRequest> = Api::namespaced(self.client.clone(), NAMESPACE);
        let mut seen = Seen::default();
        for certificate in certificates.list(&ListParams::default()).await.unwrap() {
            let conditions = certificate.status.unwrap_or_default().conditions;
            if is_true(&conditions, "Ready") {
                seen.ready.insert(text(&certificate.metadata.name).to_owned());
            }
            if let Some(issuing) = find(&conditions, "Issuing") {
                seen.stories.push(issuing.message().to_owned());
            }
        }
        for request in requests.list(&ListParams::default()).await.unwrap() {
            let conditions = request.status.unwrap_or_default().conditions;
            let Some(ready) = find(&conditions, "Ready") else { continue };
            match ready.reason() {
                "Failed" => seen.failed.push(ready.message().to_owned()),
                "Pending" => seen.pending.push(ready.message().to_owned()),
                _ => {}
            }
        }
        seen
    }

    /// Reason and message of an issuer's Ready condition, and whether it holds.
    pub async fn told(&self, issuer: &str) -> (bool, String, String) {
        let issuers: Api<Issuer> = Api::namespaced(self.client.clone(), NAMESPACE);
        let conditions = issuers.get(issuer).await.unwrap().status.unwrap_or_default().conditions;
        let ready = find(&conditions, "Ready");
        let words = ready.map(|ready| (ready.reason().to_owned(), ready.message().to_owned()));
        let (reason, message) = words.unwrap_or_default();
        (is_true(&conditions, "Ready"), reason, message)
    }

    /// How many certificates with these first letters are ready.
    pub async fn ready(&self, name: &str) -> usize {
        self.look().await.ready.iter().filter(|ready| ready.starts_with(name)).count()
    }

    /// Waits until so many are ready; how long that took, or `None` after `most`.
    pub async fn until_ready(&self, name: &str, count: usize, most: Duration) -> Option<Duration> {
        let began = Instant::now();
        while self.ready(name).await < count {
            if began.elapsed() > most {
                return None;
            }
            sleep(LOOK).await;
        }
        Some(began.elapsed())
    }

    /// Waits until an issuer says something like this, or gives what it says after `most`.
    pub async fn until_told(
        &self,
        issuer: &str,
        most: Duration,
        fits: impl Fn(bool, &str, &str) -> bool,
    ) -> Result<Duration, String> {
        let began = Instant::now();
        loop {
            let (ready, reason, message) = self.told(issuer).await;
            if fits(ready, &reason, &message) {
                return Ok(began.elapsed());
            }
            if began.elapsed() > most {
                return Err(format!("Ready={ready}/{reason}: {message}"));
            }
            sleep(LOOK).await;
        }
    }

    /// Signs past the operator, with a login of its own, over the same balancer: whether that works now.
    pub async fn signs_directly(&self) -> bool {
        let mut own = Front::new(self.cluster.clone(), self.own.clone());
        let own = async {
            let token = match self.plot.login {
                Login::Token => self.credentials.token.to_string(),
                Login::AppRole | Login::Kubernetes => {
                    let path = format!("auth/{}/login", self.scene.auth);
                    let answer = called(&mut own, "POST", &path, "", &self.login_body).await?;
                    answer.pointer("/auth/client_token")?.as_str()?.to_owned()
                }
            };
            let csr = certificate_request(11, CaKeyKind::Ed25519, &RequestNames::host("own.example"))?.pem;
            let body = json!({ "csr": csr, "ttl": "30m" });
            called(&mut own, "POST", "pki/sign/web", &token, &body)
                .await?
                .pointer("/data/certificate")
                .map(|_| ())
        };
        timeout(OWN_PATIENCE, own).await.ok().flatten().is_some()
    }

    /// Waits until a sign past the operator works.
    pub async fn until_signs(&self, most: Duration) -> Option<Duration> {
        let began = Instant::now();
        while !self.signs_directly().await {
            if began.elapsed() > most {
                return None;
            }
            sleep(LOOK).await;
        }
        Some(began.elapsed())
    }

    /// All calls so far that weren't the test's.
    pub fn calls(&self) -> u64 {
        self.vault.audit().count(|_, _, _| true)
    }
}

/// A call of the test's own; the body of a 200.
async fn called(front: &mut Front, method: &str, path: &str, token: &str, body: &Value) -> Option<Value> {
    let request = http::Request::builder().method(method).uri(format!("http://{AUTHORITY}/v1/{path}"));
    let request = if token.is_empty() { request } else { request.header("x-vault-token", token) };
    let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
    let (status, _, bytes) = everleaf_practice::whole_body(front.call(request).await.ok()?).await.ok()?;
    (status == 200).then(|| serde_json::from_slice(&bytes).ok()).flatten()
}

fn kubernetes_auth(vault: &Practice, names: &[&str], namespaces: &[&str]) {
    let fields = json!({ "bound_service_account_names": names, "bound_service_account_namespaces": namespaces,
        "audience": "vault", "token_policies": ["web-sign"], "token_ttl": "1h" });
    vault.write("sys/auth/kubernetes", json!({ "type": "kubernetes" })).unwrap();
    vault.write("auth/kubernetes/config", json!({ "kubernetes_host": "https://kubernetes" })).unwrap();
    vault.write("auth/kubernetes/role/everleaf", fields).unwrap();
}

/// A ServiceAccount token that the stand-in TokenReview believes.
pub fn jwt(now: jiff::Timestamp) -> String {
    use base64::Engine as _;
    let part = |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let at = now.as_second();
    let claims = json!({
        "sub": "system:serviceaccount:ns:app", "aud": ["vault"], "iat": at, "nbf": at, "exp": at + 360_000,
        "kubernetes.io": { "namespace": "ns", "serviceaccount": { "name": "app", "uid": "u1" } },
    });
    format!("{}.{}.c2ln", part(json!({ "alg": "RS256" })), part(claims))
}

/// So many seconds.
pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
