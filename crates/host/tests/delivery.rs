//! The delivery against the embedded API, in one process and in virtual time: conditions, retries, what follows a change, who owns a path.
//! Secrets are made by the tests; nothing is issued here.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use everleaf_api::Certificate;
use everleaf_api::condition::{AnyCondition, find};
use everleaf_apiserver::Server;
use everleaf_host::{FILES, FILES_DELIVERED, Parts, deliver};
use everleaf_practice::{CaKeyKind, KeyPair, RequestNames, Workshop};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// More than the time between two looks at files that should be in place.
const A_LOOK_LATER: Duration = Duration::from_secs(310);
const STEP: Duration = Duration::from_millis(50);
const LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// An API, a folder, and a delivery between them.
struct Bench {
    client: kube::Client,
    folder: tempfile::TempDir,
    workshop: std::sync::Mutex<Workshop>,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Bench {
    fn new() -> Bench {
        let mut builder = Server::builder();
        for definition in everleaf_api::crds::all() {
            builder = builder.crd(serde_json::to_value(definition).unwrap());
        }
        let client = kube::Client::new(builder.build().unwrap(), "default");
        let workshop = Workshop::new(1, "test", CaKeyKind::P256, Timestamp::now(), LIFE).unwrap();
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        std::fs::create_dir(folder.path().join("records")).unwrap();
        let workshop = workshop.into();
        let mut bench = Bench { client, folder, workshop, running: None };
        bench.start();
        bench
    }

    fn start(&mut self) {
        let stop = CancellationToken::new();
        let parts = Parts {
            client: self.client.clone(),
            now: std::sync::Arc::new(Timestamp::now),
            records: self.path("records"),
        };
        self.running = Some((stop.clone(), tokio::spawn(deliver(parts, stop))));
    }

    async fn stop(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.cancel();
        task.await.unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn certificates(&self) -> Api<Certificate> {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Makes a Certificate that asks for files; `DIR` in the text stands for the folder.
    async fn ask(&self, name: &str, files: &str) {
        let files = files.replace("DIR", &self.path("").display().to_string());
        let certificate = serde_json::from_value(json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": { "name": name, "annotations": { FILES: files } },
            "spec": { "secretName": name, "dnsNames": ["a.example"], "issuerRef": { "name": "none" } },
        }));
        self.certificates().create(&PostParams::default(), &certificate.unwrap()).await.unwrap();
    }

    async fn annotate(&self, name: &str, files: Value) {
        let patch = json!({ "metadata": { "annotations": { FILES: files } } });
        self.certificates().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Puts a new pair into the Secret, and tells it as the operator does: by the Certificate's status.
    async fn issue(&self, name: &str) -> KeyPair {
        let names = RequestNames::host("a.example");
        let pair = self.workshop.lock().unwrap().leaf(&names, Timestamp::now(), LIFE).unwrap();
        self.store(name, &pair.certificate_pem, &pair.key_pem).await;
        pair
    }

    async fn store(&self, name: &str, certificate: &str, key: &str) {
        let secret = Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            string_data: Some(
                [("tls.crt", certificate), ("tls.key", key)]
                    .map(|(k, v)| (k.to_owned(), v.to_owned()))
                    .into(),
            ),
            ..Secret::default()
        };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), "default");
        let apply = PatchParams::apply("test").force();
        secrets.patch(name, &apply, &Patch::Apply(&secret)).await.unwrap();
        let status = self.certificates().get(name).await.unwrap().status.unwrap_or_default();
        let patch = json!({ "status": { "revision": status.revision.unwrap_or_default() + 1 } });
        self.certificates().patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    async fn told(&self, name: &str) -> Option<(String, String, String)> {
        let status = self.certificates().get(name).await.unwrap().status?;
        let found = find(&status.conditions, FILES_DELIVERED)?;
        Some((found.status().as_str().to_owned(), found.reason().to_owned(), found.message().to_owned()))
    }

    /// Waits until the condition has this reason; returns its message.
    async fn until(&self, name: &str, reason: &str) -> String {
        let mut told = None;
        for _ in 0..20_000 {
            told = self.told(name).await;
            if let Some((_, is, message)) = &told
                && is == reason
            {
                return message.clone();
            }
            tokio::time::sleep(STEP).await;
        }
        panic!("{name} says {told:?}, not {reason}");
    }

    /// Waits until a file holds this.
    async fn until_holds(&self, path: &Path, text: &str) {
        for _ in 0..20_000 {
            if std::fs::read_to_string(path).is_ok_and(|found| found == text) {
                return;
            }
            tokio::time::sleep(STEP).await;
        }
        panic!("{} doesn't hold what it should", path.display());
    }
}

#[tokio::test(start_paused = true)]
async fn files_follow_the_secret_through_its_life() {
    let mut bench = Bench::new();
    bench.ask("web", "- directory: DIR/web").await;
    let told = bench.until("web", "WaitingForSecret").await;
    assert_eq!(told, "Secret web isn't there yet. Files follow as soon as it is there.");
    let first = bench.issue("web").await;
    let told = bench.until("web", "Delivered").await;
    assert!(told.contains(&bench.path("web").display().to_string()), "{told}");
    assert_eq!(std::fs::read_to_string(bench.path("web/tls.key")).unwrap(), *first.key_pem);

    let second = bench.issue("web").await;
    bench.until_holds(&bench.path("web/tls.crt"), &second.certificate_pem).await;
    assert_eq!(std::fs::read_to_string(bench.path("web/tls.key")).unwrap(), *second.key_pem);

    // What is removed by hand comes back, without anybody telling.
    std::fs::remove_file(bench.path("web/tls.key")).unwrap();
    tokio::time::sleep(A_LOOK_LATER).await;
    bench.until_holds(&bench.path("web/tls.key"), &second.key_pem).await;

    // A pair that doesn't match never comes to the disk.
    bench.store("web", &first.certificate_pem, &second.key_pem).await;
    let told = bench.until("web", "SecretUnusable").await;
    assert!(
        told.contains("tls.key doesn't belong to the certificate in tls.crt. What was there stays."),
        "{told}"
    );
    assert_eq!(std::fs::read_to_string(bench.path("web/tls.crt")).unwrap(), second.certificate_pem);

    // The end of the wish, and of the Certificate, leave the files.
    bench.annotate("web", Value::Null).await;
    while bench.told("web").await.is_some() {
        tokio::time::sleep(STEP).await;
    }
    bench.certificates().delete("web", &DeleteParams::default()).await.unwrap();
    bench.stop().await;
    assert_eq!(std::fs::read_to_string(bench.path("web/tls.key")).unwrap(), *second.key_pem);
}

#[tokio::test(start_paused = true)]
async fn a_command_is_repeated_until_it_succeeds_and_not_once_more() {
    let mut bench = Bench::new();
    let script = bench.path("reload");
    let noted = bench.path("runs");
    let runs = || std::fs::read_to_string(&noted).unwrap_or_default().lines().count();
    let text = format!(
        "#!/bin/sh\necho run >> {0}/runs\ntest -e {0}/good || {{ echo no luck; exit 1; }}\n",
        bench.path("").display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    bench.ask("web", "- {directory: DIR/web, command: [DIR/reload]}\n- {certificate: DIR/plain.crt}").await;
    bench.until("web", "WaitingForSecret").await;
    let pair = bench.issue("web").await;
    let told = bench.until("web", "ActionFailed").await;
    assert!(told.contains("failed (exit status: 1): no luck. The files are in place. Next try by"), "{told}");
    // The failure of one target holds up no other, and its own files are in place.
    bench.until_holds(&bench.path("plain.crt"), &pair.certificate_pem).await;
    bench.until_holds(&bench.path("web/tls.crt"), &pair.certificate_pem).await;
    while runs() < 4 {
        tokio::time::sleep(STEP).await;
    }
    std::fs::write(bench.path("good"), "").unwrap();
    bench.until("web", "Delivered").await;
    let done = runs();
    // Neither a look later nor a new start runs it again; a new generation does.
    tokio::time::sleep(A_LOOK_LATER).await;
    bench.stop().await;
    bench.start();
    tokio::time::sleep(A_LOOK_LATER).await;
    assert_eq!(runs(), done);
    let pair = bench.issue("web").await;
    bench.until_holds(&bench.path("web/tls.crt"), &pair.certificate_pem).await;
    while runs() == done {
        tokio::time::sleep(STEP).await;
    }
    assert_eq!(runs(), done + 1);
}

#[tokio::test(start_paused = true)]
async fn faults_are_told_and_healed() {
    let bench = Bench::new();
    bench.ask("web", "- {key: DIR/not/there/key.pem}").await;
    bench.until("web", "WaitingForSecret").await;
    let pair = bench.issue("web").await;
    let told = bench.until("web", "WriteFailed").await;
    assert!(
        told.starts_with(&format!("{}: this folder does not exist", bench.path("not").display())),
        "{told}"
    );
    std::fs::create_dir_all(bench.path("not/there")).unwrap();
    bench.until("web", "Delivered").await;
    bench.until_holds(&bench.path("not/there/key.pem"), &pair.key_pem).await;

    bench.annotate("web", json!("- {key: relative}")).await;
    let told = bench.until("web", "InvalidTargets").await;
    let wanted =
        "target 1: key: \"relative\" is not an absolute path. Mend the annotation everleaf.dev/files.";
    assert_eq!(told, wanted);
    let text = format!("- {{key: {}, owner: no-such-user}}", bench.path("k").display());
    bench.annotate("web", json!(text)).await;
    let told = bench.until("web", "WriteFailed").await;
    assert!(told.contains("user \"no-such-user\" is not in /etc/passwd"), "{told}");
    let text = format!("- {{ca: {}}}", bench.path("ca").display());
    bench.annotate("web", json!(text)).await;
    while !bench.told("web").await.unwrap().2.contains("the Secret holds nothing for the ca") {
        tokio::time::sleep(STEP).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_belongs_to_the_certificate_that_came_first() {
    let bench = Bench::new();
    bench.ask("first", "- {key: DIR/key.pem}").await;
    bench.until("first", "WaitingForSecret").await;
    let pair = bench.issue("first").await;
    bench.until("first", "Delivered").await;
    // Creation times are whole seconds of the wall clock; of two in the same second the name decides.
    bench.ask("second", "- {key: DIR/key.pem}").await;
    bench.issue("second").await;
    let told = bench.until("second", "PathTaken").await;
    let wanted =
        format!("{} is written by Certificate default/first already", bench.path("key.pem").display());
    assert!(told.starts_with(&wanted), "{told}");
    bench.until_holds(&bench.path("key.pem"), &pair.key_pem).await;
    bench.certificates().delete("first", &DeleteParams::default()).await.unwrap();
    bench.until("second", "Delivered").await;
    assert_ne!(std::fs::read_to_string(bench.path("key.pem")).unwrap(), *pair.key_pem);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_says_the_same_is_not_written_again() {
    let bench = Bench::new();
    bench.ask("web", "- directory: DIR/web").await;
    bench.until("web", "WaitingForSecret").await;
    bench.issue("web").await;
    bench.until("web", "Delivered").await;
    let version = bench.certificates().get("web").await.unwrap().metadata.resource_version;
    for _ in 0..5 {
        tokio::time::sleep(A_LOOK_LATER).await;
    }
    assert_eq!(bench.certificates().get("web").await.unwrap().metadata.resource_version, version);
}
