//! Answers: objects and lists in the form that was asked for, rejections as a `Status`.
//! Bytes of stored objects are passed on as they are wherever the form allows.
//! A list is written straight into one buffer, without values in between.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::accept::Form;
use crate::body::Body;
use crate::kinds::Resource;
use crate::status::Rejection;
use crate::table::{Include, table};

/// How objects are to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) form: Form,
    pub(crate) include: Include,
    pub(crate) now: Timestamp,
}

/// An answer of JSON bytes.
pub(crate) fn bytes(code: u16, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::whole(bytes));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// An answer of a JSON value.
pub(crate) fn value(code: u16, value: &Value) -> Response<Body> {
    bytes(code, serde_json::to_vec(value).unwrap_or_default())
}

/// An answer of plain text.
pub(crate) fn text(code: u16, text: &'static str) -> Response<Body> {
    let mut response = bytes(code, text);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A rejection.
pub(crate) fn rejection(rejection: &Rejection) -> Response<Body> {
    let mut response = value(rejection.code, &rejection.json());
    if matches!(rejection.code, 429 | 504) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Adds warnings, as `kubectl` shows them.
pub(crate) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(header) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, header);
        }
    }
}

/// One object.
pub(crate) fn object(code: u16, resource: &Resource, body: Bytes, look: Look) -> Response<Body> {
    match look.form {
        Form::Whole => bytes(code, body),
        Form::Metadata => bytes(code, partial(&body)),
        Form::Table => {
            let object: Value = serde_json::from_slice(&body).unwrap_or_default();
            let meta = list_meta(crate::object::version(&object), None, None);
            value(code, &table(resource, &[object], look.include, &meta, true, look.now))
        }
    }
}

/// The metadata of a list.
pub(crate) fn list_meta(version: Option<u64>, proceed: Option<&str>, remaining: Option<usize>) -> Value {
    let mut meta = Map::new();
    if let Some(version) = version {
        meta.insert("resourceVersion".to_owned(), version.to_string().into());
    }
    if let Some(proceed) = proceed {
        meta.insert("continue".to_owned(), proceed.into());
    }
    if let Some(remaining) = remaining {
        meta.insert("remainingItemCount".to_owned(), remaining.into());
    }
    Value::Object(meta)
}

/// Many objects.
pub(crate) fn list(resource: &Resource, objects: &[Bytes], meta: &Value, look: Look) -> Response<Body> {
    let (kind, api_version) = match look.form {
        Form::Whole => (resource.list_kind.as_str(), resource.api_version.as_str()),
        Form::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1"),
        Form::Table => {
            let read = |body: &Bytes| serde_json::from_slice(body).unwrap_or_default();
            let objects: Vec<Value> = objects.iter().map(read).collect();
            return value(200, &table(resource, &objects, look.include, meta, true, look.now));
        }
    };
    let head = json!({"kind": kind, "apiVersion": api_version, "metadata": meta}).to_string();
    let size: usize = objects.iter().map(|body| body.len() + 1).sum();
    let mut out = Vec::with_capacity(head.len() + size + 16);
    out.extend_from_slice(head.trim_end_matches('}').as_bytes());
    // The metadata of the list ends with a brace of its own.
    out.extend_from_slice(b"},\"items\":[");
    for (index, body) in objects.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match look.form {
            Form::Metadata => out.extend_from_slice(&partial(body)),
            _ => out.extend_from_slice(body),
        }
    }
    out.extend_from_slice(b"]}");
    bytes(200, out)
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// The metadata of an object as an object of its own. The rest is skipped over, not read.
pub(crate) fn partial(body: &[u8]) -> Bytes {
    let head: Head<'_> = serde_json::from_slice(body).unwrap_or(Head { metadata: None });
    let metadata = head.metadata.map_or("{}", RawValue::get);
    format!(
        "{{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{metadata}}}"
    )
    .into()
}

/// The same of a value.
pub(crate) fn partial_value(object: &Value) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_else(|| json!({}));
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::kinds::{Registry, Role};
    use http_body_util::BodyExt;

    async fn read(response: Response<Body>) -> Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn lists_are_whole_json_in_each_form() {
        let registry = Registry::with(&[]).unwrap();
        let secrets = registry.role(Role::Secret).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let body = Bytes::from_static(
            br#"{"apiVersion":"v1","data":{"a":"x"},"kind":"Secret","metadata":{"name":"s"}}"#,
        );
        for objects in [vec![], vec![body.clone()], vec![body.clone(), body]] {
            for meta in [list_meta(Some(7), None, None), list_meta(Some(7), Some("c"), Some(3)), json!({})] {
                let whole = Look { form: Form::Whole, include: Include::Metadata, now };
                let list_value = read(list(secrets, &objects, &meta, whole)).await;
                assert_eq!(list_value.get("metadata"), Some(&meta));
                assert_eq!(list_value.pointer("/items").unwrap().as_array().unwrap().len(), objects.len());
                let partial =
                    read(list(secrets, &objects, &meta, Look { form: Form::Metadata, ..whole })).await;
                assert!(!partial.to_string().contains("\"data\""));
                let table = read(list(secrets, &objects, &meta, Look { form: Form::Table, ..whole })).await;
                assert_eq!(table.pointer("/rows").unwrap().as_array().unwrap().len(), objects.len());
            }
        }
    }

    #[test]
    fn warnings_are_quoted() {
        let mut response = bytes(200, "{}");
        warn(&mut response, &["unknown field \"a\"".to_owned()]);
        let header = response.headers().get(header::WARNING).unwrap().to_str().unwrap();
        assert_eq!(header, "299 - \"unknown field \\\"a\\\"\"");
    }
}
