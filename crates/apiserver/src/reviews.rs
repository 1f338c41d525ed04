//! Questions that are answered and not stored: who am I, may I, may they, whose token is this.
//! Rights are whatever the server was given to decide them by.
//! A token that was asked about is never shown again in the answer.

use serde_json::{Value, json};

use crate::auth::{Attributes, Door, Identity};
use crate::kinds::{Resource, Review};
use crate::server::Api;
use crate::status::{Cause, Outcome, Rejection};
use crate::write;

/// Answers a question.
pub(crate) fn answer(
    api: &Api,
    door: &Door,
    caller: &Identity,
    resource: &Resource,
    review: Review,
    question: Value,
) -> Outcome<Value> {
    let mut question = write::decode_review(resource, question)?;
    let spec = question.get("spec").cloned().unwrap_or_default();
    let status = match review {
        Review::SelfAccess => access(api, resource, caller, &spec)?,
        Review::Access | Review::LocalAccess => {
            let user = Identity {
                name: text(&spec, "/user"),
                uid: text(&spec, "/uid"),
                groups: texts(&spec, "/groups"),
            };
            if user.name.is_empty() && user.groups.is_empty() {
                let cause = Cause::invalid(
                    "spec.user",
                    &json!(""),
                    "at least one of user or group must be specified",
                );
                return Err(Rejection::invalid(&resource.about_kind(""), &[cause]));
            }
            access(api, resource, &user, &spec)?
        }
        Review::SelfRules => rules(api, caller, &text(&spec, "/namespace")),
        Review::SelfSubject => json!({"userInfo": caller.json()}),
        Review::Token => {
            let token = text(&spec, "/token");
            if let Some(spec) = question.get_mut("spec").and_then(Value::as_object_mut) {
                spec.remove("token");
            }
            match door.review(&token) {
                Some(user) => json!({"authenticated": true, "user": user.json()}),
                None => json!({"authenticated": false}),
            }
        }
    };
    if let Some(root) = question.as_object_mut() {
        root.insert("status".to_owned(), status);
        root.entry("metadata").or_insert_with(|| json!({}));
    }
    Ok(question)
}

fn access(api: &Api, resource: &Resource, user: &Identity, spec: &Value) -> Outcome<Value> {
    let attributes = match (spec.get("resourceAttributes"), spec.get("nonResourceAttributes")) {
        (Some(wanted), None) => Attributes {
            verb: text(wanted, "/verb"),
            group: text(wanted, "/group"),
            resource: text(wanted, "/resource"),
            subresource: text(wanted, "/subresource"),
            namespace: text(wanted, "/namespace"),
            name: text(wanted, "/name"),
            path: String::new(),
        },
        (None, Some(wanted)) => {
            Attributes { verb: text(wanted, "/verb"), path: text(wanted, "/path"), ..Attributes::default() }
        }
        (both, _) => {
            let why = match both {
                Some(_) => "cannot be specified in combination with resourceAttributes",
                None => "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            };
            let cause = Cause::invalid("spec.nonResourceAttributes", &Value::Null, why);
            return Err(Rejection::invalid(&resource.about_kind(""), &[cause]));
        }
    };
    Ok(json!({"allowed": !user.is_anonymous() && (api.authorize)(user, &attributes)}))
}

/// The rights in a namespace: for each kind, the verbs that are allowed.
fn rules(api: &Api, caller: &Identity, namespace: &str) -> Value {
    let mut rules = Vec::new();
    for resource in api.registry.all() {
        let may = |verb: &&&str| {
            let attributes = Attributes {
                verb: (**verb).to_owned(),
                group: resource.group.clone(),
                resource: resource.plural.clone(),
                namespace: if resource.is_namespaced() { namespace.to_owned() } else { String::new() },
                ..Attributes::default()
            };
            !caller.is_anonymous() && (api.authorize)(caller, &attributes)
        };
        let verbs: Vec<&&str> = resource.verbs().iter().filter(may).collect();
        if !verbs.is_empty() {
            rules
                .push(json!({"verbs": verbs, "apiGroups": [resource.group], "resources": [resource.plural]}));
        }
    }
    let paths = [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
    ];
    let open = json!({"verbs": ["get"], "nonResourceURLs": paths});
    json!({"resourceRules": rules, "nonResourceRules": [open], "incomplete": false})
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(value: &Value, pointer: &str) -> Vec<String> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
