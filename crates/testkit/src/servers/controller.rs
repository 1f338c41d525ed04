//! Starts the built `everleaf controller` against a [`Kube`], as its own user, with free ports.
//! It is the program as users run it: nothing of it is linked in here.
//! It never builds the program; whoever starts tests does (`cargo xtask test`).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::Method;

use super::folder::Folder;
use super::http::Http;
use super::ports::free_row;
use super::process::{Server, Signal};
use super::{CONTROLLER_USER, Kube};

/// Names the program to start, where it isn't the one beside the running test.
pub const PROGRAM_VARIABLE: &str = "EVERLEAF_PROGRAM";

const STOPPED_WITHIN: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// What a controller is started with.
#[derive(Debug, Clone, Default)]
pub struct ControllerOptions {
    /// The program; none takes the one that `EVERLEAF_PROGRAM` names or that was built beside the running program.
    pub program: Option<PathBuf>,
    /// The user it speaks as; none takes [`CONTROLLER_USER`], to which `deploy/` binds its rights.
    pub user: Option<&'static str>,
    /// More flags.
    pub flags: Vec<String>,
}

/// A running controller.
#[derive(Debug)]
pub struct Controller {
    // Dropped in this order: the folder goes last.
    server: Server,
    metrics: String,
    health: String,
    http: Http,
    folder: Folder,
}

impl Controller {
    /// Starts it and waits until it says that it is ready.
    pub async fn start(kube: &Kube, options: &ControllerOptions) -> Result<Self> {
        let folder = Folder::make("controller")?;
        let port = free_row(2)?;
        let kubeconfig = kube.kubeconfig_as(options.user.unwrap_or(CONTROLLER_USER))?;
        let mut arguments = vec![
            "controller".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--metrics-listen-address=127.0.0.1:{port}"),
            format!("--internal-healthz-listen-address=127.0.0.1:{}", port + 1),
        ];
        arguments.extend(options.flags.iter().cloned());
        let program = options.program.clone().map_or_else(built_program, Ok)?;
        let mut server = Server::start("everleaf", &program, &arguments, &[], folder.path())?;
        let http = Http::plain()?;
        let health = format!("http://127.0.0.1:{}", port + 1);
        let ready = format!("{health}/readyz");
        server.until_ready(|| async { http.send(Method::GET, &ready, &[], None).await?.accepted() }).await?;
        Ok(Self { server, metrics: format!("http://127.0.0.1:{port}/metrics"), health, http, folder })
    }

    /// The process.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Its log so far.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(self.server.log())?).into_owned())
    }

    /// The folder with its log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its metrics, as Prometheus reads them.
    pub async fn metrics(&self) -> Result<String> {
        let answer = self.http.send(Method::GET, &self.metrics, &[], None).await?;
        answer.accepted()?;
        Ok(answer.text())
    }

    /// The status of a health path: `/livez`, `/readyz`, `/healthz`.
    pub async fn health(&self, path: &str) -> Result<u16> {
        let answer = self.http.send(Method::GET, &format!("{}{path}", self.health), &[], None).await?;
        Ok(answer.status.as_u16())
    }

    /// Asks it to stop, as Kubernetes does, and waits until it is gone.
    pub async fn stop(&mut self) -> Result<()> {
        self.server.signal(Signal::Terminate)?;
        let give_up = Instant::now() + STOPPED_WITHIN;
        while self.server.runs() {
            ensure!(Instant::now() < give_up, "it did not stop within {STOPPED_WITHIN:?}");
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(())
    }
}

/// `target/<profile>/everleaf`, seen from a test (`target/<profile>/deps/...`) or a program of the workspace.
fn built_program() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(PROGRAM_VARIABLE) {
        return Ok(PathBuf::from(named));
    }
    let running = std::env::current_exe()?;
    let found =
        running.ancestors().skip(1).take(2).map(|folder| folder.join("everleaf")).find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "no program everleaf beside {}: build it, or name it in {PROGRAM_VARIABLE}",
            running.display()
        )
    })
}
