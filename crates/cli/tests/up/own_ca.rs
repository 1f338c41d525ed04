//! The example with a CA of one's own, from the first start over changes, restarts and kills to the end.

use std::path::Path;

use everleaf_core::x509::Certificate;

use crate::files::{mode, pair};
use crate::host::{Host, until};

/// The example's folder for files.
const FOLDER: &str = "/etc/ssl/own-ca";

/// A host with the example's manifests, and its folder moved to where a test may write.
fn host() -> Host {
    let host = Host::new();
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/own-ca/manifests"));
    for name in ["ca.yaml", "web.yaml"] {
        let text = std::fs::read_to_string(example.join(name)).unwrap();
        assert!(text.contains(FOLDER));
        host.manifest(name, &text.replace(FOLDER, "FILES"));
    }
    host.stand_in("logger", "");
    host
}

fn change_web(host: &Host, from: &str, to: &str) {
    let text = std::fs::read_to_string(host.path("manifests/web.yaml")).unwrap();
    assert!(text.contains(from));
    host.write("manifests/web.yaml", &text.replace(from, to));
}

fn has_name(host: &Host, name: &str) -> bool {
    pair(&host.path("files/web")).leaf.sans().dns.iter().any(|dns| dns == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_makes_a_ca_and_keeps_files_up_to_date() {
    let mut host = host();
    host.start().await;
    host.await_files("web").await;
    host.await_files("own-ca").await;

    let ca = Certificate::from_pem(&std::fs::read(host.path("files/ca.crt")).unwrap()).unwrap();
    let web = pair(&host.path("files/web"));
    assert!(web.leaf.was_signed_by(&ca));
    assert!(has_name(&host, "web.internal.example"));
    assert_eq!(
        std::fs::read(host.path("files/web/ca.crt")).unwrap(),
        std::fs::read(host.path("files/ca.crt")).unwrap()
    );
    let told = "--tag everleaf the certificate of web has changed";
    assert_eq!(host.told("logger"), [told]);

    // Data are closed to others, whatever the umask.
    assert_eq!(mode(&host.path("data")), 0o700);
    for name in ["store.redb", "kubeconfig", "token", "ca.key", "lock"] {
        assert_eq!(mode(&host.path("data").join(name)), 0o600, "{name}");
    }

    // A changed manifest is seen by itself. The files change together, and the command runs once more.
    change_web(&host, "web.internal.example", "other.internal.example");
    until("the new name is in place", || has_name(&host, "other.internal.example")).await;
    until("the command ran again", || host.told("logger").len() == 2).await;
    assert!(pair(&host.path("files/web")).leaf.was_signed_by(&ca), "the CA stays");

    // After an orderly end and after a kill nothing is issued and nothing told anew.
    let before = std::fs::read(host.path("files/web/tls.crt")).unwrap();
    host.stop().await;
    host.start().await;
    host.await_files("web").await;
    host.kill();
    host.start().await;
    assert_eq!(host.certificate("web").await.unwrap().status.unwrap().revision, Some(2));
    assert_eq!(std::fs::read(host.path("files/web/tls.crt")).unwrap(), before);
    // A change sent by hand is served after all that, and it is the third of which the command is told.
    change_web(&host, "other.internal.example", "third.internal.example");
    host.hang_up();
    until("the third name is in place", || has_name(&host, "third.internal.example")).await;
    until("the command ran for it", || host.told("logger").len() == 3).await;
    assert_eq!(host.told("logger"), [told; 3]);

    // What goes from the manifests stays, and is told.
    std::fs::remove_file(host.path("manifests/web.yaml")).unwrap();
    until("it is told what is gone", || host.log().contains("gone from the manifests, left as it is")).await;
    assert!(host.certificate("web").await.is_some());
    host.stop().await;
    assert!(host.log().contains("stopping: work in flight is finished first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cant_be_written_are_told_and_written_when_they_can() {
    let mut host = host();
    let text = std::fs::read_to_string(host.path("manifests/web.yaml")).unwrap();
    host.write("manifests/web.yaml", &text.replace("/web\n", "/not/there/web\n"));
    host.stand_in("logger", "test -e \"$0.good\" || { echo 'the log is full' >&2; exit 7; }");
    host.start().await;

    let told = host.await_condition("web", crate::host::DELIVERED, "False", "WriteFailed").await;
    let wanted = format!("{}: this folder does not exist", host.path("files/not").display());
    assert!(told.contains(&wanted) && told.contains("Next try by"), "{told}");
    host.await_condition("web", "Ready", "True", "").await;

    std::fs::create_dir_all(host.path("files/not/there")).unwrap();
    let told = host.await_condition("web", crate::host::DELIVERED, "False", "ActionFailed").await;
    assert!(told.contains("command logger failed (exit status: 7): the log is full"), "{told}");
    pair(&host.path("files/not/there/web"));

    host.write("bin/logger.good", "");
    host.await_files("web").await;
    host.stop().await;
}
