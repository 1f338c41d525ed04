//! The flags of `everleaf up` as typed, and what they mean. What is wrong with them is told before anything starts.
//! Nothing here touches a disk beyond asking whether the manifests are there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::controller::logs::{Format, Logs};

/// Where an instance of root keeps its data.
const DIR_OF_ROOT: &str = "/var/lib/everleaf";
/// Where one of another user does, below the folder for data of programs.
const DIR_OF_USER: &str = "everleaf";

/// Flags of `everleaf up`.
#[derive(Args, Debug)]
pub(crate) struct Flags {
    /// Manifests to apply: files (.yaml, .yml, .json), or folders of them. They are applied again when they change.
    pub manifests: Vec<PathBuf>,
    /// Folder for all data, closed to others. /var/lib/everleaf for root, ~/.local/share/everleaf for others, $STATE_DIRECTORY under systemd.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Where the API listens; loopback only. Port 0 takes a free one, which the kubeconfig tells.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// CAs (PEM) whose client certificates are let in beside the token: the common name is the user, organizations are the groups.
    #[arg(long)]
    pub client_ca_file: Option<PathBuf>,
    /// Read the manifests, say what is wrong with them, and end. Nothing is kept and nothing is issued.
    #[arg(long)]
    pub check: bool,
    /// Where the Secrets of ClusterIssuers live.
    #[arg(long, default_value = "default")]
    pub cluster_resource_namespace: String,
    /// Workers for Certificates, and again for CertificateRequests.
    #[arg(long, default_value_t = 8)]
    pub concurrent_workers: usize,
    /// Address of the metrics server; 0 switches it off.
    #[arg(long, default_value = "0")]
    pub metrics_listen_address: String,
    /// How much to log: 0 to 2 what happens, 3 and 4 details, more the libraries too.
    #[arg(short = 'v', long = "v", default_value_t = 2)]
    pub v: u8,
    /// Shape of the log.
    #[arg(long, value_enum, default_value = "text")]
    pub logging_format: Format,
}

/// The meaning of the flags.
pub(crate) struct Meaning {
    pub manifests: Vec<PathBuf>,
    pub dir: PathBuf,
    pub listen: SocketAddr,
    pub client_ca_file: Option<PathBuf>,
    pub check: bool,
    pub cluster_resource_namespace: String,
    pub workers: usize,
    pub metrics: Option<SocketAddr>,
    pub logs: Logs,
}

impl Meaning {
    /// Works the meaning out, or says which flag is wrong and why.
    pub(crate) fn of(flags: Flags) -> anyhow::Result<Meaning> {
        ensure!(
            flags.listen.ip().is_loopback(),
            "--listen: {} is not on loopback; the API is for this host only",
            flags.listen
        );
        ensure!(flags.concurrent_workers > 0, "--concurrent-workers must be at least 1");
        ensure!(!flags.check || !flags.manifests.is_empty(), "--check: no manifests are named");
        for path in &flags.manifests {
            path.metadata().with_context(|| format!("manifests: {}", path.display()))?;
        }
        let manifests: std::io::Result<Vec<_>> = flags.manifests.iter().map(std::path::absolute).collect();
        Ok(Meaning {
            manifests: manifests?,
            dir: dir(flags.dir)?,
            listen: flags.listen,
            client_ca_file: flags.client_ca_file,
            check: flags.check,
            cluster_resource_namespace: flags.cluster_resource_namespace,
            workers: flags.concurrent_workers,
            metrics: crate::controller::meaning::address(
                "--metrics-listen-address",
                &flags.metrics_listen_address,
            )?,
            logs: Logs { format: flags.logging_format, verbosity: flags.v },
        })
    }
}

fn dir(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let from_environment =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // Several folders may be named, parted by colons; the first is the service's own.
    let of_systemd = std::env::var("STATE_DIRECTORY").ok();
    let of_systemd = of_systemd.as_deref().and_then(|list| list.split(':').next()).map(PathBuf::from);
    if let Some(dir) = given.or_else(|| of_systemd.filter(|path| path.is_absolute())) {
        ensure!(!dir.as_os_str().is_empty(), "--dir: names no folder");
        return Ok(std::path::absolute(dir)?);
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from(DIR_OF_ROOT));
    }
    let data = from_environment("XDG_DATA_HOME")
        .or_else(|| from_environment("HOME").map(|home| home.join(Path::new(".local/share"))));
    match data {
        Some(data) => Ok(data.join(DIR_OF_USER)),
        None => bail!("--dir is needed: neither $XDG_DATA_HOME nor $HOME says where data belong"),
    }
}
