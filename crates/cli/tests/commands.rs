//! The commands for users, run as a person runs them: the real program, over the kubeconfig of a real `everleaf up`.
//! What they say is compared with what the API holds; nothing here depends on how long anything takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "up/host.rs"]
mod host;

use std::process::{Command, Output};
use std::time::Duration;

use host::Host;
use serde_json::Value;

/// Long enough for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// An issuer that signs by itself, a Certificate of it, and one whose issuer isn't there.
const MANIFESTS: &str = "\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web, labels: {team: a}}
spec: {secretName: web-tls, commonName: www.example.com, dnsNames: [www.example.com], privateKey: {algorithm: ECDSA}, issuerRef: {name: self}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: lost}
spec: {secretName: lost-tls, dnsNames: [lost.example.com], privateKey: {algorithm: ECDSA}, issuerRef: {name: nobody}}
";

/// What a command said, and how it ended.
struct Said {
    out: String,
    error: String,
    code: i32,
}

fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { out: text(output.stdout), error: text(output.stderr), code: output.status.code().unwrap() }
}

/// Runs `everleaf` with these arguments against the host's API.
fn everleaf(host: &Host, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everleaf"));
    command.args(arguments).env("KUBECONFIG", host.path("data/kubeconfig"));
    said(command.output().unwrap())
}

async fn started() -> Host {
    let mut host = Host::new();
    host.manifest("all.yaml", MANIFESTS);
    host.start().await;
    host.await_condition("web", "Ready", "True", "Ready").await;
    host.await_condition("lost", "Issuing", "True", "DoesNotExist").await;
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_the_story_and_ends_with_a_code_for_scripts() {
    let mut host = started().await;
    let web = everleaf(&host, &["why", "web"]);
    assert_eq!((web.code, web.error.as_str()), (0, ""), "{}", web.out);
    assert!(web.out.starts_with("Certificate default/web is in order.\n"), "{}", web.out);
    assert!(web.out.contains("Secret web-tls: certificate for www.example.com by "), "{}", web.out);
    assert!(!web.out.contains('\x1b'), "no colours where nobody looks");

    let lost = everleaf(&host, &["why", "cert/lost", "-n", "default"]);
    let lines: Vec<&str> = lost.out.lines().collect();
    assert_eq!(lost.code, 4, "{}", lost.out);
    assert_eq!(lines[0], "Certificate default/lost is not ready: a person is needed.");
    assert_eq!(lines[1], "Why:  Issuer nobody is not there in namespace default");
    assert!(lines[2].starts_with("Mend: kubectl get issuers -n default"), "{}", lost.out);

    let lost = everleaf(&host, &["why", "lost", "-o", "json"]);
    let story: Value = serde_json::from_str(&lost.out).unwrap();
    assert_eq!(story["verdict"], "NeedsPerson");
    assert_eq!(story["cause"]["says"], "Issuer nobody is not there in namespace default");

    let issuer = everleaf(&host, &["why", "issuer/self"]);
    assert_eq!(issuer.code, 0, "{}", issuer.out);
    assert!(issuer.out.contains("1 Certificates refer to it, none waits."), "{}", issuer.out);

    let nobody = everleaf(&host, &["why", "nobody"]);
    assert_eq!((nobody.code, nobody.out.as_str()), (5, ""));
    assert_eq!(nobody.error, "everleaf: there is no Certificate nobody in namespace default\n");
    assert_eq!(everleaf(&host, &["why", "pod/web"]).code, 2);
    host.stop().await;
    let gone = everleaf(&host, &["why", "web"]);
    assert_eq!(gone.code, 1);
    assert!(gone.error.contains("the API can't be reached"), "{}", gone.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_everything_and_renew_makes_new_certificates() {
    let mut host = started().await;
    let status = everleaf(&host, &["status"]);
    assert_eq!(status.code, 0, "{}", status.error);
    let wanted = "2 certificates: 1 ready, 1 not ready, 1 being issued, 0 expired. 1 issuers.\n\nISSUER ";
    assert!(status.out.starts_with(wanted), "{}", status.out);
    let row = |name: &str| status.out.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("web ").contains("True") && row("web ").contains("Issuer/self"), "{}", status.out);
    assert!(row("lost ").contains("none"), "{}", status.out);
    let waits = "1 on Issuer default/nobody: default/lost (not there, or not of this list)";
    assert!(status.out.contains(waits), "{}", status.out);
    let everywhere = everleaf(&host, &["status", "-A"]);
    assert!(everywhere.out.contains("\nNAMESPACE   CERTIFICATE"), "{}", everywhere.out);

    let renewed = everleaf(&host, &["renew", "web", "--wait", "2m"]);
    assert_eq!((renewed.code, renewed.error.as_str()), (0, ""), "{}", renewed.out);
    let told = "default/web: asked to renew\ndefault/web: issued\n1 asked to renew; 1 issued, 0 failed, 0 still running.\n";
    assert_eq!(renewed.out, told);
    assert_eq!(host.certificate("web").await.unwrap().status.unwrap().revision, Some(2));
    let by_label = everleaf(&host, &["renew", "-l", "team=a", "--wait", "2m"]);
    assert!(
        by_label.out.ends_with("1 asked to renew; 1 issued, 0 failed, 0 still running.\n"),
        "{}",
        by_label.out
    );
    let all = everleaf(&host, &["renew", "--all", "-A", "--wait", "2m"]);
    assert_eq!(all.code, 0, "{}", all.error);
    assert!(all.out.contains("default/lost: is being issued already\n"), "{}", all.out);
    let issuer = everleaf(&host, &["renew", "--issuer", "clusterissuer/self"]);
    assert_eq!(issuer.out, "No Certificate fits, nothing was asked.\n");
    assert_eq!(host.certificate("web").await.unwrap().status.unwrap().revision, Some(4));

    assert_eq!(everleaf(&host, &["renew"]).code, 1);
    let nobody = everleaf(&host, &["renew", "nobody"]);
    assert_eq!(nobody.code, 1);
    assert!(nobody.error.contains("there is no Certificate nobody"), "{}", nobody.error);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_goes_on_to_show_what_changes_while_it_watches() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let mut host = started().await;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_everleaf"));
    command.args(["status", "--watch"]).env("KUBECONFIG", host.path("data/kubeconfig")).kill_on_drop(true);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.starts_with("2 certificates: 1 ready"), "{first}");
    // The issuer that one of them waits for comes to be.
    let manifest = MANIFESTS.replace("issuerRef: {name: nobody}", "issuerRef: {name: self}");
    host.manifest("all.yaml", &manifest);
    host.hang_up();
    let both_are_ready = async {
        let wanted = "2 certificates: 2 ready, 0 not ready, 0 being issued";
        while !lines.next_line().await.unwrap().unwrap().starts_with(wanted) {}
    };
    tokio::time::timeout(PATIENCE, both_are_ready).await.expect("the watch goes on");
    child.kill().await.unwrap();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_commands_tell_what_they_find_and_change_nothing_they_should_not() {
    let mut host = started().await;
    let secret = everleaf(&host, &["inspect", "secret", "web-tls"]);
    assert_eq!((secret.code, secret.error.as_str()), (0, ""), "{}", secret.out);
    for words in [
        "names        www.example.com\n",
        "signed by    its own name, and it is no CA\n",
        "key          ECDSA-256\n",
        "digital signature, key encipherment",
        "Private key\n  belongs to the certificate\n",
    ] {
        assert!(secret.out.contains(words), "{words}\nis not in\n{}", secret.out);
    }
    assert!(!secret.out.contains("BEGIN"), "no PEM is shown");
    let stored: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(host.client().await, "default");
    let pem = stored.get("web-tls").await.unwrap().data.unwrap()["tls.crt"].0.clone();
    host.write("web.pem", std::str::from_utf8(&pem).unwrap());
    let file = everleaf(&host, &["inspect", "cert", host.path("web.pem").to_str().unwrap()]);
    assert!(file.out.contains("www.example.com") && !file.out.contains("Private key"), "{}", file.out);
    host.write("no.pem", "nothing");
    assert_eq!(everleaf(&host, &["inspect", "cert", host.path("no.pem").to_str().unwrap()]).code, 1);
    assert_eq!(everleaf(&host, &["inspect", "secret", "nobody"]).code, 1);

    let ready = everleaf(&host, &["check", "api", "--wait", "1m", "--interval", "1s"]);
    assert_eq!((ready.code, ready.error.as_str()), (0, ""), "{}", ready.out);
    let certificates: kube::Api<everleaf_api::Certificate> =
        kube::Api::namespaced(host.client().await, "default");
    assert_eq!(certificates.list(&Default::default()).await.unwrap().items.len(), 2, "the probe is gone");

    // The approver of this instance was faster; a verdict stays.
    let again = everleaf(&host, &["approve", "web-1"]);
    assert_eq!((again.code, again.out.as_str()), (0, "web-1: is approved already\n"), "{}", again.error);
    let denied = everleaf(&host, &["deny", "web-1", "nobody-1"]);
    assert_eq!((denied.code, denied.out.as_str()), (1, ""));
    assert!(denied.error.contains("web-1: it is approved already, and that is final"), "{}", denied.error);
    assert!(denied.error.contains("\"nobody-1\" not found"), "{}", denied.error);

    let version = everleaf(&host, &["version"]);
    let ours = format!("everleaf     {}\nkubernetes   v1.", env!("CARGO_PKG_VERSION"));
    assert!(version.out.starts_with(&ours), "{}", version.out);
    host.stop().await;
}

#[test]
fn a_plug_in_of_kubectl_is_the_same_program_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let plug_in = folder.path().join("kubectl-everleaf");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_everleaf"), &plug_in).unwrap();
    let told = said(Command::new(&plug_in).args(["version", "--client"]).output().unwrap());
    assert_eq!(told.out, format!("everleaf     {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        let script = said(Command::new(&plug_in).args(["completion", shell]).output().unwrap());
        assert_eq!(script.code, 0);
        assert!(script.out.contains("why") && script.out.contains("renew"), "{shell}");
    }
    let help = said(Command::new(&plug_in).args(["why", "--help"]).output().unwrap());
    assert!(help.out.contains("Exit codes: 0 in order"), "{}", help.out);
}

/// A Vault issuer at a practice Vault, with the secret id that is given.
fn vault_manifest(url: &str, role_id: &str, secret_id: &str) -> String {
    let scene = everleaf_practice::Scene::default();
    format!(
        "
apiVersion: v1
kind: Secret
metadata: {{name: approle}}
stringData: {{secret-id: {secret_id}}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{name: vault}}
spec:
  vault:
    server: {url}
    path: {pki}/sign/{role}
    auth: {{appRole: {{path: {auth}, roleId: {role_id}, secretRef: {{name: approle, key: secret-id}}}}}}
",
        pki = scene.pki,
        role = scene.role,
        auth = scene.auth,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_at_an_issuer_step_by_step_and_shows_no_secret() {
    let options = everleaf_practice::RunOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        scheme: everleaf_practice::Scheme::Http,
        ..everleaf_practice::RunOptions::default()
    };
    let vault = everleaf_practice::start(options).await.unwrap();
    let credentials = vault.furnished.clone().unwrap();
    let mut host = Host::new();
    host.manifest("all.yaml", MANIFESTS);
    host.manifest("vault.yaml", &vault_manifest(&vault.url, &credentials.role_id, &credentials.secret_id));
    host.start().await;

    let sound = everleaf(&host, &["doctor", "vault"]);
    assert_eq!((sound.code, sound.error.as_str()), (3, ""), "{}", sound.out);
    for words in [
        "ok       Secret      approle is there",
        "ok       connection",
        "warning  TLS         there is none",
        "ok       health",
        "ok       login",
        "ok       policy",
    ] {
        assert!(sound.out.contains(words), "{words}\nis not in\n{}", sound.out);
    }
    assert!(!sound.out.contains(credentials.secret_id.as_str()), "no secret is shown");
    assert!(vault.practice.signed().is_empty(), "nothing is signed");

    let scene = everleaf_practice::Scene::default();
    let nothing = serde_json::json!({ "policy": "path \"nothing\" { capabilities = [\"read\"] }" });
    vault.practice.write(&format!("sys/policies/acl/{}", scene.policy), nothing).unwrap();
    let lacks = everleaf(&host, &["doctor", "issuer/vault"]);
    assert_eq!(lacks.code, 4, "{}", lacks.out);
    let wanted = format!(
        "error    policy      policy {} lacks update on {}/sign/{}",
        scene.policy, scene.pki, scene.role
    );
    assert!(lacks.out.contains(&wanted), "{wanted}\nis not in\n{}", lacks.out);
    assert!(lacks.out.contains("Mend:       path \""), "{}", lacks.out);

    assert_eq!(everleaf(&host, &["doctor", "self"]).code, 0);
    assert_eq!(everleaf(&host, &["doctor", "nobody"]).code, 5);
    assert_eq!(everleaf(&host, &["doctor", "cert/web"]).code, 2);
    host.stop().await;
}
