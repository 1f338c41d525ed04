//! Deletion: answers, preconditions, finalizers, collections, namespaces.

use serde_json::json;

use super::objects::*;
use super::row::{MERGE, Row, row};

pub fn rows() -> Vec<Row> {
    [single(), finalizers(), collections(), namespaces()].concat()
}

fn single() -> Vec<Row> {
    vec![
        row("a deletion tells what was deleted")
            .post(WIDGETS, red("a"))
            .keep("uid", "/metadata/uid")
            .delete(&at(WIDGETS, "a"))
            .is(200)
            .has("/kind", "Status")
            .has("/status", "Success")
            .has(
                "/details",
                json!({"name": "a", "group": "behaviours.everleaf.dev", "kind": "widgets", "uid": "$uid"}),
            )
            .get(&at(WIDGETS, "a"))
            .is(404),
        row("a deleted service account is shown")
            .post(ACCOUNTS, json!({"metadata": {"name": "a"}}))
            .delete(&at(ACCOUNTS, "a"))
            .is(200)
            .has("/kind", "ServiceAccount"),
        row("a deletion of what is not there is not found").delete(&at(WIDGETS, "a")).is(404),
        row("a deletion of another object by that name is a conflict")
            .post(SECRETS, secret("a", json!({})))
            .delete_with(&at(SECRETS, "a"), json!({"preconditions": {"uid": "other"}}))
            .is(409)
            .because("Conflict")
            .get(&at(SECRETS, "a"))
            .is(200),
        row("a deletion at an old version is a conflict")
            .post(SECRETS, secret("a", json!({})))
            .keep("rv", "/metadata/resourceVersion")
            .delete_with(&at(SECRETS, "a"), json!({"preconditions": {"resourceVersion": "1"}}))
            .is(409)
            .delete_with(&at(SECRETS, "a"), json!({"preconditions": {"resourceVersion": "$rv"}}))
            .is(200),
        row("a deletion with the right uid is done")
            .post(SECRETS, secret("a", json!({})))
            .keep("uid", "/metadata/uid")
            .delete_with(
                &at(SECRETS, "a"),
                json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "$uid"}}),
            )
            .is(200)
            .get(&at(SECRETS, "a"))
            .is(404),
        row("a dry run of a deletion deletes nothing")
            .post(SECRETS, secret("a", json!({})))
            .delete(&at(SECRETS, "a?dryRun=All"))
            .is(200)
            .get(&at(SECRETS, "a"))
            .is(200),
        row("an object made again is another one")
            .post(WIDGETS, red("a"))
            .keep("uid", "/metadata/uid")
            .delete(&at(WIDGETS, "a"))
            .post(WIDGETS, red("a"))
            .is(201)
            .has_not("/metadata/uid", "$uid"),
        row("a policy that is not known is refused")
            .post(WIDGETS, red("a"))
            .delete(&at(WIDGETS, "a?propagationPolicy=Foo"))
            .is(422)
            .blames(&["propagationPolicy"])
            .delete_with(
                &at(WIDGETS, "a"),
                json!({"propagationPolicy": "Background", "orphanDependents": true}),
            )
            .is(422),
    ]
}

fn finalizers() -> Vec<Row> {
    let held = || with(red("a"), json!({"finalizers": ["x.dev/y"]}));
    vec![
        row("an object with a finalizer is only marked")
            .post(WIDGETS, held())
            .keep("rv", "/metadata/resourceVersion")
            .delete(&at(WIDGETS, "a"))
            .is(200)
            .has("/kind", "Widget")
            .fills("/metadata/deletionTimestamp")
            .has("/metadata/deletionGracePeriodSeconds", 0)
            .has("/metadata/generation", 2)
            .has_not("/metadata/resourceVersion", "$rv")
            .get(&at(WIDGETS, "a"))
            .is(200)
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200)
            .get(&at(WIDGETS, "a"))
            .is(404),
        row("a second deletion changes nothing")
            .post(WIDGETS, held())
            .delete(&at(WIDGETS, "a"))
            .keep("rv", "/metadata/resourceVersion")
            .delete(&at(WIDGETS, "a"))
            .is(200)
            .has("/metadata/resourceVersion", "$rv")
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200),
        row("no finalizer is added to an object that is going")
            .post(WIDGETS, held())
            .delete(&at(WIDGETS, "a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": ["x.dev/y", "x.dev/z"]}}))
            .is(422)
            .blames(&["metadata.finalizers"])
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200),
        row("an object that is going can still change, but not come back")
            .post(WIDGETS, held())
            .delete(&at(WIDGETS, "a"))
            .keep("gone", "/metadata/deletionTimestamp")
            .patch(
                &at(WIDGETS, "a"),
                MERGE,
                json!({"metadata": {"deletionTimestamp": null}, "spec": {"size": 5}}),
            )
            .is(200)
            .has("/metadata/deletionTimestamp", "$gone")
            .has("/spec/size", 5)
            .has("/metadata/generation", 3)
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200),
        row("the last of several finalizers lets the object go")
            .post(WIDGETS, with(red("a"), json!({"finalizers": ["x.dev/y", "x.dev/z"]})))
            .delete(&at(WIDGETS, "a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": ["x.dev/z"]}}))
            .is(200)
            .get(&at(WIDGETS, "a"))
            .is(200)
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": []}}))
            .is(200)
            .get(&at(WIDGETS, "a"))
            .is(404),
        row("a finalizer that is no qualified name is refused")
            .post(WIDGETS, with(red("a"), json!({"finalizers": ["bad name"]})))
            .is(422)
            .blames(&["metadata.finalizers"]),
        row("an object whose finalizers are gone before is deleted at once")
            .post(WIDGETS, held())
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200)
            .delete(&at(WIDGETS, "a"))
            .has("/status", "Success"),
        row("the deletion time of the caller is not taken")
            .post(WIDGETS, with(red("a"), json!({"deletionTimestamp": "2001-01-01T00:00:00Z"})))
            .is(201)
            .lacks("/metadata/deletionTimestamp"),
    ]
}

fn collections() -> Vec<Row> {
    let labelled = |name: &str, label: &str| with(red(name), json!({"labels": {"l": label}}));
    vec![
        row("a collection is deleted by its labels")
            .post(WIDGETS, labelled("a", "1"))
            .post(WIDGETS, labelled("b", "2"))
            .post(WIDGETS, labelled("c", "1"))
            .delete(&format!("{WIDGETS}?labelSelector=l%3D1"))
            .is(200)
            .has("/kind", "WidgetList")
            .lists(&["a", "c"])
            .get(WIDGETS)
            .lists(&["b"]),
        row("a collection is deleted by a field")
            .post(WIDGETS, red("a"))
            .post(WIDGETS, widget("b", json!({"color": "blue"})))
            .delete(&format!("{WIDGETS}?fieldSelector=spec.color%3Dblue"))
            .is(200)
            .get(WIDGETS)
            .lists(&["a"]),
        row("a whole collection is deleted")
            .post(SECRETS, secret("a", json!({})))
            .post(SECRETS, secret("b", json!({})))
            .delete(SECRETS)
            .is(200)
            .get(SECRETS)
            .lists(&[]),
        row("a collection keeps what has a finalizer, marked")
            .post(WIDGETS, with(red("a"), json!({"finalizers": ["x.dev/y"]})))
            .post(WIDGETS, red("b"))
            .delete(WIDGETS)
            .is(200)
            .get(WIDGETS)
            .lists(&["a"])
            .fills("/items/0/metadata/deletionTimestamp")
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200),
    ]
}

fn namespaces() -> Vec<Row> {
    const OTHER: &str = "/api/v1/namespaces/$ns-x";
    vec![
        row("a namespace that is going empties itself and goes")
            .post("/api/v1/namespaces", json!({"metadata": {"name": "$ns-x"}}))
            .post(&at(OTHER, "configmaps"), map("a", json!({})))
            .is(201)
            .post("/apis/behaviours.everleaf.dev/v1/namespaces/$ns-x/widgets", red("a"))
            .is(201)
            .delete(OTHER)
            .is(200)
            .has("/status/phase", "Terminating")
            .fills("/metadata/deletionTimestamp")
            .get(OTHER)
            .is(404)
            .soon()
            .get("/apis/behaviours.everleaf.dev/v1/namespaces/$ns-x/widgets/a")
            .is(404),
        row("a namespace that is going takes nothing new, and waits for finalizers")
            .post("/api/v1/namespaces", json!({"metadata": {"name": "$ns-x"}}))
            .post(&at(OTHER, "configmaps"), with(map("a", json!({})), json!({"finalizers": ["x.dev/y"]})))
            .delete(OTHER)
            .post(&at(OTHER, "configmaps"), map("b", json!({})))
            .is(403)
            .because("Forbidden")
            .says("unable to create new content in namespace $ns-x because it is being terminated")
            .has("/details/causes/0/reason", "NamespaceTerminating")
            .get(&at(OTHER, "configmaps/a"))
            .fills("/metadata/deletionTimestamp")
            .soon()
            .get(OTHER)
            .is(200)
            .patch(&at(OTHER, "configmaps/a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200)
            .get(OTHER)
            .is(404)
            .soon(),
        row("the first namespaces stay")
            .delete("/api/v1/namespaces/default")
            .is(403)
            .says("this namespace may not be deleted")
            .get("/api/v1/namespaces/kube-system")
            .is(200),
        row("an object in a namespace that is going can still change")
            .post("/api/v1/namespaces", json!({"metadata": {"name": "$ns-x"}}))
            .post(&at(OTHER, "configmaps"), with(map("a", json!({})), json!({"finalizers": ["x.dev/y"]})))
            .delete(OTHER)
            .patch(&at(OTHER, "configmaps/a"), MERGE, json!({"data": {"x": "y"}}))
            .is(200)
            .patch(&at(OTHER, "configmaps/a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200)
            .get(OTHER)
            .is(404)
            .soon(),
    ]
}
