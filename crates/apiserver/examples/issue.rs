//! Measures the embedded API at what the operator asks of it: so many issuances, five writes each, over redb, with the
//! watches that the operator has. `cargo run --release -p everleaf-apiserver --example issue -- 10000 32`

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use everleaf_apiserver::Server;
use everleaf_apiserver::store::Redb;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::Service;

const CERTIFICATES: &str = "/apis/cert-manager.io/v1/namespaces/default/certificates";
const REQUESTS: &str = "/apis/cert-manager.io/v1/namespaces/default/certificaterequests";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";

async fn send(server: &Server, method: &str, path: &str, media: &str, body: &Value) -> Value {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, media);
    let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
    let response = server.clone().call(request).await.unwrap();
    let code = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert!(code.is_success(), "{method} {path}: {code} {}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap()
}

async fn issue(server: &Server, number: usize) {
    let name = format!("web-{number:05}");
    let certificate = send(server, "GET", &format!("{CERTIFICATES}/{name}"), "", &Value::Null).await;
    let owner = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": name,
        "uid": certificate["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true});
    let request = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
        "metadata": {"generateName": format!("{name}-"), "ownerReferences": [owner],
            "annotations": {"cert-manager.io/certificate-name": name, "cert-manager.io/certificate-revision": "1",
                "cert-manager.io/private-key-secret-name": format!("{name}-k")}},
        "spec": {"issuerRef": {"name": "ca", "kind": "Issuer", "group": "cert-manager.io"}, "request": "Q".repeat(600)},
    });
    let mut request =
        send(server, "POST", &format!("{REQUESTS}?fieldManager=m"), "application/json", &request).await;
    let ready = |kind: &str| json!({"type": kind, "status": "True", "reason": "Issued", "message": "Certificate fetched from issuer successfully", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    request["status"] = json!({"conditions": [ready("Approved"), ready("Ready")], "certificate": "Q".repeat(1200), "ca": "Q".repeat(900)});
    let path = format!("{REQUESTS}/{}/status?fieldManager=m", request["metadata"]["name"].as_str().unwrap());
    send(server, "PUT", &path, "application/json", &request).await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": format!("{name}-tls"), "labels": {"controller.cert-manager.io/fao": "true"},
            "annotations": {"cert-manager.io/certificate-name": name, "cert-manager.io/issuer-name": "ca", "cert-manager.io/alt-names": name}},
        "data": {"tls.crt": "Q".repeat(1200), "tls.key": "Q".repeat(304), "ca.crt": "Q".repeat(900)},
    });
    let path = format!("{SECRETS}/{name}-tls?fieldManager=m&force=true");
    send(server, "PATCH", &path, "application/apply-patch+yaml", &secret).await;
    let mut certificate = certificate;
    certificate["status"] = json!({"conditions": [ready("Ready")], "notAfter": "2026-04-01T00:00:00Z", "notBefore": "2026-01-01T00:00:00Z", "renewalTime": "2026-03-01T00:00:00Z", "revision": 1});
    send(
        server,
        "PUT",
        &format!("{CERTIFICATES}/{name}/status?fieldManager=m"),
        "application/json",
        &certificate,
    )
    .await;
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": format!("{name}.1")},
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "cert-manager", "reportingInstance": "x", "action": "Issuing",
        "reason": "Issuing", "note": "The certificate has been successfully issued", "type": "Normal",
        "regarding": {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": name, "namespace": "default", "uid": certificate["metadata"]["uid"]},
    });
    send(server, "POST", EVENTS, "application/json", &event).await;
}

async fn watch(server: Server, path: &str, accept: &'static str, seen: Arc<AtomicUsize>) {
    let request = Request::builder()
        .uri(format!("{path}?watch=1&allowWatchBookmarks=true"))
        .header(header::ACCEPT, accept);
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let mut body = server.clone().call(request).await.unwrap().into_body();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            let data = frame.into_data().unwrap();
            seen.fetch_add(data.iter().filter(|byte| **byte == b'\n').count(), Ordering::Relaxed);
        }
    });
}

/// Resident memory in MiB.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// CPU time of the process so far, in milliseconds.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap().to_owned();
    let fields: Vec<&str> = after.split_whitespace().collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (count, writers) =
        (arguments.first().copied().unwrap_or(1000), arguments.get(1).copied().unwrap_or(32));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.redb");
    let build = || {
        let start = Server::builder().store(Redb::open(&file).unwrap());
        let all = everleaf_api::crds::all().into_iter();
        all.fold(start, |builder, crd| builder.crd(serde_json::to_value(crd).unwrap())).build().unwrap()
    };
    let server = build();
    println!("empty: {} MiB", memory());
    let start = Instant::now();
    let create = |number: usize| {
        let server = server.clone();
        async move {
            let certificate = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
                "metadata": {"name": format!("web-{number:05}")},
                "spec": {"secretName": format!("web-{number:05}-tls"), "dnsNames": [format!("web-{number}.example")], "issuerRef": {"name": "ca"}}});
            send(&server, "POST", CERTIFICATES, "application/json", &certificate).await;
        }
    };
    use futures::StreamExt;
    futures::stream::iter(0..count).map(create).buffer_unordered(writers).collect::<Vec<()>>().await;
    println!(
        "{count} certificates created: {:.0}/s, {} MiB",
        count as f64 / start.elapsed().as_secs_f64(),
        memory()
    );
    let seen = Arc::new(AtomicUsize::new(0));
    for (path, accept) in [
        (CERTIFICATES, "application/json"),
        (REQUESTS, "application/json"),
        (SECRETS, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"),
    ] {
        watch(server.clone(), path, accept, seen.clone()).await;
    }
    let (start, cpu_before) = (Instant::now(), cpu());
    let issue = |number: usize| {
        let server = server.clone();
        async move { tokio::spawn(async move { issue(&server, number).await }).await.unwrap() }
    };
    futures::stream::iter(0..count).map(issue).buffer_unordered(writers).collect::<Vec<()>>().await;
    let elapsed = start.elapsed().as_secs_f64();
    println!(
        "{count} issued: {:.0}/s, {:.2} ms of CPU each, {} MiB, {} lines watched, {} MiB on disk",
        count as f64 / elapsed,
        (cpu() - cpu_before) as f64 / count as f64,
        memory(),
        seen.load(Ordering::Relaxed),
        std::fs::metadata(&file).unwrap().len() / 1024 / 1024
    );
    server.close_watches();
    drop(server);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let start = Instant::now();
    let server = build();
    println!(
        "started again in {:.2} s with {} secrets, {} MiB",
        start.elapsed().as_secs_f64(),
        server.count("", "v1", "secrets"),
        memory()
    );
}
