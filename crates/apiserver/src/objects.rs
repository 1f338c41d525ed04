//! Requests about objects: the method and the path say which operation is meant; its options are read and it is carried out.
//! Rights were checked before.
//! Every branch ends in an answer or a rejection.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, header};
use serde_json::{Value, json};

use crate::accept;
use crate::auth::{Door, Identity};
use crate::body::Body;
use crate::kinds::{Resource, Role};
use crate::object;
use crate::options::{DeleteOptions, ListOptions, Unknown, Verb, WriteOptions};
use crate::parse::{self, Parsed};
use crate::patch::{Patch, PatchKind};
use crate::request::{Query, Target};
use crate::respond::{self, Look};
use crate::server::Api;
use crate::status::{Outcome, Rejection};
use crate::table::Include;
use crate::write::{self, Ask, Deleted, Part, Written};
use crate::{protobuf, read, reviews, watch};

/// The media types a body may have.
const MEDIA_TYPES: &str = "application/json, application/yaml";

/// A request about objects.
pub(crate) struct Call<'a> {
    pub(crate) api: &'a Arc<Api>,
    pub(crate) door: &'a Door,
    pub(crate) identity: &'a Identity,
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) target: &'a Target,
    pub(crate) query: &'a Query,
    pub(crate) parts: &'a Parts,
}

impl Call<'_> {
    /// Carries it out.
    pub(crate) async fn answer(&self, body: &Bytes) -> Outcome<Response<Body>> {
        let part = self.part()?;
        let method = &self.parts.method;
        if self.resource.is_review() && method != Method::POST {
            return Err(Rejection::method_not_allowed());
        }
        match (method, self.target.name.as_deref(), part) {
            (&Method::GET | &Method::HEAD, Some(name), Part::Main | Part::Status) => self.get(name),
            (&Method::GET | &Method::HEAD, None, Part::Main) => self.list(),
            (&Method::POST, None, Part::Main) => self.create(body).await,
            (&Method::PUT, Some(name), part) => self.put(name, part, body).await,
            (&Method::PATCH, Some(name), Part::Main | Part::Status) => self.patch(name, part, body).await,
            (&Method::DELETE, Some(name), Part::Main) => self.delete(name, body).await,
            (&Method::DELETE, None, Part::Main) if self.resource.role != Role::Namespace => {
                self.delete_collection(body).await
            }
            (&Method::POST, Some(_), Part::Status) => Err(self.not_supported("create")),
            (&Method::DELETE, Some(_), Part::Status) => Err(self.not_supported("delete")),
            _ => Err(Rejection::method_not_allowed()),
        }
    }

    fn part(&self) -> Outcome<Part> {
        match self.target.subresource.as_deref() {
            None => Ok(Part::Main),
            Some("status") if self.resource.has_status => Ok(Part::Status),
            Some("finalize") if self.resource.role == Role::Namespace => Ok(Part::Finalize),
            Some(_) => Err(Rejection::no_such_resource()),
        }
    }

    fn not_supported(&self, verb: &str) -> Rejection {
        Rejection::not_supported(&self.resource.about(""), verb)
    }

    fn namespace(&self) -> Option<&str> {
        self.target.namespace.as_deref()
    }

    fn look(&self) -> Outcome<Look> {
        Ok(Look {
            form: accept::form(text(&self.parts.headers, &header::ACCEPT))?,
            include: Include::named(self.query.value("includeObject")),
            now: (self.api.clock)(),
        })
    }

    fn ask<'a>(&'a self, part: Part, options: &'a WriteOptions) -> Ask<'a> {
        Ask { api: self.api, resource: self.resource, namespace: self.namespace(), part, options }
    }

    fn options(&self, verb: Verb) -> Outcome<WriteOptions> {
        let agent = text(&self.parts.headers, &header::USER_AGENT).unwrap_or_default();
        WriteOptions::parse(self.query, verb, agent)
    }

    fn get(&self, name: &str) -> Outcome<Response<Body>> {
        let look = self.look()?;
        let stored = read::get(self.api, self.resource, self.namespace(), name)?;
        Ok(respond::object(200, self.resource, write::shown(self.resource, &stored), look))
    }

    fn list(&self) -> Outcome<Response<Body>> {
        let look = self.look()?;
        let options = ListOptions::parse(self.query, self.resource)?;
        if options.watch {
            let lines = watch::watch(self.api, self.resource, self.namespace(), &options, look)?;
            let mut response = respond::bytes(200, Bytes::new());
            *response.body_mut() = Body::lines(lines);
            return Ok(response);
        }
        let page = read::list(self.api, self.resource, self.namespace(), &options)?;
        let meta = respond::list_meta(Some(page.version), page.proceed.as_deref(), page.remaining);
        let objects: Vec<Bytes> =
            page.objects.iter().map(|stored| write::shown(self.resource, stored)).collect();
        Ok(respond::list(self.resource, &objects, &meta, look))
    }

    async fn create(&self, body: &Bytes) -> Outcome<Response<Body>> {
        let options = self.options(Verb::Create)?;
        if self.resource.is_namespaced() && self.namespace().is_none() {
            return Err(Rejection::method_not_allowed());
        }
        let parsed = self.parsed(body)?;
        if let Role::Review(review) = self.resource.role {
            let answer =
                reviews::answer(self.api, self.door, self.identity, self.resource, review, parsed.value)?;
            return Ok(respond::value(201, &answer));
        }
        let written = write::create(&self.ask(Part::Main, &options), parsed).await?;
        self.written(&written)
    }

    async fn put(&self, name: &str, part: Part, body: &Bytes) -> Outcome<Response<Body>> {
        let options = self.options(Verb::Update)?;
        let parsed = self.parsed(body)?;
        let written = write::put(&self.ask(part, &options), name, parsed).await?;
        self.written(&written)
    }

    async fn patch(&self, name: &str, part: Part, body: &Bytes) -> Outcome<Response<Body>> {
        let media = text(&self.parts.headers, &header::CONTENT_TYPE).unwrap_or_default();
        let kind = PatchKind::of(media, self.resource)?;
        if kind == PatchKind::Apply {
            let options = self.options(Verb::Apply)?;
            let parsed = parse::json_or_yaml(body)
                .map_err(|error| Rejection::bad_request(format!("error decoding YAML: {error}")))?;
            let written = write::apply(&self.ask(part, &options), name, parsed).await?;
            return self.written(&written);
        }
        let options = self.options(Verb::Patch)?;
        let (patch, duplicates) = Patch::read(kind, body)?;
        let written = write::patch(&self.ask(part, &options), name, &patch, &duplicates).await?;
        self.written(&written)
    }

    fn written(&self, written: &Written) -> Outcome<Response<Body>> {
        let code = if written.created { 201 } else { 200 };
        let body = written.state.body(self.resource);
        let mut response = respond::object(code, self.resource, body, self.look()?);
        respond::warn(&mut response, &written.warnings);
        Ok(response)
    }

    async fn delete(&self, name: &str, body: &Bytes) -> Outcome<Response<Body>> {
        let options = self.delete_options(body)?;
        let write_options = own_options();
        let deleted = write::delete(&self.ask(Part::Main, &write_options), name, &options).await?;
        let shown = |object: &Value| serde_json::to_vec(object).unwrap_or_default();
        match deleted {
            Deleted::Gone(last) if self.resource.role != Role::ServiceAccount => {
                Ok(respond::value(200, &self.success(name, &last)))
            }
            Deleted::Gone(object) | Deleted::Marked(object) => {
                Ok(respond::object(200, self.resource, shown(&object).into(), self.look()?))
            }
        }
    }

    fn success(&self, name: &str, last: &Value) -> Value {
        let mut details = json!({"name": name, "kind": self.resource.plural, "uid": object::uid(last)});
        if let (false, Some(map)) = (self.resource.group.is_empty(), details.as_object_mut()) {
            map.insert("group".to_owned(), self.resource.group.as_str().into());
        }
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
    }

    async fn delete_collection(&self, body: &Bytes) -> Outcome<Response<Body>> {
        let options = self.delete_options(body)?;
        let which = ListOptions::parse(self.query, self.resource)?;
        let write_options = own_options();
        let ask = self.ask(Part::Main, &write_options);
        let deleted = write::delete_collection(&ask, &which.selector, &options).await?;
        let meta = respond::list_meta(Some(self.api.objects.version()), None, None);
        let objects: Vec<Bytes> = deleted.iter().map(|stored| write::shown(self.resource, stored)).collect();
        Ok(respond::list(self.resource, &objects, &meta, self.look()?))
    }

    fn delete_options(&self, body: &Bytes) -> Outcome<DeleteOptions> {
        if body.is_empty() {
            return DeleteOptions::parse(self.query, None);
        }
        let parsed = self.parsed(body)?;
        DeleteOptions::parse(self.query, Some(&parsed.value))
    }

    /// The body as a value, if its media type is one that is taken.
    fn parsed(&self, body: &Bytes) -> Outcome<Parsed> {
        let media = text(&self.parts.headers, &header::CONTENT_TYPE).unwrap_or("application/json");
        match media.split(';').next().unwrap_or_default().trim() {
            "application/json" | "*/*" | "" => parse::json(body).map_err(|error| error.to_string()),
            "application/yaml" | "application/x-yaml" | "text/yaml" => parse::json_or_yaml(body),
            "application/vnd.kubernetes.protobuf" if !self.resource.is_custom() => {
                let read = protobuf::read(body);
                return match read {
                    Ok(value) => Ok(Parsed { value, duplicates: Vec::new() }),
                    Err(why) => Err(write::unrecognised(self.resource, &why)),
                };
            }
            _ => return Err(Rejection::unsupported_media(MEDIA_TYPES)),
        }
        .map_err(|error| {
            let why = format!("couldn't get version/kind; json parse error: {error}");
            write::unrecognised(self.resource, &why)
        })
    }
}

/// Deletions write nothing that has an owner.
fn own_options() -> WriteOptions {
    WriteOptions { dry_run: false, manager: String::new(), unknown: Unknown::Ignore, force: false }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
