//! Owners and what becomes of what they own.

use serde_json::json;

use super::objects::*;
use super::row::{MERGE, Row, row};

pub fn rows() -> Vec<Row> {
    let owner_map = |row: Row| row.post(MAPS, map("owner", json!({}))).is(201).keep("uid", "/metadata/uid");
    // Once this one is gone the collector has seen all that was made before it.
    let seen = |row: Row| {
        row.post(WIDGETS, owned(red("doomed"), "none", "11111111-2222-3333-4444-555555555555"))
            .get(&at(WIDGETS, "doomed"))
            .is(404)
            .soon()
    };
    let blocked = |name: &str| {
        let mut reference = owner("owner", "$uid");
        reference["blockOwnerDeletion"] = true.into();
        with(red(name), json!({"ownerReferences": [reference]}))
    };
    vec![
        owner_map(row("what is owned goes after its owner"))
            .post(WIDGETS, owned(red("a"), "owner", "$uid"))
            .is(201)
            .delete(&at(MAPS, "owner"))
            .is(200)
            .get(&at(WIDGETS, "a"))
            .is(404)
            .soon(),
        owner_map(row("what has another owner stays and forgets the one that went"))
            .post(MAPS, map("second", json!({})))
            .keep("other", "/metadata/uid")
            .post(WIDGETS, with(red("a"), json!({"ownerReferences": [owner("owner", "$uid"), owner("second", "$other")]})))
            .is(201)
            .delete(&at(MAPS, "owner"))
            .get(&at(WIDGETS, "a"))
            .is(200)
            .has("/metadata/ownerReferences/0/name", "second")
            .lacks("/metadata/ownerReferences/1")
            .soon(),
        row("what names an owner that never was goes")
            .post(WIDGETS, owned(red("a"), "owner", "11111111-2222-3333-4444-555555555555"))
            .is(201)
            .get(&at(WIDGETS, "a"))
            .is(404)
            .soon(),
        owner_map(row("an owner by the same name but another uid is none"))
            .post(WIDGETS, owned(red("a"), "owner", "11111111-2222-3333-4444-555555555555"))
            .get(&at(WIDGETS, "a"))
            .is(404)
            .soon()
            .get(&at(MAPS, "owner"))
            .is(200),
        seen(
            owner_map(row("what an owner lets go of stays without it"))
                .post(WIDGETS, owned(red("a"), "owner", "$uid")),
        )
            .delete_with(&at(MAPS, "owner"), json!({"propagationPolicy": "Orphan"}))
            .is(200)
            .get(&at(MAPS, "owner"))
            .is(404)
            .soon()
            .get(&at(WIDGETS, "a"))
            .is(200)
            .lacks("/metadata/ownerReferences"),
        seen(
            owner_map(row("an owner deleted in the foreground waits for what blocks it"))
                .post(WIDGETS, with(blocked("a"), json!({"finalizers": ["x.dev/y"]})))
                .is(201),
        )
            .delete_with(&at(MAPS, "owner"), json!({"propagationPolicy": "Foreground"}))
            .is(200)
            .has("/metadata/finalizers/0", "foregroundDeletion")
            .get(&at(WIDGETS, "a"))
            .fills("/metadata/deletionTimestamp")
            .soon()
            .get(&at(MAPS, "owner"))
            .is(200)
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200)
            .get(&at(MAPS, "owner"))
            .is(404)
            .soon(),
        owner_map(row("an owner deleted in the foreground does not wait for what does not block it"))
            .post(WIDGETS, with(owned(red("a"), "owner", "$uid"), json!({"finalizers": ["x.dev/y"]})))
            .delete_with(&at(MAPS, "owner"), json!({"propagationPolicy": "Foreground"}))
            .get(&at(MAPS, "owner"))
            .is(404)
            .soon()
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200),
        owner_map(row("an owner without dependents deleted in the foreground goes"))
            .delete_with(&at(MAPS, "owner"), json!({"propagationPolicy": "Foreground"}))
            .is(200)
            .get(&at(MAPS, "owner"))
            .is(404)
            .soon(),
        owner_map(row("a chain of owners goes one after the other"))
            .post(WIDGETS, owned(red("a"), "owner", "$uid"))
            .keep("widget", "/metadata/uid")
            .post(SECRETS, with(secret("b", json!({})), json!({"ownerReferences": [
                {"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget", "name": "a", "uid": "$widget"}]})))
            .delete(&at(MAPS, "owner"))
            .get(&at(WIDGETS, "a"))
            .is(404)
            .soon()
            .get(&at(SECRETS, "b"))
            .is(404)
            .soon(),
        owner_map(row("what becomes owned later goes too"))
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a"), MERGE, json!({"metadata": {"ownerReferences": [owner("owner", "$uid")]}}))
            .is(200)
            .delete(&at(MAPS, "owner"))
            .get(&at(WIDGETS, "a"))
            .is(404)
            .soon(),
        owner_map(row("what an owner's finalizer still holds keeps what it owns"))
            .patch(&at(MAPS, "owner"), MERGE, json!({"metadata": {"finalizers": ["x.dev/y"]}}))
            .post(WIDGETS, owned(red("a"), "owner", "$uid"))
            .delete(&at(MAPS, "owner"))
            .is(200)
            .get(&at(WIDGETS, "a"))
            .is(200)
            .patch(&at(MAPS, "owner"), MERGE, json!({"metadata": {"finalizers": null}}))
            .get(&at(WIDGETS, "a"))
            .is(404)
            .soon(),
    ]
}
