//! Lists: selectors, pages, versions, forms.

use serde_json::json;

use super::objects::*;
use super::row::{PARTIAL, PARTIAL_LIST, Row, TABLE, row};

pub fn rows() -> Vec<Row> {
    [selectors(), pages(), versions(), forms()].concat()
}

fn three(row: Row) -> Row {
    row.post(
        WIDGETS,
        with(
            widget("a", json!({"color": "red", "maker": {"name": "ann"}})),
            json!({"labels": {"app": "web", "tier": "1"}}),
        ),
    )
    .is(201)
    .post(WIDGETS, with(widget("b", json!({"color": "blue"})), json!({"labels": {"app": "web"}})))
    .is(201)
    .post(
        WIDGETS,
        with(
            widget("c", json!({"color": "blue", "maker": {"name": "bob"}})),
            json!({"labels": {"app": "db"}}),
        ),
    )
    .is(201)
    .keep("last", "/metadata/resourceVersion")
}

fn by(name: &'static str, query: &str, wanted: &[&'static str]) -> Row {
    three(row(name)).get(&format!("{WIDGETS}?{query}")).is(200).lists(wanted)
}

fn selectors() -> Vec<Row> {
    vec![
        by("a list has all objects in the order of their names", "", &["a", "b", "c"])
            .has("/kind", "WidgetList")
            .has("/apiVersion", "behaviours.everleaf.dev/v1")
            .fills("/metadata/resourceVersion"),
        by("a label selects", "labelSelector=app%3Dweb", &["a", "b"]),
        by("a label that differs selects", "labelSelector=app%21%3Dweb", &["c"]),
        by("labels select together", "labelSelector=app%3Dweb,tier%3D1", &["a"]),
        by("a set of values selects", "labelSelector=app%20in%20(db,other)", &["c"]),
        by("all but a set of values selects", "labelSelector=tier%20notin%20(1)", &["b", "c"]),
        by("a label that is there selects", "labelSelector=tier", &["a"]),
        by("a label that is not there selects", "labelSelector=%21tier", &["b", "c"]),
        by("a number above selects", "labelSelector=tier%3E0", &["a"]),
        by("a name selects", "fieldSelector=metadata.name%3Db", &["b"]),
        by("all but a name selects", "fieldSelector=metadata.name%21%3Db", &["a", "c"]),
        by("a field of the kind selects", "fieldSelector=spec.color%3Dblue", &["b", "c"]),
        by("a field that is not there is empty", "fieldSelector=spec.maker.name%3D", &["b"]),
        by(
            "fields and labels select together",
            "fieldSelector=spec.color%3Dblue&labelSelector=app%3Dweb",
            &["b"],
        ),
        row("a field that nobody can select by is refused")
            .get(&format!("{WIDGETS}?fieldSelector=spec.size%3D1"))
            .is(400)
            .says("field label not supported: spec.size")
            .get(&format!("{SECRETS}?fieldSelector=data%3D1"))
            .is(400)
            .says("field label not supported: data"),
        row("a selector that cannot be read is refused")
            .get(&format!("{SECRETS}?labelSelector=a%3D%3D%3Db"))
            .is(400)
            .says("unable to parse requirement: found '=', expected: identifier")
            .get(&format!("{SECRETS}?fieldSelector=foo"))
            .is(400)
            .says("invalid selector: 'foo'; can't understand 'foo'"),
        row("secrets are selected by their type")
            .post(SECRETS, secret("a", json!({})))
            .post(SECRETS, json!({"metadata": {"name": "b"}, "type": "x.dev/y"}))
            .get(&format!("{SECRETS}?fieldSelector=type%3Dx.dev/y"))
            .lists(&["b"]),
        three(row("a list across namespaces has those of this one"))
            .get(&format!("{ALL_WIDGETS}?fieldSelector=metadata.namespace%3D$ns"))
            .is(200)
            .lists(&["a", "b", "c"]),
        row("an empty list is a list").get(WIDGETS).is(200).lists(&[]).has("/items", json!([])),
        row("a list in a namespace that is not there is empty")
            .get("/api/v1/namespaces/$ns-none/secrets")
            .is(200)
            .has("/items", json!([])),
    ]
}

fn pages() -> Vec<Row> {
    vec![
        three(row("a list comes in pages that show one moment"))
            .get(&format!("{WIDGETS}?limit=2"))
            .is(200)
            .lists(&["a", "b"])
            .has("/metadata/remainingItemCount", 1)
            .keep("next", "/metadata/continue")
            .keep("rv", "/metadata/resourceVersion")
            .post(WIDGETS, red("d"))
            .delete(&at(WIDGETS, "c"))
            .get(&format!("{WIDGETS}?limit=2&continue=$next"))
            .is(200)
            .lists(&["c"])
            .has("/metadata/resourceVersion", "$rv")
            .get(WIDGETS)
            .lists(&["a", "b", "d"]),
        three(row("a page of a selection tells no rest"))
            .get(&format!("{WIDGETS}?limit=1&labelSelector=app%3Dweb"))
            .lists(&["a"])
            .lacks("/metadata/remainingItemCount")
            .keep("next", "/metadata/continue")
            .get(&format!("{WIDGETS}?limit=1&labelSelector=app%3Dweb&continue=$next"))
            .lists(&["b"]),
        three(row("the last page has no next"))
            .get(&format!("{WIDGETS}?limit=3"))
            .lists(&["a", "b", "c"])
            .lacks("/metadata/remainingItemCount"),
        row("a token that cannot be read is refused")
            .get(&format!("{WIDGETS}?limit=1&continue=abc"))
            .is(400)
            .says("continue key is not valid"),
        row("a limit must be a number").get(&format!("{WIDGETS}?limit=x")).is(400),
        three(row("a list from the cache is not cut"))
            .get(&format!("{WIDGETS}?limit=1&resourceVersion=0"))
            .is(200)
            .lists(&["a", "b", "c"])
            .soon(),
    ]
}

fn versions() -> Vec<Row> {
    vec![
        three(row("a list at a version shows that version"))
            .delete(&at(WIDGETS, "a"))
            .is(200)
            .get(&format!("{WIDGETS}?resourceVersion=$last&resourceVersionMatch=Exact"))
            .is(200)
            .lists(&["a", "b", "c"])
            .has("/metadata/resourceVersion", "$last"),
        three(row("a list not older than a version shows the newest"))
            .delete(&at(WIDGETS, "a"))
            .get(&format!("{WIDGETS}?resourceVersion=$last&resourceVersionMatch=NotOlderThan"))
            .is(200)
            .lists(&["b", "c"]),
        // On a real server the client repeats this for five minutes; asked without a client it answers the same.
        row("a version from the future is told as too large")
            .get(&format!("{WIDGETS}?resourceVersion=99999999"))
            .only(super::Kind::Embedded)
            .is(504)
            .because("Timeout")
            .says("Too large resource version: 99999999")
            .has("/details/causes/0/reason", "ResourceVersionTooLarge"),
        row("a version must be a number").get(&format!("{WIDGETS}?resourceVersion=abc")).is(400),
        row("a match needs a version")
            .get(&format!("{WIDGETS}?resourceVersionMatch=Exact"))
            .is(422)
            .blames(&["resourceVersionMatch"])
            .get(&format!("{WIDGETS}?resourceVersion=0&resourceVersionMatch=Exact"))
            .is(422)
            .get(&format!("{WIDGETS}?resourceVersion=1&resourceVersionMatch=Some"))
            .is(422),
    ]
}

fn forms() -> Vec<Row> {
    vec![
        three(row("metadata alone is a form of an object"))
            .get(&at(WIDGETS, "a"))
            .accept(PARTIAL)
            .is(200)
            .has("/kind", "PartialObjectMetadata")
            .has("/apiVersion", "meta.k8s.io/v1")
            .has("/metadata/name", "a")
            .has("/metadata/labels/app", "web")
            .lacks("/spec"),
        three(row("metadata alone is a form of a list"))
            .get(&format!("{WIDGETS}?limit=2"))
            .accept(PARTIAL_LIST)
            .has("/kind", "PartialObjectMetadataList")
            .lists(&["a", "b"])
            .has("/items/0/kind", "PartialObjectMetadata")
            .lacks("/items/0/spec")
            .has("/metadata/remainingItemCount", 1),
        row("a table has the columns of the kind")
            .post(WIDGETS, widget("a", json!({"color": "red", "size": 3})))
            .keep("rv", "/metadata/resourceVersion")
            .put(
                &at(WIDGETS, "a/status"),
                with(
                    widget_status("a", json!({"conditions": [{"type": "Ready", "status": "True"}]})),
                    json!({"resourceVersion": "$rv"}),
                ),
            )
            .is(200)
            .post(WIDGETS, red("b"))
            .get(WIDGETS)
            .accept(TABLE)
            .has("/kind", "Table")
            .has("/columnDefinitions/0/name", "Name")
            .has("/columnDefinitions/0/format", "name")
            .has("/columnDefinitions/1/name", "Ready")
            .has("/columnDefinitions/2/priority", 1)
            .has("/columnDefinitions/4/type", "date")
            .cells(0, json!(["a", "True", "red", 3]))
            .cells(1, json!(["b", null, "red", null]))
            .has("/rows/0/object/kind", "PartialObjectMetadata")
            .lacks("/rows/0/object/spec"),
        row("a table of one object has one row")
            .post(SECRETS, secret("a", json!({"x": "eA==", "y": "eA=="})))
            .get(&at(SECRETS, "a"))
            .accept(TABLE)
            .cells(0, json!(["a", "Opaque", 2]))
            .lacks("/rows/1"),
        row("a table may carry whole objects, or none")
            .post(MAPS, map("a", json!({"x": "y"})))
            .get(&at(MAPS, "a?includeObject=Object"))
            .accept(TABLE)
            .cells(0, json!(["a", 1]))
            .has("/rows/0/object/data/x", "y")
            .get(&at(MAPS, "a?includeObject=None"))
            .accept(TABLE)
            .lacks("/rows/0/object"),
        row("a written object is shown in the form that is wanted")
            .post(WIDGETS, red("a"))
            .accept(PARTIAL)
            .is(201)
            .has("/kind", "PartialObjectMetadata")
            .lacks("/spec"),
        row("the first form that can be made counts")
            .post(MAPS, map("a", json!({})))
            .get(&at(MAPS, "a"))
            .accept("application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
            .has("/kind", "Table")
            .get(&at(MAPS, "a"))
            .accept("application/json;as=Table;v=v9;g=meta.k8s.io,application/json")
            .has("/kind", "ConfigMap"),
        row("namespaces and leases have their columns")
            .post(LEASES, json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}}))
            .get(&at(LEASES, "a"))
            .accept(TABLE)
            .cells(0, json!(["a", "me"]))
            .get("/api/v1/namespaces/$ns")
            .accept(TABLE)
            .cells(0, json!(["$ns", "Active"]))
            .is(200),
    ]
}
