//! Server-side apply and the book of field owners, for applies and for other writes.

use serde_json::{Value, json};

use super::objects::*;
use super::row::{APPLY, MERGE, Row, row};

pub fn rows() -> Vec<Row> {
    [applies(), conflicts(), books(), status(), builtin()].concat()
}

fn conf(spec: Value) -> Value {
    widget("a", spec)
}

fn applies() -> Vec<Row> {
    let a = || at(WIDGETS, "a");
    vec![
        row("an apply makes what is not there")
            .apply(&a(), "one", conf(json!({"color": "red", "parts": [{"id": "x", "count": 1}]})))
            .is(201)
            .has("/metadata/generation", 1)
            .has("/spec/shape", "round")
            .owns("Apply one", &["f:spec/f:color", "f:spec/f:parts/k:{\"id\":\"x\"}",
                "f:spec/f:parts/k:{\"id\":\"x\"}/f:count", "f:spec/f:parts/k:{\"id\":\"x\"}/f:id"]),
        row("an apply changes what is there")
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .is(201)
            .apply(&a(), "one", conf(json!({"color": "blue"})))
            .is(200)
            .has("/spec/color", "blue")
            .has("/metadata/generation", 2),
        row("an apply again changes nothing")
            .apply(&a(), "one", conf(json!({"color": "red", "set": ["x"]})))
            .keep("rv", "/metadata/resourceVersion")
            .apply(&a(), "one", conf(json!({"color": "red", "set": ["x"]})))
            .is(200)
            .has("/metadata/resourceVersion", "$rv"),
        row("an apply takes out what it no longer names")
            .apply(&a(), "one", conf(json!({"color": "red", "size": 3, "tags": {"a": "1", "b": "2"}, "set": ["x", "y"], "parts": [{"id": "p"}, {"id": "q"}]})))
            .apply(&a(), "one", conf(json!({"color": "red", "tags": {"a": "1"}, "set": ["y"], "parts": [{"id": "q"}]})))
            .is(200)
            .has("/spec", json!({"color": "red", "shape": "round", "tags": {"a": "1"}, "set": ["y"], "parts": [{"id": "q", "unit": "piece"}]})),
        row("an apply leaves what others made")
            .post(WIDGETS, widget("a", json!({"color": "red", "tags": {"a": "1"}, "parts": [{"id": "p", "count": 1}]})))
            .apply(&a(), "one", conf(json!({"tags": {"b": "2"}, "parts": [{"id": "q", "count": 2}]})))
            .is(200)
            .has("/spec/tags", json!({"a": "1", "b": "2"}))
            .has("/spec/parts", json!([{"id": "p", "count": 1, "unit": "piece"}, {"id": "q", "count": 2, "unit": "piece"}]))
            .apply(&a(), "one", conf(json!({})))
            .is(200)
            .has("/spec/tags", json!({"a": "1"}))
            .has("/spec/parts", json!([{"id": "p", "count": 1, "unit": "piece"}]))
            .owns("Apply one", &["f:spec"])
            .apply(&a(), "one", json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget", "metadata": {"name": "a"}}))
            .is(200)
            .owns_nothing("Apply one"),
        row("what two managers apply stays until both let go")
            .apply(&a(), "one", conf(json!({"color": "red", "size": 3})))
            .apply(&a(), "two", conf(json!({"size": 3})))
            .is(200)
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .has("/spec/size", 3)
            .apply(&a(), "two", conf(json!({})))
            .is(200)
            .lacks("/spec/size"),
        row("a field in a shared list item belongs to who applied it")
            .apply(&a(), "one", conf(json!({"color": "red", "parts": [{"id": "p", "count": 1}]})))
            .apply(&a(), "two", conf(json!({"parts": [{"id": "p", "unit": "kg"}]})))
            .is(200)
            .has("/spec/parts", json!([{"id": "p", "count": 1, "unit": "kg"}]))
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .is(200)
            .has("/spec/parts", json!([{"id": "p", "unit": "kg"}])),
        row("an atomic list is one value")
            .apply(&a(), "one", conf(json!({"color": "red", "list": ["1", "2"]})))
            .owns("Apply one", &["f:spec/f:color", "f:spec/f:list"])
            .apply(&a(), "one", conf(json!({"color": "red", "list": ["3"]})))
            .has("/spec/list", json!(["3"])),
        row("an atomic map is one value")
            .apply(&a(), "one", conf(json!({"color": "red", "block": {"a": "1", "b": "2"}})))
            .owns("Apply one", &["f:spec/f:block", "f:spec/f:color"])
            .apply(&a(), "one", conf(json!({"color": "red", "block": {"b": "3"}})))
            .has("/spec/block", json!({"b": "3"})),
        row("what the schema does not describe is owned by what it looks like")
            .apply(&a(), "one", conf(json!({"color": "red", "free": {"m": {"x": 1}, "l": [1, 2]}})))
            .owns("Apply one", &["f:spec/f:color", "f:spec/f:free/f:l", "f:spec/f:free/f:m", "f:spec/f:free/f:m/f:x"]),
        row("the items of an applied list keep its order, the others theirs")
            .apply(&a(), "one", conf(json!({"color": "red", "set": ["x", "y"]})))
            .apply(&a(), "two", conf(json!({"set": ["z", "x"]})))
            .is(200)
            .has("/spec/set", json!(["z", "x", "y"])),
        row("an apply of labels owns each label")
            .apply(&a(), "one", with(red("a"), json!({"labels": {"l": "1"}, "annotations": {"n": "1"}})))
            .is(201)
            .owns("Apply one", &["f:metadata/f:annotations/f:n", "f:metadata/f:labels/f:l", "f:spec/f:color"]),
        row("an apply of finalizers and owners adds to those of others")
            .post(MAPS, with(map("a", json!({})), json!({"finalizers": ["x.dev/a"]})))
            .apply(&at(MAPS, "a"), "one", with(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}), json!({"finalizers": ["x.dev/b"]})))
            .is(200)
            .has("/metadata/finalizers", json!(["x.dev/a", "x.dev/b"]))
            .patch(&at(MAPS, "a"), MERGE, json!({"metadata": {"finalizers": null}}))
            .is(200),
        row("an apply without a manager is refused")
            .patch(&a(), APPLY, conf(json!({"color": "red"})))
            .is(422)
            .blames(&["fieldManager"]),
        row("an apply with fields that are not known is refused")
            .apply(&a(), "one", conf(json!({"color": "red", "foo": 1})))
            .is(500)
            .says(".spec.foo: field not declared in schema"),
        row("an apply carries no book of owners")
            .apply(&a(), "one", with(red("a"), json!({"managedFields": []})))
            .is(400)
            .says("metadata.managedFields must be nil"),
        row("an apply under another name is refused")
            .apply(&a(), "one", red("b"))
            .is(400)
            .says("the name of the object (b) does not match the name on the URL (a)"),
        row("an apply names its kind")
            .apply(&a(), "one", json!({"kind": "Widget", "metadata": {"name": "a"}}))
            .is(400),
        row("an apply at an old version is a conflict")
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .apply(&a(), "one", with(red("a"), json!({"resourceVersion": "1"})))
            .is(409)
            .says("the object has been modified"),
        row("an apply that makes an invalid object is refused")
            .apply(&a(), "one", conf(json!({"color": "pink"})))
            .is(422)
            .blames(&["spec.color"])
            .apply(&a(), "one", conf(json!({"size": 1})))
            .is(422)
            .blames(&["spec.color"]),
        row("a dry run of an apply changes nothing")
            .apply(&at(WIDGETS, "a?dryRun=All"), "one", conf(json!({"color": "red"})))
            .is(201)
            .get(&a())
            .is(404),
        row("an apply is read as YAML")
            .patch_raw(&at(WIDGETS, "a?fieldManager=one"), APPLY, "apiVersion: behaviours.everleaf.dev/v1\nkind: Widget\nmetadata:\n  name: a\nspec:\n  color: red\n")
            .is(201)
            .has("/spec/color", "red"),
        row("an apply names its object")
            .apply(&a(), "one", json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget", "spec": {"color": "red"}}))
            .is(400)
            .says("name must be provided"),
        row("a patch that is no apply cannot be forced")
            .post(WIDGETS, red("a"))
            .patch(&at(WIDGETS, "a?force=true"), MERGE, json!({}))
            .is(422)
            .blames(&["force"]),
    ]
}

fn conflicts() -> Vec<Row> {
    let a = || at(WIDGETS, "a");
    vec![
        row("a changed field of another applier is a conflict")
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .apply(&a(), "two", conf(json!({"color": "blue"})))
            .is(409)
            .because("Conflict")
            .says("Apply failed with 1 conflict: conflict with \"one\": .spec.color")
            .has("/details/causes/0/reason", "FieldManagerConflict")
            .has("/details/causes/0/field", ".spec.color"),
        row("several conflicts are told together")
            .apply(&a(), "one", conf(json!({"color": "red", "parts": [{"id": "x", "count": 1}]})))
            .apply(&a(), "two", conf(json!({"color": "blue", "parts": [{"id": "x", "count": 2}]})))
            .is(409)
            .says("Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.color\n- .spec.parts[id=\"x\"].count"),
        row("a changed field of an updater is a conflict that names its version")
            .post(&format!("{WIDGETS}?fieldManager=maker"), red("a"))
            .apply(&a(), "two", conf(json!({"color": "blue"})))
            .is(409)
            .says("conflict with \"maker\" using behaviours.everleaf.dev/v1: .spec.color"),
        row("the same value is no conflict and is owned by both")
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .apply(&a(), "two", conf(json!({"color": "red"})))
            .is(200)
            .owns("Apply one", &["f:spec/f:color"])
            .owns("Apply two", &["f:spec/f:color"]),
        row("force takes the field")
            .apply(&a(), "one", conf(json!({"color": "red", "size": 3})))
            .apply(&at(WIDGETS, "a?force=true"), "two", conf(json!({"color": "blue"})))
            .is(200)
            .has("/spec/color", "blue")
            .owns("Apply one", &["f:spec/f:size"])
            .owns("Apply two", &["f:spec/f:color"])
            .apply(&a(), "one", conf(json!({"size": 3})))
            .is(200)
            .has("/spec/color", "blue"),
        row("an atomic list of another manager is a conflict as a whole")
            .apply(&a(), "one", conf(json!({"color": "red", "list": ["1"]})))
            .apply(&a(), "two", conf(json!({"list": ["1", "2"]})))
            .is(409)
            .says(".spec.list"),
        row("an update takes a field without asking")
            .apply(&a(), "one", conf(json!({"color": "red", "size": 3})))
            .patch(&at(WIDGETS, "a?fieldManager=two"), MERGE, json!({"spec": {"color": "blue"}}))
            .is(200)
            .owns("Apply one", &["f:spec/f:size"])
            .owns("Update two", &["f:spec/f:color"]),
        row("an applier that lost a field to an update conflicts with it")
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .patch(&at(WIDGETS, "a?fieldManager=two"), MERGE, json!({"spec": {"color": "blue"}}))
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .is(409)
            .says("conflict with \"two\" using behaviours.everleaf.dev/v1: .spec.color"),
    ]
}

fn books() -> Vec<Row> {
    let a = || at(WIDGETS, "a");
    vec![
        row("a creator owns what it gave and what was filled in for it")
            .post(
                &format!("{WIDGETS}?fieldManager=maker"),
                with(widget("a", json!({"color": "red", "set": ["x"]})), json!({"labels": {"l": "1"}})),
            )
            .is(201)
            .owns(
                "Update maker",
                &[
                    "f:metadata/f:labels",
                    "f:metadata/f:labels/f:l",
                    "f:spec",
                    "f:spec/f:color",
                    "f:spec/f:set",
                    "f:spec/f:set/v:\"x\"",
                    "f:spec/f:shape",
                ],
            ),
        row("a manager that is not named is the program")
            .post(WIDGETS, red("a"))
            .owns("Update behaviours", &["f:spec", "f:spec/f:color", "f:spec/f:shape"]),
        row("an updater owns what it changed, and the others keep the rest")
            .post(&format!("{WIDGETS}?fieldManager=maker"), widget("a", json!({"color": "red", "size": 1})))
            .patch(&at(WIDGETS, "a?fieldManager=changer"), MERGE, json!({"spec": {"size": 2}}))
            .owns("Update maker", &["f:spec", "f:spec/f:color", "f:spec/f:shape"])
            .owns("Update changer", &["f:spec/f:size"]),
        row("what is removed is owned by nobody")
            .post(&format!("{WIDGETS}?fieldManager=maker"), widget("a", json!({"color": "red", "size": 1})))
            .patch(&at(WIDGETS, "a?fieldManager=changer"), MERGE, json!({"spec": {"size": null}}))
            .owns("Update maker", &["f:spec", "f:spec/f:color", "f:spec/f:shape"])
            .owns_nothing("Update changer"),
        row("a replacement without a book keeps the book")
            .post(&format!("{WIDGETS}?fieldManager=maker"), red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(
                &at(WIDGETS, "a?fieldManager=changer"),
                with(widget("a", json!({"color": "red", "size": 1})), json!({"resourceVersion": "$rv"})),
            )
            .is(200)
            .owns("Update maker", &["f:spec", "f:spec/f:color", "f:spec/f:shape"])
            .owns("Update changer", &["f:spec/f:size"]),
        row("a book can be emptied, and is not begun again before the next apply")
            .post(WIDGETS, red("a"))
            .patch(&a(), MERGE, json!({"metadata": {"managedFields": [{}]}}))
            .is(200)
            .lacks("/metadata/managedFields")
            .patch(&a(), MERGE, json!({"spec": {"size": 8}}))
            .is(200)
            .lacks("/metadata/managedFields")
            .apply(&a(), "one", conf(json!({"size": 8})))
            .is(200)
            .owns("Apply one", &["f:spec/f:size"])
            .owns(
                "Update before-first-apply",
                &["f:spec", "f:spec/f:color", "f:spec/f:shape", "f:spec/f:size"],
            ),
        row("an empty book in a patch keeps the book")
            .post(&format!("{WIDGETS}?fieldManager=maker"), red("a"))
            .patch(&a(), MERGE, json!({"metadata": {"managedFields": []}}))
            .is(200)
            .owns("Update maker", &["f:spec", "f:spec/f:color", "f:spec/f:shape"]),
        row("a manager's name has a limit")
            .post(&format!("{WIDGETS}?fieldManager={}", "m".repeat(129)), red("a"))
            .is(422)
            .blames(&["fieldManager"]),
        row("a list with keys that is empty is not claimed, a map that is empty is")
            .apply(&a(), "one", conf(json!({"color": "red", "parts": [], "set": [], "tags": {}, "list": []})))
            .owns("Apply one", &["f:spec/f:color", "f:spec/f:list", "f:spec/f:tags"]),
    ]
}

fn status() -> Vec<Row> {
    let a = || at(WIDGETS, "a");
    let ready = || json!({"conditions": [{"type": "Ready", "status": "True"}]});
    vec![
        row("a status is applied apart, under an entry of its own")
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .apply(&at(WIDGETS, "a/status"), "one", widget_status("a", ready()))
            .is(200)
            .owns("Apply one", &["f:spec/f:color"])
            .owns("Apply one status", &["f:status/f:conditions/k:{\"type\":\"Ready\"}",
                "f:status/f:conditions/k:{\"type\":\"Ready\"}/f:status", "f:status/f:conditions/k:{\"type\":\"Ready\"}/f:type"])
            .has("/metadata/generation", 1),
        row("conditions of several managers stand side by side")
            .post(WIDGETS, red("a"))
            .apply(&at(WIDGETS, "a/status"), "one", widget_status("a", ready()))
            .apply(&at(WIDGETS, "a/status"), "two", widget_status("a", json!({"conditions": [{"type": "Seen", "status": "False"}]})))
            .is(200)
            .has("/status/conditions/0/type", "Ready")
            .has("/status/conditions/1/type", "Seen")
            .apply(&at(WIDGETS, "a/status"), "one", widget_status("a", json!({})))
            .is(200)
            .has("/status/conditions", json!([{"type": "Seen", "status": "False"}])),
        row("an apply of the status changes nothing else and owns nothing else")
            .apply(&a(), "one", conf(json!({"color": "red"})))
            .apply(&at(WIDGETS, "a/status"), "two", json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget",
                "metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"size": 9}, "status": {"phase": "p"}}))
            .is(200)
            .lacks("/spec/size")
            .lacks("/metadata/labels")
            .owns("Apply two status", &["f:status/f:phase"]),
        row("an apply of the object does not own its status")
            .apply(&a(), "one", json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget",
                "metadata": {"name": "a"}, "spec": {"color": "red"}, "status": {"phase": "p"}}))
            .is(201)
            .lacks("/status")
            .owns("Apply one", &["f:spec/f:color"]),
        row("a status of what is not there is not found")
            .apply(&at(WIDGETS, "a/status"), "one", widget_status("a", json!({"phase": "p"})))
            .is(404),
        row("an update of the status is tracked apart")
            .post(&format!("{WIDGETS}?fieldManager=maker"), red("a"))
            .patch(&at(WIDGETS, "a/status?fieldManager=maker"), MERGE, json!({"status": {"phase": "x"}}))
            .owns("Update maker", &["f:spec", "f:spec/f:color", "f:spec/f:shape"])
            .owns("Update maker status", &["f:status", "f:status/f:phase"]),
    ]
}

fn builtin() -> Vec<Row> {
    let a = || at(SECRETS, "a");
    vec![
        row("a secret is applied key by key")
            .apply(&a(), "one", secret("a", json!({"x": "eA==", "y": "eQ=="})))
            .is(201)
            .has("/type", "Opaque")
            .owns("Apply one", &["f:data/f:x", "f:data/f:y"])
            .apply(&a(), "two", secret("a", json!({"z": "eg=="})))
            .is(200)
            .apply(&a(), "one", secret("a", json!({"x": "eA=="})))
            .is(200)
            .has("/data", json!({"x": "eA==", "z": "eg=="})),
        row("a created secret is owned key by key")
            .post(&format!("{SECRETS}?fieldManager=maker"), secret("a", json!({"x": "eA=="})))
            .owns("Update maker", &["f:data", "f:data/f:x", "f:type"]),
        row("plain text that is applied becomes data")
            .apply(&a(), "one", json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"x": "1"}}))
            .is(201)
            .has("/data", json!({"x": "MQ=="}))
            .owns("Apply one", &["f:stringData/f:x"]),
        row("a secret's foreign labels survive an apply")
            .apply(&a(), "one", with(secret("a", json!({"x": "eA=="})), json!({"labels": {"mine": "1"}, "annotations": {"mine": "1"}})))
            .patch(&at(SECRETS, "a?fieldManager=other"), MERGE, json!({"metadata": {"labels": {"theirs": "2"}}, "data": {"theirs": "eA=="}}))
            .apply(&a(), "one", secret("a", json!({"x": "eQ=="})))
            .is(200)
            .has("/metadata/labels", json!({"theirs": "2"}))
            .lacks("/metadata/annotations")
            .has("/data", json!({"x": "eQ==", "theirs": "eA=="})),
        row("a secret whose type another manager set is applied without naming it")
            .post(&format!("{SECRETS}?fieldManager=maker"), json!({"metadata": {"name": "a"}, "type": "kubernetes.io/tls", "data": {"tls.crt": "eA==", "tls.key": "eA=="}}))
            .apply(&at(SECRETS, "a?force=true"), "one", secret("a", json!({"tls.crt": "eQ==", "tls.key": "eQ=="})))
            .is(200)
            .has("/type", "kubernetes.io/tls")
            .has("/data/tls.crt", "eQ=="),
        row("a lease's spec is not owned as a whole")
            .post(&format!("{LEASES}?fieldManager=maker"), json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}}))
            .owns("Update maker", &["f:spec/f:holderIdentity"]),
    ]
}
