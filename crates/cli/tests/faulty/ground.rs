//! Where a test of faults happens: the API and the Vault of this test binary, a namespace with a controller that serves only it, and
//! Vault mounts of its own, reached directly or through a fault proxy. Everything is on loopback and ends with the test.

use std::time::{Duration, Instant};

use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{
    ApiRequest, CONTROLLER_USER, Controller, ControllerOptions, FaultProxy, Kube, Mark, Pki, PkiOptions,
    Vault, shared_kube,
};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::pair;
use crate::support::space::{Space, condition};
use crate::support::stage::ours;

/// How long a fault lasts, in seconds: the benchmark's variant says 60.
const FAULT_SECONDS: &str = "EVERLEAF_FAULT_SECONDS";
const FAULT_LASTS: Duration = Duration::from_secs(12);

/// Long enough for what must happen soon, on a machine that is busy with other tests.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// How long a fault lasts in these tests.
pub(crate) fn fault_lasts() -> Duration {
    let named = std::env::var(FAULT_SECONDS).ok().and_then(|text| text.parse().ok());
    named.map_or(FAULT_LASTS, Duration::from_secs)
}

/// The Vault of this test binary; each test makes mounts of its own.
pub(crate) async fn shared_vault() -> &'static Vault {
    static SHARED: OnceCell<Vault> = OnceCell::const_new();
    let start = async || {
        let vault = Vault::start_dev().await.unwrap();
        // Tests side by side must not enable it at the same time.
        vault.api().enable_auth("approle", "approle").await.unwrap();
        vault
    };
    SHARED.get_or_init(start).await
}

/// A namespace, and the controller that serves it.
pub(crate) struct Ground {
    // Dropped first, so that its last words come before those of the servers.
    pub(crate) controller: Controller,
    pub(crate) kube: &'static Kube,
    pub(crate) space: Space,
    options: ControllerOptions,
    mark: Mark,
}

impl Ground {
    /// A fresh namespace with a controller that serves it and nothing else, so that tests side by side don't share one.
    pub(crate) async fn new(flags: &[&str]) -> Ground {
        let mut all = vec!["--leader-elect=false"];
        all.extend(flags);
        Ground::with_election(&all).await
    }

    /// The same with leader election, whose Lease is shared with every other test that elects.
    pub(crate) async fn with_election(flags: &[&str]) -> Ground {
        let kube = shared_kube().await.unwrap();
        let space = Space::on(kube).await;
        Ground::begin(kube, space, CONTROLLER_USER, flags).await
    }

    /// The same with a controller that speaks as somebody else, whose rights are granted first.
    pub(crate) async fn speaking_as(
        user: &'static str,
        flags: &[&str],
        grant: impl AsyncFnOnce(&Kube, &Space),
    ) -> Ground {
        let kube = shared_kube().await.unwrap();
        let space = Space::on(kube).await;
        grant(kube, &space).await;
        let mut all = vec!["--leader-elect=false"];
        all.extend(flags);
        Ground::begin(kube, space, user, &all).await
    }

    async fn begin(kube: &'static Kube, space: Space, user: &'static str, flags: &[&str]) -> Ground {
        let mark = kube.audit().here().unwrap();
        let options = ControllerOptions { user: Some(user), ..only_for(&space, flags) };
        let controller = Controller::start(kube, &options).await.unwrap();
        Ground { controller, kube, space, options, mark }
    }

    fn user(&self) -> &'static str {
        self.options.user.unwrap_or(CONTROLLER_USER)
    }

    /// What the controller has asked of the API in this namespace since the ground was made.
    pub(crate) fn asked(&self) -> Vec<ApiRequest> {
        let mut all = self.kube.audit().since(self.mark).unwrap();
        all.retain(|request| request.user == self.user() && request.namespace == self.space.name);
        all
    }

    /// The rights of `deploy/` were enough for all it did here.
    pub(crate) fn nothing_was_forbidden(&self) {
        let mut forbidden = self.asked();
        forbidden.retain(|request| matches!(request.status, 401 | 403));
        assert!(forbidden.is_empty(), "{forbidden:?}");
    }

    /// Applies many objects at the same time.
    pub(crate) async fn apply_all(&self, objects: Vec<Maker>) {
        join_all(objects.into_iter().map(|object| self.space.apply(object))).await;
    }

    /// A Vault mount of its own, named after the namespace.
    pub(crate) async fn pki(&self, vault: &Vault, mount: &str, options: &PkiOptions) -> Pki {
        vault.pki(&format!("{}-{mount}", self.space.name), options).await.unwrap()
    }

    /// An Issuer at `server` that signs at this mount, awaited until it is ready.
    pub(crate) async fn vault_issuer(&self, name: &str, server: &str, pki: &Pki) {
        self.space.apply(makers::approle_secret(name, &pki.approle.secret_id)).await;
        self.space.apply(makers::vault_issuer(name, server, &pki.sign_path, &pki.approle.role_id)).await;
        self.issuer_ready(name, SOON).await;
    }

    /// Waits until an Issuer is ready.
    pub(crate) async fn issuer_ready(&self, name: &str, patience: Duration) -> Value {
        let ready = |issuer: &Value| condition(issuer, "Ready")["status"] == "True";
        self.space.until_within(patience, "Issuer", name, "ready", ready).await
    }

    /// Waits until an Issuer isn't ready and its message holds `words`.
    pub(crate) async fn issuer_says(&self, name: &str, patience: Duration, words: &str) -> Value {
        let says = |issuer: &Value| {
            let ready = condition(issuer, "Ready");
            ready["status"] == "False" && ready["message"].as_str().unwrap_or_default().contains(words)
        };
        self.space.until_within(patience, "Issuer", name, &format!("says \"{words}\""), says).await
    }

    /// Starts the controller again after it has ended or was killed.
    pub(crate) async fn start_again(&mut self) {
        self.controller = Controller::start(self.kube, &self.options).await.unwrap();
    }
}

/// The program with the flags that let it serve this namespace only.
fn only_for(space: &Space, flags: &[&str]) -> ControllerOptions {
    let mut all = vec![format!("--namespace={}", space.name)];
    all.extend(flags.iter().map(|&flag| flag.to_owned()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    ours(&all)
}

/// Certificates `<stem>-0`, `<stem>-1`, ... of an Issuer, and their names.
pub(crate) fn certificates(stem: &str, count: usize, issuer: &str) -> (Vec<Maker>, Vec<String>) {
    let names: Vec<String> = (0..count).map(|number| format!("{stem}-{number}")).collect();
    (names.iter().map(|name| makers::certificate(name).from_issuer(issuer)).collect(), names)
}

/// Signs at a path as anybody with a good token would, again and again, until it works: the moment from which a fault is over.
pub(crate) async fn direct_sign_works(vault: &Vault, proxy: &FaultProxy, pki: &Pki) -> Instant {
    let api = vault.api().at(proxy.url());
    let csr = pair::csr("direct.example");
    let body = json!({ "csr": csr, "common_name": "direct.example", "ttl": "1h" });
    let tried = async {
        while api.write(&pki.sign_path, body.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, tried).await.expect("a direct sign works again");
    Instant::now()
}

/// Revokes all tokens that hold the policy of this mount.
pub(crate) async fn drop_tokens(vault: &Vault, pki: &Pki) {
    let api = vault.api();
    for accessor in api.list("auth/token/accessors").await.unwrap() {
        // Another test's token may have ended meanwhile.
        let Ok(token) = api.write("auth/token/lookup-accessor", json!({ "accessor": accessor })).await else {
            continue;
        };
        if token["policies"].as_array().unwrap().iter().any(|policy| *policy == pki.policy) {
            api.write("auth/token/revoke-accessor", json!({ "accessor": accessor })).await.unwrap();
        }
    }
}
