//! What is wrong with what a host is given: told precisely, and never at the cost of what is right.

use std::process::{Command, Output, Stdio};

use everleaf_testkit::servers::Http;
use http::Method;
use rustix::process::{Pid, kill_process};

use crate::host::{Host, until};

const ISSUER: &str =
    "{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: self}, spec: {selfSigned: {}}}\n";

fn everleaf(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everleaf"));
    command.arg("up").args(arguments).stdin(Stdio::null()).env_remove("STATE_DIRECTORY").output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn flags_that_make_no_sense_are_refused_before_anything_is_made() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("data");
    let dir_text = dir.to_str().unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let table: &[(&[&str], &str)] = &[
        (&["--listen", "0.0.0.0:6443"], "--listen: 0.0.0.0:6443 is not on loopback"),
        (&["--listen", "localhost"], "--listen"),
        (&["/no/such/manifests"], "manifests: /no/such/manifests: No such file or directory"),
        (&["--concurrent-workers", "0"], "--concurrent-workers must be at least 1"),
        (&["--metrics-listen-address", "nowhere"], "--metrics-listen-address: \"nowhere\" is not an address"),
        (&["--check"], "--check: no manifests are named"),
        (&["--listen", &taken], "--listen: can't listen on 127.0.0.1:"),
    ];
    for (flags, wanted) in table {
        let output = everleaf(&[&["--dir", dir_text], *flags].concat());
        assert!(!output.status.success(), "{flags:?}");
        assert!(words(&output).contains(wanted), "{flags:?}: {}", words(&output));
    }
}

#[test]
fn a_check_tells_every_fault_and_makes_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(temporary.path().join(name), text).unwrap();
    let dir = temporary.path().join("data");
    let check = || everleaf(&["--check", "--dir", dir.to_str().unwrap(), temporary.path().to_str().unwrap()]);
    write("good.yaml", ISSUER);
    let output = check();
    assert!(output.status.success(), "{}", words(&output));
    write("broken.yaml", "a: [");
    write("unknown.yaml", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}");
    write(
        "field.yaml",
        &ISSUER.replace("name: self", "name: field").replace("selfSigned: {}", "selfSigned: {}, color: red"),
    );
    write(
        "type.yaml",
        &ISSUER.replace("name: self", "name: type").replace("selfSigned: {}", "selfSigned: yes please"),
    );
    write("twice.yaml", ISSUER);
    write(
        "secret.yaml",
        "{apiVersion: v1, kind: Secret, metadata: {name: s, annotations: {everleaf.dev/from-env: a=NO_SUCH}}}",
    );
    write(
        "where.yaml",
        "{apiVersion: cert-manager.io/v1, kind: ClusterIssuer, metadata: {name: c, namespace: d}, spec: {selfSigned: {}}}",
    );
    let output = check();
    assert_eq!(output.status.code(), Some(1));
    let told = words(&output);
    for wanted in [
        "broken.yaml: ",
        "unknown.yaml, document 1: Deployment a: kind Deployment of apps/v1 is not served here",
        "color",
        "type.yaml, document 1: Issuer default/type: ",
        "twice.yaml, document 1: Issuer default/self stands in the manifests twice",
        "there is no environment variable NO_SUCH",
        "where.yaml, document 1: ClusterIssuer d/c: this kind lives in no namespace",
        "everleaf: 7 faults in the manifests",
    ] {
        assert!(told.contains(wanted), "{wanted} is not told in:\n{told}");
    }
    assert!(!dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_manifest_holds_up_no_other_and_is_taken_when_it_is_mended() {
    let mut host = Host::new();
    let certificate = |name: &str, more: &str| {
        format!(
            "{{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {{name: {name}, namespace: elsewhere}}, \
             spec: {{secretName: {name}, dnsNames: [a.example], issuerRef: {{name: self}}, privateKey: {{algorithm: ECDSA}}{more}}}}}\n"
        )
    };
    host.manifest("issuer.yaml", &ISSUER.replace("name: self", "name: self, namespace: elsewhere"));
    host.manifest("good.yaml", &certificate("good", ""));
    host.manifest("bad.yaml", &certificate("bad", ", unheardOf: 1"));
    host.start().await;
    assert!(host.log().contains("unheardOf"), "{}", host.log());
    let api: kube::Api<everleaf_api::Certificate> = kube::Api::namespaced(host.client().await, "elsewhere");
    assert!(api.get_opt("good").await.unwrap().is_some(), "the namespace was made, too");
    assert!(api.get_opt("bad").await.unwrap().is_none());
    host.manifest("bad.yaml", &certificate("bad", ""));
    until("the mended one is applied", || host.log().contains("all manifests are applied again")).await;
    assert!(api.get_opt("bad").await.unwrap().is_some());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_is_refused_and_the_first_goes_on() {
    let mut host = Host::new();
    host.start().await;
    let data = host.path("data");
    let before = std::fs::read(data.join("kubeconfig")).unwrap();
    let output = everleaf(&["--dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let told = words(&output);
    assert!(told.contains("another everleaf (process ") && told.contains("--dir"), "{told}");
    assert_eq!(std::fs::read(data.join("kubeconfig")).unwrap(), before);
    host.client().await.apiserver_version().await.unwrap();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_opens_to_the_token_and_to_tls_only() {
    let mut host = Host::new();
    host.start().await;
    let config = host.kubeconfig();
    let cluster = config.clusters[0].cluster.as_ref().unwrap();
    let url = cluster.server.clone().unwrap();
    use base64::Engine as _;
    let ca = base64::engine::general_purpose::STANDARD
        .decode(cluster.certificate_authority_data.as_ref().unwrap());
    let http = Http::trusting(std::str::from_utf8(&ca.unwrap()).unwrap()).unwrap();
    let secrets = format!("{url}/api/v1/secrets");
    let ask = |authorization: &'static str| {
        let (http, url) = (http.clone(), secrets.clone());
        async move {
            let headers = [("authorization", authorization)];
            let headers = if authorization.is_empty() { &[][..] } else { &headers[..] };
            http.send(Method::GET, &url, headers, None).await.unwrap()
        }
    };
    assert_eq!(ask("").await.status, 403);
    assert_eq!(ask("Bearer wrong").await.status, 401);
    assert_eq!(ask("Basic YTpi").await.status, 401);
    let health = http.send(Method::GET, &format!("{url}/readyz"), &[], None).await.unwrap();
    assert_eq!((health.status.as_u16(), health.text()), (200, "ok".to_owned()));
    let plain =
        Http::plain().unwrap().send(Method::GET, &secrets.replace("https", "http"), &[], None).await.unwrap();
    assert_eq!(plain.status, 400);
    assert_eq!(plain.text().trim(), "Client sent an HTTP request to an HTTPS server.");
    assert!(
        Http::trusting("").unwrap().send(Method::GET, &url, &[], None).await.is_err(),
        "another CA isn't trusted"
    );
    host.client().await.list_core_api_versions().await.unwrap();
    host.stop().await;
}

#[test]
fn a_signal_ends_it_with_success() {
    let temporary = tempfile::tempdir().unwrap();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_everleaf"))
            .args(["up", "--dir"])
            .arg(temporary.path().join("data"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0 && !line.contains(" up api=") {
            line.clear();
        }
        kill_process(pid, signal).unwrap();
        std::io::Read::read_to_string(&mut log, &mut line).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{line}");
        assert!(line.contains("stopping"), "{line}");
    }
    assert!(temporary.path().join("data/store.redb").exists());
}

/// A small file system of its own; `None` where this machine doesn't let us have one.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(path: std::path::PathBuf) -> Option<Small> {
        std::fs::create_dir(&path).unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "none"])
            .arg(&path)
            .output();
        done.is_ok_and(|done| done.status.success()).then_some(Small(path))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_healed() {
    let mut host = Host::new();
    let Some(small) = Small::mount(host.path("data")) else { return };
    host.manifest("issuer.yaml", ISSUER);
    let certificate = |name: &str| {
        format!(
            "{{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {{name: web, annotations: {{everleaf.dev/files: '[{{directory: FILES/web}}]'}}}}, \
             spec: {{secretName: web, dnsNames: [{name}], issuerRef: {{name: self}}, privateKey: {{algorithm: ECDSA}}}}}}\n"
        )
    };
    host.manifest("web.yaml", &certificate("old.example"));
    host.start().await;
    host.await_files("web").await;
    let names = || crate::files::pair(&host.path("files/web")).leaf.sans().dns.clone();
    assert_eq!(names(), ["old.example"]);
    let mut filler = std::fs::File::create(small.0.join("filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    drop(filler);
    // A change larger than what room the store may still have in its own file.
    let large = "x".repeat(900_000);
    host.manifest(
        "large.yaml",
        &format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: large}}, data: {{a: {large}}}}}\n"),
    );
    host.manifest("web.yaml", &certificate("new.example"));
    until("the full disk is told", || {
        host.log().contains("large.yaml, document 1: ConfigMap default/large: the change was not stored")
    })
    .await;
    crate::files::pair(&host.path("files/web"));
    std::fs::remove_file(host.path("manifests/large.yaml")).unwrap();
    std::fs::remove_file(small.0.join("filler")).unwrap();
    until("the new name is in place", || names() == ["new.example"]).await;
    host.stop().await;
}
