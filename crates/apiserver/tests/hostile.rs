//! Requests made up at random: every one gets an answer that makes sense, none makes the server panic, and what is kept
//! stays whole.

#![allow(clippy::print_stderr, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "support/calls.rs"]
mod calls;
#[path = "behaviours/objects.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, clippy::needless_pass_by_value)]
mod objects;

use calls::{ask, call};
use everleaf_apiserver::Server;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const COLLECTIONS: [&str; 9] = [
    "/apis/behaviours.everleaf.dev/v1/namespaces/default/widgets",
    "/api/v1/namespaces/default/secrets",
    "/api/v1/namespaces/default/configmaps",
    "/api/v1/namespaces/default/events",
    "/apis/events.k8s.io/v1/namespaces/default/events",
    "/apis/coordination.k8s.io/v1/namespaces/default/leases",
    "/api/v1/namespaces",
    "/api/v1/namespaces/default/serviceaccounts",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
];
const MEDIA: [&str; 7] = [
    "application/json",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/vnd.kubernetes.protobuf",
    "text/plain",
];

#[derive(Debug, Clone)]
struct Wild {
    method: &'static str,
    path: String,
    media: &'static str,
    body: Vec<u8>,
}

/// Keys that mean something somewhere, so that random objects reach deep.
fn keys() -> impl Strategy<Value = String> {
    let known = [
        "metadata",
        "name",
        "namespace",
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
        "managedFields",
        "uid",
        "resourceVersion",
        "deletionTimestamp",
        "generateName",
        "spec",
        "status",
        "data",
        "stringData",
        "type",
        "color",
        "size",
        "parts",
        "set",
        "list",
        "free",
        "tags",
        "id",
        "count",
        "involvedObject",
        "fieldsV1",
        "manager",
        "operation",
        "apiVersion",
        "kind",
        "$patch",
        "$retainKeys",
        "$setElementOrder/finalizers",
        "op",
        "path",
        "value",
        "f:spec",
        ".",
        "a",
        "b",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,12}"]
}

fn values() -> impl Strategy<Value = Value> {
    let texts = [
        "red",
        "a",
        "b",
        "default",
        "",
        "Widget",
        "v1",
        "0",
        "1",
        "x.dev/y",
        "replace",
        "delete",
        "add",
        "/spec/size",
        "Apply",
        "eA==",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(texts.to_vec()).prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(keys(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<String, Value>>())),
        ]
    })
}

/// Something like a widget, with wild parts.
fn widgets() -> impl Strategy<Value = Value> {
    (prop::sample::select(vec!["a", "b", "c"]), values(), values(), prop::option::of(values())).prop_map(
        |(name, spec, meta, status)| {
            let mut object = objects::red(name);
            if let (Some(own), Some(wild)) = (object["metadata"].as_object_mut(), meta.as_object()) {
                own.extend(wild.clone());
                own.insert("name".to_owned(), name.into());
            }
            if let (Some(own), Some(wild)) = (object["spec"].as_object_mut(), spec.as_object()) {
                own.extend(wild.clone());
            }
            if let Some(status) = status {
                object["status"] = status;
            }
            object
        },
    )
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => widgets().prop_map(|value| value.to_string().into_bytes()),
        3 => values().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(|raw| [b"k8s\0".to_vec(), raw].concat()),
        1 => Just(Vec::new()),
    ]
}

fn queries() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "watch=1&timeoutSeconds=1",
            "limit=1",
            "limit=-3",
            "continue=abc",
            "resourceVersion=1",
            "resourceVersion=0",
            "resourceVersionMatch=Exact",
            "resourceVersionMatch=NotOlderThan",
            "sendInitialEvents=true",
            "allowWatchBookmarks=true",
            "dryRun=All",
            "fieldManager=m",
            "fieldManager=n",
            "force=true",
            "fieldValidation=Strict",
            "propagationPolicy=Foreground",
            "propagationPolicy=Orphan",
            "labelSelector=a%3Db",
            "fieldSelector=spec.color%3Dred",
            "labelSelector=%21%28",
            "timeoutSeconds=99999999999",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z]{1,8}=[ -~&&[^#?]]{0,8}"
            .prop_map(|text| text.replace(|c: char| " \"<>\\^`{|}".contains(c), "%")),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.join("&"))
}

fn noise() -> impl Strategy<Value = Wild> {
    let methods = vec!["GET", "POST", "PUT", "PATCH", "DELETE", "PATCH", "POST", "OPTIONS"];
    let rest = prop::sample::select(vec![
        "",
        "",
        "/a",
        "/b",
        "/c",
        "/a/status",
        "/default",
        "/a/finalize",
        "/%00",
        "/a/b/c/d",
    ]);
    let collections = prop_oneof![6 => Just(COLLECTIONS[0]), 4 => prop::sample::select(COLLECTIONS.to_vec())];
    let paths = prop_oneof![
        12 => (collections, rest).prop_map(|(collection, rest)| format!("{collection}{rest}")),
        1 => "/[a-z/%.0-9]{0,30}",
    ];
    (prop::sample::select(methods), paths, queries(), prop::sample::select(MEDIA.to_vec()), bodies())
        .prop_map(|(method, path, query, media, body)| Wild {
            method,
            path: format!("{path}?{query}"),
            media,
            body,
        })
}

/// A part of an object as it should be, or now and then anything.
fn part(good: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![5 => Just(None), 10 => good.prop_map(Some), 1 => values().prop_map(Some)]
}

fn sensible_spec() -> impl Strategy<Value = Map<String, Value>> {
    let word = || prop::sample::select(vec!["x", "y", "z"]);
    let set = prop::collection::btree_set(word(), 0..4).prop_map(|set| json!(set));
    let list = prop::collection::vec(word(), 0..4).prop_map(|list| json!(list));
    let tags = prop::collection::btree_map(word(), word(), 0..3).prop_map(|map| json!(map));
    let parts = prop::collection::btree_map(word(), prop::option::of(0..3), 0..3).prop_map(|parts| {
        parts
            .into_iter()
            .map(|(id, count)| match count {
                Some(count) => json!({"id": id, "count": count}),
                None => json!({ "id": id }),
            })
            .collect()
    });
    let color = prop_oneof![8 => prop::sample::select(vec!["red", "green", "blue"]).prop_map(Value::from), 1 => values()];
    (
        color,
        part((1..11).prop_map(Value::from)),
        part(set),
        part(list),
        part(tags),
        part(parts),
        part(values()),
    )
        .prop_map(|(color, size, set, list, tags, parts, free)| {
            let named = [
                ("color", Some(color)),
                ("size", size),
                ("set", set),
                ("list", list),
                ("tags", tags),
                ("parts", parts),
                ("free", free),
            ];
            named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
        })
}

fn sensible_meta() -> impl Strategy<Value = Map<String, Value>> {
    let word = || prop::sample::select(vec!["x", "y", "z"]);
    let labels = || prop::collection::btree_map(word(), word(), 0..3).prop_map(|map| json!(map));
    let finalizers = prop::collection::btree_set(
        prop::sample::select(vec!["x.dev/a", "x.dev/b", "orphan", "foregroundDeletion"]),
        0..3,
    )
    .prop_map(|set| json!(set));
    let owners = prop::sample::select(vec!["1", "2"])
        .prop_map(|uid| json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": uid}]));
    let rare = |strategy: BoxedStrategy<Value>| prop_oneof![6 => Just(None), 1 => strategy.prop_map(Some)];
    let book = prop_oneof![Just(json!([{}])), Just(json!([])), values()];
    (part(labels()), part(labels()), rare(finalizers.boxed()), rare(owners.boxed()), rare(book.boxed()))
        .prop_map(|(labels, annotations, finalizers, owners, book)| {
            let named = [
                ("labels", labels),
                ("annotations", annotations),
                ("finalizers", finalizers),
                ("ownerReferences", owners),
                ("managedFields", book),
            ];
            named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
        })
}

/// Requests that mostly work, on few objects, so that they meet each other.
fn sensible() -> impl Strategy<Value = Wild> {
    let what = prop::sample::select(vec![
        "create", "apply", "apply", "apply", "merge", "merge", "put", "status", "json", "delete", "list",
    ]);
    let place = prop_oneof![3 => Just(0_usize), 1 => Just(2_usize)];
    let options = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "&force=true",
        "&dryRun=All",
        "&fieldValidation=Strict",
        "&propagationPolicy=Foreground",
        "&propagationPolicy=Orphan",
    ]);
    let manager = prop::sample::select(vec!["m", "n", "kubectl"]);
    let name = prop::sample::select(vec!["a", "a", "b"]);
    (what, place, name, manager, options, sensible_spec(), sensible_meta(), values()).prop_map(
        |(what, place, name, manager, options, spec, meta, any)| {
            let collection = COLLECTIONS[place];
            let options = if options == "&force=true" && what != "apply" { "" } else { options };
            let mut object = match place {
                0 => json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget", "spec": spec}),
                _ => json!({"apiVersion": "v1", "kind": "ConfigMap", "data": spec.get("tags").cloned().unwrap_or_default()}),
            };
            object["metadata"] = Value::Object(meta);
            object["metadata"]["name"] = name.into();
            if what == "apply" {
                object["metadata"].as_object_mut().unwrap().remove("managedFields");
            }
            let one = format!("{collection}/{name}?fieldManager={manager}{options}");
            let status = json!({"status": {"phase": any, "conditions": [{"type": name, "status": "True"}]}});
            let operations = json!([{"op": "replace", "path": "/spec/size", "value": 3}, {"op": "add", "path": "/metadata/labels", "value": {"j": "k"}},
                {"op": "test", "path": "/metadata/name", "value": name}]);
            let (method, path, media, body) = match what {
                "create" => ("POST", format!("{collection}?fieldManager={manager}{options}"), MEDIA[0], object),
                "apply" => ("PATCH", one, MEDIA[4], object),
                "merge" => ("PATCH", one, MEDIA[1], object),
                "put" => ("PUT", one, MEDIA[0], object),
                "json" => ("PATCH", one, MEDIA[2], operations),
                "status" => ("PATCH", one.replacen('?', "/status?", 1), MEDIA[1], status),
                "delete" => ("DELETE", one, MEDIA[0], Value::Null),
                _ => ("GET", format!("{collection}?limit=1"), MEDIA[0], Value::Null),
            };
            let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            Wild { method, path, media, body }
        },
    )
}

fn wild() -> impl Strategy<Value = Wild> {
    prop_oneof![4 => sensible(), 1 => noise()]
}

/// What is kept is whole: each object of each list reads back as it is listed, and can be written back unchanged.
async fn check_kept(server: &Server) {
    for collection in COLLECTIONS.iter().take(8) {
        let (code, list) = ask(server, "GET", collection, Value::Null).await;
        assert_eq!(code, 200, "{collection}");
        for item in list["items"].as_array().unwrap() {
            let path = format!("{collection}/{}", item["metadata"]["name"].as_str().unwrap());
            let (code, one) = ask(server, "GET", &path, Value::Null).await;
            assert!(code == 200 && &one == item, "{path} is listed and read in two ways:\n{item}\n{one}");
            let (code, back) = ask(server, "PUT", &path, item.clone()).await;
            assert!(code == 200 && &back == item, "{path} changes when written back:\n{item}\n{back}");
        }
    }
}

async fn run(requests: Vec<Wild>) {
    let server = Server::builder().crd(objects::widget_definition()).seed(1).build().unwrap();
    for name in ["a", "b"] {
        assert_eq!(ask(&server, "POST", COLLECTIONS[0], objects::red(name)).await.0, 201);
        assert_eq!(ask(&server, "POST", COLLECTIONS[2], json!({"metadata": {"name": name}})).await.0, 201);
    }
    for Wild { method, path, media, body } in requests {
        if path.parse::<http::Uri>().is_err() {
            continue;
        }
        let (code, answer) = call(&server, method, &path, media, body).await;
        assert!((200..600).contains(&code), "{method} {path}: {code}");
        if code >= 400 && answer.first() == Some(&b'{') {
            let status: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(
                (&status["kind"], &status["code"]),
                (&json!("Status"), &json!(code)),
                "{method} {path}"
            );
        }
    }
    // Whatever the collector still has to do, it does.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    check_kept(&server).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_breaks_the_server(requests in prop::collection::vec(wild(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(requests));
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_worked_off_in_time() {
    let server = Server::builder().crd(objects::widget_definition()).seed(1).build().unwrap();
    let parts: Vec<Value> = (0..20_000).map(|number| json!({"id": format!("p{number}")})).collect();
    let set: Vec<String> = (0..20_000).map(|number| format!("s{number}")).collect();
    let body = objects::widget("a", json!({"color": "red", "parts": parts, "set": set})).to_string();
    let path = format!("{}/a?fieldManager=m", COLLECTIONS[0]);
    let apply = "application/apply-patch+yaml";
    assert_eq!(call(&server, "PATCH", &path, apply, body.clone()).await.0, 201);
    assert_eq!(call(&server, "PATCH", &path, apply, body.replace("p1\"", "q1\"")).await.0, 200);
    let finalizers: Vec<String> = (0..20_000).map(|number| format!("x.dev/f{number}")).collect();
    let map = json!({"metadata": {"name": "a", "finalizers": finalizers}});
    assert_eq!(ask(&server, "POST", calls::MAPS, map).await.0, 201);
    let patch = json!({"metadata": {"finalizers": ["x.dev/g"]}}).to_string();
    let media = "application/strategic-merge-patch+json";
    assert_eq!(call(&server, "PATCH", &format!("{}/a", calls::MAPS), media, patch).await.0, 200);
}
