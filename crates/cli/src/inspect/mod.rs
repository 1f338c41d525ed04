//! `everleaf inspect`: what stands in a certificate, in a Secret of the cluster or in a file.
//! It prints nothing of a private key but whether it belongs to the certificate.

mod decoded;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use everleaf_core::x509::{Certificate, PrivateKey};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use zeroize::{Zeroize as _, Zeroizing};

use crate::cluster::{self, Place, told};
use crate::screen::{self, Paint};
use decoded::Key;

/// The most bytes that are read as certificates.
const LIMIT: usize = 1 << 20;

/// Flags of `everleaf inspect`.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 it could be read, 1 it could not, 2 wrong usage.")]
pub(crate) struct Flags {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The certificate, its chain and its key in a Secret.
    Secret {
        /// Name of the Secret.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// The certificates in a PEM file; a key in it is compared with the first.
    Cert {
        /// Path of the file, or - for standard input.
        file: PathBuf,
    },
}

/// Prints what is in it.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let text = match &flags.what {
        What::Secret { name, place } => cluster::run(of_secret(name, place))?,
        What::Cert { file } => of_file(file)?,
    };
    screen::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn of_secret(name: &str, place: &Place) -> anyhow::Result<String> {
    let cluster = place.connect().await?;
    let api: Api<Secret> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let mut data = api.get(name).await.map_err(told)?.data.unwrap_or_default();
    let chain = data.get("tls.crt").map(|pem| pem.0.clone()).unwrap_or_default();
    let key = key(data.get("tls.key").map(|pem| pem.0.as_slice()).unwrap_or_default());
    data.values_mut().for_each(|value| value.0.zeroize());
    ensure!(!chain.is_empty(), "Secret {name} holds no tls.crt");
    show(&chain, &key).with_context(|| format!("tls.crt in Secret {name}"))
}

fn of_file(path: &Path) -> anyhow::Result<String> {
    let mut pem = Zeroizing::new(Vec::new());
    // One byte more than is read tells that there was more.
    let most = LIMIT as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut pem)?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("can't open {}", path.display()))?;
        file.take(most).read_to_end(&mut pem)?;
    }
    ensure!(pem.len() <= LIMIT, "{} is larger than {LIMIT} bytes", path.display());
    let has_key = pem.windows(11).any(|window| window == b"PRIVATE KEY");
    let key = if has_key { key(&pem) } else { Key::None };
    show(&pem, &key).with_context(|| path.display().to_string())
}

fn key(pem: &[u8]) -> Key {
    if pem.is_empty() {
        return Key::None;
    }
    match PrivateKey::from_pem(pem) {
        Ok(key) => Key::Read(key.public().clone()),
        Err(error) => Key::Unreadable(error.to_string()),
    }
}

fn show(pem: &[u8], key: &Key) -> anyhow::Result<String> {
    let certificates = Certificate::all_from_pem(pem, LIMIT)?;
    if certificates.is_empty() {
        bail!("no certificate in it");
    }
    Ok(decoded::chain(&certificates, key, Timestamp::now(), Paint::of_output()))
}
