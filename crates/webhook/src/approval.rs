//! Whether a user may approve for an issuer: `approve` on `signers`, asked of the API server (certificate-lifecycle 3.1).
//! An answer is remembered for a second only, as with the peer; a question that can't be asked counts as no.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use everleaf_api::names::GROUP;
use k8s_openapi::api::authentication::v1::UserInfo;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::discovery::{self, Scope};
use kube::{Api, Client};
use tokio::time::Instant;
use tracing::warn;

use crate::review::Signer;

/// How long an answer counts.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);
/// The most answers that are remembered.
const REMEMBERED: usize = 4096;

/// Asks, and remembers the answers.
pub struct Approvals {
    client: Client,
    answers: Mutex<HashMap<String, (bool, Instant)>>,
}

impl Approvals {
    /// Asks over `client`, which must be allowed to create SubjectAccessReviews.
    pub fn new(client: Client) -> Approvals {
        Approvals { client, answers: Mutex::default() }
    }

    /// Nothing, or why the user may not approve.
    pub async fn refusal(&self, user: &UserInfo, signer: &Signer) -> Option<String> {
        let resource = match self.resource(signer).await {
            Ok(Some(resource)) => resource,
            Ok(None) => return Some(format!("referenced signer resource does not exist: {}", shown(signer))),
            Err(error) => {
                warn!(%error, "could not find out which resource an issuer is");
                return Some(format!("the resource of {} could not be looked up", shown(signer)));
            }
        };
        let names = names(&resource, signer);
        for name in &names {
            match self.may_approve(user, name).await {
                Ok(true) => return None,
                Ok(false) => {}
                Err(error) => warn!(%error, name, "could not ask for a right to approve"),
            }
        }
        let user = user.username.as_deref().unwrap_or_default();
        let names = names.join(" and ");
        Some(format!(
            "user \"{user}\" does not have permissions to set approved/denied conditions for issuer {names}"
        ))
    }

    /// Our own kinds are known; those of others are asked for.
    async fn resource(&self, signer: &Signer) -> kube::Result<Option<Resource>> {
        let (kind, group) = (kind(signer), group(signer));
        if group == GROUP {
            let known = matches!(kind, "Issuer" | "ClusterIssuer");
            let plural = format!("{}s", kind.to_lowercase());
            return Ok(known.then(|| Resource {
                plural,
                group: group.to_owned(),
                namespaced: kind == "Issuer",
            }));
        }
        let found = match discovery::group(&self.client, group).await {
            Ok(found) => found,
            Err(kube::Error::Discovery(_)) => return Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(found.recommended_kind(kind).map(|(resource, capabilities)| Resource {
            plural: resource.plural,
            group: group.to_owned(),
            namespaced: capabilities.scope == Scope::Namespaced,
        }))
    }

    async fn may_approve(&self, user: &UserInfo, name: &str) -> kube::Result<bool> {
        let spec = question(user, name);
        let key = serde_json::to_string(&spec).unwrap_or_default();
        if let Some(known) = self.known(&key) {
            return Ok(known);
        }
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await?;
        let allowed = answer.status.is_some_and(|status| status.allowed);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        answers.insert(key, (allowed, Instant::now()));
        Ok(allowed)
    }

    fn known(&self, key: &str) -> Option<bool> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (allowed, since) = answers.get(key).copied()?;
        (since.elapsed() < REMEMBERED_FOR).then_some(allowed)
    }
}

/// What kind of issuer it is, as RBAC names it.
struct Resource {
    plural: String,
    group: String,
    namespaced: bool,
}

fn kind(signer: &Signer) -> &str {
    signer.issuer.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("Issuer")
}

fn group(signer: &Signer) -> &str {
    signer.issuer.group.as_deref().filter(|group| !group.is_empty()).unwrap_or(GROUP)
}

fn shown(signer: &Signer) -> String {
    format!("{}.{}", kind(signer), group(signer))
}

/// All signers of the kind, and this one.
fn names(resource: &Resource, signer: &Signer) -> [String; 2] {
    let Resource { plural, group, namespaced } = resource;
    let place = if *namespaced { format!("{}.", signer.namespace) } else { String::new() };
    [format!("{plural}.{group}/*"), format!("{plural}.{group}/{place}{}", signer.issuer.name)]
}

fn question(user: &UserInfo, name: &str) -> SubjectAccessReviewSpec {
    SubjectAccessReviewSpec {
        user: user.username.clone(),
        uid: user.uid.clone(),
        groups: user.groups.clone(),
        extra: user.extra.clone(),
        resource_attributes: Some(ResourceAttributes {
            group: Some(GROUP.to_owned()),
            resource: Some("signers".to_owned()),
            verb: Some("approve".to_owned()),
            name: Some(name.to_owned()),
            ..ResourceAttributes::default()
        }),
        ..SubjectAccessReviewSpec::default()
    }
}
