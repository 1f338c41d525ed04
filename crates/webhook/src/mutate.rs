//! The one change that a review makes: a new CertificateRequest says who asks, whatever its author wrote (certificate-lifecycle 3.1).
//! Nothing else is defaulted, here or anywhere.

use everleaf_api::names::GROUP;
use serde_json::{Map, Value, json};

use crate::question::{Answer, Operation, Question};

/// The answer to a mutating review.
pub fn mutate(question: &Question) -> Answer {
    let concerns = question.kind.group == GROUP
        && question.kind.kind == "CertificateRequest"
        && question.operation == Operation::Create
        && question.sub_resource.is_empty();
    if !concerns {
        return Answer::yes(&question.uid);
    }
    let spec = question.object.get("spec").and_then(Value::as_object);
    let patch = patch(spec, identity(question));
    if patch.is_empty() { Answer::yes(&question.uid) } else { Answer::patched(&question.uid, &json!(patch)) }
}

/// Who asks, field by field; none where there is nothing to say.
fn identity(question: &Question) -> [(&'static str, Option<Value>); 4] {
    let user = &question.user_info;
    let text = |text: &Option<String>| text.as_ref().filter(|text| !text.is_empty()).map(|text| json!(text));
    [
        ("username", text(&user.username)),
        ("uid", text(&user.uid)),
        ("groups", user.groups.as_ref().filter(|groups| !groups.is_empty()).map(|groups| json!(groups))),
        ("extra", user.extra.as_ref().filter(|extra| !extra.is_empty()).map(|extra| json!(extra))),
    ]
}

fn patch(spec: Option<&Map<String, Value>>, identity: [(&'static str, Option<Value>); 4]) -> Vec<Value> {
    let mut patch = Vec::new();
    if spec.is_none() {
        patch.push(json!({ "op": "add", "path": "/spec", "value": {} }));
    }
    for (field, value) in identity {
        let there = spec.and_then(|spec| spec.get(field));
        let path = format!("/spec/{field}");
        match value {
            Some(value) if there == Some(&value) => {}
            Some(value) => patch.push(json!({ "op": "add", "path": path, "value": value })),
            None if there.is_some() => patch.push(json!({ "op": "remove", "path": path })),
            None => {}
        }
    }
    patch
}
