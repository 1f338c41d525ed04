//! The commands for users, run as a person runs them: the real program, over the kubeconfig of a real `everleaf up`.
//! What they say is compared with what the API holds; nothing here depends on how long anything takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "up/host.rs"]
mod host;

use std::process::{Command, Output};

use host::Host;
use serde_json::Value;

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
spec: {secretName: web-tls, dnsNames: [www.example.com], privateKey: {algorithm: ECDSA}, issuerRef: {name: self}}
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
