//! Everything that changes objects.
//! `decode` brings a body into its form, `create`, `update` and `delete` carry out a change, `names` checks what every
//! object has. A change is computed on the object as it was last accepted and made only if that still stands.

mod create;
mod decode;
mod delete;
mod names;
mod update;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::apply::{Ignored, Operation, Writer};
use crate::clock;
use crate::kinds::{Resource, Role};
use crate::options::WriteOptions;
use crate::roles;
use crate::server::Api;
use crate::status::Rejection;
use crate::store::{Refused, Stored};

pub(crate) use create::create;
pub(crate) use decode::{decode_review, unrecognised};
pub(crate) use delete::{Deleted, delete, delete_collection};
pub(crate) use update::{Proposal, apply, patch, put, update};

/// Which part of an object a request writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Main,
    Status,
    /// The finalizers in a namespace's `spec`.
    Finalize,
}

/// A request to write.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) api: &'a Arc<Api>,
    pub(crate) resource: &'a Resource,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) part: Part,
    pub(crate) options: &'a WriteOptions,
}

impl Ask<'_> {
    fn writer(&self, operation: Operation) -> Writer {
        let subresource = match self.part {
            Part::Main => "",
            Part::Status => "status",
            Part::Finalize => "finalize",
        };
        Writer {
            manager: self.options.manager.clone(),
            operation,
            api_version: self.resource.api_version.clone(),
            subresource: subresource.to_owned(),
        }
    }

    /// What this request can't change, and so can't own.
    fn ignored(&self) -> Ignored {
        match (self.part, self.resource.has_status) {
            (Part::Main, true) => Ignored::Status,
            (Part::Status, _) if self.resource.is_custom() => Ignored::AllButStatus,
            _ => Ignored::Nothing,
        }
    }

    fn now(&self) -> String {
        clock::to_the_second((self.api.clock)())
    }

    /// Tells why the store didn't take a change.
    fn refused(&self, refused: Refused, name: &str) -> Rejection {
        let namespace = self.namespace.unwrap_or_default();
        let about = self.resource.about(name);
        match refused {
            Refused::Exists => Rejection::already_exists(&about),
            Refused::Changed => Rejection::modified(&about),
            Refused::NoNamespace => no_namespace(namespace),
            Refused::NamespaceTerminating => Rejection::namespace_terminating(&about, namespace),
            Refused::Busy => Rejection::busy(),
            Refused::Store(error) => Rejection::internal(format!("the change was not stored: {error}")),
        }
    }
}

pub(crate) fn no_namespace(namespace: &str) -> Rejection {
    Rejection::not_found(&crate::status::About { group: "", kind: "namespaces", name: namespace })
}

/// An object after a request.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) state: State,
    pub(crate) created: bool,
    /// What to warn the caller of.
    pub(crate) warnings: Vec<String>,
}

/// Where the object after a request is.
#[derive(Debug)]
pub(crate) enum State {
    Stored(Arc<Stored>),
    /// Only shown, in the form of the request's kind: a dry run, or an object that is gone.
    Shown(Value),
}

impl State {
    /// The object as JSON, in the form of this kind.
    pub(crate) fn body(&self, resource: &Resource) -> Bytes {
        match self {
            State::Stored(stored) => shown(resource, stored),
            State::Shown(object) => serde_json::to_vec(object).unwrap_or_default().into(),
        }
    }
}

/// A kept object as JSON, in the form of this kind.
pub(crate) fn shown(resource: &Resource, stored: &Stored) -> Bytes {
    if !roles::is_stored_otherwise(resource) {
        return stored.body.clone();
    }
    serde_json::to_vec(&value(resource, stored)).unwrap_or_default().into()
}

/// A kept object as a value, in the form of this kind.
pub(crate) fn value(resource: &Resource, stored: &Stored) -> Value {
    let mut object = stored.value();
    roles::from_stored(resource, &mut object);
    object
}

/// Whether objects of this kind need a namespace that stands.
fn needs_namespace(resource: &Resource) -> bool {
    resource.is_namespaced() && resource.role != Role::Namespace
}
