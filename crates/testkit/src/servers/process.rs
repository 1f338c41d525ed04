//! One server process: started with a clean environment, its output in a log file, ended with its owner.
//! It knows nothing of protocols; readiness is a question that the caller asks.
//! It signals only the process that it started, and never waits without a bound.

use std::fs::File;
use std::future::Future;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::folder::leash;

/// How long a server may take until it is ready; a cold cache on a busy machine needs tens of seconds.
const READY_WITHIN: Duration = Duration::from_secs(120);
const POLL_EVERY: Duration = Duration::from_millis(20);
const LOG_LINES_SHOWN: usize = 40;

/// Ends the server once standard input ends.
const KILL_ON_EOF: &str = r#"read -r _; kill -KILL "$1""#;

/// A running server process.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    leash: Child,
    log: PathBuf,
}

/// What can be sent to a server beside killing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Freeze it: it keeps its sockets and answers nothing.
    Stop,
    /// Let a frozen one go on.
    Continue,
    /// Ask it to end.
    Terminate,
    /// Ask it to end as Ctrl-C does.
    Interrupt,
}

impl Server {
    /// Starts `program` with `arguments`; output goes to `<name>.log` in `folder`, which is its home as well.
    ///
    /// It has a process group of its own, so Ctrl-C in a terminal reaches its owner first.
    pub fn start(
        name: &str,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("HOME", folder).env("TMPDIR", folder);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(environment.iter().map(|(key, value)| (*key, value.as_str())));
        command.current_dir(folder).process_group(0);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        match leash(KILL_ON_EOF, &child.id().to_string()) {
            Ok(leash) => Ok(Self { name: name.to_owned(), child, leash, log }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file with everything it printed.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The end of its log, for error messages.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_else(|error| format!("(no log: {error})"));
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default();
        format!("--- last lines of {} ---\n{}", self.log.display(), shown.join("\n"))
    }

    /// Asks `ready` again and again until it says yes; fails when the process ends or time is up.
    pub async fn until_ready<Asked>(&mut self, mut ready: impl FnMut() -> Asked) -> Result<()>
    where
        Asked: Future<Output = Result<()>>,
    {
        let give_up = Instant::now() + READY_WITHIN;
        loop {
            let Err(not_yet) = ready().await else { return Ok(()) };
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it was ready\n{}", self.name, self.last_words());
            }
            if Instant::now() > give_up {
                bail!(
                    "{} is not ready after {READY_WITHIN:?}: {not_yet:#}\n{}",
                    self.name,
                    self.last_words()
                );
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let name = match signal {
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
            Signal::Terminate => "TERM",
            Signal::Interrupt => "INT",
        };
        let pid = self.pid().to_string();
        let status = Command::new("sh").args(["-c", r#"kill -"$1" "$2""#, "kill", name, &pid]).status()?;
        ensure!(status.success(), "could not send {name} to {}", self.name);
        Ok(())
    }

    /// Kills it at once and collects it. A kube-apiserver without its etcd ignores the polite way.
    pub fn kill(&mut self) {
        let _ = self.leash.kill();
        let _ = self.leash.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            show(&self.last_words());
        }
    }
}

#[allow(clippy::print_stderr, reason = "the log of a server belongs to the report of the test that failed")]
fn show(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sleeper(folder: &Path) -> Server {
        Server::start(
            "sleeper",
            Path::new("/bin/sh"),
            &["-c".into(), "echo up; sleep 1000".into()],
            &[],
            folder,
        )
        .unwrap()
    }

    #[test]
    fn a_dropped_server_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = sleeper(folder.path());
        assert!(server.runs());
        let process = format!("/proc/{}", server.pid());
        assert!(Path::new(&process).exists());
        drop(server);
        assert!(!Path::new(&process).exists());
    }

    #[tokio::test]
    async fn a_server_that_ends_early_shows_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["-c".to_owned(), "echo no such flag".to_owned()];
        let mut server =
            Server::start("loser", Path::new("/bin/sh"), &arguments, &[], folder.path()).unwrap();
        let error = server.until_ready(|| async { bail!("not yet") }).await.unwrap_err();
        assert!(error.to_string().contains("no such flag"), "{error}");
    }
}
