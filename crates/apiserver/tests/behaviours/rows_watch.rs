//! Watches: where they begin, what they tell, how they end.

use serde_json::json;

use super::objects::*;
use super::row::{MERGE, PARTIAL, Row, TABLE, row};

pub fn rows() -> Vec<Row> {
    [beginnings(), selections(), forms()].concat()
}

fn two(row: Row) -> Row {
    row.post(WIDGETS, red("a"))
        .is(201)
        .post(WIDGETS, widget("b", json!({"color": "blue"})))
        .is(201)
        .keep("rv", "/metadata/resourceVersion")
}

fn beginnings() -> Vec<Row> {
    vec![
        two(row("a watch from nowhere tells the state first"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1"))
            .is(200)
            .tells(&["ADDED a", "ADDED b"]),
        two(row("a watch from any version tells the state first"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=0"))
            .tells(&["ADDED a", "ADDED b"]),
        two(row("a watch from a version tells what came after it"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"size": 1}}))
            .post(WIDGETS, red("c"))
            .delete(&at(WIDGETS, "b"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv"))
            .tells(&["MODIFIED a", "ADDED c", "DELETED b"]),
        two(row("a watch from the newest version tells nothing"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv"))
            .tells(&[]),
        two(row("a watch that wants the state is told where it ends"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"))
            .tells(&["ADDED a", "ADDED b", "BOOKMARK initial"]),
        two(row("a watch that wants the state at a version is told where it ends"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=$rv"))
            .tells(&["ADDED a", "ADDED b", "BOOKMARK initial"]),
        two(row("a watch from nowhere with bookmarks is told where the state ends"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true"))
            .tells(&["ADDED a", "ADDED b", "BOOKMARK initial"]),
        row("an empty state ends too")
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"))
            .tells(&["BOOKMARK initial"]),
        row("wanting the state needs a match")
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&sendInitialEvents=true"))
            .is(422)
            .blames(&["resourceVersionMatch"])
            .get(&format!("{WIDGETS}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan"))
            .is(422),
        row("a watch from a version that is forgotten ends with 410")
            .post(WIDGETS, red("a"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=1"))
            .is(200)
            .tells(&["ERROR 410"])
            .only(super::Kind::Real),
        two(row("a watch goes on while things happen"))
            .watch("all", &format!("{WIDGETS}?watch=1&resourceVersion=$rv&timeoutSeconds=120"))
            .post(WIDGETS, red("c"))
            .saw("all", &["ADDED c"])
            .patch(&at(WIDGETS, "c"), MERGE, json!({"spec": {"size": 1}}))
            .patch(&at(WIDGETS, "c/status"), MERGE, json!({"status": {"phase": "x"}}))
            .delete(&at(WIDGETS, "c"))
            .saw("all", &["MODIFIED c", "MODIFIED c", "DELETED c"]),
        two(row("a change that changes nothing is not told"))
            .watch("all", &format!("{WIDGETS}?watch=1&resourceVersion=$rv&timeoutSeconds=120"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"color": "red"}}))
            .is(200)
            .post(WIDGETS, red("c"))
            .saw("all", &["ADDED c"]),
        two(row("a deletion in two steps is told in two steps"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": ["x.dev/y"]}}))
            .keep("rv", "/metadata/resourceVersion")
            .delete(&at(WIDGETS, "a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv"))
            .tells(&["MODIFIED a", "DELETED a"]),
        row("a dry run is not told")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .post(&format!("{WIDGETS}?dryRun=All"), red("b"))
            .delete(&at(WIDGETS, "a?dryRun=All"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv"))
            .tells(&[]),
    ]
}

fn selections() -> Vec<Row> {
    let label = |value: &str| json!({"metadata": {"labels": {"l": value}}});
    vec![
        row("an object that enters a selection is added, one that leaves it is deleted")
            .post(WIDGETS, with(red("a"), json!({"labels": {"l": "0"}})))
            .keep("rv", "/metadata/resourceVersion")
            .patch(&at(WIDGETS, "a"), MERGE, label("1"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"size": 1}}))
            .patch(&at(WIDGETS, "a"), MERGE, label("0"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"size": 2}}))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv&labelSelector=l%3D1"))
            .tells(&["ADDED a", "MODIFIED a", "DELETED a"]),
        row("an object outside a selection that goes is not told")
            .post(WIDGETS, with(red("a"), json!({"labels": {"l": "0"}})))
            .keep("rv", "/metadata/resourceVersion")
            .delete(&at(WIDGETS, "a"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv&labelSelector=l%3D1"))
            .tells(&[]),
        two(row("a watch of one name tells of that one"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"size": 1}}))
            .patch(&at(WIDGETS, "b"), MERGE, json!({"spec": {"size": 1}}))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv&fieldSelector=metadata.name%3Db"))
            .tells(&["MODIFIED b"]),
        two(row("a field of the kind selects in a watch"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"color": "blue"}}))
            .patch(&at(WIDGETS, "b"), MERGE, json!({"spec": {"color": "green"}}))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv&fieldSelector=spec.color%3Dblue"))
            .tells(&["ADDED a", "DELETED b"]),
        two(row("a watch across namespaces selects by namespace"))
            .post(WIDGETS, red("c"))
            .get(&format!("{ALL_WIDGETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv&fieldSelector=metadata.namespace%3D$ns"))
            .tells(&["ADDED c"]),
        two(row("the state that is told is selected too"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&fieldSelector=spec.color%3Dblue"))
            .tells(&["ADDED b"]),
        row("a selector of a watch is checked")
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1&fieldSelector=spec.size%3D1"))
            .is(400),
    ]
}

fn forms() -> Vec<Row> {
    vec![
        two(row("a watch may tell tables, the columns once"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1"))
            .accept(TABLE)
            .tells(&["ADDED a with 5 columns", "ADDED b with 0 columns"]),
        two(row("a watch may tell metadata alone"))
            .get(&format!("{WIDGETS}?watch=1&timeoutSeconds=1"))
            .accept(PARTIAL)
            .tells(&["ADDED a", "ADDED b"]),
        row("what is deleted is told at the version of its deletion")
            .post(SECRETS, secret("a", json!({})))
            .keep("rv", "/metadata/resourceVersion")
            .delete(&at(SECRETS, "a"))
            .get(&format!("{SECRETS}?watch=1&timeoutSeconds=1&resourceVersion=$rv"))
            .tells(&["DELETED a"])
            .has_not("/object/metadata/resourceVersion", "$rv")
            .fills("/object/metadata/resourceVersion"),
    ]
}
