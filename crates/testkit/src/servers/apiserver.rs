//! Starts a Kubernetes API: etcd and kube-apiserver with RBAC, token users and an audit log, and
//! kube-controller-manager where a test asks for it.
//! One start serves a whole test binary: tests take fresh namespaces, never each other's objects.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use der::pem::{LineEnding, encode_string};
use http::Method;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::PostParams;
use kube::{Api, Client, Config};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use tokio::sync::OnceCell;

use super::audit::ApiLog;
use super::binaries::project_folder;
use super::etcd::{self, Etcd};
use super::folder::{Folder, random_name};
use super::http::Http;
use super::manifests::{apply_file, await_established};
use super::ports::free_port;
use super::process::Server;
use super::{Program, controller_manager};

/// The user that the controller speaks as: what `deploy/` binds its rights to.
pub const CONTROLLER_USER: &str = "system:serviceaccount:everleaf:everleaf";

/// The user with all rights.
const ADMIN: &str = "admin";

/// Users that exist in every start: name and groups. The last three have no rights but those a test grants.
const USERS: [(&str, &str); 5] = [
    (ADMIN, "system:masters"),
    (CONTROLLER_USER, "system:serviceaccounts,system:serviceaccounts:everleaf"),
    ("alice", ""),
    ("bob", ""),
    ("carol", ""),
];

/// Metadata only, and one entry a request (two for a watch): the counter must not be what is measured.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n\
                            rules:\n- level: Metadata\n";

/// What a start consists of beside etcd and kube-apiserver.
#[derive(Debug, Clone, Copy, Default)]
pub struct KubeOptions {
    /// Apply `deploy/crds/*.yaml` and wait until they are served.
    pub crds: bool,
    /// Grant [`CONTROLLER_USER`] the rights of an install for the whole cluster.
    pub rights: bool,
    /// Start kube-controller-manager as well.
    pub controller_manager: bool,
}

/// A running Kubernetes API.
#[derive(Debug)]
pub struct Kube {
    // Dropped in this order: the folder goes last.
    controller_manager: Option<Server>,
    apiserver: Server,
    etcd: Etcd,
    url: String,
    ca: String,
    tokens: Vec<(&'static str, String)>,
    audit: ApiLog,
    folder: Folder,
}

/// The one API of this test binary, with the CRDs and the controller's rights, started by whoever asks first.
pub async fn shared_kube() -> Result<&'static Kube> {
    static SHARED: OnceCell<Kube> = OnceCell::const_new();
    let options = KubeOptions { crds: true, rights: true, controller_manager: false };
    SHARED.get_or_try_init(|| Kube::start_with(options)).await
}

impl Kube {
    /// Starts etcd and kube-apiserver and waits until it is ready (two to three seconds on an idle machine).
    pub async fn start() -> Result<Self> {
        Self::start_with(KubeOptions::default()).await
    }

    /// The same with kube-controller-manager.
    pub async fn with_controller_manager() -> Result<Self> {
        Self::start_with(KubeOptions { controller_manager: true, ..KubeOptions::default() }).await
    }

    /// Starts what `options` say.
    pub async fn start_with(options: KubeOptions) -> Result<Self> {
        let mut kube = Self::start_bare().await?;
        if options.crds {
            kube.apply_crds().await?;
        }
        if options.rights {
            kube.grant_cluster_rights().await?;
        }
        if options.controller_manager {
            kube.controller_manager = Some(controller_manager::start(&kube, &kube.folder).await?);
        }
        Ok(kube)
    }

    async fn start_bare() -> Result<Self> {
        let folder = Folder::make("kube")?;
        write_service_account_key(&folder)?;
        let tokens = write_tokens(&folder)?;
        folder.write("audit-policy.yaml", AUDIT_POLICY)?;
        let audit = ApiLog::at(&folder.write("audit.log", "")?);
        let etcd = etcd::start(&folder)?;
        let port = free_port()?;
        let arguments = arguments(&folder, &etcd.url, port);
        let program = Program::KubeApiserver.locate()?;
        let apiserver = Server::start("kube-apiserver", &program, &arguments, &[], folder.path())?;
        let url = format!("https://127.0.0.1:{port}");
        let mut kube =
            Self { controller_manager: None, apiserver, etcd, url, ca: String::new(), tokens, audit, folder };
        kube.await_ready().await?;
        kube.write_kubeconfig(ADMIN)?;
        Ok(kube)
    }

    async fn await_ready(&mut self) -> Result<()> {
        let ready_url = format!("{}/readyz", self.url);
        let bearer = format!("Bearer {}", self.token(ADMIN)?);
        let ca_file = self.ca_file();
        let outcome = self.apiserver.until_ready(|| async {
            let http = Http::trusting(&std::fs::read_to_string(&ca_file)?)?;
            http.send(Method::GET, &ready_url, &[("authorization", &bearer)], None).await?.accepted()
        });
        let outcome = outcome.await;
        outcome.with_context(|| format!("no Kubernetes API; {}", self.etcd.server.last_words()))?;
        self.ca = std::fs::read_to_string(&ca_file)?;
        Ok(())
    }

    /// Base address, `https://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificates that the API server's own chains to, PEM.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The file with them.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.file("certs/apiserver.crt")
    }

    /// The private key that ServiceAccount tokens are signed with.
    pub(crate) fn service_account_key(&self) -> PathBuf {
        self.folder.file("sa.key")
    }

    /// The folder with logs, kubeconfigs and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The kube-apiserver process.
    pub fn apiserver(&self) -> &Server {
        &self.apiserver
    }

    /// The etcd process.
    pub fn etcd(&self) -> &Server {
        &self.etcd.server
    }

    /// What the API server was asked.
    pub fn audit(&self) -> &ApiLog {
        &self.audit
    }

    /// The token of a user: `admin` (all rights), [`CONTROLLER_USER`], or `alice`, `bob`, `carol` (none).
    pub fn token(&self, user: &str) -> Result<&str> {
        let found = self.tokens.iter().find(|(name, _)| *name == user);
        found.map(|(_, token)| token.as_str()).with_context(|| format!("no user {user}"))
    }

    /// A client with all rights. Each test takes one of its own, as a client lives and dies with its runtime.
    pub fn client(&self) -> Result<Client> {
        self.client_as(ADMIN)
    }

    /// A client that speaks as `user`.
    pub fn client_as(&self, user: &str) -> Result<Client> {
        self.client_with_token(self.token(user)?)
    }

    /// A client that speaks with any bearer token.
    pub fn client_with_token(&self, token: &str) -> Result<Client> {
        let mut config = Config::new(self.url.parse()?);
        let roots =
            CertificateDer::pem_slice_iter(self.ca.as_bytes()).map(|found| found.map(|der| der.to_vec()));
        config.root_cert = Some(roots.collect::<Result<_, _>>()?);
        config.auth_info.token = Some(token.to_owned().into());
        Ok(Client::try_from(config)?)
    }

    /// The kubeconfig with all rights.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.file("admin.kubeconfig")
    }

    /// Writes a kubeconfig for `user` and returns its path.
    pub fn kubeconfig_as(&self, user: &str) -> Result<PathBuf> {
        self.write_kubeconfig(user)
    }

    fn write_kubeconfig(&self, user: &str) -> Result<PathBuf> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "everleaf",
            "clusters": [{"name": "everleaf", "cluster": {"server": self.url, "certificate-authority": self.ca_file()}}],
            "users": [{"name": user, "user": {"token": self.token(user)?}}],
            "contexts": [{"name": "everleaf", "context": {"cluster": "everleaf", "user": user}}],
        });
        let name = format!("{}.kubeconfig", user.replace(':', "-"));
        self.folder.write(&name, &serde_json::to_string_pretty(&config)?)
    }

    /// Makes a namespace with a name of its own.
    pub async fn namespace(&self) -> Result<String> {
        let name = format!("t-{}", random_name()?.get(..12).unwrap_or_default());
        self.make_namespace(&name).await?;
        Ok(name)
    }

    /// Makes a namespace.
    pub async fn make_namespace(&self, name: &str) -> Result<()> {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        Api::all(self.client()?).create(&PostParams::default(), &namespace).await?;
        Ok(())
    }

    /// Makes a ServiceAccount if it isn't there.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client()?, namespace);
        if accounts.get_opt(name).await?.is_none() {
            let account = serde_json::from_value(json!({"metadata": {"name": name}}))?;
            accounts.create(&PostParams::default(), &account).await?;
        }
        Ok(())
    }

    /// A token of a ServiceAccount, valid for an hour, for `audiences` (none: the API server's own).
    pub async fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[&str],
    ) -> Result<String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client()?, namespace);
        let audiences = audiences.iter().map(|&audience| audience.to_owned()).collect();
        let spec = TokenRequestSpec { audiences, ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let made = accounts.create_token_request(name, &PostParams::default(), &request).await?;
        Ok(made.status.context("the token request has no status")?.token)
    }

    /// Applies `deploy/crds/*.yaml` and waits until they are served.
    pub async fn apply_crds(&self) -> Result<()> {
        let folder = project_folder().join("deploy").join("crds");
        let entries = std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        files.retain(|path| path.file_name().is_some_and(|name| name != "kustomization.yaml"));
        files.sort();
        let client = self.client()?;
        for file in files {
            apply_file(&client, &file, "default").await?;
        }
        await_established(&client).await
    }

    /// Grants [`CONTROLLER_USER`] what an install for the whole cluster grants, and nothing else (`deploy/rbac.yaml`).
    pub async fn grant_cluster_rights(&self) -> Result<()> {
        self.grant("deploy/rbac.yaml").await
    }

    /// Grants [`CONTROLLER_USER`] what an install for the one namespace `everleaf` grants, and nothing else.
    pub async fn grant_namespaced_rights(&self) -> Result<()> {
        self.grant("deploy/namespaced/rbac.yaml").await
    }

    async fn grant(&self, rights: &str) -> Result<()> {
        for file in ["deploy/controller/namespace.yaml", "deploy/controller/serviceaccount.yaml", rights] {
            self.apply_project_file(file, "everleaf").await?;
        }
        Ok(())
    }

    /// Applies a YAML file of the project, e.g. `deploy/rbac.yaml`.
    pub async fn apply_project_file(&self, path: &str, namespace: &str) -> Result<()> {
        apply_file(&self.client()?, &project_folder().join(path), namespace).await
    }

    /// Runs kubectl with all rights and returns what it printed; an error carries its words.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::new(Program::Kubectl.locate()?);
        command.arg(format!("--kubeconfig={}", self.kubeconfig().display())).args(arguments);
        command.env("HOME", self.folder()).stdin(std::process::Stdio::null()).kill_on_drop(true);
        let output = command.output().await?;
        if !output.status.success() {
            return Err(anyhow!(
                "kubectl {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn arguments(folder: &Folder, etcd: &str, port: u16) -> Vec<String> {
    let file = |name: &str| folder.file(name).display().to_string();
    vec![
        format!("--etcd-servers={etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certs")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // Loopback may not be an endpoint of the Service "kubernetes", and nobody needs it.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--audit-policy-file={}", file("audit-policy.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        "--audit-log-maxsize=0".to_owned(),
    ]
}

fn write_service_account_key(folder: &Folder) -> Result<()> {
    let unspecified = |_| anyhow!("no key for ServiceAccount tokens");
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(unspecified)?;
    let private = pair.to_pkcs8v1().map_err(unspecified)?;
    let public = pair.public_key().as_der().map_err(unspecified)?;
    let pem = |label, bytes| encode_string(label, LineEnding::LF, bytes).map_err(|error| anyhow!("{error}"));
    folder.write("sa.key", &pem("PRIVATE KEY", private.as_ref())?)?;
    folder.write("sa.pub", &pem("PUBLIC KEY", public.as_ref())?)?;
    Ok(())
}

fn write_tokens(folder: &Folder) -> Result<Vec<(&'static str, String)>> {
    let mut tokens = Vec::new();
    let mut lines = String::new();
    for (user, groups) in USERS {
        let token = random_name()?;
        lines += &format!("{token},{user},{user},\"{groups}\"\n");
        tokens.push((user, token));
    }
    folder.write("tokens.csv", &lines)?;
    Ok(tokens)
}
