//! `cargo xtask lab`: a Kubernetes API, a Vault with a PKI and the controller on this machine, to try Everleaf out.
//! `--once` issues one certificate, shows it and ends.
//! Everything is on loopback, in temporary folders, and gone when the command ends.

mod stage;
mod words;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use everleaf_testkit::servers::CaKey;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::wait::await_condition;
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use stage::{Stage, StageOptions};

use crate::program::{self, Profile};
use crate::{project_folder, servers};

const EXAMPLES: &str = "examples/vault-cluster";
const SECRET: &str = "web-tls";
const ISSUED_WITHIN: Duration = Duration::from_secs(120);

/// How the lab is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Issue one certificate, show it and end
    #[arg(long)]
    once: bool,
    /// Build the controller as it is shipped
    #[arg(long)]
    release: bool,
}

/// Runs the lab until Ctrl-C, or once.
pub(crate) fn run(options: &Options) -> Result<()> {
    servers::make_ready()?;
    let profile = if options.release { Profile::Release } else { Profile::Dev };
    let program = program::build(profile)?;
    block_on(lab(options.once, program))
}

/// Runs `work` until it ends or somebody presses Ctrl-C; whatever it started is gone then.
pub(crate) fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            outcome = interrupted() => outcome,
        }
    })
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    println!("\nending ...");
    Ok(())
}

async fn lab(once: bool, program: PathBuf) -> Result<()> {
    println!("starting etcd, kube-apiserver, kube-controller-manager and Vault ...");
    let options =
        StageOptions { program, vault: Some(CaKey::Ecdsa), controller_manager: true, flags: Vec::new() };
    let mut stage = Stage::raise(options).await?;
    let manifests = write_manifests(&stage).await?;
    if once {
        return issue_once(&stage, &manifests).await;
    }
    words::explain(&stage, &manifests)?;
    stage.until_controller_ends().await
}

/// Copies the example with this lab's Vault address and AppRole in the place of the made-up ones.
async fn write_manifests(stage: &Stage) -> Result<PathBuf> {
    let (vault, pki) = stage.vault()?;
    let folder = stage.kube.folder().join("manifests");
    std::fs::create_dir_all(&folder)?;
    for name in ["issuer.yaml", "certificate.yaml"] {
        let example = project_folder().join(EXAMPLES).join(name);
        let text =
            std::fs::read_to_string(&example).with_context(|| format!("read {}", example.display()))?;
        let text = text
            .replace("http://vault.example:8200", vault.url())
            .replace("00000000-0000-0000-0000-000000000001", &pki.approle.role_id)
            .replace("00000000-0000-0000-0000-000000000002", &pki.approle.secret_id);
        std::fs::write(folder.join(name), text)?;
    }
    Ok(folder)
}

async fn issue_once(stage: &Stage, manifests: &Path) -> Result<()> {
    let file = |name: &str| manifests.join(name).to_string_lossy().into_owned();
    println!("\n$ kubectl apply -f issuer.yaml -f certificate.yaml");
    let apply = ["apply", "-f", &file("issuer.yaml"), "-f", &file("certificate.yaml")];
    print!("{}", stage.kube.kubectl(&apply).await?);
    let secrets: Api<Secret> = Api::namespaced(stage.kube.client()?, "default");
    let issued =
        await_condition(secrets, SECRET, |secret: Option<&Secret>| secret.is_some_and(holds_certificate));
    let Ok(secret) = tokio::time::timeout(ISSUED_WITHIN, issued).await else {
        bail!("no certificate within {ISSUED_WITHIN:?}\n{}", words::trouble(stage).await);
    };
    let secret = secret?.context("the Secret is gone again")?;
    println!("\nThe certificate in Secret default/{SECRET}:\n");
    let data = secret.data.unwrap_or_default();
    let chain = data.get("tls.crt").context("the Secret has no tls.crt")?;
    println!("{}", as_text(&chain.0).await?);
    println!("$ kubectl get certificates,certificaterequests,issuers");
    print!("{}", stage.kube.kubectl(&["get", "certificates,certificaterequests,issuers"]).await?);
    Ok(())
}

fn holds_certificate(secret: &Secret) -> bool {
    secret.data.as_ref().is_some_and(|data| data.get("tls.crt").is_some_and(|chain| !chain.0.is_empty()))
}

/// What openssl says of the leaf; the PEM itself where there is no openssl.
async fn as_text(chain: &[u8]) -> Result<String> {
    let openssl = tokio::process::Command::new("openssl")
        .args(["x509", "-noout", "-text", "-certopt", "no_pubkey,no_sigdump"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut openssl) = openssl else { return Ok(String::from_utf8_lossy(chain).into_owned()) };
    let mut input = openssl.stdin.take().context("openssl takes no input")?;
    input.write_all(chain).await?;
    drop(input);
    let output = openssl.wait_with_output().await?;
    if !output.status.success() {
        bail!("openssl can't read the certificate: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
