//! Merge, JSON and strategic patches.

use serde_json::json;

use super::objects::*;
use super::row::{JSON_PATCH, MERGE, Row, STRATEGIC, row};

pub fn rows() -> Vec<Row> {
    [merge(), json_patch(), strategic()].concat()
}

fn merge() -> Vec<Row> {
    vec![
        row("a merge patch changes what it names and takes out nulls")
            .post(WIDGETS, widget("a", json!({"color": "red", "size": 3, "tags": {"x": "1", "y": "2"}})))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"size": null, "tags": {"x": "3"}}}))
            .is(200)
            .has("/spec", json!({"color": "red", "shape": "round", "tags": {"x": "3", "y": "2"}}))
            .has("/metadata/generation", 2),
        row("a merge patch replaces lists")
            .post(WIDGETS, widget("a", json!({"color": "red", "list": ["1", "2"]})))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"list": ["3"]}}))
            .is(200)
            .has("/spec/list", json!(["3"])),
        row("a merge patch needs no version, but keeps to the one it names")
            .post(WIDGETS, red("a"))
            .patch(
                &at(WIDGETS, "a"),
                MERGE,
                json!({"metadata": {"resourceVersion": "1"}, "spec": {"size": 1}}),
            )
            .is(409)
            .because("Conflict")
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"size": 1}}))
            .is(200),
        row("a patch that changes nothing keeps the version")
            .post(WIDGETS, widget("a", json!({"color": "red", "size": 3})))
            .keep("rv", "/metadata/resourceVersion")
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"size": 3}}))
            .is(200)
            .has("/metadata/resourceVersion", "$rv"),
        row("a patch of what is not there is not found")
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"size": 3}}))
            .is(404),
        row("a patch cannot rename")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"name": "b"}}))
            .is(400)
            .says("the name of the object (b) does not match the name on the URL (a)")
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"namespace": "b"}}))
            .is(400),
        row("a patch cannot change the uid")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"uid": "other"}}))
            .is(422)
            .blames(&["metadata.uid"]),
        row("a patch cannot change what the server keeps")
            .post(WIDGETS, red("a"))
            .keep("created", "/metadata/creationTimestamp")
            .patch(
                &at(WIDGETS, "a"),
                MERGE,
                json!({"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9}}),
            )
            .is(200)
            .has("/metadata/creationTimestamp", "$created")
            .has("/metadata/generation", 1),
        row("a patch of the object does not change the status")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .patch(&at(WIDGETS, "a"), MERGE, json!({"status": {"phase": "x"}}))
            .is(200)
            .lacks("/status")
            .has("/metadata/resourceVersion", "$rv"),
        row("a patch of the status changes nothing else")
            .post(WIDGETS, red("a"))
            .patch(
                &at(WIDGETS, "a/status"),
                MERGE,
                json!({"metadata": {"labels": {"x": "y"}}, "spec": {"size": 1}, "status": {"phase": "x"}}),
            )
            .is(200)
            .has("/status/phase", "x")
            .lacks("/spec/size")
            .lacks("/metadata/labels")
            .has("/metadata/generation", 1),
        row("a patch that makes an invalid object is refused")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"color": "pink"}}))
            .is(422)
            .blames(&["spec.color"]),
        row("a patch with an unknown field is warned of, or refused when asked to")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"spec": {"foo": 1}}))
            .is(200)
            .lacks("/spec/foo")
            .warns("unknown field \\\"spec.foo\\\"")
            .patch(&at(WIDGETS, "a?fieldValidation=Strict"), MERGE, json!({"spec": {"foo": 1}}))
            .is(422)
            .blames(&["patch"])
            .says("strict decoding error: unknown field \"spec.foo\""),
        row("a patch that makes a label a number is refused")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"labels": {"x": 5}}}))
            .is(422)
            .blames(&["patch"]),
        row("a dry run of a patch changes nothing")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a?dryRun=All"), MERGE, json!({"spec": {"size": 4}}))
            .is(200)
            .has("/spec/size", 4)
            .has("/metadata/generation", 2)
            .get(&at(WIDGETS, "a"))
            .lacks("/spec/size"),
        row("a merge patch takes keys out of a secret")
            .post(SECRETS, secret("a", json!({"x": "eA==", "y": "eQ=="})))
            .patch(&at(SECRETS, "a"), MERGE, json!({"data": {"x": null}, "stringData": {"z": "z"}}))
            .is(200)
            .has("/data", json!({"y": "eQ==", "z": "eg=="})),
        row("a secret that loses its last key has no data")
            .post(SECRETS, secret("a", json!({"x": "eA=="})))
            .patch(&at(SECRETS, "a"), MERGE, json!({"data": {"x": null}}))
            .is(200)
            .lacks("/data"),
    ]
}

fn json_patch() -> Vec<Row> {
    vec![
        row("a JSON patch carries out its operations in order")
            .post(WIDGETS, widget("a", json!({"color": "red", "list": ["1", "2"]})))
            .patch(
                &at(WIDGETS, "a"),
                JSON_PATCH,
                json!([
                {"op": "test", "path": "/spec/color", "value": "red"},
                {"op": "replace", "path": "/spec/color", "value": "blue"},
                {"op": "add", "path": "/spec/list/-", "value": "3"},
                {"op": "remove", "path": "/spec/list/0"},
                {"op": "add", "path": "/spec/size", "value": 2}]),
            )
            .is(200)
            .has("/spec/color", "blue")
            .has("/spec/list", json!(["2", "3"]))
            .has("/spec/size", 2),
        row("a JSON patch whose test fails is refused and changes nothing")
            .post(WIDGETS, red("a"))
            .patch(
                &at(WIDGETS, "a"),
                JSON_PATCH,
                json!([
                {"op": "add", "path": "/spec/size", "value": 2},
                {"op": "test", "path": "/spec/color", "value": "blue"}]),
            )
            .is(422)
            .because("Invalid")
            .get(&at(WIDGETS, "a"))
            .lacks("/spec/size"),
        row("a JSON patch of a path that is not there is refused")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a"), JSON_PATCH, json!([{"op": "remove", "path": "/spec/none"}]))
            .is(422)
            .patch(
                &at(WIDGETS, "a"),
                JSON_PATCH,
                json!([{"op": "add", "path": "/spec/maker/name", "value": "x"}]),
            )
            .is(422)
            .patch(
                &at(WIDGETS, "a"),
                JSON_PATCH,
                json!([{"op": "replace", "path": "/spec/list/9", "value": "x"}]),
            )
            .is(422),
        row("a JSON patch may replace a member that is not there")
            .post(WIDGETS, red("a"))
            .patch(
                &at(WIDGETS, "a"),
                JSON_PATCH,
                json!([{"op": "test", "path": "/spec/size", "value": null},
                {"op": "replace", "path": "/spec/size", "value": 1}]),
            )
            .is(200)
            .has("/spec/size", 1),
        row("a patch that cannot be read is refused")
            .post(WIDGETS, red("a"))
            .patch_raw(&at(WIDGETS, "a"), JSON_PATCH, "[{\"op\"")
            .is(400)
            .because("BadRequest")
            .patch_raw(&at(WIDGETS, "a"), MERGE, "{\"spec\"")
            .is(400),
        row("a JSON patch takes out labels by their escaped key")
            .post(WIDGETS, with(red("a"), json!({"labels": {"x.dev/y": "1"}})))
            .patch(
                &at(WIDGETS, "a"),
                JSON_PATCH,
                json!([{"op": "remove", "path": "/metadata/labels/x.dev~1y"}]),
            )
            .is(200)
            .lacks("/metadata/labels"),
    ]
}

fn strategic() -> Vec<Row> {
    vec![
        row("a strategic patch merges maps and takes out nulls")
            .post(MAPS, with(map("a", json!({"x": "1", "y": "2"})), json!({"labels": {"l": "1"}})))
            .patch(&at(MAPS, "a"), STRATEGIC, json!({"data": {"x": null, "z": "3"}, "metadata": {"labels": {"m": "2"}}}))
            .is(200)
            .has("/data", json!({"y": "2", "z": "3"}))
            .has("/metadata/labels", json!({"l": "1", "m": "2"})),
        row("a strategic patch replaces a map when told to")
            .post(MAPS, with(map("a", json!({})), json!({"labels": {"l": "1"}})))
            .patch(&at(MAPS, "a"), STRATEGIC, json!({"metadata": {"labels": {"$patch": "replace", "m": "2"}}}))
            .is(200)
            .has("/metadata/labels", json!({"m": "2"})),
        row("a strategic patch merges finalizers, new ones first, and takes out the ones it names")
            .post(MAPS, with(map("a", json!({})), json!({"finalizers": ["x.dev/a", "x.dev/b"]})))
            .patch(&at(MAPS, "a"), STRATEGIC, json!({"metadata": {"finalizers": ["x.dev/c", "x.dev/b"]}}))
            .is(200)
            .has("/metadata/finalizers", json!(["x.dev/c", "x.dev/a", "x.dev/b"]))
            .patch(
                &at(MAPS, "a"),
                STRATEGIC,
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.dev/a", "x.dev/c"]}}),
            )
            .is(200)
            .has("/metadata/finalizers", json!(["x.dev/b"]))
            .patch(&at(MAPS, "a"), STRATEGIC, json!({"metadata": {"finalizers": null}}))
            .is(200),
        row("a strategic patch puts lists in the order it names")
            .post(MAPS, with(map("a", json!({})), json!({"finalizers": ["x.dev/a", "x.dev/b"]})))
            .patch(&at(MAPS, "a"), STRATEGIC, json!({"metadata": {
                "finalizers": ["x.dev/c"], "$setElementOrder/finalizers": ["x.dev/b", "x.dev/c", "x.dev/a"]}}))
            .is(200)
            .has("/metadata/finalizers", json!(["x.dev/b", "x.dev/c", "x.dev/a"]))
            .patch(&at(MAPS, "a"), STRATEGIC, json!({"metadata": {"finalizers": null}}))
            .is(200),
        row("a strategic patch merges owners by their uid")
            .post(
                MAPS,
                with(map("a", json!({})), json!({"ownerReferences": [foreign("x", "1"), foreign("y", "2")]})),
            )
            .patch(
                &at(MAPS, "a"),
                STRATEGIC,
                json!({"metadata": {"ownerReferences": [{"uid": "2", "name": "yy"}, foreign("z", "3")]}}),
            )
            .is(200)
            .has("/metadata/ownerReferences", json!([foreign("x", "1"), foreign("yy", "2"), foreign("z", "3")]))
            .patch(
                &at(MAPS, "a"),
                STRATEGIC,
                json!({"metadata": {"ownerReferences": [{"uid": "1", "$patch": "delete"}]}}),
            )
            .is(200)
            .has("/metadata/ownerReferences", json!([foreign("yy", "2"), foreign("z", "3")])),
        row("a custom object takes no strategic patch")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a"), STRATEGIC, json!({"spec": {"size": 1}}))
            .is(415)
            .because("UnsupportedMediaType")
            .says("application/merge-patch+json"),
        row("a patch of an unknown media type is refused")
            .post(SECRETS, secret("a", json!({})))
            .patch(&at(SECRETS, "a"), "text/plain", json!({}))
            .is(415),
        row("a directive that is not known is refused")
            .post(MAPS, with(map("a", json!({})), json!({"labels": {"l": "m"}})))
            .patch(&at(MAPS, "a"), STRATEGIC, json!({"metadata": {"labels": {"$patch": "bogus"}}}))
            .is(500),
    ]
}

/// An owner of a kind that is not served: nobody collects what it owns.
fn foreign(name: &str, uid: &str) -> serde_json::Value {
    json!({"apiVersion": "x.dev/v1", "kind": "X", "name": name, "uid": uid})
}
