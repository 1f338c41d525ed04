//! A store that fails or waits: what was not stored is never seen, what waits together is committed together.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "support/calls.rs"]
mod calls;

use std::sync::{Arc, Condvar, Mutex};

use calls::{MAPS, Watch, ask, told};
use everleaf_apiserver::Server;
use everleaf_apiserver::store::{Latency, Loaded, RowChange, Store, StoreError};
use serde_json::{Value, json};

/// A store whose commits can be held back and made to fail.
#[derive(Clone, Default)]
struct Moody(Arc<(Mutex<Mood>, Condvar)>);

#[derive(Default)]
struct Mood {
    held: bool,
    fails: bool,
    /// How many changes each commit had.
    commits: Vec<usize>,
}

impl Moody {
    fn set(&self, change: impl FnOnce(&mut Mood)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn commits(&self) -> Vec<usize> {
        self.0.0.lock().unwrap().commits.clone()
    }
}

impl Store for Moody {
    fn load(&self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    fn commit(&self, changes: &[RowChange]) -> Result<(), StoreError> {
        let mut mood = self.0.1.wait_while(self.0.0.lock().unwrap(), |mood| mood.held).unwrap();
        mood.commits.push(changes.len());
        if mood.fails { Err(StoreError("No space left on device".to_owned())) } else { Ok(()) }
    }

    fn latency(&self) -> Latency {
        Latency::Disk
    }
}

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

/// Waits until a creation was accepted: from then on a second one is refused, though nothing lasts yet.
async fn accepted(server: &Server, name: &str) {
    let path = format!("{MAPS}?dryRun=All");
    while ask(server, "POST", &path, map(name)).await.0 != 409 {
        tokio::task::yield_now().await;
    }
}

async fn names(server: &Server) -> Vec<String> {
    let (_, list) = ask(server, "GET", MAPS, Value::Null).await;
    let name = |item: &Value| item["metadata"]["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_only_when_it_lasts() {
    let store = Moody::default();
    let server = Server::builder().store(store.clone()).build().unwrap();
    store.set(|mood| mood.held = true);
    let waiting = tokio::spawn({
        let server = server.clone();
        async move { ask(&server, "POST", MAPS, map("a")).await }
    });
    // The second change is decided on the first one, which doesn't last yet.
    accepted(&server, "a").await;
    assert!(names(&server).await.is_empty());
    assert!(!waiting.is_finished());
    store.set(|mood| mood.held = false);
    assert_eq!(waiting.await.unwrap().0, 201);
    assert_eq!(names(&server).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_wait_share_a_commit() {
    let store = Moody::default();
    let server = Server::builder().store(store.clone()).build().unwrap();
    let before = store.commits().len();
    store.set(|mood| mood.held = true);
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let server = server.clone();
            tokio::spawn(async move { ask(&server, "POST", MAPS, map(&format!("m{number}"))).await.0 })
        })
        .collect();
    for number in 0..100 {
        accepted(&server, &format!("m{number}")).await;
    }
    store.set(|mood| mood.held = false);
    for task in tasks {
        assert_eq!(task.await.unwrap(), 201);
    }
    let commits = store.commits().split_off(before);
    assert_eq!(commits.iter().sum::<usize>(), 100);
    assert!(commits.len() <= 3, "{commits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_told_and_changes_nothing() {
    let store = Moody::default();
    let server = Server::builder().store(store.clone()).build().unwrap();
    assert_eq!(ask(&server, "POST", MAPS, map("a")).await.0, 201);
    let mut watch = Watch::begin(&server, &format!("{MAPS}?watch=1")).await;
    assert_eq!(watch.next().await.unwrap().iter().map(told).collect::<Vec<_>>(), ["ADDED a"]);

    store.set(|mood| mood.fails = true);
    let label = json!({"metadata": {"labels": {"x": "y"}}});
    for (method, path, body) in [
        ("POST", MAPS.to_owned(), map("b")),
        ("PATCH", format!("{MAPS}/a"), label.clone()),
        ("DELETE", format!("{MAPS}/a"), Value::Null),
    ] {
        let (code, answer) = ask(&server, method, &path, body).await;
        assert_eq!(code, 500, "{method}");
        assert_eq!(answer["message"], "the change was not stored: No space left on device");
        assert_eq!(answer["reason"], "InternalError");
    }
    assert_eq!(names(&server).await, ["a"]);
    assert_eq!(
        ask(&server, "GET", &format!("{MAPS}/a"), Value::Null).await.1["metadata"]["labels"],
        Value::Null
    );

    store.set(|mood| mood.fails = false);
    assert_eq!(ask(&server, "POST", MAPS, map("b")).await.0, 201);
    assert_eq!(ask(&server, "PATCH", &format!("{MAPS}/a"), label).await.0, 200);
    // The watch never saw what was not stored.
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(watch.next().await.unwrap().iter().map(told));
    }
    assert_eq!(seen, ["ADDED b", "MODIFIED a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_on_a_change_that_failed_fails_too() {
    let store = Moody::default();
    let server = Server::builder().store(store.clone()).build().unwrap();
    assert_eq!(ask(&server, "POST", MAPS, map("a")).await.0, 201);
    store.set(|mood| {
        mood.held = true;
        mood.fails = true;
    });
    let patches: Vec<_> = (0..20)
        .map(|number| {
            let server = server.clone();
            let body = json!({"data": {format!("k{number}"): "v"}});
            tokio::spawn(async move { ask(&server, "PATCH", &format!("{MAPS}/a"), body).await.0 })
        })
        .collect();
    tokio::task::yield_now().await;
    store.set(|mood| mood.held = false);
    for patch in patches {
        assert_eq!(patch.await.unwrap(), 500);
    }
    store.set(|mood| mood.fails = false);
    assert_eq!(ask(&server, "GET", &format!("{MAPS}/a"), Value::Null).await.1["data"], Value::Null);
    assert_eq!(ask(&server, "PATCH", &format!("{MAPS}/a"), json!({"data": {"x": "y"}})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_patches_all_count() {
    let store = Moody::default();
    let server = Server::builder().store(store).build().unwrap();
    assert_eq!(ask(&server, "POST", MAPS, map("a")).await.0, 201);
    let patches: Vec<_> = (0..8)
        .map(|writer| {
            let server = server.clone();
            tokio::spawn(async move {
                for number in 0..10 {
                    let body = json!({"data": {format!("k{writer}-{number}"): "v"}});
                    assert_eq!(ask(&server, "PATCH", &format!("{MAPS}/a"), body).await.0, 200);
                }
            })
        })
        .collect();
    for patch in patches {
        patch.await.unwrap();
    }
    let (_, object) = ask(&server, "GET", &format!("{MAPS}/a"), Value::Null).await;
    assert_eq!(object["data"].as_object().unwrap().len(), 80);
}
