//! What follows a change: a command, a signal, a reload. Each has a time limit, a clean environment and an outcome in words.
//! What a command prints is read with a bound, and its last line told; a command that takes too long ends with all its children.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use everleaf_core::words::cut;
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::due::Key;
use crate::fault::Fault;
use crate::pid;
use crate::target::{After, Target};

/// Where programs are looked for when our own environment doesn't say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How much of what a command printed is kept.
const KEPT_OUTPUT: usize = 2048;
/// How much of it is told.
const TOLD_OUTPUT: usize = 200;
/// How long a pipe is read on after the command has ended: a daemon that it started may hold it open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a change was.
pub(crate) struct Changed<'a> {
    pub(crate) key: &'a Key,
    pub(crate) generation: &'a str,
}

/// Does what is to follow a change.
pub(crate) async fn follow(target: &Target, changed: &Changed<'_>) -> Result<(), Fault> {
    match &target.after {
        After::Nothing => Ok(()),
        After::Signal { pid_file, signal } => pid::tell(pid_file, *signal),
        After::Command(argv) => run(argv, target, changed).await,
        After::Reload(unit) => {
            let argv = ["systemctl", "try-reload-or-restart", unit].map(str::to_owned);
            run(&argv, target, changed).await
        }
    }
}

async fn run(argv: &[String], target: &Target, changed: &Changed<'_>) -> Result<(), Fault> {
    let Some((program, arguments)) = argv.split_first() else { return Ok(()) };
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
    let mut command = Command::new(program);
    command
        .args(arguments)
        // Credentials in our own environment are not for others.
        .env_clear()
        .env("PATH", path)
        .env("EVERLEAF_NAMESPACE", &changed.key.namespace)
        .env("EVERLEAF_CERTIFICATE", &changed.key.name)
        .env("EVERLEAF_TARGET", target.shown())
        .env("EVERLEAF_GENERATION", changed.generation)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child =
        command.spawn().map_err(|error| Fault::After(format!("command {program} can't be run: {error}")))?;
    let (said, mut readers) = listen(&mut child);
    let ended = wait(&mut child, target.timeout).await;
    let _ = tokio::time::timeout(LAST_WORDS, async { while readers.join_next().await.is_some() {} }).await;
    match ended {
        Ended::With(status) if status.success() => Ok(()),
        Ended::With(status) => {
            Err(Fault::After(format!("command {program} failed ({status}){}", last_line(&said))))
        }
        Ended::TooLate => {
            let limit = target.timeout.as_secs_f64();
            Err(Fault::After(format!("command {program} was ended after {limit} s{}", last_line(&said))))
        }
        Ended::Lost(error) => Err(Fault::After(format!("command {program} can't be waited for: {error}"))),
    }
}

enum Ended {
    With(ExitStatus),
    TooLate,
    Lost(std::io::Error),
}

async fn wait(child: &mut Child, limit: Duration) -> Ended {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    match tokio::time::timeout(limit, child.wait()).await {
        Ok(Ok(status)) => Ended::With(status),
        Ok(Err(error)) => Ended::Lost(error),
        Err(_) => {
            if let Some(group) = group {
                // Its children too. They may have ended by themselves just now.
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait().await;
            Ended::TooLate
        }
    }
}

type Said = Arc<Mutex<Vec<u8>>>;

fn listen(child: &mut Child) -> (Said, JoinSet<()>) {
    let said = Said::default();
    let mut readers = JoinSet::new();
    if let Some(output) = child.stdout.take() {
        readers.spawn(keep_the_end(output, said.clone()));
    }
    if let Some(output) = child.stderr.take() {
        readers.spawn(keep_the_end(output, said.clone()));
    }
    (said, readers)
}

async fn keep_the_end(mut output: impl AsyncRead + Unpin, said: Said) {
    let mut chunk = [0; 1024];
    while let Ok(read) = output.read(&mut chunk).await {
        if read == 0 {
            return;
        }
        let mut kept = said.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let surplus = kept.len().saturating_sub(KEPT_OUTPUT);
        kept.drain(..surplus);
    }
}

/// The last line that holds something, for a message.
fn last_line(said: &Said) -> String {
    let kept = said.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&kept);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    if line.is_empty() { String::new() } else { format!(": {}", cut(line, TOLD_OUTPUT)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::target::parse;

    async fn run_shell(script: &str, timeout: &str) -> Result<(), String> {
        let text = format!("- key: /k\n  timeout: {timeout}\n  command: [/bin/sh, -c, {script:?}]\n");
        let targets = parse(&text).unwrap();
        let key = Key { namespace: "default".into(), name: "web".into() };
        let changed = Changed { key: &key, generation: "abc" };
        follow(targets.first().unwrap(), &changed).await.map_err(|fault| fault.to_string())
    }

    #[tokio::test]
    async fn a_command_tells_its_outcome_and_its_last_line() {
        assert_eq!(run_shell("exit 0", "30s").await, Ok(()));
        let told = run_shell("echo first; echo 'the config is bad' >&2; exit 3", "30s").await.unwrap_err();
        assert_eq!(told, "command /bin/sh failed (exit status: 3): the config is bad");
        let told = run_shell("kill -9 $$", "30s").await.unwrap_err();
        assert!(told.contains("signal: 9"), "{told}");
    }

    #[tokio::test]
    async fn a_command_sees_a_clean_environment_and_what_changed() {
        let script = "test \"$EVERLEAF_NAMESPACE/$EVERLEAF_CERTIFICATE/$EVERLEAF_TARGET/$EVERLEAF_GENERATION\" = default/web//k/abc \
            && test -z \"$HOME$CARGO_MANIFEST_DIR\" && test \"$(pwd)\" = /";
        assert_eq!(run_shell(script, "30s").await, Ok(()));
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_ends_with_its_children() {
        let temporary = tempfile::tempdir().unwrap();
        let note = temporary.path().join("child");
        let script = format!("sleep 600 & echo $! > {}; wait", note.display());
        let told = run_shell(&script, "300ms").await.unwrap_err();
        assert!(told.contains("was ended after 0.3 s"), "{told}");
        let child = std::fs::read_to_string(&note).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        // Nobody may have fetched its end yet: then it is a zombie.
        assert!(state.is_empty() || state.contains(") Z "), "{state}");
    }

    #[tokio::test]
    async fn a_daemon_that_keeps_the_pipe_open_holds_nobody_up() {
        let temporary = tempfile::tempdir().unwrap();
        let note = temporary.path().join("daemon");
        let script = format!("setsid sleep 600 & echo $! > {}; exit 0", note.display());
        assert_eq!(run_shell(&script, "30s").await, Ok(()));
        let daemon: i32 = std::fs::read_to_string(&note).unwrap().trim().parse().unwrap();
        rustix::process::kill_process(Pid::from_raw(daemon).unwrap(), Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn endless_output_is_read_with_a_bound() {
        let told = run_shell("head -c 3000000 /dev/zero; echo; echo end; exit 1", "30s").await.unwrap_err();
        assert!(told.ends_with(": end"), "{told}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let targets = parse("- {key: /k, command: [/no/such/program]}").unwrap();
        let key = Key { namespace: "a".into(), name: "b".into() };
        let told =
            follow(targets.first().unwrap(), &Changed { key: &key, generation: "" }).await.unwrap_err();
        assert!(told.to_string().contains("/no/such/program can't be run: No such file"), "{told}");
        assert!(!Path::new("/no/such/program").exists());
    }
}
