//! The kinds this server knows: the built-in ones from `builtin.json`, the others as they are handed in.
//! All of them are read from the same shape, that of a CustomResourceDefinition.
//! Nothing here is specific to one product.

mod column;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::schema::{Kind, Schema, SchemaError};
use crate::status::About;
pub(crate) use column::{Column, Show};

const BUILTIN: &str = include_str!("builtin.json");
const META: &str = include_str!("meta.json");

/// Whether objects of a kind live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespaced,
    Cluster,
}

/// What the server must know about a kind beyond its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Handed in.
    Custom,
    Secret,
    ConfigMap,
    Namespace,
    /// `core/v1` events: the form they are stored in.
    Event,
    /// `events.k8s.io/v1` events: the same objects by other names.
    NewEvent,
    Lease,
    ServiceAccount,
    /// A question that is answered and not stored.
    Review(Review),
}

/// The questions that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Review {
    SelfAccess,
    Access,
    LocalAccess,
    SelfRules,
    SelfSubject,
    Token,
}

/// A field that objects can be selected by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selectable {
    /// What selectors call it.
    pub(crate) label: String,
    /// Where it is.
    pub(crate) path: Vec<String>,
}

/// One served kind.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    /// `v1` or `group/v1`.
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) scope: Scope,
    pub(crate) role: Role,
    /// Whether `/status` is written apart.
    pub(crate) has_status: bool,
    pub(crate) schema: Schema,
    /// The schema as it came, for OpenAPI.
    pub(crate) raw_schema: Value,
    pub(crate) columns: Vec<Column>,
    pub(crate) selectable: Vec<Selectable>,
    /// Which collection of the store its objects are in.
    pub(crate) collection: usize,
}

impl Resource {
    /// For rejections that speak of an object by its plural.
    pub(crate) fn about<'a>(&'a self, name: &'a str) -> About<'a> {
        About { group: &self.group, kind: &self.plural, name }
    }

    /// For rejections that speak of an object by its kind.
    pub(crate) fn about_kind<'a>(&'a self, name: &'a str) -> About<'a> {
        About { group: &self.group, kind: &self.kind, name }
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.role == Role::Custom
    }

    pub(crate) fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    pub(crate) fn is_review(&self) -> bool {
        matches!(self.role, Role::Review(_))
    }

    /// Whether `generation` is kept.
    pub(crate) fn counts_generations(&self) -> bool {
        self.is_custom()
    }

    /// Whether a PUT without resourceVersion is taken.
    pub(crate) fn updates_blindly(&self) -> bool {
        !matches!(self.role, Role::Custom | Role::Lease | Role::Review(_))
    }

    /// Whether a PUT to a name that isn't there creates it.
    pub(crate) fn creates_on_update(&self) -> bool {
        matches!(self.role, Role::Lease | Role::Event | Role::NewEvent)
    }

    /// The verbs, for discovery.
    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        match self.role {
            Role::Review(_) => &["create"],
            Role::Namespace => &["create", "delete", "get", "list", "patch", "update", "watch"],
            _ => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }
    }

    /// The subresources and their verbs, for discovery.
    pub(crate) fn subresources(&self) -> Vec<(&'static str, &'static [&'static str])> {
        let mut all: Vec<(&str, &'static [&'static str])> = Vec::new();
        if self.role == Role::Namespace {
            all.push(("finalize", &["update"]));
        }
        if self.has_status {
            all.push(("status", &["get", "patch", "update"]));
        }
        all
    }

    /// The key of an object in its collection.
    pub(crate) fn key(&self, namespace: Option<&str>, name: &str) -> String {
        match namespace {
            Some(namespace) if self.is_namespaced() => format!("{namespace}/{name}"),
            _ => name.to_owned(),
        }
    }
}

/// A kind that can't be served.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// Something a CustomResourceDefinition must have is missing.
    #[error("the definition of {kind} lacks {lacks}")]
    Lacks {
        /// The kind, as far as it is known.
        kind: String,
        /// What is missing.
        lacks: &'static str,
    },
    /// Its schema makes no sense.
    #[error("the definition of {kind}: {source}")]
    Schema {
        /// The kind.
        kind: String,
        /// What is wrong.
        source: SchemaError,
    },
    /// A printer column has a path that can't be read.
    #[error("the definition of {kind}: column {column} has a path that can't be read")]
    Column {
        /// The kind.
        kind: String,
        /// The column.
        column: String,
    },
    /// Two definitions claim the same plural.
    #[error("{plural} in {api_version} is defined twice")]
    Twice {
        /// The plural.
        plural: String,
        /// Group and version.
        api_version: String,
    },
    /// The built-in definitions are broken; a test keeps this from happening.
    #[error("the built-in definitions: {0}")]
    Builtin(#[from] serde_json::Error),
}

/// All kinds.
#[derive(Debug)]
pub(crate) struct Registry {
    resources: Vec<Arc<Resource>>,
    by_path: BTreeMap<(String, String, String), usize>,
    by_kind: BTreeMap<(String, String), usize>,
    collections: Vec<String>,
    /// The schema of `metadata`, as it came.
    pub(crate) raw_meta: Value,
}

impl Registry {
    /// The built-in kinds and these.
    pub(crate) fn with(definitions: &[Value]) -> Result<Registry, KindError> {
        let builtin: Vec<Value> = serde_json::from_str(BUILTIN)?;
        let raw_meta: Value = serde_json::from_str(META)?;
        let mut registry = Registry {
            resources: Vec::new(),
            by_path: BTreeMap::new(),
            by_kind: BTreeMap::new(),
            collections: Vec::new(),
            raw_meta,
        };
        for definition in builtin.iter().chain(definitions) {
            registry.add(definition)?;
        }
        Ok(registry)
    }

    fn add(&mut self, definition: &Value) -> Result<(), KindError> {
        for mut resource in read(definition, &self.raw_meta)? {
            resource.collection = self.collection(&resource);
            let index = self.resources.len();
            let path = (resource.group.clone(), resource.version.clone(), resource.plural.clone());
            if self.by_path.insert(path, index).is_some() {
                return Err(KindError::Twice { plural: resource.plural, api_version: resource.api_version });
            }
            self.by_kind.insert((resource.api_version.clone(), resource.kind.clone()), index);
            self.resources.push(Arc::new(resource));
        }
        Ok(())
    }

    /// Versions of a kind share a collection, and so do the two kinds of events.
    fn collection(&mut self, resource: &Resource) -> usize {
        let name = match (resource.role, resource.group.as_str()) {
            (Role::NewEvent, _) | (_, "") => resource.plural.clone(),
            (_, group) => format!("{}.{group}", resource.plural),
        };
        match self.collections.iter().position(|known| *known == name) {
            Some(index) => index,
            None => {
                self.collections.push(name);
                self.collections.len() - 1
            }
        }
    }

    /// The kind at a path.
    pub(crate) fn at(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        let index = self.by_path.get(&(group.to_owned(), version.to_owned(), plural.to_owned()))?;
        self.resources.get(*index)
    }

    /// The kind of an object.
    pub(crate) fn of(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        let index = self.by_kind.get(&(api_version.to_owned(), kind.to_owned()))?;
        self.resources.get(*index)
    }

    /// A kind of a collection: the one whose form is stored.
    pub(crate) fn stored_in(&self, collection: usize) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|resource| resource.collection == collection)
    }

    /// The built-in kind of this role.
    pub(crate) fn role(&self, role: Role) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|resource| resource.role == role)
    }

    /// All kinds, the built-in ones first.
    pub(crate) fn all(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// The names of the collections, which stand in the store.
    pub(crate) fn collections(&self) -> &[String] {
        &self.collections
    }

    /// All groups and versions, in the order of their first kind.
    pub(crate) fn group_versions(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<(&str, &str)> = Vec::new();
        for resource in &self.resources {
            let pair = (resource.group.as_str(), resource.version.as_str());
            if !all.contains(&pair) {
                all.push(pair);
            }
        }
        all
    }
}

/// One resource for each served version.
fn read(definition: &Value, raw_meta: &Value) -> Result<Vec<Resource>, KindError> {
    let spec = definition.get("spec").unwrap_or(&Value::Null);
    let names = spec.get("names").unwrap_or(&Value::Null);
    let kind = text(names, "kind").unwrap_or("?").to_owned();
    let lacks = |lacks| KindError::Lacks { kind: kind.clone(), lacks };
    let versions = spec.get("versions").and_then(Value::as_array).ok_or_else(|| lacks("spec.versions"))?;
    let mut all = Vec::new();
    for version in versions {
        if version.get("served").and_then(Value::as_bool) == Some(false) {
            continue;
        }
        let group = text(spec, "group").ok_or_else(|| lacks("spec.group"))?;
        let name = text(version, "name").ok_or_else(|| lacks("versions[].name"))?;
        let plural = text(names, "plural").ok_or_else(|| lacks("spec.names.plural"))?;
        let mut raw_schema =
            version.pointer("/schema/openAPIV3Schema").cloned().ok_or_else(|| lacks("a schema"))?;
        with_meta(&mut raw_schema, raw_meta);
        let mut schema = Schema::compile(&raw_schema)
            .map_err(|source| KindError::Schema { kind: kind.clone(), source })?;
        schema.kind = Kind::Object;
        schema.structs_at_top = definition.get("x-role").is_some();
        all.push(Resource {
            group: group.to_owned(),
            version: name.to_owned(),
            api_version: if group.is_empty() { name.to_owned() } else { format!("{group}/{name}") },
            kind: text(names, "kind").ok_or_else(|| lacks("spec.names.kind"))?.to_owned(),
            list_kind: text(names, "listKind").map_or_else(|| format!("{kind}List"), str::to_owned),
            plural: plural.to_owned(),
            singular: text(names, "singular").map_or_else(|| kind.to_lowercase(), str::to_owned),
            short_names: texts(names, "shortNames"),
            categories: texts(names, "categories"),
            scope: if text(spec, "scope") == Some("Cluster") { Scope::Cluster } else { Scope::Namespaced },
            role: role(text(definition, "x-role")),
            has_status: version.pointer("/subresources/status").is_some(),
            schema,
            raw_schema,
            columns: column::read(version, &kind)?,
            selectable: selectable(version),
            collection: 0,
        });
    }
    Ok(all)
}

/// Every kind has these three, whatever its definition says of them.
fn with_meta(raw: &mut Value, raw_meta: &Value) {
    let Some(root) = raw.as_object_mut() else { return };
    let properties = root.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    if let Some(properties) = properties.as_object_mut() {
        for (name, words) in
            [("apiVersion", "Group and version of this object."), ("kind", "Kind of this object.")]
        {
            properties.entry(name).or_insert_with(|| json!({"type": "string", "description": words}));
        }
        properties.insert("metadata".to_owned(), raw_meta.clone());
    }
}

fn role(name: Option<&str>) -> Role {
    match name {
        Some("Secret") => Role::Secret,
        Some("ConfigMap") => Role::ConfigMap,
        Some("Namespace") => Role::Namespace,
        Some("Event") => Role::Event,
        Some("NewEvent") => Role::NewEvent,
        Some("Lease") => Role::Lease,
        Some("ServiceAccount") => Role::ServiceAccount,
        Some("SelfSubjectAccessReview") => Role::Review(Review::SelfAccess),
        Some("SubjectAccessReview") => Role::Review(Review::Access),
        Some("LocalSubjectAccessReview") => Role::Review(Review::LocalAccess),
        Some("SelfSubjectRulesReview") => Role::Review(Review::SelfRules),
        Some("SelfSubjectReview") => Role::Review(Review::SelfSubject),
        Some("TokenReview") => Role::Review(Review::Token),
        _ => Role::Custom,
    }
}

fn selectable(version: &Value) -> Vec<Selectable> {
    let list = version.get("selectableFields").and_then(Value::as_array);
    let read = |entry: &Value| {
        let label = text(entry, "jsonPath")?.trim_start_matches('.');
        let path = text(entry, "x-path").map_or(label, |path| path.trim_start_matches('.'));
        Some(Selectable { label: label.to_owned(), path: path.split('.').map(str::to_owned).collect() })
    };
    list.into_iter().flatten().filter_map(read).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_definitions_are_whole() {
        let registry = Registry::with(&[]).unwrap();
        let kinds: Vec<_> =
            registry.all().iter().map(|r| (r.api_version.as_str(), r.kind.as_str())).collect();
        assert!(kinds.contains(&("v1", "Secret")) && kinds.contains(&("coordination.k8s.io/v1", "Lease")));
        assert!(registry.all().iter().all(|resource| !resource.is_custom()));
    }

    #[test]
    fn both_kinds_of_events_share_a_collection() {
        let registry = Registry::with(&[]).unwrap();
        let (old, new) = (registry.role(Role::Event).unwrap(), registry.role(Role::NewEvent).unwrap());
        assert_eq!(old.collection, new.collection);
        assert_eq!(registry.stored_in(old.collection).unwrap().role, Role::Event);
    }

    #[test]
    fn a_broken_definition_is_named() {
        let definition = json!({"spec": {"group": "x.dev", "names": {"kind": "W", "plural": "ws"}, "versions": [{"name": "v1"}]}});
        let error = Registry::with(&[definition]).unwrap_err();
        assert_eq!(error.to_string(), "the definition of W lacks a schema");
    }
}
