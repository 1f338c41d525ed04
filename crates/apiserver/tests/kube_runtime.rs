//! kube-rs on top: typed clients, watchers of both kinds, and discovery find in the embedded API what they need.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "support/calls.rs"]
mod calls;

use std::pin::pin;
use std::time::Duration;

use everleaf_apiserver::Server;
use futures::TryStreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Secret, ServiceAccount};
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;

fn client() -> (Client, Server) {
    let server = Server::builder().seed(1).build().unwrap();
    (Client::new(server.clone(), "default"), server)
}

fn map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    }
}

#[tokio::test(start_paused = true)]
async fn typed_clients_write_and_read() {
    let (client, _server) = client();
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let made = maps.create(&PostParams::default(), &map("a")).await.unwrap();
    assert!(made.uid().is_some());
    let mut again = maps.get("a").await.unwrap();
    again.data = Some([("k".to_owned(), "v".to_owned())].into());
    let changed = maps.replace("a", &PostParams::default(), &again).await.unwrap();
    assert_ne!(changed.resource_version(), made.resource_version());
    again.data = None;
    let refused = maps.replace("a", &PostParams::default(), &again).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 409));
    let params = PatchParams::apply("me").force();
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"l": "m"}, "name": "a"}});
    let applied = maps.patch("a", &params, &Patch::Apply(config)).await.unwrap();
    assert_eq!(applied.labels().get("l").map(String::as_str), Some("m"));
    assert_eq!(maps.list(&ListParams::default().labels("l=m")).await.unwrap().items.len(), 1);
    assert_eq!(maps.list_metadata(&ListParams::default()).await.unwrap().items.len(), 1);
    assert!(maps.get_opt("none").await.unwrap().is_none());
    assert!(maps.delete("a", &DeleteParams::default()).await.unwrap().is_right());
}

#[tokio::test(start_paused = true)]
async fn all_built_in_kinds_decode_as_their_types() {
    let (client, server) = client();
    for (path, body) in [
        ("/api/v1/namespaces/default/secrets", json!({"metadata": {"name": "a"}, "stringData": {"x": "y"}})),
        ("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "a"}})),
        (
            "/apis/coordination.k8s.io/v1/namespaces/default/leases",
            json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "x"}}),
        ),
    ] {
        assert_eq!(calls::ask(&server, "POST", path, body).await.0, 201, "{path}");
    }
    let everything = ListParams::default();
    assert_eq!(Api::<Secret>::all(client.clone()).list(&everything).await.unwrap().items.len(), 1);
    assert_eq!(Api::<ServiceAccount>::all(client.clone()).list(&everything).await.unwrap().items.len(), 1);
    assert_eq!(Api::<Lease>::all(client.clone()).list(&everything).await.unwrap().items.len(), 1);
    assert_eq!(Api::<Namespace>::all(client.clone()).list(&everything).await.unwrap().items.len(), 4);
    let recorder = Recorder::new(client.clone(), Reporter::from("tester"));
    let secret = Api::<Secret>::default_namespaced(client.clone()).get("a").await.unwrap();
    let event = kube::runtime::events::Event {
        type_: kube::runtime::events::EventType::Normal,
        reason: "Happened".to_owned(),
        note: Some("it happened".to_owned()),
        action: "Act".to_owned(),
        secondary: None,
    };
    recorder.publish(&event, &secret.object_ref(&())).await.unwrap();
    let events = Api::<Event>::all(client).list(&everything).await.unwrap();
    assert_eq!(events.items[0].message.as_deref(), Some("it happened"));
}

async fn names_of(config: watcher::Config) {
    let (client, _server) = client();
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    for number in 0..30 {
        maps.create(&PostParams::default(), &map(&format!("m{number:02}"))).await.unwrap();
    }
    let mut seen = pin!(watcher(maps.clone(), config).applied_objects());
    for number in 0..30 {
        assert_eq!(seen.try_next().await.unwrap().unwrap().name_any(), format!("m{number:02}"));
    }
    // It goes on for days of virtual time, over ends of watches, and misses nothing.
    for day in 0..3 {
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        maps.create(&PostParams::default(), &map(&format!("x{day}"))).await.unwrap();
        assert_eq!(seen.try_next().await.unwrap().unwrap().name_any(), format!("x{day}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_lists_first_goes_on_for_days() {
    names_of(watcher::Config::default().page_size(7)).await;
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_streams_the_state_goes_on_for_days() {
    names_of(watcher::Config::default().streaming_lists()).await;
}

#[tokio::test(start_paused = true)]
async fn a_watcher_recovers_when_its_version_is_forgotten() {
    let (client, server) = client();
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    maps.create(&PostParams::default(), &map("a")).await.unwrap();
    let mut seen = pin!(watcher(maps.clone(), watcher::Config::default()).applied_objects());
    assert_eq!(seen.try_next().await.unwrap().unwrap().name_any(), "a");
    // The watcher isn't polled while the history runs over.
    let fill = "x".repeat(100_000);
    for number in 0..200 {
        let body = json!({"data": {"fill": fill, "n": number.to_string()}});
        calls::ask(&server, "PATCH", &format!("{}/a", calls::MAPS), body).await;
    }
    let mut last = String::new();
    while last != "199" {
        if let Ok(Some(map)) = seen.try_next().await {
            last = map.data.unwrap()["n"].clone();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn discovery_finds_the_kinds() {
    let (client, _server) = client();
    let found = kube::Discovery::new(client.clone()).run().await.unwrap();
    assert!(found.has_group("coordination.k8s.io"));
    let (secret, _) = found.resolve_gvk(&kube::core::GroupVersionKind::gvk("", "v1", "Secret")).unwrap();
    assert_eq!((secret.plural.as_str(), secret.api_version.as_str()), ("secrets", "v1"));
    let found = kube::Discovery::new(client.clone()).run_aggregated().await.unwrap();
    assert!(found.has_group("events.k8s.io"));
    assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
    assert_eq!(Secret::kind(&()), "Secret");
}
