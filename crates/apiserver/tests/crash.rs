//! A process that is killed while it writes, and a disk that is full: what was acknowledged is there afterwards.
//! The writer is this same test program, started anew with a file named in its environment.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

#[path = "support/calls.rs"]
mod calls;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use calls::{MAPS, ask};
use everleaf_apiserver::Server;
use everleaf_apiserver::store::Redb;
use serde_json::{Value, json};

/// Names the file for the writer; without it the writer's test does nothing.
const FILE: &str = "EVERLEAF_TEST_STORE";
const WRITERS: usize = 8;
/// How often the writer is killed.
const KILLS: u64 = 50;

fn open(file: &Path) -> Server {
    Server::builder().store(Redb::open(file).unwrap()).build().unwrap()
}

/// Writes without end and prints what was acknowledged: `put NAME NUMBER` or `gone NAME`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_as_long_as_it_lives() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let server = open(Path::new(&file));
    let run = std::process::id();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let server = server.clone();
            tokio::spawn(async move {
                for round in 0.. {
                    write_round(&server, &format!("r{run}-{writer}-{round}")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        drop(writer.await);
    }
}

async fn write_round(server: &Server, name: &str) {
    let path = format!("{MAPS}/{name}");
    for number in 0..4 {
        let (method, path, body) = match number {
            0 => (
                "POST",
                MAPS,
                json!({"metadata": {"name": name}, "data": {"n": "0", "fill": "x".repeat(500)}}),
            ),
            number => ("PATCH", path.as_str(), json!({"data": {"n": number.to_string()}})),
        };
        acknowledge(ask(server, method, path, body).await, &format!("put {name} {number}")).await;
    }
    if name.ends_with('3') {
        acknowledge(ask(server, "DELETE", &path, Value::Null).await, &format!("gone {name}")).await;
    }
}

async fn acknowledge((code, answer): (u16, Value), line: &str) {
    let mut out = std::io::stdout().lock();
    if code < 300 {
        writeln!(out, "{line}").unwrap();
    } else {
        writeln!(out, "failed {code} {}", answer["message"]).unwrap();
    }
    out.flush().unwrap();
}

fn start_writer(file: &Path, shell: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    let script = format!("{shell} exec \"$0\" writes_as_long_as_it_lives --exact --nocapture");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(program).env(FILE, file).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// What the last acknowledged change of each object left: its number, or nothing.
type Acknowledged = BTreeMap<String, Option<u64>>;

fn note(acknowledged: &mut Acknowledged, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["put", name, number] => drop(acknowledged.insert((*name).to_owned(), number.parse().ok())),
        ["gone", name] => drop(acknowledged.insert((*name).to_owned(), None)),
        _ => {}
    }
}

async fn check(file: &Path, acknowledged: &Acknowledged) {
    let server = open(file);
    let (_, list) = ask(&server, "GET", MAPS, Value::Null).await;
    let found: BTreeMap<&str, u64> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let number = item["data"]["n"].as_str().unwrap().parse().unwrap();
            (item["metadata"]["name"].as_str().unwrap(), number)
        })
        .collect();
    for (name, number) in acknowledged {
        let there = found.get(name.as_str());
        match number {
            // One more change may have lasted without being acknowledged.
            Some(number) => {
                let lasted =
                    there.is_none_or(|there| there >= number) && (there.is_some() || name.ends_with('3'));
                assert!(lasted, "{name} was acknowledged at {number}, found at {there:?}");
            }
            None => assert_eq!(there, None, "{name} came back"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_fifty_times_under_load_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.redb");
    let mut acknowledged = Acknowledged::new();
    let seed = Instant::now().elapsed().subsec_nanos() as u64 ^ u64::from(std::process::id());
    println!("seed {seed}");
    for kill in 0..KILLS {
        let mut writer = start_writer(&file, "");
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // It dies somewhere in the middle of the next few hundred changes, or of its start.
        let after = (seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(kill.wrapping_mul(1_442_695_040_888_963_407))
            >> 33)
            % 250;
        for _ in 0..after {
            note(&mut acknowledged, &lines.next().unwrap().unwrap());
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| note(&mut acknowledged, &line));
        if kill % 10 == 9 {
            check(&file, &acknowledged).await;
        }
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_what_was_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.redb");
    // A file that may not grow over 4 MiB fails as a full disk does; the signal that would kill is ignored.
    let mut writer = start_writer(&file, "trap '' XFSZ; ulimit -f 8192;");
    let mut acknowledged = Acknowledged::new();
    let mut failure = String::new();
    let mut failures = 0;
    let start = Instant::now();
    for line in BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok) {
        note(&mut acknowledged, &line);
        if line.starts_with("failed 500") {
            failure = line;
            failures += 1;
        }
        // It goes on answering: a fault ends no connection.
        if failures >= 20 || start.elapsed() > Duration::from_secs(60) {
            break;
        }
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(failure.contains("the change was not stored"), "{failure}");
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    check(&file, &acknowledged).await;
    // With room again it goes on.
    let server = open(&file);
    assert_eq!(ask(&server, "POST", MAPS, json!({"metadata": {"name": "after"}})).await.0, 201);
}
