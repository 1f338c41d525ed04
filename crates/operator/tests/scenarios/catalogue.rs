//! Rows of the catalogue (vault-issuer 6) that need the whole operator; docs/vault-catalogue.md says which test holds each of the others.
//! The name of the row stands in each failure message.

use everleaf_api::CertificateRequest;
use everleaf_practice::{Deed, Fault, FaultRule, Phase};
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::door::Fate;
use crate::stage::{Login, NAMESPACE, Plot, Stage, jwt, seconds};

async fn stage() -> Stage {
    let stage = Stage::set(Plot::default()).await;
    stage.ask("warm", 1).await;
    stage.until_ready("warm", 1, seconds(20)).await.expect("the first certificate");
    stage
}

/// I1 and R5: a spec that can't be used is told once, with `VaultError`, and Vault isn't called for it. I3: so is a server that is no address.
#[tokio::test(start_paused = true)]
async fn specs_that_cant_be_used_are_told_and_left_alone() {
    let approle = |more: Value| {
        let mut role = json!({ "path": "approle", "roleId": "r", "secretRef": { "name": "s", "key": "k" } });
        for (field, value) in more.as_object().unwrap() {
            role[field] = value.clone();
        }
        json!({ "auth": { "appRole": role } })
    };
    let token = json!({ "tokenSecretRef": { "name": "vault-login", "key": "token" } });
    let account = json!({ "name": "app" });
    let secret = json!({ "name": "s", "key": "k" });
    let rows = [
        ("server missing", json!({ "auth": token, "server": "" })),
        ("path missing", json!({ "auth": token, "path": "" })),
        ("no login", json!({ "auth": {} })),
        (
            "several logins",
            json!({ "auth": { "tokenSecretRef": { "name": "s" }, "appRole": approle(json!({}))["auth"]["appRole"] } }),
        ),
        ("appRole without key", approle(json!({ "secretRef": { "name": "s" } }))),
        ("appRole without roleId", approle(json!({ "roleId": "" }))),
        ("appRole without name", approle(json!({ "secretRef": { "name": "", "key": "k" } }))),
        ("kubernetes without role", json!({ "auth": { "kubernetes": { "role": "", "secretRef": secret } } })),
        ("kubernetes without refs", json!({ "auth": { "kubernetes": { "role": "r" } } })),
        (
            "kubernetes with both",
            json!({ "auth": { "kubernetes": { "role": "r", "secretRef": secret, "serviceAccountRef": account } } }),
        ),
        ("I3 no host", json!({ "auth": token, "server": "https:/host" })),
        ("I3 leading blank", json!({ "auth": token, "server": " https://host" })),
    ];
    let stage = stage().await;
    let before = stage.calls();
    let mut wrongs = Vec::new();
    for (number, (row, spec)) in rows.iter().enumerate() {
        let name = format!("unusable-{number}");
        stage.issuer(&name, spec.clone()).await;
        stage.ask_of(&name, &format!("of-{number}"), 1).await;
        let told = stage
            .until_told(&name, seconds(10), |ready, reason, says| {
                !ready && reason == "VaultError" && !says.is_empty()
            })
            .await;
        wrongs.extend(told.err().map(|says| format!("{row}: {says}")));
    }
    sleep(seconds(600)).await;
    // One issuer works and is looked at, by two calls every 30 to 60 s; the twelve aren't called for.
    assert!(stage.calls() - before <= 40, "I1: {} calls in ten minutes", stage.calls() - before);
    let seen = stage.look().await;
    assert!(seen.failed.is_empty() && seen.pending.len() >= rows.len(), "R5: {seen:?}");
    assert!(wrongs.is_empty(), "{wrongs:#?}");
}

/// I2: each login that works is verified.
#[tokio::test(start_paused = true)]
async fn every_login_that_works_is_verified() {
    let stage = Stage::set(Plot { login: Login::Kubernetes, ..Plot::default() }).await;
    let (role_id, secret_id) = (stage.credentials.role_id.clone(), stage.credentials.secret_id.clone());
    stage.secret("given", json!({ "token": stage.credentials.token.as_str(), "other": format!(" {}\n", stage.credentials.token.as_str()) })).await;
    stage.secret("jwt", json!({ "token": jwt(stage.vault.now()) })).await;
    stage.secret("approle", json!({ "id": format!("{}\n", secret_id.as_str()) })).await;
    let rows = [
        ("token", json!({ "tokenSecretRef": { "name": "given" } })),
        ("token-with-key", json!({ "tokenSecretRef": { "name": "given", "key": "other" } })),
        (
            "approle",
            json!({ "appRole": { "path": "approle", "roleId": role_id, "secretRef": { "name": "approle", "key": "id" } } }),
        ),
        ("kubernetes", json!({ "kubernetes": { "role": "everleaf", "secretRef": { "name": "jwt" } } })),
        (
            "kubernetes-with-key",
            json!({ "kubernetes": { "role": "everleaf", "mountPath": "auth/kubernetes/", "secretRef": { "name": "jwt", "key": "token" } } }),
        ),
    ];
    for (name, auth) in &rows {
        stage.issuer(name, json!({ "auth": auth })).await;
        stage.ask_of(name, name, 1).await;
    }
    for (name, _) in &rows {
        let told =
            stage.until_told(name, seconds(10), |ready, reason, _| ready && reason == "VaultVerified").await;
        assert!(told.is_ok(), "I2 {name}: {told:?}");
        assert!(stage.until_ready(name, 1, seconds(10)).await.is_some(), "I2 {name}: nothing is signed");
    }
}

/// I4, I5 and R4: a Secret that is missing is named, on issuer and request; its appearance is all it takes.
#[tokio::test(start_paused = true)]
async fn a_secret_that_comes_later_is_waited_for() {
    let stage = Stage::set(Plot::default()).await;
    let login = json!({ "appRole": { "path": "approle", "roleId": stage.credentials.role_id, "secretRef": { "name": "vault-login", "key": "secretId" } } });
    let rows = [
        (
            "I4 appRole",
            "late-secret",
            json!({ "auth": { "appRole": { "path": "approle", "roleId": stage.credentials.role_id, "secretRef": { "name": "late-secret", "key": "secretId" } } } }),
            json!({ "secretId": stage.credentials.secret_id.as_str() }),
        ),
        (
            "I4 token",
            "late-token",
            json!({ "auth": { "tokenSecretRef": { "name": "late-token" } } }),
            json!({ "token": stage.credentials.token.as_str() }),
        ),
        (
            "I5 CA bundle",
            "late-bundle",
            json!({ "auth": login, "caBundleSecretRef": { "name": "late-bundle" } }),
            json!({ "ca.crt": stage.vault.ca_chain("pki") }),
        ),
    ];
    for (number, (row, secret, spec, data)) in rows.iter().enumerate() {
        let name = format!("late-{number}");
        stage.issuer(&name, spec.clone()).await;
        stage.ask_of(&name, &name, 1).await;
        let told =
            stage.until_told(&name, seconds(30), |ready, _, says| !ready && says.contains(secret)).await;
        assert!(told.is_ok(), "{row}: {told:?}");
        sleep(seconds(400)).await;
        assert!(
            stage.look().await.pending.iter().any(|says| says.contains(secret)),
            "R4 {row}: the request doesn't name {secret}"
        );
        // Put in, taken away, put in again at once: what external-secrets does.
        stage.secret(secret, data.clone()).await;
        stage.delete_secret(secret).await;
        stage.secret(secret, data.clone()).await;
        assert!(
            stage.until_ready(&name, 1, seconds(10)).await.is_some(),
            "R4 {row}: not ready 10 s after the Secret came"
        );
        assert!(
            stage.until_told(&name, seconds(10), |ready, _, _| ready).await.is_ok(),
            "{row}: the issuer is not Ready"
        );
    }
}

/// I10: sealed for ten minutes, with nobody waiting.
#[tokio::test(start_paused = true)]
async fn an_idle_issuer_tells_of_a_seal_and_of_its_end() {
    let stage = stage().await;
    stage.vault.seal();
    let told =
        stage.until_told("vault", seconds(130), |ready, _, says| !ready && says.contains("sealed")).await;
    assert!(told.is_ok(), "I10: {told:?}");
    sleep(seconds(600)).await;
    stage.vault.unseal();
    let told =
        stage.until_told("vault", seconds(60), |ready, reason, _| ready && reason == "VaultVerified").await;
    assert!(told.is_ok(), "I10, unsealed: {told:?}");
}

/// I11: a static token is revoked; health still says 200.
#[tokio::test(start_paused = true)]
async fn a_static_token_that_is_revoked_is_told_and_a_new_one_is_taken() {
    let stage = Stage::set(Plot { login: Login::Token, ..Plot::default() }).await;
    assert!(stage.until_told("vault", seconds(10), |ready, _, _| ready).await.is_ok());
    stage.vault.perform(&Deed::RevokeTokens);
    stage.ask("web", 5).await;
    let told =
        stage.until_told("vault", seconds(60), |ready, _, says| !ready && says.contains("vault-login")).await;
    assert!(told.is_ok(), "I11: {told:?}");
    assert!(stage.look().await.failed.is_empty(), "I11: a request ended");
    let fresh =
        stage.vault.write("auth/token/create", json!({ "policies": ["web-sign"], "period": "24h" })).unwrap();
    stage.secret("vault-login", json!({ "token": fresh["client_token"] })).await;
    assert!(
        stage.until_ready("web", 5, seconds(10)).await.is_some(),
        "I11: not ready 10 s after a new token"
    );
}

/// I12 and F1: many issuers of an unreachable Vault, beside a SelfSigned issuer.
#[tokio::test(start_paused = true)]
async fn a_thousand_dead_issuers_hinder_no_other_and_stay_quiet() {
    let stage = Stage::set(Plot::default()).await;
    stage.vault.inflict(FaultRule::new(Fault::Hang));
    let login = json!({ "auth": { "tokenSecretRef": { "name": "vault-login", "key": "secretId" } } });
    for number in 0..1000 {
        stage.issuer(&format!("dead-{number}"), login.clone()).await;
    }
    stage.apply(json!({ "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": { "name": "own" }, "spec": { "selfSigned": {} } })).await;
    stage.ask_of("own", "own", 20).await;
    assert!(
        stage.until_ready("own", 20, seconds(5)).await.is_some(),
        "I12: a SelfSigned issuer waits for dead ones"
    );
    sleep(seconds(300)).await;
    let before = stage.calls();
    sleep(seconds(600)).await;
    let calls = stage.calls() - before;
    assert!(calls <= 1000 * 600 / 8, "I12: {calls} calls in ten minutes for 1000 issuers");
}

/// R1 and R2: requests that nobody approved, or that were denied.
#[tokio::test(start_paused = true)]
async fn a_denied_request_is_told_and_never_signed() {
    let stage = stage().await;
    let signs = stage.vault.audit().signatures();
    stage.vault.seal();
    stage.ask("denied", 1).await;
    sleep(seconds(5)).await;
    let requests: Api<CertificateRequest> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let waiting = requests.list(&ListParams::default()).await.unwrap().items;
    let waiting = waiting
        .iter()
        .find(|request| request.metadata.name.as_deref().is_some_and(|name| name.starts_with("denied")))
        .unwrap();
    let mut denied = waiting.clone();
    let condition = json!({ "type": "Denied", "status": "True", "reason": "policy", "message": "no", "lastTransitionTime": "2026-01-01T00:00:00Z" });
    let mut status = serde_json::to_value(denied.status.unwrap_or_default()).unwrap();
    let others: Vec<Value> = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|condition| condition["type"] != "Approved")
        .cloned()
        .collect();
    status["conditions"] = Value::Array([others, vec![condition]].concat());
    denied.status = Some(serde_json::from_value(status).unwrap());
    requests
        .replace_status(waiting.metadata.name.as_deref().unwrap(), &kube::api::PostParams::default(), &denied)
        .await
        .unwrap();
    stage.vault.unseal();
    sleep(seconds(120)).await;
    assert_eq!(stage.vault.audit().signatures(), signs, "R2: a denied request was signed");
    assert_eq!(stage.ready("denied").await, 0, "R2");
}

/// F3, F8, F9: words that differ each time, and words without end.
#[tokio::test(start_paused = true)]
async fn words_that_differ_or_never_end_cost_few_writes_and_little_space() {
    let stage = stage().await;
    stage.ask("web", 20).await;
    stage.until_ready("web", 20, seconds(10)).await.unwrap();
    let mut fault = stage.vault.inflict(FaultRule::new(Fault::Status(500, "request 0 failed".into())));
    stage.ask("late", 20).await;
    let calls = stage.calls();
    for number in 1..=120u32 {
        sleep(seconds(1)).await;
        stage.vault.lift(fault);
        let text = format!(
            "request 7f3a91{number:06x}-0a1b-4c2d-9e8f-{number:012x} from 10.0.0.7:{} failed",
            30000 + number
        );
        fault = stage.vault.inflict(FaultRule::new(Fault::Status(500, text)));
    }
    assert!(stage.calls() - calls <= 240, "F8: {} calls in two minutes", stage.calls() - calls);
    stage.vault.lift(fault);
    fault = stage.vault.inflict(FaultRule::new(Fault::Status(503, "x".repeat(1 << 20))));
    sleep(seconds(120)).await;
    let seen = stage.look().await;
    assert!(seen.pending.iter().all(|says| says.len() < 2_000), "F9: a message is long");
    let requests: Api<CertificateRequest> = Api::namespaced(stage.client.clone(), NAMESPACE);
    for request in requests.list(&ListParams::default()).await.unwrap() {
        let size = serde_json::to_vec(&request).unwrap().len();
        assert!(size < 16_000, "F9: a request of {size} bytes");
    }
    stage.vault.lift(fault);
    assert!(
        stage.until_ready("late", 20, seconds(10)).await.is_some(),
        "F8, F9: not ready 10 s after the end"
    );
    assert!(seen.failed.is_empty(), "F3: {:?}", seen.failed);
}

/// F10: our own restart in the middle of an outage.
#[tokio::test(start_paused = true)]
async fn a_restart_in_an_outage_makes_no_storm_and_loses_nothing() {
    let stage = Stage::bare(Plot::default()).await;
    let stop = stage.start();
    stage.vault.seal();
    stage.ask("web", 50).await;
    sleep(seconds(60)).await;
    stop.cancel();
    sleep(seconds(30)).await;
    let before = stage.calls();
    stage.start();
    sleep(seconds(60)).await;
    let calls = stage.calls() - before;
    assert!(calls <= 120, "F10: {calls} calls in the minute after a restart");
    stage.vault.unseal();
    assert!(
        stage.until_ready("web", 50, seconds(10)).await.is_some(),
        "F10: {} of 50 ready",
        stage.ready("web").await
    );
    assert_eq!(stage.vault.audit().signatures(), 50, "F10: signed twice");
}

/// F12: Vault is restored from an old snapshot: all tokens are gone.
#[tokio::test(start_paused = true)]
async fn a_restored_snapshot_costs_one_login() {
    let stage = stage().await;
    let logins = stage.vault.audit().calls(Phase::Login);
    stage.vault.perform(&Deed::ForgetTokens);
    stage.ask("web", 100).await;
    assert!(stage.until_ready("web", 100, seconds(10)).await.is_some(), "F12");
    assert_eq!(stage.vault.audit().calls(Phase::Login) - logins, 1, "F12: logins");
    assert!(stage.look().await.failed.is_empty(), "F12");
}

/// F11: role, mount and policy are gone for three hours, across renewals, and come back.
#[tokio::test(start_paused = true)]
async fn three_hours_without_role_mount_or_policy_end_nothing() {
    use everleaf_practice::by_row;
    for number in [9, 11, 13] {
        let stage = stage().await;
        let row = by_row(number, &stage.scene).unwrap();
        stage.vault.begin(&row);
        stage.ask("web", 20).await;
        sleep(seconds(3 * 3600)).await;
        let seen = stage.look().await;
        assert!(seen.failed.is_empty(), "F11 row {number}: {:?}", seen.failed);
        stage.vault.heal(&row);
        assert!(
            stage.until_ready("web", 20, seconds(60)).await.is_some(),
            "F11 row {number}: not ready a minute after"
        );
    }
}

/// B4 and F5: for each life, Vault is away from the moment of renewal until a tenth of the life is left.
#[tokio::test(start_paused = true)]
async fn every_life_is_renewed_before_its_end_after_an_outage_that_leaves_a_tenth() {
    for hours in [1u64, 6] {
        let stage = Stage::set(Plot::default()).await;
        let life = 3600 * hours;
        for number in 0..10 {
            stage.certificate(&format!("web-{number}"), json!({ "duration": format!("{hours}h"), "renewBefore": format!("{}m", 20 * hours), "dnsNames": [format!("w{number}.example")] })).await;
        }
        stage.until_ready("web", 10, seconds(20)).await.unwrap();
        let signed = stage.vault.audit().signatures();
        sleep(seconds(life * 6 / 10)).await;
        stage.vault.seal();
        sleep(seconds(life * 3 / 10)).await;
        assert_eq!(stage.ready("web").await, 10, "B4 {hours} h: Ready must follow the certificate in use");
        stage.vault.unseal();
        sleep(seconds(60)).await;
        assert!(
            stage.vault.audit().signatures() >= signed + 10,
            "B4 {hours} h: only {} renewed",
            stage.vault.audit().signatures() - signed
        );
        assert_eq!(stage.ready("web").await, 10, "B4 {hours} h");
    }
}

/// S9: the role cuts lives to a week, which is what `renewBefore` asks for.
#[tokio::test(start_paused = true)]
async fn a_life_that_vault_cuts_makes_no_renewal_loop() {
    let stage = Stage::set(Plot::default()).await;
    let role = json!({ "allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "require_cn": false, "max_ttl": "168h" });
    stage.vault.write_role("pki", "web", role).unwrap();
    stage.certificate("web-0", json!({ "duration": "336h", "renewBefore": "168h" })).await;
    stage.until_ready("web", 1, seconds(20)).await.unwrap();
    sleep(seconds(2 * 3600)).await;
    let signs = stage.vault.audit().signatures();
    assert!(signs <= 1, "S9: {signs} signs in two hours for a life of a week");
}

/// R10: whatever happens to a write after a good sign, the same certificate is written later, and Vault signs once.
#[tokio::test(start_paused = true)]
async fn a_write_that_fails_after_a_good_sign_makes_no_second_sign() {
    let mut wrongs = Vec::new();
    for number in 0..7 {
        for fate in [
            Fate::AnswerLost(number),
            Fate::Conflict(number),
            Fate::ApiAway(number, seconds(60)),
            Fate::ApiSilent(number, seconds(60)),
        ] {
            let stage = Stage::bare(Plot::default()).await;
            stage.start_behind(fate);
            stage.ask("web", 1).await;
            let took = stage.until_ready("web", 1, seconds(300)).await;
            let signs = stage.vault.audit().signatures();
            if took.is_none() || signs != 1 {
                wrongs.push(format!("R10 {fate:?}: ready after {took:?}, {signs} signs"));
            }
        }
    }
    assert!(wrongs.is_empty(), "{wrongs:#?}");
}

/// S1: a CSR that can't be decoded, and R11: one of any bytes, are told without a call to Vault, and without harm.
#[tokio::test(start_paused = true)]
async fn requests_of_any_bytes_are_told_and_vault_is_not_called_for_them() {
    let stage = stage().await;
    let before = stage.vault.audit().calls(Phase::Sign);
    let mut chance = everleaf_practice::Chance::new(23);
    let pem = |inside: &str| {
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{inside}\n-----END CERTIFICATE REQUEST-----\n")
            .into_bytes()
    };
    let mut rows =
        vec![b"".to_vec(), b"no PEM".to_vec(), pem(""), pem("AAAA"), pem("!!!!"), vec![0xff; 4096]];
    rows.extend((0..40).map(|_| chance.bytes::<64>().to_vec()));
    rows.extend((0..40).map(|_| pem(&base64(&chance.bytes::<200>()))));
    let requests: Api<CertificateRequest> = Api::namespaced(stage.client.clone(), NAMESPACE);
    for (number, bytes) in rows.iter().enumerate() {
        let request = json!({
            "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "metadata": { "name": format!("odd-{number}") },
            "spec": { "request": base64(bytes), "issuerRef": { "name": "vault" } },
        });
        let request = serde_json::from_value(request).unwrap();
        // What the API refuses can't harm anybody.
        let _ = requests.create(&kube::api::PostParams::default(), &request).await;
    }
    sleep(seconds(300)).await;
    let listed = requests.list(&ListParams::default()).await.unwrap();
    let is_odd = |name: &Option<String>| name.as_deref().is_some_and(|name| name.starts_with("odd-"));
    let odd: Vec<_> = listed.iter().filter(|request| is_odd(&request.metadata.name)).collect();
    let told = |request: &CertificateRequest| {
        let conditions = request.status.clone().unwrap_or_default().conditions;
        everleaf_api::condition::find(&conditions, "Ready")
            .is_some_and(|ready| !everleaf_api::condition::AnyCondition::message(ready).is_empty())
    };
    let silent: Vec<_> =
        odd.iter().filter(|request| !told(request)).map(|request| &request.metadata.name).collect();
    assert!(odd.len() > 50 && silent.is_empty(), "R11: not told: {silent:?}");
    assert_eq!(stage.vault.audit().calls(Phase::Sign), before, "S1: Vault was called");
    stage.ask("after", 1).await;
    assert!(stage.until_ready("after", 1, seconds(20)).await.is_some(), "R11: the issuer suffers");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
