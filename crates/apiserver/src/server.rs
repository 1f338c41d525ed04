//! The service: a request comes in, who calls and what is meant is found out, and the right part answers.
//! It answers every request; nothing a caller sends makes it fail.
//! Cloning it is cheap, and all clones are one server.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response, header};
use tokio::sync::watch;

use crate::auth::{Attributes, Authorize, Door, Identity, Peer};
use crate::body::{self, Body};
use crate::builder::Builder;
use crate::chance::Chance;
use crate::clock::WallClock;
use crate::discovery::Discovery;
use crate::kinds::{Registry, Resource};
use crate::openapi::OpenApi;
use crate::request::{Place, Query, Target, place};
use crate::status::{Outcome, Rejection};
use crate::store::Objects;
use crate::{accept, auth, gc, objects, respond};

/// What all parts of the server share.
pub(crate) struct Api {
    pub(crate) registry: Registry,
    pub(crate) objects: Arc<Objects>,
    /// The collection of namespaces.
    pub(crate) namespaces: usize,
    pub(crate) clock: WallClock,
    pub(crate) chance: Chance,
    pub(crate) authorize: Authorize,
    pub(crate) discovery: Discovery,
    pub(crate) openapi: OpenApi,
    /// How often a watch is told the version it has reached.
    pub(crate) bookmark_every: Duration,
    /// Turns true when watches must end.
    pub(crate) closing: watch::Sender<bool>,
    /// Whether the collector is at work.
    pub(crate) collecting: AtomicBool,
    /// Whether somebody waits for events to expire.
    pub(crate) sweeping: AtomicBool,
}

/// The embedded API as a tower service.
#[derive(Clone)]
pub struct Server {
    api: Arc<Api>,
    door: Door,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("door", &self.door).finish_non_exhaustive()
    }
}

impl Server {
    /// Begins to describe a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(api: Arc<Api>) -> Server {
        Server { api, door: Door::Open(Identity::admin("system:admin")) }
    }

    /// The same server behind another door.
    #[must_use]
    pub fn behind(&self, door: Door) -> Server {
        Server { api: self.api.clone(), door }
    }

    /// Ends all watches, so that connections can be closed. Other requests are still answered.
    pub fn close_watches(&self) {
        self.api.closing.send_replace(true);
    }

    /// How many objects of a kind there are, for measurements.
    pub fn count(&self, group: &str, version: &str, plural: &str) -> usize {
        self.api.registry.at(group, version, plural).map_or(0, |kind| self.api.objects.count(kind.collection))
    }
}

impl<B> tower::Service<Request<B>> for Server
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let response = server.answer(&parts, body).await.unwrap_or_else(|rejection| {
                tracing::debug!(method = %parts.method, path = parts.uri.path(), code = rejection.code, "rejected");
                respond::rejection(&rejection)
            });
            gc::kick(&server.api);
            Ok(response)
        })
    }
}

impl Server {
    async fn answer<B>(&self, parts: &Parts, body: B) -> Outcome<Response<Body>>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        let place = place(parts.uri.path());
        let peer = parts.extensions.get::<Peer>();
        let identity = self.acting(parts, self.door.identify(&parts.headers, peer)?)?;
        let target = match place {
            Place::Objects(target) => target,
            other => return self.answer_about_itself(parts, &other, &identity),
        };
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let wanted = attributes(&parts.method, &target, &query);
        self.admit(&identity, &wanted)?;
        let body = body::read(body).await?;
        let call = objects::Call {
            api: &self.api,
            door: &self.door,
            identity: &identity,
            resource: self.resource(&target)?,
            target: &target,
            query: &query,
            parts,
        };
        call.answer(&body).await
    }

    /// The user whose rights count: the caller, or whom the caller may act as.
    fn acting(&self, parts: &Parts, caller: Identity) -> Outcome<Identity> {
        let Some(wanted) = auth::impersonated(&parts.headers) else { return Ok(caller) };
        let attributes = Attributes {
            verb: "impersonate".to_owned(),
            resource: "users".to_owned(),
            name: wanted.name.clone(),
            ..Attributes::default()
        };
        self.admit(&caller, &attributes).map(|()| wanted)
    }

    fn admit(&self, identity: &Identity, wanted: &Attributes) -> Outcome<()> {
        match !identity.is_anonymous() && (self.api.authorize)(identity, wanted) {
            true => Ok(()),
            false => Err(auth::forbidden(identity, wanted)),
        }
    }

    fn resource(&self, target: &Target) -> Outcome<&Arc<Resource>> {
        let found = self.api.registry.at(&target.group, &target.version, &target.plural);
        let fits = |resource: &&Arc<Resource>| match (&target.namespace, resource.is_namespaced()) {
            (Some(_), namespaced) => namespaced,
            // Across namespaces there are only lists.
            (None, true) => target.name.is_none(),
            (None, false) => true,
        };
        found.filter(fits).ok_or_else(Rejection::no_such_resource)
    }

    fn answer_about_itself(
        &self,
        parts: &Parts,
        place: &Place,
        identity: &Identity,
    ) -> Outcome<Response<Body>> {
        let open = matches!(place, Place::Health | Place::Version);
        if !open {
            let verb = parts.method.as_str().to_lowercase();
            let path = parts.uri.path().to_owned();
            self.admit(identity, &Attributes { verb, path, ..Attributes::default() })?;
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(Rejection::method_not_allowed());
        }
        let header = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let form = accept::discovery_form(header);
        let found = match place {
            Place::Health => Some(respond::text(200, "ok")),
            Place::Version => Some(respond::value(200, &crate::discovery::version())),
            Place::Api => Some(self.api.discovery.core(form)),
            Place::Apis => Some(self.api.discovery.groups(form)),
            Place::Group(group) => self.api.discovery.group(group),
            Place::GroupVersion { group, version } => self.api.discovery.resources(group, version),
            Place::OpenApiIndex => Some(self.api.openapi.index(&self.api.registry)),
            Place::OpenApi(path) => self.api.openapi.document(&self.api.registry, path),
            Place::Objects(_) | Place::Nowhere => None,
        };
        Ok(found.unwrap_or_else(|| respond::text(404, "404 page not found\n")))
    }
}

fn attributes(method: &Method, target: &Target, query: &Query) -> Attributes {
    let verb = match (method, &target.name) {
        (&Method::GET | &Method::HEAD, Some(_)) => "get",
        (&Method::GET | &Method::HEAD, None) if query.flag("watch").unwrap_or_default() => "watch",
        (&Method::GET | &Method::HEAD, None) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, Some(_)) => "delete",
        (&Method::DELETE, None) => "deletecollection",
        _ => "other",
    };
    Attributes {
        verb: verb.to_owned(),
        group: target.group.clone(),
        resource: target.plural.clone(),
        subresource: target.subresource.clone().unwrap_or_default(),
        namespace: target.namespace.clone().unwrap_or_default(),
        name: target.name.clone().unwrap_or_default(),
        path: String::new(),
    }
}
