//! A small Vault in this process, with a script on top: it signs for real, counts calls, and misbehaves where a test says so.
//! And Secrets in memory. No sockets, no clock of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use everleaf_core::failure::{ConnectionId, Failure, Outcome};
use everleaf_core::wanted::{
    IssuerRef, KeyEncoding, KeyWish, Keystores, RenewBefore, Renewal, RenewalPolicy, Rotation, Sans,
    SecretTemplate, Subject, SubjectFields, Usage, Wanted,
};
use everleaf_core::x509::{
    Certificate, Chain, Csr, Curve, KeyKind, LeafPlan, PrivateKey, Serial, sign_leaf, sign_self,
};
use everleaf_issuers::surroundings::KeyRef;
use everleaf_issuers::vault::Vault;
use everleaf_issuers::vault::config::{ApiPath, Auth, Ca, Config, Jwt, Server};
use everleaf_issuers::wire::{Carried, Network, Over, Request, Trouble, TroubleKind};
use everleaf_issuers::{
    Answered, BoxFuture, Common, IssuerIdentity, Order, ReadFailure, SecretData, Surroundings, keys,
};
use http_body_util::{BodyExt, Full};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tower::service_fn;
use zeroize::Zeroizing;

pub const POLICY: &str = "1 error occurred:\n\t* permission denied\n\n";
pub const INVALID: &str = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";
pub const BARE: &str = "permission denied";
pub const SERVER: &str = "https://vault.example:8200";
pub const SECRET_ID: &str = "a-secret-id-nobody-may-see";

/// The moment at which the tests begin; the tests move it with the paused clock.
pub fn start() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// One call, as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub host: String,
    pub path: String,
    pub token: Option<String>,
    pub namespace: Option<String>,
    pub marked: bool,
    pub body: Value,
    pub over: Option<Over>,
}

/// What the server says.
#[derive(Debug, Clone)]
pub enum Say {
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// On this connection.
    On(u64, Box<Say>),
    After(Duration, Box<Say>),
    Hang,
    Trouble(TroubleKind),
}

pub fn reply(status: u16, body: &Value) -> Say {
    let headers = vec![("content-type", "application/json".to_owned())];
    Say::Reply { status, headers, body: serde_json::to_vec(body).unwrap() }
}

pub fn error(status: u16, text: &str) -> Say {
    reply(status, &json!({ "errors": [text] }))
}

pub fn raw(status: u16, content_type: &str, body: &[u8]) -> Say {
    Say::Reply { status, headers: vec![("content-type", content_type.to_owned())], body: body.to_vec() }
}

pub fn redirect(to: &str) -> Say {
    Say::Reply { status: 307, headers: vec![("location", to.to_owned())], body: Vec::new() }
}

type Script = Box<dyn FnMut(&Seen) -> Option<Say> + Send>;

/// What the server is and does.
pub struct State {
    pub seen: Vec<Seen>,
    pub tokens: BTreeSet<String>,
    pub made: u64,
    pub lease: u64,
    pub renewable: bool,
    pub token_type: &'static str,
    pub num_uses: u64,
    pub secret_id: String,
    pub may_sign: bool,
    pub script: Option<Script>,
}

impl Default for State {
    fn default() -> State {
        State {
            seen: Vec::new(),
            tokens: BTreeSet::new(),
            made: 0,
            lease: 3600,
            renewable: true,
            token_type: "service",
            num_uses: 0,
            secret_id: SECRET_ID.to_owned(),
            may_sign: true,
            script: None,
        }
    }
}

/// The server.
#[derive(Clone, Default)]
pub struct Server1(Arc<Mutex<State>>);

impl Server1 {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What the script doesn't answer, the server does.
    pub fn script(&self, script: impl FnMut(&Seen) -> Option<Say> + Send + 'static) {
        self.state().script = Some(Box::new(script));
    }

    pub fn well(&self) {
        self.state().script = None;
    }

    pub fn count(&self, path: &str) -> usize {
        self.state().seen.iter().filter(|seen| seen.path.ends_with(path)).count()
    }

    pub fn logins(&self) -> usize {
        self.count("/login")
    }

    pub fn signs(&self) -> usize {
        self.count("pki/sign/web")
    }

    pub fn network(&self) -> Network {
        let server = self.clone();
        Network::in_process(service_fn(move |request: Request| {
            let server = server.clone();
            async move { server.answer(request).await }
        }))
    }

    pub async fn answer(&self, request: Request) -> Result<http::Response<Full<Bytes>>, Trouble> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap_or_else(|never: Infallible| match never {}).to_bytes();
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let seen = Seen {
            method: head.method.to_string(),
            host: head.uri.authority().unwrap().to_string(),
            path: head.uri.path().to_owned(),
            token: header("x-vault-token"),
            namespace: header("x-vault-namespace"),
            marked: header("x-vault-request").as_deref() == Some("true"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            over: head.extensions.get::<Over>().copied(),
        };
        let say = {
            let mut state = self.state();
            state.seen.push(seen.clone());
            let mut script = state.script.take();
            let say = script.as_mut().and_then(|script| script(&seen));
            if state.script.is_none() {
                state.script = script;
            }
            say.unwrap_or_else(|| state.usual(&seen))
        };
        said(say).await
    }
}

async fn said(mut say: Say) -> Result<http::Response<Full<Bytes>>, Trouble> {
    let mut carried = None;
    loop {
        match say {
            Say::After(time, then) => {
                tokio::time::sleep(time).await;
                say = *then;
            }
            Say::On(connection, then) => {
                carried = Some(Carried(ConnectionId(connection)));
                say = *then;
            }
            Say::Hang => std::future::pending().await,
            Say::Trouble(kind) => return Err(Trouble::after_sending(kind, false)),
            Say::Reply { status, headers, body } => {
                let mut response = http::Response::new(Full::new(Bytes::from(body)));
                *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                if let Some(carried) = carried {
                    response.extensions_mut().insert(carried);
                }
                return Ok(response);
            }
        }
    }
}

impl State {
    fn usual(&mut self, seen: &Seen) -> Say {
        let path = seen.path.trim_start_matches("/v1/");
        let known = seen.token.as_ref().is_some_and(|token| self.tokens.contains(token));
        match path {
            "sys/health" => reply(200, &json!({"initialized": true, "sealed": false, "standby": false})),
            "auth/approle/login" if seen.body["secret_id"] != self.secret_id => {
                error(400, "invalid role or secret ID")
            }
            path if path.ends_with("/login") => self.token(),
            _ if !known => error(403, INVALID),
            "auth/token/lookup-self" => reply(
                200,
                &json!({"data": {"ttl": self.lease, "renewable": self.renewable, "num_uses": 0, "policies": ["default", "web-sign"]}}),
            ),
            "auth/token/renew-self" => {
                let token = seen.token.clone().unwrap();
                reply(200, &self.auth(&token))
            }
            "sys/capabilities-self" => {
                let may = if self.may_sign { "update" } else { "deny" };
                reply(200, &json!({"data": {"capabilities": [may]}}))
            }
            "pki/sign/web" if !self.may_sign => error(403, POLICY),
            "pki/sign/web" => signed(&seen.body),
            other => error(404, &format!("no handler for route \"{other}\". route entry not found.")),
        }
    }

    fn token(&mut self) -> Say {
        self.made += 1;
        let token = format!("hvs.token-number-{}", self.made);
        self.tokens.insert(token.clone());
        reply(200, &self.auth(&token))
    }

    fn auth(&self, token: &str) -> Value {
        json!({"auth": {
            "client_token": token, "lease_duration": self.lease, "renewable": self.renewable,
            "token_type": self.token_type, "num_uses": self.num_uses, "policies": ["default", "web-sign"],
        }})
    }
}

/// A CA, a key and a CSR, made once.
pub struct Made {
    pub root: Certificate,
    pub root_key: PrivateKey,
    pub key: PrivateKey,
    pub csr: Csr,
    pub csr_pem: String,
}

pub fn made() -> &'static Made {
    static MADE: std::sync::OnceLock<Made> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let root_key = key();
        let mut wish = wanted("practice root");
        wish.is_ca = true;
        let root_csr = Csr::build(&wish, &root_key).unwrap();
        let root = sign_self(&plan(&root_csr, 36_500, true), &root_key).unwrap();
        let key = key();
        let csr = Csr::build(&wanted("web.example.com"), &key).unwrap();
        let csr_pem = csr.to_pem();
        Made { root, root_key, key, csr, csr_pem }
    })
}

pub fn key() -> PrivateKey {
    let made = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(keys::make(KeyKind::Ecdsa(Curve::P256))).unwrap()
    });
    made.join().unwrap()
}

pub fn plan(csr: &Csr, days: i64, is_ca: bool) -> LeafPlan<'_> {
    LeafPlan {
        csr,
        serial: Serial::from_random([7; 20]),
        not_before: start() - SignedDuration::from_secs(30),
        not_after: start() + SignedDuration::from_hours(24 * days),
        usages: &[],
        is_ca,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    }
}

pub fn wanted(name: &str) -> Wanted {
    let dns = if name.contains(' ') { Vec::new() } else { vec![name.to_owned(), format!("www.{name}")] };
    Wanted {
        secret_name: "web".into(),
        issuer: IssuerRef { name: "vault".into(), written_kind: String::new(), written_group: String::new() },
        subject: Subject::Fields(SubjectFields {
            common_name: Some(name.to_owned()),
            ..SubjectFields::default()
        }),
        sans: Sans {
            dns,
            ips: vec!["192.0.2.7".parse().unwrap()],
            uris: vec!["spiffe://x/y".into()],
            ..Sans::default()
        },
        duration: None,
        renewal: Renewal { before: RenewBefore::Default, policy: RenewalPolicy::AtTime },
        key: KeyWish {
            kind: KeyKind::Ecdsa(Curve::P256),
            encoding: KeyEncoding::Pkcs8,
            rotation: Rotation::Always,
        },
        usages: Vec::<Usage>::new(),
        usages_in_csr: false,
        is_ca: false,
        name_constraints: None,
        signature: None,
        secret_template: SecretTemplate::default(),
        output_formats: Vec::new(),
        keystores: Keystores::default(),
        revision_history_limit: 1,
    }
}

/// A leaf for the CSR in a sign call's body.
pub fn leaf(body: &Value) -> Certificate {
    let csr = Csr::from_pem(body["csr"].as_str().unwrap().as_bytes()).unwrap();
    sign_leaf(&plan(&csr, 90, false), &made().root, &made().root_key).unwrap()
}

pub fn signed(body: &Value) -> Say {
    let root = made().root.to_pem();
    reply(
        200,
        &json!({"data": {"certificate": leaf(body).to_pem(), "issuing_ca": root, "ca_chain": [root]}, "warnings": null}),
    )
}

/// Secrets in memory.
#[derive(Clone, Default)]
pub struct Around(Arc<Mutex<Kept>>);

#[derive(Default)]
pub struct Kept {
    pub secrets: BTreeMap<String, Result<BTreeMap<String, Vec<u8>>, ReadFailure>>,
    pub reads: usize,
    pub asked: Vec<(String, Vec<String>, Duration)>,
    pub refuses: Option<ReadFailure>,
}

impl Around {
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    pub fn with(name: &str, key: &str, value: &str) -> Around {
        let around = Around::default();
        around.set(name, key, value);
        around
    }

    pub fn set(&self, name: &str, key: &str, value: &str) {
        let mut kept = self.kept();
        let secret = kept.secrets.entry(name.to_owned()).or_insert_with(|| Ok(BTreeMap::new()));
        if secret.is_err() {
            *secret = Ok(BTreeMap::new());
        }
        secret.as_mut().unwrap().insert(key.to_owned(), value.as_bytes().to_vec());
    }

    pub fn fail(&self, name: &str, why: ReadFailure) {
        self.kept().secrets.insert(name.to_owned(), Err(why));
    }
}

impl Surroundings for Around {
    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<SecretData, ReadFailure>> {
        let mut kept = self.kept();
        kept.reads += 1;
        let found = kept.secrets.get(name).cloned().unwrap_or(Err(ReadFailure::Missing));
        let data = found.map(|data| SecretData {
            resource_version: "1".into(),
            data: data.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect(),
        });
        Box::pin(async move {
            tokio::task::yield_now().await;
            data
        })
    }

    fn service_account_token<'a>(
        &'a self,
        name: &'a str,
        audiences: &'a [String],
        life: Duration,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, ReadFailure>> {
        let mut kept = self.kept();
        kept.asked.push((name.to_owned(), audiences.to_vec(), life));
        let number = kept.asked.len();
        let refuses = kept.refuses.clone();
        Box::pin(async move {
            match refuses {
                Some(why) => Err(why),
                None => Ok(Zeroizing::new(format!("eyJhbGciOiJub25lIn0.service-account-jwt-{number}.sig"))),
            }
        })
    }
}

/// An issuer under test, with its server and its Secrets.
pub struct Bench {
    pub server: Server1,
    pub around: Around,
    pub vault: Vault,
    began: tokio::time::Instant,
}

pub fn approle() -> Auth {
    Auth::AppRole {
        login: ApiPath::login_below("auth/approle"),
        role_id: " the-role-id\n".into(),
        secret_id: KeyRef { name: "approle".into(), key: "secretId".into() },
    }
}

pub fn kubernetes() -> Auth {
    let jwt = Jwt::ServiceAccount {
        name: "issuer".into(),
        audiences: vec!["vault://ns/web".into(), SERVER.into()],
    };
    Auth::Kubernetes { login: ApiPath::login_below("/v1/auth/kubernetes"), role: "web".into(), jwt }
}

pub fn given() -> Auth {
    Auth::Token(KeyRef { name: "given".into(), key: "token".into() })
}

pub fn config(auth: Auth) -> Config {
    Config {
        server: Server::parse(SERVER).unwrap(),
        path: ApiPath::new("pki/sign/web"),
        namespace: None,
        server_name: None,
        ca: Ca::Inline(made().root.to_pem().into_bytes()),
        identity: None,
        auth,
    }
}

pub fn identity() -> IssuerIdentity {
    IssuerIdentity {
        kind: "Issuer".into(),
        namespace: Some("ns".into()),
        name: "web".into(),
        uid: "uid".into(),
        generation: 1,
    }
}

impl Bench {
    pub fn new(auth: Auth) -> Bench {
        Bench::of(config(auth), &Common::default())
    }

    pub fn of(config: Config, common: &Common) -> Bench {
        let (server, around) = (Server1::default(), Around::default());
        around.set("approle", "secretId", &format!("{SECRET_ID}\n"));
        around.set("given", "token", " hvs.given-token \n");
        server.state().tokens.insert("hvs.given-token".into());
        let common = Common { network: server.network(), ..common.clone() };
        let vault = Vault::new(identity(), config, Arc::new(around.clone()), common);
        Bench { server, around, vault, began: tokio::time::Instant::now() }
    }

    pub fn now(&self) -> Timestamp {
        start() + SignedDuration::try_from(self.began.elapsed()).unwrap()
    }

    pub async fn sign(&self) -> Answered {
        sign(&self.vault, self.now()).await
    }

    pub async fn chain(&self) -> Chain {
        match self.sign().await.outcome {
            Outcome::Issued(chain) => chain,
            other => panic!("not signed: {other:?}"),
        }
    }

    pub async fn fails(&self) -> Failure {
        failure(&self.sign().await)
    }
}

pub async fn sign(vault: &Vault, now: Timestamp) -> Answered {
    let made = made();
    let order = Order {
        csr_pem: &made.csr_pem,
        csr: &made.csr,
        duration: None,
        is_ca: false,
        usages: &[],
        key: None,
        is_probe: false,
    };
    vault.sign(&order, now).await
}

pub fn failure(answered: &Answered) -> Failure {
    match &answered.outcome {
        Outcome::Failed(failure) => failure.clone(),
        other => panic!("no failure: {other:?}"),
    }
}

pub fn is_issued(answered: &Answered) -> bool {
    matches!(answered.outcome, Outcome::Issued(_))
}

/// Lets what runs beside us run.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
    settle().await;
}
