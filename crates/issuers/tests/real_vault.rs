//! The Vault issuer against a real Vault: every way to log in, refusals and their proof, a leader that steps down or freezes.
//! What these tests see is what the scripted ones pretend.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use everleaf_core::failure::{Blame, Class, Failure, Finality, Outcome, Refusal, Sighting};
use everleaf_core::x509::Csr;
use everleaf_issuers::surroundings::KeyRef;
use everleaf_issuers::vault::Vault as VaultIssuer;
use everleaf_issuers::vault::config::{ApiPath, Auth, Ca, Config, Jwt, Server};
use everleaf_issuers::{Answered, Common, Order};
use everleaf_testkit::servers::{
    CertLogin, KubernetesLogin, Pki, PkiOptions, Vault, VaultApi, VaultCluster, VaultRequest, shared_kube,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::{Around, identity, is_issued};

fn at(name: &str, key: &str) -> KeyRef {
    KeyRef { name: name.into(), key: key.into() }
}

fn config(url: &str, pki: &Pki, ca: Option<&str>, auth: Auth) -> Config {
    Config {
        server: Server::parse(url).unwrap(),
        path: ApiPath::new(&pki.sign_path),
        namespace: None,
        server_name: None,
        // Plain HTTP asks for no trust; any bundle spares the look at the system's roots.
        ca: Ca::Inline(ca.unwrap_or(&pki.root).as_bytes().to_vec()),
        identity: None,
        auth,
    }
}

fn approle(pki: &Pki, around: &Around) -> Auth {
    around.set("approle", "secretId", &pki.approle.secret_id);
    Auth::AppRole {
        login: ApiPath::login_below(&format!("auth/{}", pki.approle.mount)),
        role_id: pki.approle.role_id.clone(),
        secret_id: at("approle", "secretId"),
    }
}

fn issuer(config: Config, around: &Around) -> VaultIssuer {
    VaultIssuer::new(identity(), config, Arc::new(around.clone()), Common::default())
}

fn ecdsa() -> PkiOptions {
    PkiOptions { role_fields: json!({"key_type": "ec"}), ..PkiOptions::default() }
}

async fn sign(issuer: &VaultIssuer) -> Answered {
    sign_at(issuer, Timestamp::now()).await
}

async fn sign_at(issuer: &VaultIssuer, now: Timestamp) -> Answered {
    let made = support::made();
    sign_csr(issuer, &made.csr, now).await
}

async fn sign_csr(issuer: &VaultIssuer, csr: &Csr, now: Timestamp) -> Answered {
    let pem = csr.to_pem();
    let order =
        Order { csr_pem: &pem, csr, duration: None, is_ca: false, usages: &[], key: None, is_probe: false };
    issuer.sign(&order, now).await
}

fn failed(answered: &Answered) -> &Failure {
    match &answered.outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

fn logins(requests: &[VaultRequest]) -> usize {
    requests.iter().filter(|request| request.is_login()).count()
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn approle_signs_a_hundred_times_with_one_login() -> Result<()> {
    let vault = Vault::start_dev().await?;
    let pki = vault.pki("pki", &PkiOptions::default()).await?;
    let around = Around::default();
    let issuer = issuer(config(vault.url(), &pki, None, approle(&pki, &around)), &around);
    assert_eq!(issuer.check().await.unwrap().reason, "VaultVerified");
    let mark = vault.audit().here()?;
    for _ in 0..10 {
        let answers = futures::future::join_all((0..10).map(|_| sign(&issuer))).await;
        for answer in answers {
            let Outcome::Issued(chain) = answer.outcome else { panic!("{answer:?}") };
            assert_eq!(chain.leaf().public_key(), support::made().key.public());
            assert_eq!(
                chain.ca.as_ref().map(|ca| ca.to_pem().trim().to_owned()),
                Some(pki.root.trim().to_owned())
            );
            assert!(chain.leaf().sans().dns.contains(&"www.web.example.com".to_owned()));
        }
    }
    assert_eq!(logins(&vault.audit().since(mark)?), 0, "the check has logged in already");
    Ok(())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_given_token_signs_is_renewed_and_is_missed_when_it_is_revoked() -> Result<()> {
    let vault = Vault::start_dev().await?;
    let pki = vault.pki("pki", &PkiOptions::default()).await?;
    let token = vault
        .write("auth/token/create", json!({"policies": [pki.policy], "ttl": "3s", "renewable": true}))
        .await?;
    let text = token["client_token"].as_str().unwrap().to_owned();
    let around = Around::with("given", "token", &format!("{text}\n"));
    let issuer = issuer(config(vault.url(), &pki, None, Auth::Token(at("given", "token"))), &around);
    // Longer than the token lives without renewal.
    for _ in 0..20 {
        assert!(is_issued(&sign(&issuer).await));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    vault.write("auth/token/revoke", json!({"token": text})).await?;
    let answered = sign(&issuer).await;
    assert_eq!((failed(&answered).class, failed(&answered).code), (Class::Access, "TokenRefused"));
    assert_eq!(failed(&answered).blame, Blame::Secret("given".into()));
    assert_eq!(issuer.check().await.unwrap_err().class, Class::Access);
    Ok(())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn over_tls_by_a_client_certificate() -> Result<()> {
    let vault = Vault::start_dev_tls().await?;
    let pki = vault.pki("pki", &ecdsa()).await?;
    let issued = vault.api().issue(&pki, "client.example.com").await?;
    let login = CertLogin {
        mount: "cert".into(),
        role: "web".into(),
        ca: pki.root.clone(),
        policy: pki.policy.clone(),
    };
    vault.api().cert_auth(&login).await?;
    let around = Around::default();
    around.set("client", "tls.crt", &issued.certificate);
    around.set("client", "tls.key", &issued.key);
    let auth = |role: &str| Auth::Certificate {
        login: ApiPath::login_below("/v1/auth/cert"),
        role: Some(role.into()),
        secret: Some("client".into()),
    };
    let good = issuer(config(vault.url(), &pki, vault.ca(), auth("web")), &around);
    assert!(is_issued(&sign(&good).await));
    let unknown = issuer(config(vault.url(), &pki, vault.ca(), auth("other")), &around);
    let answered = sign(&unknown).await;
    assert_eq!(
        (failed(&answered).class, failed(&answered).code),
        (Class::Access, "ClientCertificateRefused")
    );
    let stranger = issuer(config(vault.url(), &pki, None, auth("web")), &around);
    assert_eq!(failed(&sign(&stranger).await).code, "ServerNotTrusted");
    let plain = vault.url().replace("https://", "http://");
    let plain = issuer(config(&plain, &pki, None, auth("web")), &around);
    assert_eq!(failed(&sign(&plain).await).code, "PlainHttpToTlsPort");
    Ok(())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_serviceaccount_logs_in_and_a_wrong_audience_is_told() -> Result<()> {
    let kube = shared_kube().await?;
    let vault = Vault::start_dev().await?;
    let pki = vault.pki("pki", &PkiOptions::default()).await?;
    kube.service_account("default", "issuer").await?;
    let mut login = KubernetesLogin {
        mount: "kubernetes".into(),
        role: "web".into(),
        namespace: "default".into(),
        account: "issuer".into(),
        audience: Some("vault://ns/web".into()),
        policy: pki.policy.clone(),
    };
    vault.api().kubernetes_auth(kube, &login).await?;
    let jwt = kube.service_account_token("default", "issuer", &["vault://ns/web"]).await?;
    let around = Around::with("jwt", "token", &jwt);
    let auth = || Auth::Kubernetes {
        login: ApiPath::login_below("/v1/auth/kubernetes"),
        role: "web".into(),
        jwt: Jwt::Secret(at("jwt", "token")),
    };
    assert!(is_issued(&sign(&issuer(config(vault.url(), &pki, None, auth()), &around)).await));
    login.audience = Some("somebody-else".into());
    vault.api().kubernetes_auth(kube, &login).await?;
    let answered = sign(&issuer(config(vault.url(), &pki, None, auth()), &around)).await;
    assert_eq!((failed(&answered).class, failed(&answered).code), (Class::Access, "AudienceRefused"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_policy_that_lacks_the_path_is_proved_and_its_return_is_seen() -> Result<()> {
    let vault = Vault::start_dev().await?;
    let pki = vault.pki("pki", &PkiOptions::default()).await?;
    let around = Around::default();
    let issuer = issuer(config(vault.url(), &pki, None, approle(&pki, &around)), &around);
    assert!(is_issued(&sign(&issuer).await));
    vault.api().policy(&pki.policy, "path \"other/*\" { capabilities = [\"read\"] }").await?;
    let first = sign(&issuer).await;
    assert_eq!((failed(&first).class, failed(&first).code), (Class::Transient, "DeniedByPolicy"));
    // Only the clock that is handed in moves: the proof asks it.
    let later = Timestamp::now() + SignedDuration::from_secs(11);
    let second = sign_at(&issuer, later).await;
    assert_eq!((failed(&second).class, failed(&second).code), (Class::Access, "PolicyLacksPath"));
    let says = failed(&second).says.as_str();
    assert!(says.contains(&pki.sign_path) && says.contains(&pki.policy) && says.contains("deny"), "{says}");
    let grant = format!("path \"{}\" {{ capabilities = [\"update\"] }}", pki.sign_path);
    vault.api().policy(&pki.policy, &grant).await?;
    assert!(is_issued(&sign(&issuer).await));
    Ok(())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_name_the_role_forbids_is_proved_on_one_connection() -> Result<()> {
    let vault = Vault::start_dev().await?;
    let narrow =
        json!({"allow_any_name": false, "allowed_domains": ["example.org"], "allow_subdomains": true});
    let pki = vault.pki("pki", &PkiOptions { role_fields: narrow, ..PkiOptions::default() }).await?;
    let around = Around::default();
    let issuer = issuer(config(vault.url(), &pki, None, approle(&pki, &around)), &around);
    let now = Timestamp::now();
    let first = sign_at(&issuer, now).await;
    assert_eq!(
        (failed(&first).class, failed(&first).finality),
        (Class::Request, Finality::WhenProved),
        "{first:?}"
    );
    let later = now + SignedDuration::from_secs(31);
    let second = sign_at(&issuer, later).await;
    let sighting = |answered: &Answered, at| Sighting {
        failure: failed(answered).clone(),
        at,
        connection: answered.connection.unwrap(),
        token: answered.token,
    };
    let proved =
        Refusal::proved(&sighting(&first, now), second.write_before.unwrap(), &sighting(&second, later));
    assert_eq!(proved.unwrap().failure().code, "NameNotAllowed");
    Ok(())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn faults_of_mount_role_and_key_have_their_class() -> Result<()> {
    let vault = Vault::start_dev().await?;
    let pki = vault.pki("pki", &PkiOptions::default()).await?;
    let around = Around::with("root", "token", vault.api().token());
    let sign_at_path = async |path: &str| {
        let config = Config {
            path: ApiPath::new(path),
            ..config(vault.url(), &pki, None, Auth::Token(at("root", "token")))
        };
        let answered = sign(&issuer(config, &around)).await;
        (failed(&answered).class, failed(&answered).code)
    };
    assert_eq!(sign_at_path("pki/sign/nobody").await, (Class::Issuer, "RoleUnknown"));
    assert_eq!(sign_at_path("nowhere/sign/web").await, (Class::Issuer, "MountMissing"));
    assert_eq!(sign_at_path("pki/sgn/web").await, (Class::Issuer, "PathUnknown"));
    let issue = format!("pki/issue/{}", pki.role);
    assert_eq!(sign_at_path(&issue).await, (Class::Issuer, "IssueInsteadOfSign"));
    let role = format!("pki/roles/{}", pki.role);
    vault.write(&role, json!({"key_type": "ec", "allow_any_name": true, "allowed_uri_sans": "*"})).await?;
    assert_eq!(sign_at_path(&issue).await, (Class::Issuer, "OtherKey"));
    assert_eq!(sign_at_path("secret/sign/web").await, (Class::Issuer, "NotPki"));
    vault
        .write(&format!("pki/roles/{}", pki.role), json!({"key_type": "rsa", "allow_any_name": true}))
        .await?;
    assert_eq!(sign_at_path(&pki.sign_path).await, (Class::Request, "KeyNotAllowed"));
    vault.delete("pki/root").await?;
    assert_eq!(sign_at_path(&pki.sign_path).await.0, Class::Issuer);
    Ok(())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_vault_that_lost_everything_is_logged_into_again() -> Result<()> {
    let mut vault = Vault::start_dev().await?;
    let pki = vault.pki("pki", &PkiOptions::default()).await?;
    let around = Around::default();
    let issuer = issuer(config(vault.url(), &pki, None, approle(&pki, &around)), &around);
    assert!(is_issued(&sign(&issuer).await));
    vault.restart_empty().await?;
    let answered = sign(&issuer).await;
    assert_eq!(failed(&answered).finality, Finality::Never);
    assert_ne!(failed(&answered).class, Class::Request);
    let fresh = vault.pki("pki", &PkiOptions::default()).await?;
    // The same AppRole as before.
    let role = format!("auth/{}/role/{}", fresh.approle.mount, fresh.approle.name);
    vault.write(&format!("{role}/role-id"), json!({"role_id": pki.approle.role_id})).await?;
    vault.write(&format!("{role}/custom-secret-id"), json!({"secret_id": pki.approle.secret_id})).await?;
    signs_within(&issuer, Duration::from_secs(20)).await;
    Ok(())
}

/// Tries every half second; every failure on the way is one that heals.
async fn signs_within(issuer: &VaultIssuer, most: Duration) -> Vec<Failure> {
    let began = std::time::Instant::now();
    let mut failures = Vec::new();
    loop {
        let answered = sign(issuer).await;
        if is_issued(&answered) {
            return failures;
        }
        let failure = failed(&answered).clone();
        assert_eq!(failure.finality, Finality::Never, "{failure:?}");
        assert_ne!(failure.class, Class::Request, "{failure:?}");
        failures.push(failure);
        assert!(began.elapsed() < most, "{failures:#?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn on_each_node(cluster: &VaultCluster, pki: &Pki, around: &Around) -> Vec<VaultIssuer> {
    let auth = approle(pki, around);
    let issuer_at =
        |number| issuer(config(cluster.node(number).unwrap().url(), pki, None, auth.clone()), around);
    let issuers: Vec<_> = (1..=3).map(issuer_at).collect();
    for issuer in &issuers {
        signs_within(issuer, Duration::from_secs(20)).await;
    }
    issuers
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_leader_that_steps_down_or_dies_costs_seconds_on_every_node() -> Result<()> {
    let mut cluster = VaultCluster::start().await?;
    let leader = cluster.await_leader().await?;
    let pki = cluster.node(leader)?.pki("pki", &PkiOptions::default()).await?;
    let around = Around::default();
    let issuers = on_each_node(&cluster, &pki, &around).await;
    cluster.step_down().await?;
    for issuer in &issuers {
        signs_within(issuer, Duration::from_secs(20)).await;
    }
    let leader = cluster.await_leader().await?;
    cluster.kill(leader)?;
    for (number, issuer) in issuers.iter().enumerate().filter(|(index, _)| index + 1 != leader) {
        let failures = signs_within(issuer, Duration::from_secs(40)).await;
        let codes: std::collections::BTreeSet<_> = failures.iter().map(|failure| failure.code).collect();
        println!("node {} after the leader's death: {codes:?}", number + 1);
    }
    Ok(())
}

/// A thawed leader lives on as a second active node and refuses falsely (vault-measured 5.4): what it says is never proved.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_thawed_leader_proves_nothing() -> Result<()> {
    for _ in 0..THAWS {
        if refuses_falsely_and_proves_nothing().await? {
            return Ok(());
        }
    }
    println!("the old leader found out each time: there was no false refusal that could prove anything");
    Ok(())
}

/// How often a leader is thawed until one refuses falsely. Some find out in the moment they wake, and sign through their successor.
const THAWS: usize = 3;

/// False if the old leader found out at once.
async fn refuses_falsely_and_proves_nothing() -> Result<bool> {
    let mut cluster = VaultCluster::start().await?;
    let first = cluster.await_leader().await?;
    let pki = cluster.node(first)?.pki("pki", &PkiOptions::default()).await?;
    cluster.step_down().await?;
    let old = cluster.await_leader().await?;
    let around = Around::default();
    let issuers = on_each_node(&cluster, &pki, &around).await;
    let role = format!("pki/roles/{}", pki.role);
    let allow = |any: bool| json!({"allow_any_name": any, "key_type": "any", "allowed_uri_sans": "*"});
    cluster.node(old)?.write(&role, allow(false)).await?;
    cluster.freeze(old)?;
    tokio::time::sleep(Duration::from_secs(40)).await;
    cluster.thaw(old)?;
    let (new, api) = another_leader(&cluster, old).await;
    // Allowed again, but the old leader never hears of it.
    api.write(&role, allow(true)).await?;
    let now = Timestamp::now();
    let on_old = sign_at(&issuers[old - 1], now).await;
    let later = now + SignedDuration::from_secs(31);
    let again = sign_at(&issuers[old - 1], later).await;
    println!("the old leader says {:?}, then {:?}", on_old.outcome, again.outcome);
    signs_within(&issuers[new - 1], Duration::from_secs(20)).await;
    if matches!(on_old.outcome, Outcome::Issued(_)) {
        return Ok(false);
    }
    assert_eq!(failed(&on_old).class, Class::Request, "a false refusal");
    assert_eq!(again.write_before, None, "it can't commit, so it proves nothing");
    let why = issuers[old - 1].committed_write(on_old.connection.unwrap(), later).await.unwrap_err();
    println!("asked to renew its token it says {why:?}");
    assert_eq!(why.class, Class::Transient);
    Ok(true)
}

async fn another_leader(cluster: &VaultCluster, old: usize) -> (usize, VaultApi) {
    loop {
        for number in (1..=3).filter(|number| *number != old) {
            let api = cluster.node(number).unwrap();
            if let Ok(Value::Object(state)) = api.read("sys/leader").await
                && state.get("is_self") == Some(&Value::Bool(true))
            {
                return (number, api.clone());
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
