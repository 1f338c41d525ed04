//! Starts one Vault in dev mode on loopback, plain or with TLS, with a file audit device, and talks JSON to it.
//! All is kept in memory: killing it is the test for "Vault lost its storage".
//! The root token is random and stays in this process and in Vault's environment.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};

use super::Program;
use super::audit::VaultLog;
use super::folder::{Folder, random_name};
use super::http::{Answer, Http};
use super::ports::free_row;
use super::process::Server;

/// Calls to one Vault address with one token.
#[derive(Clone)]
pub struct VaultApi {
    url: String,
    token: String,
    http: Http,
}

/// A running dev Vault.
#[derive(Debug)]
pub struct Vault {
    // Dropped in this order: the folder goes last.
    server: Server,
    api: VaultApi,
    ca: Option<String>,
    audit: VaultLog,
    arguments: Vec<String>,
    folder: Folder,
}

impl std::fmt::Debug for VaultApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultApi").field("url", &self.url).finish_non_exhaustive()
    }
}

impl VaultApi {
    /// Calls to `url` with `token`; an empty token sends none.
    pub fn new(url: &str, token: &str, http: Http) -> Self {
        Self { url: url.to_owned(), token: token.to_owned(), http }
    }

    /// The same address with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same calls to another address, e.g. that of a fault proxy.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Base address without `/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token in use.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// One call as it is: any status is an answer. `path` is without `/v1/`.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let url = format!("{}/v1/{path}", self.url);
        let headers: &[(&str, &str)] = match self.token.as_str() {
            "" => &[],
            token => &[("x-vault-token", token)],
        };
        self.http.send(method, &url, headers, body).await
    }

    /// Writes; the answer's `data` (or `auth`, or everything when there is neither).
    pub async fn write(&self, path: &str, body: Value) -> Result<Value> {
        let answer = self.call(Method::POST, path, Some(&body)).await?;
        Ok(payload(answer.success().with_context(|| format!("write {path}"))?))
    }

    /// Reads; the answer's `data`.
    pub async fn read(&self, path: &str) -> Result<Value> {
        let answer = self.call(Method::GET, path, None).await?;
        Ok(payload(answer.success().with_context(|| format!("read {path}"))?))
    }

    /// Lists; the keys, none when there is nothing (Vault answers 404 then).
    pub async fn list(&self, path: &str) -> Result<Vec<String>> {
        let answer = self.call(Method::from_bytes(b"LIST")?, path, None).await?;
        if answer.status == http::StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        let found = answer.success().with_context(|| format!("list {path}"))?;
        let keys = found.pointer("/data/keys").and_then(Value::as_array).into_iter().flatten();
        Ok(keys.filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let answer = self.call(Method::DELETE, path, None).await?;
        answer.accepted().with_context(|| format!("delete {path}"))
    }

    /// Makes or replaces an ACL policy.
    pub async fn policy(&self, name: &str, rules: &str) -> Result<()> {
        self.write(&format!("sys/policies/acl/{name}"), json!({ "policy": rules })).await?;
        Ok(())
    }

    /// Enables an auth method at `mount` unless it is there.
    pub async fn enable_auth(&self, mount: &str, kind: &str) -> Result<()> {
        let there = self.read("sys/auth").await?.get(format!("{mount}/")).is_some();
        if !there {
            self.write(&format!("sys/auth/{mount}"), json!({ "type": kind })).await?;
        }
        Ok(())
    }

    /// Fails unless the node is initialised, unsealed and active.
    pub(crate) async fn is_active(&self) -> Result<()> {
        let answer = self.call(Method::GET, "sys/health", None).await?;
        ensure!(answer.status == http::StatusCode::OK, "health says {}", answer.status);
        Ok(())
    }
}

impl Vault {
    /// Starts a dev Vault with plain HTTP.
    pub async fn start_dev() -> Result<Self> {
        Self::start(false).await
    }

    /// Starts a dev Vault with TLS, its certificate from a CA of its own ([`Vault::ca`]).
    pub async fn start_dev_tls() -> Result<Self> {
        Self::start(true).await
    }

    async fn start(tls: bool) -> Result<Self> {
        let folder = Folder::make("vault")?;
        let token = random_name()?;
        // The dev server listens for its cluster on the next port as well.
        let port = free_row(2)?;
        let mut arguments = vec![
            "server".to_owned(),
            "-dev".to_owned(),
            "-dev-no-store-token".to_owned(),
            format!("-dev-listen-address=127.0.0.1:{port}"),
        ];
        if tls {
            arguments.push("-dev-tls".to_owned());
            arguments.push(format!("-dev-tls-cert-dir={}", folder.path().display()));
        }
        let environment = [("VAULT_DEV_ROOT_TOKEN_ID", token.clone())];
        let mut server =
            Server::start("vault", &Program::Vault.locate()?, &arguments, &environment, folder.path())?;
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{port}");
        let ca_file = tls.then(|| folder.file("vault-ca.pem"));
        let api = connect(&mut server, &url, &token, ca_file.as_deref()).await?;
        let ca = ca_file.map(std::fs::read_to_string).transpose()?;
        let audit = enable_audit(&api, &folder).await?;
        Ok(Self { server, api, ca, audit, arguments, folder })
    }

    /// Kills it and starts an empty one in its place: same address, same root token, nothing else left. With TLS its
    /// CA is a new one as well.
    pub async fn restart_empty(&mut self) -> Result<()> {
        self.server.kill();
        self.server = launch(&self.arguments, self.api.token(), &self.folder)?;
        let ca_file = self.ca.is_some().then(|| self.folder.file("vault-ca.pem"));
        let (url, token) = (self.api.url.clone(), self.api.token.clone());
        self.api = connect(&mut self.server, &url, &token, ca_file.as_deref()).await?;
        self.ca = ca_file.map(std::fs::read_to_string).transpose()?;
        self.audit = enable_audit(&self.api, &self.folder).await?;
        Ok(())
    }

    /// Seals it: it answers 503 to everything but questions about its state, until it is unsealed.
    pub async fn seal(&self) -> Result<()> {
        self.write("sys/seal", json!({})).await?;
        Ok(())
    }

    /// Unseals it with the key that a dev server prints when it starts.
    pub async fn unseal(&self) -> Result<()> {
        let log = std::fs::read_to_string(self.server.log())?;
        let key = log.lines().rev().find_map(|line| line.strip_prefix("Unseal Key: "));
        let key = key.context("the log names no unseal key")?.trim();
        self.write("sys/unseal", json!({ "key": key })).await?;
        Ok(())
    }

    /// Calls with the root token.
    pub fn api(&self) -> &VaultApi {
        &self.api
    }

    /// Base address without `/v1`.
    pub fn url(&self) -> &str {
        self.api.url()
    }

    /// The CA of the TLS listener, PEM; none for plain HTTP.
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// What Vault was asked: the honest counter of logins and signatures.
    pub fn audit(&self) -> &VaultLog {
        &self.audit
    }

    /// The process, to freeze or to kill it.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The folder with its log, its audit log and its TLS files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// [`VaultApi::write`] with the root token.
    pub async fn write(&self, path: &str, body: Value) -> Result<Value> {
        self.api.write(path, body).await
    }

    /// [`VaultApi::read`] with the root token.
    pub async fn read(&self, path: &str) -> Result<Value> {
        self.api.read(path).await
    }

    /// [`VaultApi::list`] with the root token.
    pub async fn list(&self, path: &str) -> Result<Vec<String>> {
        self.api.list(path).await
    }

    /// [`VaultApi::delete`] with the root token.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.api.delete(path).await
    }
}

/// Turns the file audit device on; Vault refuses every request that it can't log from then on.
pub(crate) async fn enable_audit(api: &VaultApi, folder: &Folder) -> Result<VaultLog> {
    let path = folder.file("vault-audit.log");
    let options = json!({ "file_path": path });
    api.write("sys/audit/file", json!({ "type": "file", "options": options })).await?;
    Ok(VaultLog::at(&path))
}

fn launch(arguments: &[String], token: &str, folder: &Folder) -> Result<Server> {
    let environment = [("VAULT_DEV_ROOT_TOKEN_ID", token.to_owned())];
    Server::start("vault", &Program::Vault.locate()?, arguments, &environment, folder.path())
}

/// Waits until it is active. The CA file is written while it starts, so it is read anew each time.
async fn connect(server: &mut Server, url: &str, token: &str, ca_file: Option<&Path>) -> Result<VaultApi> {
    let api = || anyhow::Ok(VaultApi::new(url, token, trusting(ca_file)?));
    server.until_ready(|| async { api()?.is_active().await }).await?;
    api()
}

fn trusting(ca_file: Option<&Path>) -> Result<Http> {
    match ca_file {
        None => Http::plain(),
        Some(path) => Http::trusting(&std::fs::read_to_string(path)?),
    }
}

fn payload(mut answer: Value) -> Value {
    for part in ["data", "auth"] {
        if let Some(found) = answer.get_mut(part).filter(|found| !found.is_null()) {
            return found.take();
        }
    }
    answer
}
