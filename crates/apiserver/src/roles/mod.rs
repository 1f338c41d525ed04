//! What the server knows of single kinds beyond their schema: what it fills in and what it refuses.
//! Custom kinds have nothing here.
//! Each kind is a file; this one only sends a question to the right one.

mod config;
pub(crate) mod event;
mod lease;
mod namespace;

use serde_json::Value;

use crate::kinds::{Resource, Role};
use crate::object;
use crate::status::Cause;

pub(crate) use namespace::{KUBERNETES, holders};

/// Brings an object that came in, whole or patched, into its one form.
pub(crate) fn settle(resource: &Resource, object: &mut Value) {
    if !resource.is_custom() {
        drop_empty_parts(resource, object);
    }
    if resource.role == Role::Secret {
        config::settle_secret(object);
    }
}

/// A typed encoder leaves out top-level parts that hold nothing.
fn drop_empty_parts(resource: &Resource, object: &mut Value) {
    if let Some(root) = object.as_object_mut() {
        root.retain(|name, value| !resource.schema.properties.contains_key(name) || !object::is_empty(value));
    }
}

/// Fills in what a new object must have.
pub(crate) fn begin(resource: &Resource, object: &mut Value) {
    if resource.role == Role::Namespace {
        namespace::begin(object);
    }
}

/// What is wrong with an object.
pub(crate) fn faults(resource: &Resource, object: &Value) -> Vec<Cause> {
    match resource.role {
        Role::Secret => config::secret_faults(object),
        Role::ConfigMap => config::config_map_faults(object),
        Role::Event | Role::NewEvent => event::faults(resource.role, object),
        Role::Lease => lease::faults(object),
        Role::Custom | Role::Namespace | Role::ServiceAccount | Role::Review(_) => Vec::new(),
    }
}

/// What is wrong with a change.
pub(crate) fn change_faults(resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    match resource.role {
        Role::Secret => config::secret_change_faults(old, new),
        Role::ConfigMap => config::config_map_change_faults(old, new),
        _ => Vec::new(),
    }
}

/// An object in the form it is stored in.
pub(crate) fn to_stored(resource: &Resource, object: &mut Value) {
    if resource.role == Role::NewEvent {
        event::to_core(object);
    }
}

/// An object in the form of the kind it is asked for as.
pub(crate) fn from_stored(resource: &Resource, object: &mut Value) {
    if resource.role == Role::NewEvent {
        event::from_core(object);
    }
}

/// Whether the stored form differs from the one that is asked for.
pub(crate) fn is_stored_otherwise(resource: &Resource) -> bool {
    resource.role == Role::NewEvent
}
