//! Three Vault nodes with raft storage on loopback, unsealed with one key share (vault-server 8.5): for faults that
//! only a cluster has. Nodes are killed, frozen, thawed, restarted and made to step down.
//! A node keeps its ports and its data for its whole life; nothing of it outlives the test.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use serde_json::{Value, json};

use super::Program;
use super::audit::VaultLog;
use super::folder::Folder;
use super::http::Http;
use super::ports::free_row;
use super::process::{Server, Signal};
use super::vault::{VaultApi, enable_audit};
use super::vault_pki::text;

const NODES: u16 = 3;
const FORMED_WITHIN: Duration = Duration::from_secs(120);
const POLL_EVERY: Duration = Duration::from_millis(50);

/// A running cluster.
#[derive(Debug)]
pub struct VaultCluster {
    // Dropped in this order: the folder goes last.
    nodes: Vec<Node>,
    unseal_key: String,
    audit: VaultLog,
    folder: Folder,
}

#[derive(Debug)]
struct Node {
    name: String,
    server: Server,
    api: VaultApi,
}

impl VaultCluster {
    /// Starts three nodes and waits until they are three voters with an active leader.
    pub async fn start() -> Result<Self> {
        let folder = Folder::make("raft")?;
        let first_port = free_row(2 * NODES)?;
        let mut nodes = Vec::new();
        for number in 1..=NODES {
            nodes.push(Node::start(&folder, number, first_port)?);
        }
        for node in &mut nodes {
            node.answers().await?;
        }
        let first = nodes.first().context("a cluster has nodes")?.api.clone();
        let made = first.write("sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).await?;
        let unseal_key =
            made.pointer("/keys/0").and_then(Value::as_str).context("init gave no key")?.to_owned();
        let root = text(&made, "root_token")?;
        for node in &mut nodes {
            node.api = node.api.with_token(&root);
            node.unseal(&unseal_key).await?;
        }
        await_voters(&first.with_token(&root)).await?;
        let audit = enable_audit(&first.with_token(&root), &folder).await?;
        let mut cluster = Self { nodes, unseal_key, audit, folder };
        cluster.await_leader().await?;
        Ok(cluster)
    }

    /// Calls to node 1, 2 or 3 with the root token.
    pub fn node(&self, number: usize) -> Result<&VaultApi> {
        Ok(&self.find(number)?.api)
    }

    /// The number of the node that says of itself that it leads. With a frozen node in the cluster a second one may.
    pub async fn leader(&self) -> Result<usize> {
        for (index, node) in self.nodes.iter().enumerate() {
            let said = tokio::time::timeout(Duration::from_secs(2), node.api.is_active()).await;
            if matches!(said, Ok(Ok(()))) {
                return Ok(index + 1);
            }
        }
        bail!("no node leads")
    }

    /// Waits until a node leads; its number.
    pub async fn await_leader(&mut self) -> Result<usize> {
        let give_up = Instant::now() + FORMED_WITHIN;
        loop {
            if let Ok(number) = self.leader().await {
                return Ok(number);
            }
            ensure!(Instant::now() < give_up, "no leader after {FORMED_WITHIN:?}: {}", self.last_words());
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Kills a node at once.
    pub fn kill(&mut self, number: usize) -> Result<()> {
        self.find_mut(number)?.server.kill();
        Ok(())
    }

    /// Starts a killed node again and unseals it.
    pub async fn restart(&mut self, number: usize) -> Result<()> {
        let folder = self.folder.path().to_owned();
        let key = self.unseal_key.clone();
        let node = self.find_mut(number)?;
        node.server.kill();
        node.server = launch(&node.name, &folder)?;
        node.answers().await?;
        node.unseal(&key).await
    }

    /// Stops a node where it stands: it keeps its connections and answers nothing.
    pub fn freeze(&self, number: usize) -> Result<()> {
        self.find(number)?.server.signal(Signal::Stop)
    }

    /// Lets a frozen node go on.
    pub fn thaw(&self, number: usize) -> Result<()> {
        self.find(number)?.server.signal(Signal::Continue)
    }

    /// Makes the leader give up its place.
    pub async fn step_down(&self) -> Result<()> {
        let leader = self.leader().await?;
        self.node(leader)?.call(Method::PUT, "sys/step-down", None).await?.accepted()
    }

    /// What all nodes were asked: they write one file.
    pub fn audit(&self) -> &VaultLog {
        &self.audit
    }

    fn find(&self, number: usize) -> Result<&Node> {
        let index = number.checked_sub(1).context("nodes are counted from 1")?;
        self.nodes.get(index).with_context(|| format!("there is no node {number}"))
    }

    fn find_mut(&mut self, number: usize) -> Result<&mut Node> {
        let index = number.checked_sub(1).context("nodes are counted from 1")?;
        self.nodes.get_mut(index).with_context(|| format!("there is no node {number}"))
    }

    fn last_words(&self) -> String {
        self.nodes.iter().map(|node| node.server.last_words()).collect::<Vec<_>>().join("\n")
    }
}

impl Node {
    fn start(folder: &Folder, number: u16, first_port: u16) -> Result<Self> {
        let name = format!("n{number}");
        std::fs::create_dir_all(folder.file(&format!("{name}-data")))?;
        folder.write(&format!("{name}.hcl"), &configuration(folder, number, first_port))?;
        let server = launch(&name, folder.path())?;
        Ok(Self { name, server, api: VaultApi::new(&address(number, first_port), "", Http::plain()?) })
    }

    /// Waits until it listens, sealed or not.
    async fn answers(&mut self) -> Result<()> {
        let api = self.api.clone();
        self.server
            .until_ready(|| async { api.call(Method::GET, "sys/seal-status", None).await?.accepted() })
            .await
    }

    /// Unseals it; a node that has just joined needs a moment until it takes the key.
    async fn unseal(&mut self, key: &str) -> Result<()> {
        let api = self.api.clone();
        let body = json!({ "key": key });
        self.server
            .until_ready(|| async {
                let answer = api.write("sys/unseal", body.clone()).await?;
                ensure!(answer.get("sealed") == Some(&Value::Bool(false)), "still sealed");
                Ok(())
            })
            .await
    }
}

fn launch(name: &str, folder: &Path) -> Result<Server> {
    let arguments =
        ["server".to_owned(), format!("-config={}", folder.join(format!("{name}.hcl")).display())];
    Server::start(name, &Program::Vault.locate()?, &arguments, &[], folder)
}

fn address(number: u16, first_port: u16) -> String {
    format!("http://127.0.0.1:{}", first_port + 2 * (number - 1))
}

fn configuration(folder: &Folder, number: u16, first_port: u16) -> String {
    let port = first_port + 2 * (number - 1);
    let others = (1..=NODES).filter(|&other| other != number);
    let join = others
        .map(|other| format!("  retry_join {{ leader_api_addr = \"{}\" }}\n", address(other, first_port)));
    let join: String = join.collect();
    let data = folder.file(&format!("n{number}-data")).display().to_string();
    format!(
        "storage \"raft\" {{\n  path = \"{data}\"\n  node_id = \"n{number}\"\n  performance_multiplier = 1\n{join}}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  cluster_address = \"127.0.0.1:{cluster}\"\n  \
         tls_disable = true\n}}\n\
         api_addr = \"http://127.0.0.1:{port}\"\ncluster_addr = \"https://127.0.0.1:{cluster}\"\ndisable_mlock = true\n",
        cluster = port + 1
    )
}

async fn await_voters(api: &VaultApi) -> Result<()> {
    let give_up = Instant::now() + FORMED_WITHIN;
    loop {
        let peers = api.read("sys/storage/raft/configuration").await.unwrap_or_default();
        let servers = peers.pointer("/config/servers").and_then(Value::as_array).cloned().unwrap_or_default();
        let voters = servers.iter().filter(|server| server.get("voter") == Some(&Value::Bool(true))).count();
        if voters == usize::from(NODES) {
            return Ok(());
        }
        ensure!(Instant::now() < give_up, "{voters} of {NODES} voters after {FORMED_WITHIN:?}");
        tokio::time::sleep(POLL_EVERY).await;
    }
}
