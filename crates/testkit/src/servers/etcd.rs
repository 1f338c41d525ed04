//! Starts one etcd on loopback, with its data in the given folder and without fsync.
//! It must never hold anything that has to survive: a killed machine loses it.

use anyhow::Result;

use super::Program;
use super::folder::Folder;
use super::ports::free_row;
use super::process::Server;

/// A running etcd.
#[derive(Debug)]
pub(crate) struct Etcd {
    pub(crate) server: Server,
    pub(crate) url: String,
}

/// Starts it without waiting: kube-apiserver waits for it anyway, and the two start at the same time.
pub(crate) fn start(folder: &Folder) -> Result<Etcd> {
    let client = free_row(2)?;
    let url = format!("http://127.0.0.1:{client}");
    let peer = format!("http://127.0.0.1:{}", client + 1);
    let arguments = [
        "--unsafe-no-fsync".to_owned(),
        format!("--data-dir={}", folder.file("etcd").display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--quota-backend-bytes=8589934592".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    let server = Server::start("etcd", &Program::Etcd.locate()?, &arguments, &[], folder.path())?;
    Ok(Etcd { server, url })
}
