//! The server in virtual time: what waits, waits in tokio's time; the same seed gives the same bytes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "support/calls.rs"]
mod calls;

use std::sync::Arc;
use std::time::Duration;

use calls::{MAPS, Watch, ask, told};
use everleaf_apiserver::Server;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const EVENTS: &str = "/api/v1/namespaces/default/events";

fn server(seed: u64) -> Server {
    let (start, origin) = (Timestamp::from_second(1_790_000_000).unwrap(), Instant::now());
    let clock = move || start.checked_add(origin.elapsed()).unwrap_or(start);
    Server::builder().clock(Arc::new(clock)).seed(seed).build().unwrap()
}

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

fn event(name: &str) -> Value {
    json!({"metadata": {"name": name}, "involvedObject": {"kind": "Secret", "name": "s", "namespace": "default"},
        "reason": "R", "message": "m", "type": "Normal"})
}

async fn count(server: &Server, path: &str) -> usize {
    ask(server, "GET", path, Value::Null).await.1["items"].as_array().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn an_event_goes_an_hour_after_it_was_last_written() {
    let server = server(1);
    assert_eq!(ask(&server, "POST", EVENTS, event("a")).await.0, 201);
    assert_eq!(ask(&server, "POST", EVENTS, event("b")).await.0, 201);
    sleep(Duration::from_secs(40 * 60)).await;
    assert_eq!(ask(&server, "PATCH", &format!("{EVENTS}/b"), json!({"count": 2})).await.0, 200);
    sleep(Duration::from_secs(21 * 60)).await;
    let (_, list) = ask(&server, "GET", EVENTS, Value::Null).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["metadata"]["name"], "b");
    sleep(Duration::from_secs(60 * 60)).await;
    assert_eq!(count(&server, EVENTS).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_told_its_version_each_minute() {
    let server = server(1);
    let mut watch =
        Watch::begin(&server, &format!("{MAPS}?watch=1&allowWatchBookmarks=true&timeoutSeconds=600")).await;
    assert_eq!(told(&watch.next().await.unwrap()[0]), "BOOKMARK");
    let start = Instant::now();
    assert_eq!(ask(&server, "POST", "/api/v1/namespaces/default/secrets", map("other")).await.0, 201);
    let bookmark = watch.next().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 60);
    // The version moved by what happened elsewhere.
    let (_, secret) = ask(&server, "GET", "/api/v1/namespaces/default/secrets/other", Value::Null).await;
    assert_eq!(bookmark[0]["object"]["metadata"]["resourceVersion"], secret["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_its_time_is_over() {
    let server = server(1);
    let start = Instant::now();
    let mut watch = Watch::begin(&server, &format!("{MAPS}?watch=1&timeoutSeconds=90")).await;
    assert!(watch.next().await.is_none());
    assert_eq!(start.elapsed().as_secs(), 90);
    let start = Instant::now();
    let mut watch = Watch::begin(&server, &format!("{MAPS}?watch=1")).await;
    assert!(watch.next().await.is_none());
    assert!((1800..3600).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn watches_end_when_the_server_closes_them() {
    let server = server(1);
    let mut before = Watch::begin(&server, &format!("{MAPS}?watch=1")).await;
    server.close_watches();
    assert!(before.next().await.is_none());
    let mut after = Watch::begin(&server, &format!("{MAPS}?watch=1")).await;
    assert!(after.next().await.is_none());
    assert_eq!(ask(&server, "POST", MAPS, map("still")).await.0, 201);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fell_too_far_behind_is_told_so() {
    let server = server(1);
    let (_, first) = ask(&server, "POST", MAPS, map("a")).await;
    let version = first["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let fill = "x".repeat(100_000);
    for number in 0..80 {
        let body = json!({"data": {"fill": fill, "n": number.to_string()}});
        assert_eq!(ask(&server, "PATCH", &format!("{MAPS}/a"), body).await.0, 200);
    }
    let mut watch = Watch::begin(&server, &format!("{MAPS}?watch=1&resourceVersion={version}")).await;
    let lines = watch.next().await.unwrap();
    assert_eq!((lines.len(), &lines[0]["type"]), (1, &json!("ERROR")));
    assert_eq!(
        (&lines[0]["object"]["code"], &lines[0]["object"]["reason"]),
        (&json!(410), &json!("Expired"))
    );
    assert!(watch.next().await.is_none());
    // A list at that version is gone too, and so is a page of it.
    let exact = format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact");
    assert_eq!(ask(&server, "GET", &exact, Value::Null).await.0, 410);
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_moment_is_forgotten_is_gone() {
    let server = server(1);
    for name in ["a", "b"] {
        assert_eq!(ask(&server, "POST", MAPS, map(name)).await.0, 201);
    }
    let (_, page) = ask(&server, "GET", &format!("{MAPS}?limit=1"), Value::Null).await;
    let next = page["metadata"]["continue"].as_str().unwrap().to_owned();
    let fill = "x".repeat(100_000);
    for number in 0..80 {
        let body = json!({"data": {"fill": fill, "n": number.to_string()}});
        assert_eq!(ask(&server, "PATCH", &format!("{MAPS}/a"), body).await.0, 200);
    }
    let (code, status) = ask(&server, "GET", &format!("{MAPS}?limit=1&continue={next}"), Value::Null).await;
    assert_eq!((code, &status["reason"]), (410, &json!("Expired")));
}

#[tokio::test(start_paused = true)]
async fn a_slow_watch_misses_nothing_that_is_remembered() {
    let server = server(1);
    let mut watch = Watch::begin(&server, &format!("{MAPS}?watch=1")).await;
    for number in 0..1000 {
        assert_eq!(ask(&server, "POST", MAPS, map(&format!("m{number:04}"))).await.0, 201);
    }
    let mut seen = Vec::new();
    while seen.len() < 1000 {
        seen.extend(watch.next().await.unwrap().iter().map(told));
    }
    let wanted: Vec<String> = (0..1000).map(|number| format!("ADDED m{number:04}")).collect();
    assert_eq!(seen, wanted);
}

/// Names, owners, deletions, events: everything that draws chance or waits.
async fn story(seed: u64) -> String {
    let server = server(seed);
    let mut told = String::new();
    for number in 0..30 {
        let (_, owner) = ask(&server, "POST", MAPS, json!({"metadata": {"generateName": "o-"}})).await;
        let name = owner["metadata"]["name"].as_str().unwrap().to_owned();
        let reference =
            json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"]}]);
        ask(&server, "POST", MAPS, json!({"metadata": {"generateName": "d-", "ownerReferences": reference}}))
            .await;
        ask(&server, "POST", EVENTS, event(&format!("e{number}"))).await;
        if number % 3 == 0 {
            ask(&server, "DELETE", &format!("{MAPS}/{name}"), Value::Null).await;
        }
        sleep(Duration::from_secs(200)).await;
    }
    for path in [MAPS, EVENTS, "/api/v1/namespaces"] {
        told.push_str(&ask(&server, "GET", path, Value::Null).await.1.to_string());
    }
    told
}

#[test]
fn the_same_seed_tells_the_same_story_byte_by_byte() {
    let run = |seed| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(story(seed))
    };
    let once = run(7);
    assert!(once.len() > 10_000);
    assert_eq!(once, run(7));
    assert_ne!(once, run(8));
}
