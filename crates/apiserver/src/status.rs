//! What the API answers when it can't do what was asked: a `Status` with the code, reason and causes of Kubernetes.
//! The words were read off a real kube-apiserver 1.36, because clients and people match on them.
//! No rejection carries the value of a Secret or a token.

use serde_json::{Value, json};

/// Which part of an object is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The path, as `spec.parts[0].id`.
    pub(crate) field: String,
    /// What kind of fault it is.
    pub(crate) fault: Fault,
    /// The words after the kind of fault.
    pub(crate) says: String,
}

/// The kinds of fault a field can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Required,
    Invalid,
    TypeInvalid,
    NotSupported,
    Duplicate,
    Forbidden,
    TooLong,
    TooMany,
}

impl Fault {
    fn reason(self) -> &'static str {
        match self {
            Fault::Required => "FieldValueRequired",
            Fault::Invalid => "FieldValueInvalid",
            Fault::TypeInvalid => "FieldValueTypeInvalid",
            Fault::NotSupported => "FieldValueNotSupported",
            Fault::Duplicate => "FieldValueDuplicate",
            Fault::Forbidden => "FieldValueForbidden",
            Fault::TooLong => "FieldValueTooLong",
            Fault::TooMany => "FieldValueTooMany",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Fault::Required => "Required value",
            Fault::Invalid | Fault::TypeInvalid => "Invalid value",
            Fault::NotSupported => "Unsupported value",
            Fault::Duplicate => "Duplicate value",
            Fault::Forbidden => "Forbidden",
            Fault::TooLong => "Too long",
            Fault::TooMany => "Too many",
        }
    }
}

impl Cause {
    /// A fault at this path.
    pub(crate) fn new(fault: Fault, field: impl Into<String>, says: impl Into<String>) -> Cause {
        Cause { field: field.into(), fault, says: says.into() }
    }

    /// A value that isn't acceptable: the value as JSON, then why.
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Cause {
        Cause::new(Fault::Invalid, field, format!("{value}: {why}"))
    }

    /// A value that may not change.
    pub(crate) fn immutable(field: impl Into<String>, value: &Value) -> Cause {
        Cause::invalid(field, value, "field is immutable")
    }

    /// A value that is missing.
    pub(crate) fn required(field: impl Into<String>, why: &str) -> Cause {
        Cause::new(Fault::Required, field, why)
    }

    /// A value outside a fixed set.
    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, supported: &[Value]) -> Cause {
        let list = supported.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        Cause::new(Fault::NotSupported, field, format!("{value}: supported values: {list}"))
    }

    /// The fault in words, without the path.
    pub(crate) fn message(&self) -> String {
        if self.says.is_empty() {
            self.fault.words().to_owned()
        } else {
            format!("{}: {}", self.fault.words(), self.says)
        }
    }

    fn json(&self) -> Value {
        json!({"reason": self.fault.reason(), "message": self.message(), "field": self.field})
    }
}

/// Of which object a rejection speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About<'a> {
    pub(crate) group: &'a str,
    /// The plural for most rejections, the kind for invalid ones.
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
}

impl About<'_> {
    fn words(&self) -> String {
        if self.group.is_empty() { self.kind.to_owned() } else { format!("{}.{}", self.kind, self.group) }
    }

    fn details(&self) -> Value {
        let mut details = serde_json::Map::new();
        for (key, value) in [("name", self.name), ("group", self.group), ("kind", self.kind)] {
            if !value.is_empty() {
                details.insert(key.to_owned(), value.into());
            }
        }
        Value::Object(details)
    }
}

/// An answer that isn't what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rejection {
    /// The HTTP status.
    pub(crate) code: u16,
    reason: &'static str,
    /// The words for people.
    pub(crate) message: String,
    details: Option<Value>,
}

/// What the operations of this crate return.
pub(crate) type Outcome<T> = Result<T, Rejection>;

impl Rejection {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Rejection {
        Rejection { code, reason, message: message.into(), details: None }
    }

    fn with(mut self, details: Value) -> Rejection {
        self.details = Some(details);
        self
    }

    /// Whether there is such an object already.
    pub(crate) fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    /// Whether the object isn't there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.reason == "NotFound"
    }

    pub(crate) fn not_found(about: &About<'_>) -> Rejection {
        let message = format!("{} \"{}\" not found", about.words(), about.name);
        Rejection::new(404, "NotFound", message).with(about.details())
    }

    /// The path leads to a kind that isn't served.
    pub(crate) fn no_such_resource() -> Rejection {
        Rejection::new(404, "NotFound", "the server could not find the requested resource").with(json!({}))
    }

    pub(crate) fn already_exists(about: &About<'_>) -> Rejection {
        let message = format!("{} \"{}\" already exists", about.words(), about.name);
        Rejection::new(409, "AlreadyExists", message).with(about.details())
    }

    pub(crate) fn conflict(about: &About<'_>, why: &str) -> Rejection {
        let message = format!("Operation cannot be fulfilled on {} \"{}\": {why}", about.words(), about.name);
        Rejection::new(409, "Conflict", message).with(about.details())
    }

    /// The object changed since the caller read it.
    pub(crate) fn modified(about: &About<'_>) -> Rejection {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Rejection::conflict(about, why)
    }

    /// An apply met fields of other managers: each with the manager's words and the path.
    pub(crate) fn apply_conflict(conflicts: &[(String, String)]) -> Rejection {
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(who, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": field})
            })
            .collect();
        let message = apply_conflict_words(conflicts);
        Rejection::new(409, "Conflict", message).with(json!({"causes": causes}))
    }

    pub(crate) fn invalid(about: &About<'_>, causes: &[Cause]) -> Rejection {
        let all: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message())).collect();
        let list = match all.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} \"{}\" is invalid: {list}", about.words(), about.name);
        let mut details = about.details();
        if let Some(map) = details.as_object_mut() {
            map.insert("causes".to_owned(), causes.iter().map(Cause::json).collect());
        }
        Rejection::new(422, "Invalid", message).with(details)
    }

    /// Options of a request are wrong: `kind` is the options' kind, as `ListOptions`.
    pub(crate) fn invalid_options(kind: &str, cause: Cause) -> Rejection {
        Rejection::invalid(&About { group: "meta.k8s.io", kind, name: "" }, &[cause])
    }

    /// A patch that can't be carried out on this object.
    pub(crate) fn patch_failed() -> Rejection {
        let message = "the server rejected our request due to an error in our request";
        Rejection::new(422, "Invalid", message).with(json!({}))
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Rejection {
        Rejection::new(400, "BadRequest", message)
    }

    pub(crate) fn forbidden(about: &About<'_>, why: &str) -> Rejection {
        let message = match about.name {
            "" => format!("{} is forbidden: {why}", about.words()),
            name => format!("{} \"{name}\" is forbidden: {why}", about.words()),
        };
        Rejection::new(403, "Forbidden", message).with(about.details())
    }

    /// The namespace is on its way out and takes nothing new.
    pub(crate) fn namespace_terminating(about: &About<'_>, namespace: &str) -> Rejection {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut rejection = Rejection::forbidden(about, &why);
        if let Some(map) = rejection.details.as_mut().and_then(Value::as_object_mut) {
            let says = format!("namespace {namespace} is being terminated");
            let cause =
                json!({"reason": "NamespaceTerminating", "message": says, "field": "metadata.namespace"});
            map.insert("causes".to_owned(), json!([cause]));
        }
        rejection
    }

    pub(crate) fn unauthorized() -> Rejection {
        Rejection::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn method_not_allowed() -> Rejection {
        let message = "the server does not allow this method on the requested resource";
        Rejection::new(405, "MethodNotAllowed", message).with(json!({}))
    }

    /// The kind doesn't know this verb.
    pub(crate) fn not_supported(about: &About<'_>, verb: &str) -> Rejection {
        let message = format!("{verb} is not supported on resources of kind \"{}\"", about.words());
        Rejection::new(405, "MethodNotAllowed", message).with(about.details())
    }

    pub(crate) fn unsupported_media(accepted: &str) -> Rejection {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Rejection::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn not_acceptable() -> Rejection {
        let message =
            "only the following media types are accepted: application/json, application/json;stream=watch";
        Rejection::new(406, "NotAcceptable", message)
    }

    pub(crate) fn too_large(limit: usize) -> Rejection {
        Rejection::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// A JSON patch with more operations than are taken.
    pub(crate) fn too_many_operations(message: String) -> Rejection {
        Rejection::new(413, "RequestEntityTooLarge", message)
    }

    /// More waits than can be taken.
    pub(crate) fn busy() -> Rejection {
        let message = "too many requests, please try again later";
        Rejection::new(429, "TooManyRequests", message).with(json!({"retryAfterSeconds": 1}))
    }

    /// The caller wants to see a version that doesn't exist yet.
    pub(crate) fn version_too_large(asked: u64, current: u64) -> Rejection {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        Rejection::new(504, "Timeout", message).with(json!({"causes": [cause], "retryAfterSeconds": 1}))
    }

    /// What the caller wants to go on from has been forgotten.
    pub(crate) fn expired(message: impl Into<String>) -> Rejection {
        Rejection::new(410, "Expired", message)
    }

    /// A fault on our side; nothing was changed.
    pub(crate) fn internal(message: impl Into<String>) -> Rejection {
        Rejection::new(500, "InternalError", message)
    }

    /// A refusal that Kubernetes answers with 500 and no reason.
    pub(crate) fn bare(message: impl Into<String>) -> Rejection {
        Rejection::new(500, "", message)
    }

    /// The `Status` object.
    pub(crate) fn json(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if let Some(map) = status.as_object_mut() {
            if !self.reason.is_empty() {
                map.insert("reason".to_owned(), self.reason.into());
            }
            if let Some(details) = &self.details {
                map.insert("details".to_owned(), details.clone());
            }
        }
        status
    }
}

fn apply_conflict_words(conflicts: &[(String, String)]) -> String {
    match conflicts {
        [(who, field)] => format!("Apply failed with 1 conflict: conflict with {who}: {field}"),
        many => {
            let mut message = format!("Apply failed with {} conflicts:", many.len());
            let mut last = "";
            for (who, field) in many {
                if who != last {
                    let lead = if last.is_empty() { " " } else { "\n" };
                    message.push_str(&format!("{lead}conflicts with {who}:"));
                    last = who;
                }
                message.push_str(&format!("\n- {field}"));
            }
            message
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const SECRET: About<'_> = About { group: "", kind: "secrets", name: "a" };
    const WIDGET: About<'_> = About { group: "x.dev", kind: "Widget", name: "a" };

    #[test]
    fn a_missing_object_is_told_as_kubernetes_tells_it() {
        let status = Rejection::not_found(&SECRET).json();
        assert_eq!(status["message"], "secrets \"a\" not found");
        assert_eq!(status["details"], json!({"name": "a", "kind": "secrets"}));
        assert_eq!((status["code"].as_u64(), status["reason"].as_str()), (Some(404), Some("NotFound")));
    }

    #[test]
    fn several_causes_stand_in_brackets() {
        let causes = [
            Cause::required("spec.color", ""),
            Cause::invalid("spec.size", &json!("x"), "field is immutable"),
        ];
        let status = Rejection::invalid(&WIDGET, &causes).json();
        assert_eq!(
            status["message"],
            "Widget.x.dev \"a\" is invalid: [spec.color: Required value, spec.size: Invalid value: \"x\": field is immutable]"
        );
        assert_eq!(status["details"]["causes"][0]["reason"], "FieldValueRequired");
    }

    #[test]
    fn apply_conflicts_are_grouped_by_manager() {
        let one = ("\"one\"".to_owned(), ".spec.a".to_owned());
        let two = ("\"one\"".to_owned(), ".spec.b".to_owned());
        let other = ("\"two\" using v1".to_owned(), ".spec.c".to_owned());
        assert_eq!(
            apply_conflict_words(std::slice::from_ref(&one)),
            "Apply failed with 1 conflict: conflict with \"one\": .spec.a"
        );
        assert_eq!(
            apply_conflict_words(&[one, two, other]),
            "Apply failed with 3 conflicts: conflicts with \"one\":\n- .spec.a\n- .spec.b\nconflicts with \"two\" using v1:\n- .spec.c"
        );
    }
}
