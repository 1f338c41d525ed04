//! What the tests of the Vault issuer share: a server in this process, Secrets in memory, and an issuer between them.
#![allow(dead_code, unused_imports, missing_docs)]

mod around;
mod made;
mod server;

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::failure::{Failure, Outcome};
use everleaf_core::x509::Chain;
use everleaf_issuers::surroundings::KeyRef;
use everleaf_issuers::vault::Vault;
use everleaf_issuers::vault::config::{ApiPath, Auth, Ca, Config, Jwt, Server};
use everleaf_issuers::{Answered, Common, IssuerIdentity, Order};
use jiff::{SignedDuration, Timestamp};

pub(crate) use around::{Around, Kept};
pub(crate) use made::{Made, key, leaf, made, plan, signed, start, wanted};
pub(crate) use server::*;

/// An issuer under test, with its server and its Secrets.
pub(crate) struct Bench {
    pub(crate) server: Server1,
    pub(crate) around: Around,
    pub(crate) vault: Vault,
    began: tokio::time::Instant,
}

pub(crate) fn approle() -> Auth {
    Auth::AppRole {
        login: ApiPath::login_below("auth/approle"),
        role_id: " the-role-id\n".into(),
        secret_id: KeyRef { name: "approle".into(), key: "secretId".into() },
    }
}

pub(crate) fn kubernetes() -> Auth {
    let jwt = Jwt::ServiceAccount {
        name: "issuer".into(),
        audiences: vec!["vault://ns/web".into(), SERVER.into()],
    };
    Auth::Kubernetes { login: ApiPath::login_below("/v1/auth/kubernetes"), role: "web".into(), jwt }
}

pub(crate) fn given() -> Auth {
    Auth::Token(KeyRef { name: "given".into(), key: "token".into() })
}

pub(crate) fn config(auth: Auth) -> Config {
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

pub(crate) fn identity() -> IssuerIdentity {
    IssuerIdentity {
        kind: "Issuer".into(),
        namespace: Some("ns".into()),
        name: "web".into(),
        uid: "uid".into(),
        generation: 1,
    }
}

impl Bench {
    pub(crate) fn new(auth: Auth) -> Bench {
        Bench::of(config(auth), &Common::default())
    }

    pub(crate) fn of(config: Config, common: &Common) -> Bench {
        let (server, around) = (Server1::default(), Around::default());
        around.set("approle", "secretId", &format!("{SECRET_ID}\n"));
        around.set("given", "token", " hvs.given-token \n");
        server.state().tokens.insert("hvs.given-token".into());
        let common = Common { network: server.network(), ..common.clone() };
        let vault = Vault::new(identity(), config, Arc::new(around.clone()), common);
        Bench { server, around, vault, began: tokio::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        start() + SignedDuration::try_from(self.began.elapsed()).unwrap()
    }

    pub(crate) async fn sign(&self) -> Answered {
        sign(&self.vault, self.now()).await
    }

    pub(crate) async fn chain(&self) -> Chain {
        match self.sign().await.outcome {
            Outcome::Issued(chain) => chain,
            other => panic!("not signed: {other:?}"),
        }
    }

    pub(crate) async fn fails(&self) -> Failure {
        failure(&self.sign().await)
    }
}

pub(crate) async fn sign(vault: &Vault, now: Timestamp) -> Answered {
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

pub(crate) fn failure(answered: &Answered) -> Failure {
    match &answered.outcome {
        Outcome::Failed(failure) => failure.clone(),
        other => panic!("no failure: {other:?}"),
    }
}

pub(crate) fn is_issued(answered: &Answered) -> bool {
    matches!(answered.outcome, Outcome::Issued(_))
}

/// Lets what runs beside us run.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
    settle().await;
}
