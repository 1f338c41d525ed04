//! Events: one object under two kinds.

use serde_json::json;

use super::objects::*;
use super::row::{Row, TABLE, row};

pub fn rows() -> Vec<Row> {
    let new_event = || {
        json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"},
            "eventTime": "2026-01-01T10:00:00.123456Z", "reportingController": "x.dev/c", "reportingInstance": "i",
            "action": "Act", "reason": "Happened", "note": "it happened", "type": "Normal",
            "regarding": {"apiVersion": "v1", "kind": "Secret", "name": "s", "namespace": "$ns", "uid": "u"}})
    };
    vec![
        row("an event of the new kind is read as one of the old")
            .post(NEW_EVENTS, new_event())
            .is(201)
            .has("/apiVersion", "events.k8s.io/v1")
            .has("/note", "it happened")
            .get(&at(EVENTS, "a"))
            .is(200)
            .has("/apiVersion", "v1")
            .has("/message", "it happened")
            .has("/involvedObject/name", "s")
            .has("/reportingComponent", "x.dev/c")
            .has("/eventTime", "2026-01-01T10:00:00.123456Z"),
        row("an event of the old kind is read as one of the new")
            .post(EVENTS, event("a", "s"))
            .is(201)
            .get(&at(NEW_EVENTS, "a"))
            .is(200)
            .has("/note", "it happened")
            .has("/regarding/name", "s")
            .has("/deprecatedSource/component", "tester"),
        row("events are selected by what they are about")
            .post(EVENTS, event("a", "s"))
            .post(EVENTS, event("b", "t"))
            .get(&format!("{EVENTS}?fieldSelector=involvedObject.name%3Dt,involvedObject.kind%3DSecret"))
            .lists(&["b"])
            .get(&format!("{NEW_EVENTS}?fieldSelector=regarding.name%3Ds"))
            .lists(&["a"])
            .get(&format!("{EVENTS}?fieldSelector=source%3Dtester,reason%3DHappened,type%3DNormal"))
            .lists(&["a", "b"]),
        row("each kind of events is selected by its own names")
            .get(&format!("{EVENTS}?fieldSelector=regarding.name%3Ds"))
            .is(400)
            .get(&format!("{NEW_EVENTS}?fieldSelector=involvedObject.name%3Ds"))
            .is(400),
        row("an event lies where its object lies")
            .post(EVENTS, json!({"metadata": {"name": "a"}, "involvedObject": {"kind": "Secret", "name": "s", "namespace": "other"}}))
            .is(422)
            .blames(&["involvedObject.namespace"]),
        row("an event of the new kind must be whole")
            .post(NEW_EVENTS, json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"},
                "eventTime": "2026-01-01T10:00:00.123456Z", "type": "Normal",
                "regarding": {"kind": "Secret", "name": "s", "namespace": "$ns"}}))
            .is(422),
        row("a table of events tells what happened to what")
            .post(EVENTS, event("a", "s"))
            .get(EVENTS)
            .accept(TABLE)
            .has("/columnDefinitions/0/name", "Last Seen")
            .has("/columnDefinitions/3/name", "Object")
            .has("/rows/0/cells/1", "Normal")
            .has("/rows/0/cells/2", "Happened")
            .has("/rows/0/cells/3", "secret/s")
            .has("/rows/0/cells/5", "tester")
            .has("/rows/0/cells/6", "it happened")
            .has("/rows/0/cells/8", 1),
        row("an event is made by a replacement, and changed by one without a version")
            .put(&at(EVENTS, "a"), event("a", "s"))
            .is(201)
            .put(&at(EVENTS, "a"), with(event("a", "s"), json!({"labels": {"x": "y"}})))
            .is(200)
            .has("/metadata/labels/x", "y"),
        row("a change of an event is told under both kinds")
            .post(NEW_EVENTS, new_event())
            .keep("rv", "/metadata/resourceVersion")
            .delete(&at(EVENTS, "a"))
            .is(200)
            .get(&format!("{NEW_EVENTS}?watch=1&timeoutSeconds=1&resourceVersion=$rv"))
            .tells(&["DELETED a"]),
    ]
}
