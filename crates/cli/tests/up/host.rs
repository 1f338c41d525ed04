//! A host for tests: folders of its own, stand-ins for its programs, and one `everleaf up` on it.
//! It ends only what it started.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use everleaf_api::Certificate;
use everleaf_api::condition::{AnyCondition, find};
use everleaf_testkit::servers::{Server, Signal};
use kube::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// A busy machine needs its time; a sound run needs a second or two.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The condition that tells of files.
pub(crate) const DELIVERED: &str = "everleaf.dev/FilesDelivered";

/// A host.
pub(crate) struct Host {
    // Dropped in this order: the folder goes last, so that the log can be shown.
    server: Option<Server>,
    notified: Option<UnixDatagram>,
    environment: Vec<(&'static str, String)>,
    flags: Vec<String>,
    starts: usize,
    folder: tempfile::TempDir,
}

impl Host {
    /// A host without manifests.
    pub(crate) fn new() -> Host {
        let folder = tempfile::tempdir().unwrap();
        for name in ["manifests", "files", "bin", "logs"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Host { folder, server: None, notified: None, environment: Vec::new(), flags: Vec::new(), starts: 0 }
    }

    /// A path on it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Writes a file on it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes a manifest; `FILES` in it stands for the folder for files.
    pub(crate) fn manifest(&self, name: &str, text: &str) {
        let text = text.replace("FILES", &self.path("files").display().to_string());
        self.write(&format!("manifests/{name}"), &text);
    }

    /// A program that notes its arguments in `bin/NAME.told`, then does what `script` says.
    pub(crate) fn stand_in(&self, name: &str, script: &str) {
        let told = self.path(&format!("bin/{name}.told"));
        self.write(
            &format!("bin/{name}"),
            &format!("#!/bin/sh\necho \"$*\" >> {}\n{script}\n", told.display()),
        );
        std::fs::set_permissions(self.path(&format!("bin/{name}")), PermissionsExt::from_mode(0o755))
            .unwrap();
    }

    /// What a stand-in was told, a line for each time.
    pub(crate) fn told(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(&format!("bin/{name}.told"))).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Sets a variable for the next start.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
    }

    /// Gives a flag to all later starts.
    pub(crate) fn flag(&mut self, flag: String) {
        self.flags.push(flag);
    }

    /// Starts `everleaf up` over its manifests and waits until systemd would be told that it is up.
    pub(crate) async fn start(&mut self) {
        self.launch();
        self.await_up().await;
    }

    /// Starts it and waits for nothing.
    pub(crate) fn launch(&mut self) {
        self.starts += 1;
        let socket = self.path(&format!("notify-{}", self.starts));
        let notified = UnixDatagram::bind(&socket).unwrap();
        notified.set_nonblocking(true).unwrap();
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut environment = self.environment.clone();
        environment.extend([("NOTIFY_SOCKET", socket.display().to_string()), ("PATH", path)]);
        let (dir, manifests) = (self.path("data"), self.path("manifests"));
        let mut arguments =
            ["up", "--dir", dir.to_str().unwrap(), manifests.to_str().unwrap()].map(str::to_owned).to_vec();
        arguments.extend(self.flags.iter().cloned());
        let program = Path::new(env!("CARGO_BIN_EXE_everleaf"));
        let logs = self.path("logs");
        self.server = Some(Server::start("everleaf", program, &arguments, &environment, &logs).unwrap());
        self.notified = Some(notified);
    }

    /// Waits until systemd would be told that it is up.
    pub(crate) async fn await_up(&mut self) {
        let (server, notified) = (self.server.as_mut().unwrap(), self.notified.as_ref().unwrap());
        server.until_ready(|| async { received(notified, "READY=1") }).await.unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        let mut server = self.server.take().unwrap();
        server.signal(Signal::Terminate).unwrap();
        let since = Instant::now();
        while server.runs() {
            assert!(since.elapsed() < PATIENCE, "it doesn't end: {}", server.last_words());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends it with no chance to do anything.
    pub(crate) fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        let pid = i32::try_from(self.server.as_ref().unwrap().pid()).unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid).unwrap(),
            rustix::process::Signal::HUP,
        )
        .unwrap();
    }

    /// All that it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("logs/everleaf.log")).unwrap_or_default()
    }

    /// The kubeconfig that it wrote.
    pub(crate) fn kubeconfig(&self) -> Kubeconfig {
        Kubeconfig::read_from(self.path("data/kubeconfig")).unwrap()
    }

    /// A client with that kubeconfig.
    pub(crate) async fn client(&self) -> kube::Client {
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(self.kubeconfig(), &options).await.unwrap();
        kube::Client::try_from(config).unwrap()
    }

    /// A Certificate of the default namespace.
    pub(crate) async fn certificate(&self, name: &str) -> Option<Certificate> {
        let api: Api<Certificate> = Api::namespaced(self.client().await, "default");
        api.get_opt(name).await.unwrap()
    }

    /// Status, reason and message of a condition.
    pub(crate) async fn condition(&self, name: &str, kind: &str) -> Option<(String, String, String)> {
        let status = self.certificate(name).await?.status?;
        let found = find(&status.conditions, kind)?;
        let text = |text: &str| text.to_owned();
        Some((text(found.status().as_str()), text(found.reason()), text(found.message())))
    }

    /// Waits for a condition with this status and reason; returns its message.
    pub(crate) async fn await_condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> String {
        let mut last = None;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            last = self.condition(name, kind).await;
            if let Some((is, why, message)) = &last
                && is == status
                && (reason.is_empty() || why == reason)
            {
                return message.clone();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("{name}: {kind} is {last:?}, not {status} {reason}");
    }

    /// Waits until files of this Certificate are in place.
    pub(crate) async fn await_files(&self, name: &str) -> String {
        self.await_condition(name, DELIVERED, "True", "Delivered").await
    }
}

/// Whether this line has come by now.
fn received(socket: &UnixDatagram, line: &str) -> Result<()> {
    let mut buffer = [0; 1024];
    while let Ok(length) = socket.recv(&mut buffer) {
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        if text.lines().any(|found| found == line) {
            return Ok(());
        }
    }
    bail!("not told {line} yet")
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "still not so: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
