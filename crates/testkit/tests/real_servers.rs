//! The starters against the real servers: what they promise to tests must hold before any test builds on it.
//! Run by `cargo xtask test`; each test ends what it started, whatever its outcome.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use everleaf_testkit::servers::{
    ApiRequest, CONTROLLER_USER, CertLogin, Fault, FaultProxy, Http, Kube, KubernetesLogin, PkiOptions,
    Vault, VaultApi, VaultCluster,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use serde_json::{Value, json};

fn config_map(name: &str) -> ConfigMap {
    ConfigMap { metadata: ObjectMeta { name: Some(name.into()), ..Default::default() }, ..Default::default() }
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_audit_log_counts_requests_by_user_verb_and_status() {
    let kube = Kube::start().await.unwrap();
    let namespace = kube.namespace().await.unwrap();
    let mark = kube.audit().here().unwrap();

    let admin: Api<ConfigMap> = Api::namespaced(kube.client().unwrap(), &namespace);
    admin.create(&PostParams::default(), &config_map("a")).await.unwrap();
    assert!(admin.create(&PostParams::default(), &config_map("a")).await.is_err());
    let alice: Api<ConfigMap> = Api::namespaced(kube.client_as("alice").unwrap(), &namespace);
    assert!(alice.get("a").await.is_err());

    let seen = kube.audit().since(mark).unwrap();
    let mine = |user: &str| -> Vec<(String, u16)> {
        let all = seen.iter().filter(|r| r.user == user && r.namespace == namespace);
        all.map(|r| (r.what(), r.status)).collect()
    };
    assert_eq!(mine("admin"), [("create configmaps".to_owned(), 201), ("create configmaps".to_owned(), 409)]);
    assert_eq!(mine("alice"), [("get configmaps".to_owned(), 403)]);
    assert_eq!(ApiRequest::tally(seen.iter().filter(|r| r.user == "admin"))["create configmaps"], 2);
    assert!(kube.token(CONTROLLER_USER).is_ok());
    let who = kube.kubectl(&["auth", "whoami", "-o", "json"]).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&who).unwrap()["status"]["userInfo"]["username"], "admin");
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_controller_manager_empties_namespaces() {
    let kube = Kube::with_controller_manager().await.unwrap();
    let namespace = kube.namespace().await.unwrap();
    let client = kube.client().unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    maps.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client);
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
    for _ in 0..600 {
        if namespaces.get_opt(&namespace).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the namespace is still there");
}

fn csr() -> String {
    let script = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=a.example";
    let output = Command::new("sh").args(["-c", script]).stderr(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

async fn sign(api: &VaultApi, path: &str) -> anyhow::Result<Value> {
    api.write(path, json!({"csr": csr(), "common_name": "a.example", "ttl": "1h"})).await
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_approle_may_sign_and_vault_counts_it() {
    let vault = Vault::start_dev().await.unwrap();
    let pki = vault.pki("pki", &PkiOptions::default()).await.unwrap();
    let mark = vault.audit().here().unwrap();

    let token = vault.api().login(&pki.approle).await.unwrap();
    let limited = vault.api().with_token(&token);
    let signed = sign(&limited, &pki.sign_path).await.unwrap();
    assert!(signed["certificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(limited.read("pki/roles/web").await.is_err(), "the policy allows to sign and nothing else");

    let seen = vault.audit().since(mark).unwrap();
    assert_eq!(seen.iter().filter(|r| r.is_login()).count(), 1);
    assert_eq!(seen.iter().filter(|r| r.is_sign() && r.error.is_none()).count(), 1);
    assert!(seen.iter().any(|r| r.path == "pki/roles/web" && r.error.is_some()));
    assert_eq!(vault.list("pki/roles").await.unwrap(), ["web"]);
    assert_eq!(vault.list("pki/nothing/here").await.unwrap_or_default().len(), 0);
    vault.delete("pki/roles/web").await.unwrap();
    assert_eq!(vault.list("pki/roles").await.unwrap().len(), 0);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_service_account_logs_in_through_a_real_token_review() {
    let (kube, vault) = tokio::join!(Kube::start(), Vault::start_dev());
    let (kube, vault) = (kube.unwrap(), vault.unwrap());
    let pki = vault.pki("pki", &PkiOptions::default()).await.unwrap();
    let login = KubernetesLogin {
        mount: "kubernetes".into(),
        role: "web".into(),
        namespace: "default".into(),
        account: "issuer".into(),
        audience: Some("vault".into()),
        policy: pki.policy.clone(),
    };
    vault.api().kubernetes_auth(&kube, &login).await.unwrap();
    kube.service_account("default", "issuer").await.unwrap();
    let anonymous = vault.api().with_token("");
    let attempt = async |audience: &str| {
        let jwt = kube.service_account_token("default", "issuer", &[audience]).await.unwrap();
        anonymous.write("auth/kubernetes/login", json!({"role": "web", "jwt": jwt})).await
    };
    let auth = attempt("vault").await.unwrap();
    let token = auth["client_token"].as_str().unwrap();
    sign(&vault.api().with_token(token), &pki.sign_path).await.unwrap();
    let refused = attempt("somebody-else").await.unwrap_err();
    assert!(format!("{refused:#}").contains("403"), "{refused:#}");
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_client_certificate_logs_in_over_tls() {
    let vault = Vault::start_dev_tls().await.unwrap();
    let options =
        PkiOptions { role_fields: json!({"key_type": "ec", "key_bits": 256}), ..Default::default() };
    let pki = vault.pki("pki", &options).await.unwrap();
    let login = CertLogin {
        mount: "cert".into(),
        role: "web".into(),
        ca: pki.root.clone(),
        policy: pki.policy.clone(),
    };
    vault.api().cert_auth(&login).await.unwrap();
    let client = vault.api().issue(&pki, "client.example").await.unwrap();
    let http = Http::trusting_as(vault.ca().unwrap(), &client.certificate, &client.key).unwrap();
    let with_certificate = VaultApi::new(vault.url(), "", http);
    let auth = with_certificate.write("auth/cert/login", json!({"name": "web"})).await.unwrap();
    assert!(auth["client_token"].is_string());
    let without = vault.api().with_token("").write("auth/cert/login", json!({"name": "web"})).await;
    assert!(without.is_err());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_cluster_survives_the_death_of_its_leader() {
    let mut cluster = VaultCluster::start().await.unwrap();
    let first = cluster.await_leader().await.unwrap();
    let pki = cluster.node(first).unwrap().pki("pki", &PkiOptions::default()).await.unwrap();
    cluster.step_down().await.unwrap();
    let second = cluster.await_leader().await.unwrap();
    cluster.kill(second).unwrap();
    let third = cluster.await_leader().await.unwrap();
    assert_ne!(second, third);
    sign(cluster.node(third).unwrap(), &pki.sign_path).await.unwrap();
    cluster.restart(second).await.unwrap();
    cluster.freeze(second).unwrap();
    cluster.thaw(second).unwrap();
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_proxy_plays_faults_on_the_paths_it_was_told() {
    let vault = Vault::start_dev().await.unwrap();
    let pki = vault.pki("pki", &PkiOptions::default()).await.unwrap();
    let proxy = FaultProxy::start(vault.url()).await.unwrap();
    let through = vault.api().at(proxy.url());
    let signs = "/v1/pki/sign/";

    for status in [403, 429, 500, 503] {
        proxy.set(Fault::Status(status), signs);
        let error = sign(&through, &pki.sign_path).await.unwrap_err();
        assert!(format!("{error:#}").contains(&status.to_string()), "{error:#}");
        assert!(through.read("pki/roles/web").await.is_ok(), "other paths pass");
    }
    proxy.set(Fault::Reset, signs);
    let error = sign(&through, &pki.sign_path).await.unwrap_err();
    assert!(format!("{error:#?}").to_lowercase().contains("reset"), "{error:#?}");

    let mark = vault.audit().here().unwrap();
    proxy.set(Fault::LoseAnswer, signs);
    assert!(sign(&through, &pki.sign_path).await.is_err());
    let signed = vault.audit().since(mark).unwrap().iter().filter(|r| r.is_sign()).count();
    assert_eq!(signed, 1, "Vault worked although the answer was lost");

    proxy.set(Fault::Hang, signs);
    let waiting = sign(&through, &pki.sign_path);
    let cleared = async {
        while proxy.faulted(signs) < 7 {
            tokio::task::yield_now().await;
        }
        proxy.clear();
    };
    let (answer, ()) = tokio::join!(waiting, cleared);
    answer.unwrap();
    sign(&through, &pki.sign_path).await.unwrap();
    assert_eq!((proxy.faulted(signs), proxy.passed(signs)), (7, 1));
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_vault_that_lost_its_storage_knows_no_token_but_the_root() {
    let mut vault = Vault::start_dev().await.unwrap();
    let pki = vault.pki("pki", &PkiOptions::default()).await.unwrap();
    let token = vault.api().login(&pki.approle).await.unwrap();
    let url = vault.url().to_owned();
    vault.restart_empty().await.unwrap();
    assert_eq!(vault.url(), url);
    let answer = vault.api().with_token(&token).call(http::Method::POST, &pki.sign_path, None).await.unwrap();
    assert_eq!(answer.status, 403);
    assert!(vault.read("sys/mounts").await.is_ok());
    assert!(vault.audit().here().is_ok());
}

/// The part that is started and shot by the test below.
#[tokio::test]
#[ignore = "started by nothing_outlives_a_test_that_is_shot"]
async fn start_and_wait_to_be_shot() {
    let Ok(report) = std::env::var("EVERLEAF_TEST_REPORT") else { return };
    let mut vault = Vault::start_dev().await.unwrap();
    let line = format!("{} {}", vault.server().pid(), vault.folder().display());
    std::fs::write(format!("{report}.part"), line).unwrap();
    std::fs::rename(format!("{report}.part"), report).unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[test]
#[ignore = "needs real servers: cargo xtask test"]
fn nothing_outlives_a_test_that_is_shot() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let mut shot = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "start_and_wait_to_be_shot"])
        .env("EVERLEAF_TEST_REPORT", &report)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait_until = |what: &str, done: &dyn Fn() -> bool| {
        for _ in 0..1200 {
            if done() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{what}");
    };
    wait_until("no report", &|| report.exists());
    let line = std::fs::read_to_string(&report).unwrap();
    let (pid, servers_folder) = line.split_once(' ').unwrap();
    assert!(Path::new("/proc").join(pid).exists());
    shot.kill().unwrap();
    shot.wait().unwrap();
    // A process whose parent is gone may stay as a zombie for a moment where nobody collects it: its memory is gone.
    let command_line = Path::new("/proc").join(pid).join("cmdline");
    wait_until("Vault lives on", &|| std::fs::read(&command_line).map_or(true, |line| line.is_empty()));
    wait_until("the folder is still there", &|| !Path::new(servers_folder).exists());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn manifests_are_applied_in_their_order() {
    let kube = Kube::start().await.unwrap();
    let namespace = kube.namespace().await.unwrap();
    let client = kube.client().unwrap();
    let objects = [everleaf_testkit::makers::secret("a", &[("k", "v")]).json()];
    everleaf_testkit::servers::apply_manifests(&client, &objects, &namespace).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, &namespace);
    assert_eq!(secrets.get("a").await.unwrap().data.unwrap()["k"].0, b"v");
}
