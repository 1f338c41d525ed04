//! What is served: aggregated (one document for all) and legacy (one for each group and version).
//! Written once when the server is built, since kinds don't change.
//! Order is that of the definitions, so the same kinds give the same bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::{Map, Value, json};

use crate::accept::DiscoveryForm;
use crate::body::Body;
use crate::kinds::{Registry, Resource, Scope};
use crate::respond;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
/// The Kubernetes whose behaviour this API has.
const MAJOR: &str = "1";
const MINOR: &str = "36";

/// All documents.
#[derive(Debug)]
pub(crate) struct Discovery {
    core: Bytes,
    core_aggregated: Bytes,
    groups: Bytes,
    groups_aggregated: Bytes,
    group: BTreeMap<String, Bytes>,
    resources: BTreeMap<(String, String), Bytes>,
}

/// What `/version` says.
pub(crate) fn version() -> Value {
    json!({
        "major": MAJOR, "minor": MINOR,
        "gitVersion": concat!("v1.36.0+everleaf.", env!("CARGO_PKG_VERSION")),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

impl Discovery {
    /// Writes the documents for these kinds.
    pub(crate) fn of(registry: &Registry) -> Discovery {
        let mut group_names: Vec<&str> = Vec::new();
        for (group, _) in registry.group_versions() {
            if !group.is_empty() && !group_names.contains(&group) {
                group_names.push(group);
            }
        }
        let groups: Vec<Value> = group_names.iter().map(|name| group(registry, name)).collect();
        let aggregated: Vec<Value> =
            group_names.iter().map(|name| aggregated_group(registry, name)).collect();
        let versions = registry.group_versions().into_iter();
        Discovery {
            core: encode(
                &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
            ),
            core_aggregated: encode(&aggregated_list(&[aggregated_group(registry, "")])),
            groups: encode(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})),
            groups_aggregated: encode(&aggregated_list(&aggregated)),
            group: group_names
                .iter()
                .map(|name| ((*name).to_owned(), encode(&group(registry, name))))
                .collect(),
            resources: versions
                .map(|(group, version)| {
                    ((group.to_owned(), version.to_owned()), encode(&resources(registry, group, version)))
                })
                .collect(),
        }
    }

    /// `/api`
    pub(crate) fn core(&self, form: DiscoveryForm) -> Response<Body> {
        answer(form, &self.core, &self.core_aggregated)
    }

    /// `/apis`
    pub(crate) fn groups(&self, form: DiscoveryForm) -> Response<Body> {
        answer(form, &self.groups, &self.groups_aggregated)
    }

    /// `/apis/{group}`
    pub(crate) fn group(&self, group: &str) -> Option<Response<Body>> {
        self.group.get(group).map(|document| respond::bytes(200, document.clone()))
    }

    /// `/api/v1`, `/apis/{group}/{version}`
    pub(crate) fn resources(&self, group: &str, version: &str) -> Option<Response<Body>> {
        let document = self.resources.get(&(group.to_owned(), version.to_owned()))?;
        Some(respond::bytes(200, document.clone()))
    }
}

fn encode(value: &Value) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn answer(form: DiscoveryForm, legacy: &Bytes, aggregated: &Bytes) -> Response<Body> {
    match form {
        DiscoveryForm::Legacy => respond::bytes(200, legacy.clone()),
        DiscoveryForm::Aggregated => {
            let mut response = respond::bytes(200, aggregated.clone());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(AGGREGATED));
            response
        }
    }
}

fn versions<'a>(registry: &'a Registry, group: &str) -> Vec<&'a str> {
    let of_group = registry.group_versions().into_iter().filter(|(name, _)| *name == group);
    of_group.map(|(_, version)| version).collect()
}

fn of<'a>(registry: &'a Registry, group: &'a str, version: &'a str) -> impl Iterator<Item = &'a Resource> {
    let all = registry.all().iter().map(|resource| &**resource);
    all.filter(move |resource| resource.group == group && resource.version == version)
}

fn group(registry: &Registry, name: &str) -> Value {
    let one = |version: &&str| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let versions: Vec<Value> = versions(registry, name).iter().map(one).collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": versions, "preferredVersion": preferred})
}

fn resources(registry: &Registry, group: &str, version: &str) -> Value {
    let mut list = Vec::new();
    for resource in of(registry, group, version) {
        let mut entry = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.is_namespaced(),
            "kind": resource.kind, "verbs": resource.verbs(),
        });
        name_lists(resource, &mut entry);
        list.push(entry);
        for (sub, verbs) in resource.subresources() {
            list.push(json!({
                "name": format!("{}/{sub}", resource.plural), "singularName": "",
                "namespaced": resource.is_namespaced(), "kind": resource.kind, "verbs": verbs,
            }));
        }
    }
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": list})
}

fn name_lists(resource: &Resource, entry: &mut Value) {
    let Some(map) = entry.as_object_mut() else { return };
    for (key, names) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !names.is_empty() {
            map.insert(key.to_owned(), names.clone().into());
        }
    }
}

fn aggregated_list(items: &[Value]) -> Value {
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_group(registry: &Registry, name: &str) -> Value {
    let mut meta = Map::new();
    if !name.is_empty() {
        meta.insert("name".to_owned(), name.into());
    }
    let one = |version: &&str| {
        let resources: Vec<Value> = of(registry, name, version).map(aggregated_resource).collect();
        json!({"version": version, "resources": resources, "freshness": "Current"})
    };
    let versions: Vec<Value> = versions(registry, name).iter().map(one).collect();
    json!({"metadata": meta, "versions": versions})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let scope = match resource.scope {
        Scope::Namespaced => "Namespaced",
        Scope::Cluster => "Cluster",
    };
    let mut entry = json!({
        "resource": resource.plural, "responseKind": kind, "scope": scope,
        "singularResource": resource.singular, "verbs": resource.verbs(),
    });
    name_lists(resource, &mut entry);
    let one =
        |(sub, verbs): (&str, &[&str])| json!({"subresource": sub, "responseKind": kind, "verbs": verbs});
    let subresources: Vec<Value> = resource.subresources().into_iter().map(one).collect();
    if let (false, Some(map)) = (subresources.is_empty(), entry.as_object_mut()) {
        map.insert("subresources".to_owned(), subresources.into());
    }
    entry
}
