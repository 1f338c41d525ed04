//! Schemas of custom kinds: checks, defaults, pruning, unknown and double fields.

use serde_json::{Value, json};

use super::objects::*;
use super::row::{JSON, Row, row};

pub fn rows() -> Vec<Row> {
    [checks(), shapes(), unknown()].concat()
}

fn refused(name: &'static str, spec: Value, fields: &[&'static str]) -> Row {
    row(name).post(WIDGETS, widget("a", spec)).is(422).because("Invalid").blames(fields)
}

fn checks() -> Vec<Row> {
    vec![
        refused("a required field must be there", json!({"size": 3}), &["spec.color"])
            .says("spec.color: Required value")
            .has("/details/causes/0/reason", "FieldValueRequired")
            .has("/details/kind", "Widget"),
        refused("a choice must be one of the choices", json!({"color": "pink"}), &["spec.color"])
            .says("Unsupported value: \"pink\": supported values: \"red\", \"green\", \"blue\""),
        refused(
            "a number must not be above its maximum",
            json!({"color": "red", "size": 11}),
            &["spec.size"],
        )
        .says("spec.size in body should be less than or equal to 10"),
        refused("a number must not be below its minimum", json!({"color": "red", "size": 0}), &["spec.size"])
            .says("spec.size in body should be greater than or equal to 1"),
        refused("a text must match its pattern", json!({"color": "red", "name": "ab1"}), &["spec.name"])
            .says("spec.name in body should match '^[a-z]+$'"),
        refused("a text must not be too short", json!({"color": "red", "name": "a"}), &["spec.name"])
            .says("spec.name in body should be at least 2 chars long"),
        refused("a text must not be too long", json!({"color": "red", "name": "abcdefghi"}), &["spec.name"])
            .says("Too long: may not be more than 8 bytes"),
        refused(
            "a list must not have too many items",
            json!({"color": "red", "list": ["1", "2", "3", "4", "5"]}),
            &["spec.list"],
        )
        .says("Too many: 5: must have at most 4 items"),
        refused("a text must be a text", json!({"color": "red", "name": 5}), &["spec.name"])
            .says("spec.name in body must be of type string: \"integer\"")
            .has("/details/causes/0/reason", "FieldValueTypeInvalid"),
        refused("a truth must be a truth", json!({"color": "red", "on": "x"}), &["spec.on"]),
        refused("a number must be a number", json!({"color": "red", "weight": "x"}), &["spec.weight"]),
        refused("an object must be an object", json!({"color": "red", "block": []}), &["spec.block"]),
        refused("an item must be of its type", json!({"color": "red", "list": ["a", 1]}), &["spec.list[1]"]),
        refused(
            "a value of a map must be of its type",
            json!({"color": "red", "tags": {"a": 1}}),
            &["spec.tags.a"],
        ),
        refused("a set has no doubles", json!({"color": "red", "set": ["a", "b", "a"]}), &["spec.set[2]"])
            .says("Duplicate value: \"a\""),
        refused(
            "a list with keys has no doubles",
            json!({"color": "red", "parts": [{"id": "x"}, {"id": "x"}]}),
            &["spec.parts[1]"],
        )
        .says("Duplicate value: {\"id\":\"x\"}"),
        refused(
            "an item must have its required field",
            json!({"color": "red", "parts": [{"id": "x"}, {"count": 1}]}),
            &["spec.parts[1].id"],
        ),
        refused(
            "several faults are told together",
            json!({"size": 99, "name": "A1"}),
            &["spec.color", "spec.name", "spec.size"],
        ),
        row("an integer or a text may be either")
            .post(WIDGETS, widget("a", json!({"color": "red", "port": 80})))
            .is(201)
            .has("/spec/port", 80)
            .post(WIDGETS, widget("b", json!({"color": "red", "port": "http"})))
            .is(201)
            .has("/spec/port", "http"),
        row("a spec must be an object").post(WIDGETS, widget("a", json!("red"))).is(422).blames(&["spec"]),
        row("metadata of the wrong type is refused")
            .post(WIDGETS, with(red("a"), json!({"labels": []})))
            .is(400)
            .says("Widget in version \"v1\" cannot be handled as a Widget"),
        row("a replacement is checked too")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(
                &at(WIDGETS, "a"),
                with(widget("a", json!({"color": "pink"})), json!({"resourceVersion": "$rv"})),
            )
            .is(422)
            .blames(&["spec.color"]),
        row("a status is checked too")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(
                &at(WIDGETS, "a/status"),
                with(
                    widget_status("a", json!({"conditions": [{"type": "Ready", "status": "Maybe"}]})),
                    json!({"resourceVersion": "$rv"}),
                ),
            )
            .is(422)
            .blames(&["status.conditions[0].status"]),
        row("a moment must be one")
            .post(WIDGETS, widget("a", json!({"color": "red", "since": "yesterday"})))
            .is(422)
            .blames(&["spec.since"]),
    ]
}

fn shapes() -> Vec<Row> {
    vec![
        row("defaults are filled in")
            .post(WIDGETS, widget("a", json!({"color": "red", "maker": {}, "parts": [{"id": "x"}]})))
            .is(201)
            .has("/spec/shape", "round")
            .has("/spec/maker", json!({"kind": "Person"}))
            .has("/spec/parts/0/unit", "piece"),
        row("defaults below what is missing are not conjured up")
            .post(WIDGETS, red("a"))
            .is(201)
            .lacks("/spec/maker"),
        row("a null with a default becomes the default")
            .post(WIDGETS, widget("a", json!({"color": "red", "shape": null})))
            .is(201)
            .has("/spec/shape", "round"),
        row("a null without a default goes, unless it is allowed")
            .post(WIDGETS, widget("a", json!({"color": "red", "on": null, "note": null})))
            .is(201)
            .has("/spec", json!({"color": "red", "note": null, "shape": "round"})),
        row("empty maps and lists of a custom object stay")
            .post(WIDGETS, widget("a", json!({"color": "red", "tags": {}, "list": []})))
            .is(201)
            .has("/spec/tags", json!({}))
            .has("/spec/list", json!([])),
        row("a whole float is an integer")
            .post_raw(WIDGETS, JSON, r#"{"apiVersion":"behaviours.everleaf.dev/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"color":"red","weight":1.0,"size":2.0}}"#)
            .is(201)
            .has("/spec/weight", 1)
            .has("/spec/size", 2),
        row("what the schema preserves stays as it is")
            .post(WIDGETS, widget("a", json!({"color": "red", "free": {"x": {"y": [1, {"z": null}]}}})))
            .is(201)
            .has("/spec/free", json!({"x": {"y": [1, {"z": null}]}})),
        row("a body in YAML is read")
            .post_raw(WIDGETS, "application/yaml", "apiVersion: behaviours.everleaf.dev/v1\nkind: Widget\nmetadata:\n  name: a\nspec:\n  color: red\n")
            .is(201)
            .has("/spec/color", "red"),
    ]
}

fn unknown() -> Vec<Row> {
    let body =
        || with(widget("a", json!({"color": "red", "foo": 1, "maker": {"bar": 2}})), json!({"zip": 3}));
    vec![
        row("unknown fields are dropped with a warning")
            .post(WIDGETS, body())
            .is(201)
            .lacks("/spec/foo")
            .lacks("/spec/maker/bar")
            .lacks("/metadata/zip")
            .warns("unknown field \\\"spec.foo\\\"")
            .warns("unknown field \\\"spec.maker.bar\\\"")
            .warns("unknown field \\\"metadata.zip\\\""),
        row("unknown fields are dropped silently when asked to")
            .post(&format!("{WIDGETS}?fieldValidation=Ignore"), body())
            .is(201)
            .lacks("/spec/foo")
            .warns_not(),
        row("unknown fields are refused when asked to")
            .post(&format!("{WIDGETS}?fieldValidation=Strict"), body())
            .is(400)
            .because("BadRequest")
            .says("strict decoding error: ")
            .says("unknown field \"spec.foo\"")
            .says("unknown field \"spec.maker.bar\"")
            .says("unknown field \"metadata.zip\""),
        row("of a field given twice the last one counts, with a warning")
            .post_raw(WIDGETS, JSON, r#"{"apiVersion":"behaviours.everleaf.dev/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"color":"blue","color":"red"}}"#)
            .is(201)
            .has("/spec/color", "red")
            .warns("duplicate field \\\"spec.color\\\""),
        row("a field given twice is refused when asked to")
            .post_raw(&format!("{WIDGETS}?fieldValidation=Strict"), JSON, r#"{"apiVersion":"behaviours.everleaf.dev/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"color":"blue","color":"red"}}"#)
            .is(400)
            .says("duplicate field \"spec.color\""),
        row("unknown fields of a built-in object are dropped or refused")
            .post(SECRETS, json!({"metadata": {"name": "a"}, "dota": {"x": "eA=="}}))
            .is(201)
            .lacks("/dota")
            .warns("unknown field \\\"dota\\\"")
            .post(&format!("{SECRETS}?fieldValidation=Strict"), json!({"metadata": {"name": "b"}, "dota": {"x": "eA=="}}))
            .is(400)
            .says("strict decoding error: unknown field \"dota\""),
        row("a replacement with unknown fields is refused when asked to")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(WIDGETS, "a?fieldValidation=Strict"), with(widget("a", json!({"color": "red", "foo": 1})), json!({"resourceVersion": "$rv"})))
            .is(400)
            .says("unknown field \"spec.foo\""),
    ]
}
