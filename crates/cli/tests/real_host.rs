//! A host with a real Vault: the example with nginx from its set-up script to an outage, and fifty kills under load.
//! Neither nginx nor systemd need be there: what they would be told is noted by a stand-in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    dead_code
)]

#[path = "up/files.rs"]
mod files;
#[path = "up/host.rs"]
mod host;
#[path = "up/kills.rs"]
mod kills;

use std::path::{Path, PathBuf};
use std::process::Command;

use everleaf_core::x509::Certificate;
use everleaf_testkit::servers::{Program, Vault};

use files::pair;
use host::{Host, until};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/host-nginx")
}

/// Runs the example's script as an administrator would; returns the role id that it prints.
fn set_up(vault: &Vault, host: &Host) -> String {
    let program = Program::Vault.locate().unwrap();
    host.write("vault-ca.pem", vault.ca().unwrap());
    std::fs::create_dir(host.path("credentials")).unwrap();
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let done = Command::new(example().join("vault-setup.sh"))
        .arg(host.path("credentials/vault-secret-id"))
        .envs([("PATH", path.as_str()), ("VAULT_ADDR", vault.url()), ("VAULT_TOKEN", vault.api().token())])
        .env("VAULT_CACERT", host.path("vault-ca.pem"))
        .env("HOME", host.path(""))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(files::mode(&host.path("credentials/vault-secret-id")), 0o600);
    String::from_utf8_lossy(&done.stdout).lines().last().unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_example_with_nginx_runs_and_outlives_an_outage() {
    let vault = Vault::start_dev_tls().await.unwrap();
    let mut host = Host::new();
    let role_id = set_up(&vault, &host);
    let ca = host.path("vault-ca.pem").display().to_string();
    for name in ["vault.yaml", "web.yaml"] {
        let mut text = std::fs::read_to_string(example().join("manifests").join(name)).unwrap();
        for (from, to) in [
            ("https://vault.example.com:8200", vault.url()),
            ("ROLE-ID", role_id.as_str()),
            ("/etc/everleaf/vault-ca.pem", ca.as_str()),
            ("/etc/nginx/tls", "FILES"),
        ] {
            text = text.replace(from, to);
        }
        host.manifest(name, &text);
    }
    host.stand_in("systemctl", "");
    host.set("CREDENTIALS_DIRECTORY", host.path("credentials").display().to_string());
    host.start().await;
    host.await_files("web").await;
    let web = pair(&host.path("files/web"));
    let root = Certificate::from_pem(&std::fs::read(host.path("files/web/ca.crt")).unwrap()).unwrap();
    assert!(web.leaf.was_signed_by(&root));
    assert_eq!(web.leaf.sans().dns, ["www.example.com"]);
    assert_eq!(host.told("systemctl"), ["try-reload-or-restart nginx.service"]);

    // Vault is sealed while a new name is wanted: what is in place stays, and the new one follows when Vault is back.
    vault.seal().await.unwrap();
    let text = std::fs::read_to_string(host.path("manifests/web.yaml")).unwrap();
    host.write("manifests/web.yaml", &text.replace("www.example.com", "new.example.com"));
    let told = host.await_condition("web", "Issuing", "True", "").await;
    assert!(!told.is_empty());
    until("the outage is told", || host.log().contains("sealed")).await;
    assert_eq!(pair(&host.path("files/web")).leaf.sans().dns, ["www.example.com"]);
    vault.unseal().await.unwrap();
    let is_new = || pair(&host.path("files/web")).leaf.sans().dns == ["new.example.com"];
    until("the new name is in place", is_new).await;
    until("nginx is told again", || host.told("systemctl").len() == 2).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test"]
async fn fifty_kills_under_load_lose_nothing() {
    kills::run(50).await;
}
