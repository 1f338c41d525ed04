//! Applies objects by server-side apply under a field manager of its own: what the manifests say wins, what they don't say is left alone.
//! Namespaces come first and are made where one is missing; Secrets come before issuers, issuers before Certificates. It never deletes.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::{Api, DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::ApiResource;
use kube::discovery::{ApiCapabilities, Discovery, Scope};
use serde_json::{Value, json};

use super::read::{Described, Id};

/// Who the fields of manifests belong to.
const FIELD_MANAGER: &str = "everleaf-up";
/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// What came of applying.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// The objects that are as the manifests say.
    pub(crate) ids: BTreeSet<Id>,
    /// What is wrong with the others.
    pub(crate) faults: Vec<String>,
}

/// Applies objects to one API.
pub(crate) struct Applier {
    client: kube::Client,
    kinds: BTreeMap<(String, String), (ApiResource, ApiCapabilities)>,
}

impl Applier {
    /// Asks the API which kinds it serves.
    pub(crate) async fn new(client: kube::Client) -> kube::Result<Applier> {
        let discovery = Discovery::new(client.clone()).run().await?;
        let kinds = discovery
            .groups()
            .flat_map(|group| group.resources_by_stability())
            .map(|(resource, abilities)| {
                ((resource.api_version.clone(), resource.kind.clone()), (resource, abilities))
            })
            .collect();
        Ok(Applier { client, kinds })
    }

    /// Applies objects. Each that fails is told, and holds up no other.
    pub(crate) async fn apply(&self, mut described: Vec<Described>) -> Applied {
        let mut applied = Applied::default();
        described.retain_mut(|one| match self.settle(one) {
            Ok(()) => true,
            Err(why) => {
                applied.faults.push(format!("{}: {}: {why}", one.place, one.id));
                false
            }
        });
        described.sort_by_key(|one| rank(&one.id.kind));
        self.make_namespaces(&described, &mut applied.faults).await;
        for one in described {
            if applied.ids.contains(&one.id) {
                applied.faults.push(format!(
                    "{}: {} stands in the manifests twice; the first one counts",
                    one.place, one.id
                ));
                continue;
            }
            match self.patch(&one.id, &Value::Object(one.object)).await {
                Ok(()) => {
                    applied.ids.insert(one.id);
                }
                Err(why) => applied.faults.push(format!("{}: {}: {why}", one.place, one.id)),
            }
        }
        applied
    }

    /// Finds out whether the kind is served, and which namespace is meant.
    fn settle(&self, one: &mut Described) -> Result<(), String> {
        let Some((_, abilities)) = self.kind(&one.id) else {
            return Err(format!("kind {} of {} is not served here", one.id.kind, one.id.api_version));
        };
        match (&abilities.scope, one.id.namespace.is_empty()) {
            (Scope::Namespaced, true) => one.id.namespace = DEFAULT_NAMESPACE.to_owned(),
            (Scope::Cluster, false) => return Err("this kind lives in no namespace".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn kind(&self, id: &Id) -> Option<&(ApiResource, ApiCapabilities)> {
        self.kinds.get(&(id.api_version.clone(), id.kind.clone()))
    }

    /// On a host nobody else would make them.
    async fn make_namespaces(&self, described: &[Described], faults: &mut Vec<String>) {
        let wanted: BTreeSet<&str> =
            described.iter().map(|one| one.id.namespace.as_str()).filter(|name| !name.is_empty()).collect();
        for name in wanted {
            let id = Id {
                api_version: "v1".to_owned(),
                kind: "Namespace".to_owned(),
                namespace: String::new(),
                name: name.to_owned(),
            };
            let is_described = described.iter().any(|one| one.id == id);
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
            if !is_described && let Err(why) = self.patch(&id, &namespace).await {
                faults.push(format!("namespace {name}: {why}"));
            }
        }
    }

    async fn patch(&self, id: &Id, object: &Value) -> Result<(), String> {
        let Some((resource, abilities)) = self.kind(id) else { return Ok(()) };
        let api: Api<DynamicObject> = match abilities.scope {
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), &id.namespace, resource),
            Scope::Cluster => Api::all_with(self.client.clone(), resource),
        };
        let parameters = PatchParams {
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::apply(FIELD_MANAGER).force()
        };
        match api.patch(&id.name, &parameters, &Patch::Apply(object)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(status.message.clone()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What others depend on comes first.
fn rank(kind: &str) -> u8 {
    match kind {
        "Namespace" => 0,
        "Secret" | "ConfigMap" | "ServiceAccount" => 1,
        "Issuer" | "ClusterIssuer" => 2,
        _ => 3,
    }
}
