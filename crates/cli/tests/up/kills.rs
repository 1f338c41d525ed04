//! Kills at random moments under load: what was acknowledged is there, no file is half written, no set is mixed, and the next start goes on.
//! A seed decides the moments; `EVERLEAF_SEED` repeats them, as far as a machine repeats itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everleaf_api::Certificate as Wish;
use everleaf_core::x509::{Certificate, PrivateKey};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::host::{Host, until};

const CERTIFICATES: usize = 5;
const WRITERS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_few_kills_lose_nothing() {
    run(5).await;
}

/// So many kills, then an end in peace.
pub(crate) async fn run(rounds: usize) {
    let mut chance = Chance::new();
    let mut host = Host::new();
    for number in 0..CERTIFICATES {
        host.manifest(&format!("web-{number}.yaml"), &certificate(number));
    }
    host.manifest("ca.yaml", CA);
    let acknowledged = Acknowledged::default();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (folders, stop) = (folders(&host), stop.clone());
        move || read_on(&folders, &stop)
    });
    for round in 0..rounds {
        host.launch();
        // Every third kill comes before it is up.
        if !round.is_multiple_of(3) {
            host.await_up().await;
            check(&host, &acknowledged).await;
        }
        let load = load(&host, round, acknowledged.clone());
        tokio::time::sleep(chance.up_to(Duration::from_millis(1_200))).await;
        host.kill();
        load.abort();
        for folder in folders(&host) {
            read_set(&folder);
            read_plain(&folder);
        }
    }
    host.start().await;
    check(&host, &acknowledged).await;
    for number in 0..CERTIFICATES {
        host.await_condition(&format!("web-{number}"), "Ready", "True", "").await;
        host.await_files(&format!("web-{number}")).await;
    }
    stop.store(true, Ordering::Relaxed);
    let seen = reader.join().unwrap();
    assert!(seen > 0, "the reader saw no set at all");
    assert!(acknowledged.len() > rounds, "there was load");
    // The condition may still be that of a generation before; in the end all targets hold the same.
    for folder in folders(&host) {
        until("all targets hold the same generation", || is_settled(&folder)).await;
    }
    host.stop().await;
}

fn is_settled(folder: &Path) -> bool {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let is_marked = read(&folder.with_extension("generation")).starts_with("generation ");
    is_marked && read(&folder.join("tls.crt")) == read(&folder.with_extension("crt"))
}

const CA: &str = "
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: ca}
spec: {secretName: ca, isCA: true, commonName: ca, privateKey: {algorithm: ECDSA}, issuerRef: {name: self}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: ca}
spec: {ca: {secretName: ca}}
";

/// One Certificate with a folder of ours, and plain files beside it.
fn certificate(number: usize) -> String {
    format!(
        "
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: web-{number}
  annotations:
    everleaf.dev/files: |
      - directory: FILES/web-{number}
      - key: FILES/web-{number}.key
        certificate: FILES/web-{number}.crt
        combined: FILES/web-{number}.pem
        marker: FILES/web-{number}.generation
spec:
  secretName: web-{number}
  privateKey: {{algorithm: ECDSA}}
  issuerRef: {{name: ca}}
  commonName: web
"
    )
}

fn folders(host: &Host) -> Vec<PathBuf> {
    (0..CERTIFICATES).map(|number| host.path(&format!("files/web-{number}"))).collect()
}

/// Names of objects that the API has said yes to.
#[derive(Clone, Default)]
struct Acknowledged(Arc<Mutex<BTreeSet<String>>>);

impl Acknowledged {
    fn note(&self, name: &str) {
        self.0.lock().unwrap().insert(name.to_owned());
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// All that was acknowledged is there.
async fn check(host: &Host, acknowledged: &Acknowledged) {
    let maps: Api<ConfigMap> = Api::namespaced(host.client().await, "default");
    let there = maps.list(&ListParams::default()).await.unwrap();
    let there: BTreeSet<_> = there.items.into_iter().filter_map(|map| map.metadata.name).collect();
    let lost: Vec<_> = acknowledged.0.lock().unwrap().difference(&there).cloned().collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// Writes objects and changes Certificates until it is stopped.
fn load(host: &Host, round: usize, acknowledged: Acknowledged) -> tokio::task::JoinHandle<()> {
    let kubeconfig = host.path("data/kubeconfig");
    tokio::spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let (kubeconfig, acknowledged) = (kubeconfig.clone(), acknowledged.clone());
            tasks.spawn(
                async move { write_on(&kubeconfig, &format!("r{round}-w{writer}"), &acknowledged).await },
            );
        }
        tasks.join_all().await;
    })
}

async fn write_on(kubeconfig: &Path, prefix: &str, acknowledged: &Acknowledged) {
    for number in 0.. {
        // Before it is up there is no kubeconfig, or that of the last start.
        let Some(client) = client(kubeconfig).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
        let name = format!("{prefix}-{number}");
        let map = ConfigMap {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..ConfigMap::default()
        };
        if maps.create(&PostParams::default(), &map).await.is_ok() {
            acknowledged.note(&name);
        }
        let wishes: Api<Wish> = Api::default_namespaced(client);
        let patch = json!({ "spec": { "dnsNames": [format!("{name}.example")] } });
        let wish = format!("web-{}", number % CERTIFICATES);
        let _ = wishes.patch(&wish, &PatchParams::default(), &Patch::Merge(patch)).await;
    }
}

async fn client(kubeconfig: &Path) -> Option<kube::Client> {
    let config = kube::config::Kubeconfig::read_from(kubeconfig).ok()?;
    let options = kube::config::KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(config, &options).await.ok()?;
    config.connect_timeout = Some(Duration::from_millis(500));
    kube::Client::try_from(config).ok()
}

/// Reads sets as a careful program does, until it is told to stop; returns how many it saw.
fn read_on(folders: &[PathBuf], stop: &AtomicBool) -> usize {
    let mut seen = 0;
    while !stop.load(Ordering::Relaxed) {
        seen += folders.iter().filter(|folder| read_set(folder)).count();
        std::thread::sleep(Duration::from_millis(1));
    }
    seen
}

/// The set behind `..data`, opened once. False when there is none, or it is gone under our hands.
fn read_set(folder: &Path) -> bool {
    use rustix::fs::{Mode, OFlags, open, openat};
    let Ok(data) = open(folder.join("..data"), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) else {
        return false;
    };
    let read = |name: &str| {
        let file = openat(&data, name, OFlags::RDONLY, Mode::empty()).ok()?;
        std::io::read_to_string(std::fs::File::from(file)).ok()
    };
    let (Some(key), Some(certificate)) = (read("tls.key"), read("tls.crt")) else { return false };
    belong_together(&key, &certificate);
    true
}

/// Plain files: each is whole, the combined one belongs together, and so do the others when the marker says so.
fn read_plain(folder: &Path) {
    let read = |ending: &str| std::fs::read_to_string(folder.with_extension(ending)).ok();
    if let Some(both) = read("pem") {
        belong_together(&both, &both);
    }
    let (Some(key), Some(certificate)) = (read("key"), read("crt")) else { return };
    if read("generation").is_some_and(|marker| marker.starts_with("generation ")) {
        belong_together(&key, &certificate);
    }
}

fn belong_together(key: &str, certificate: &str) {
    let key = PrivateKey::from_pem(key.as_bytes()).unwrap();
    assert_eq!(Certificate::from_pem(certificate.as_bytes()).unwrap().public_key(), key.public());
}

/// Moments from a seed, which is printed.
struct Chance(u64);

impl Chance {
    fn new() -> Chance {
        let given = std::env::var("EVERLEAF_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()) * 0x9e37_79b9);
        println!("EVERLEAF_SEED={seed}");
        Chance(seed | 1)
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        most.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}
