//! The built-in approver's right to approve, asked of the API server and remembered for a while.
//! The rule is the peer's: verb `approve` on the virtual resource `signers`, for all signers of a kind or for this one. It approves nothing itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use everleaf_core::request::Approver;
use everleaf_core::wanted::IssuerRef;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use tokio::time::Instant;
use tracing::warn;

/// A right is asked for again after this long.
const ALLOWED_FOR: Duration = Duration::from_secs(300);
/// A missing right is asked for again sooner, because somebody may just have granted it.
pub(crate) const FORBIDDEN_FOR: Duration = Duration::from_secs(30);
/// The most answers remembered; beyond it the oldest knowledge is dropped whole.
const REMEMBERED: usize = 4096;

/// Answers about our right to approve.
pub struct Approvals {
    client: kube::Client,
    is_on: bool,
    answers: Mutex<HashMap<String, (bool, Instant)>>,
    /// One question at a time: a thousand requests that wake together ask once.
    asking: tokio::sync::Mutex<()>,
}

impl Approvals {
    /// Asks over `client`; an approver that is off approves nothing and asks nothing.
    pub fn new(client: kube::Client, is_on: bool) -> Approvals {
        Approvals {
            client,
            is_on,
            answers: Mutex::new(HashMap::new()),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// What is known at once, without asking. `None`: ask.
    pub fn known(&self, issuer: &IssuerRef, namespace: &str) -> Option<Approver> {
        if !self.is_on {
            return Some(Approver::Off);
        }
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (allowed, since) = answers.get(&signer(issuer, namespace)).copied()?;
        let lasts = if allowed { ALLOWED_FOR } else { FORBIDDEN_FOR };
        (since.elapsed() < lasts).then_some(verdict(allowed))
    }

    /// Whether we may approve requests to this issuer. If the question can't be asked, we may not.
    pub async fn ask(&self, issuer: &IssuerRef, namespace: &str) -> Approver {
        if let Some(known) = self.known(issuer, namespace) {
            return known;
        }
        let _turn = self.asking.lock().await;
        if let Some(known) = self.known(issuer, namespace) {
            return known;
        }
        let signer = signer(issuer, namespace);
        let kind = format!("{}/*", plural(issuer));
        let answer = match self.may_approve(&kind).await {
            Ok(true) => Ok(true),
            Ok(false) => self.may_approve(&signer).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(allowed) => {
                let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
                if answers.len() >= REMEMBERED {
                    answers.clear();
                }
                answers.insert(signer, (allowed, Instant::now()));
                verdict(allowed)
            }
            Err(error) => {
                warn!(signer, %error, "could not ask for the right to approve");
                Approver::Forbidden
            }
        }
    }

    async fn may_approve(&self, name: &str) -> kube::Result<bool> {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: Some(IssuerRef::GROUP.to_owned()),
                    resource: Some("signers".to_owned()),
                    verb: Some("approve".to_owned()),
                    name: Some(name.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

fn verdict(allowed: bool) -> Approver {
    if allowed { Approver::Allowed } else { Approver::Forbidden }
}

/// The signer's name as RBAC rules write it: `issuers.cert-manager.io/namespace.name`, `clusterissuers.cert-manager.io/name`.
fn signer(issuer: &IssuerRef, namespace: &str) -> String {
    let is_cluster_wide = issuer.kind().starts_with("Cluster");
    if is_cluster_wide {
        format!("{}/{}", plural(issuer), issuer.name)
    } else {
        format!("{}/{namespace}.{}", plural(issuer), issuer.name)
    }
}

/// The resource of an issuer kind; foreign kinds follow the usual plural.
fn plural(issuer: &IssuerRef) -> String {
    format!("{}s.{}", issuer.kind().to_lowercase(), issuer.group())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signers_are_named_as_rbac_rules_write_them() {
        let named = |kind: &str, group: &str| {
            let issuer =
                IssuerRef { name: "ca".into(), written_kind: kind.into(), written_group: group.into() };
            signer(&issuer, "ns1")
        };
        assert_eq!(named("", ""), "issuers.cert-manager.io/ns1.ca");
        assert_eq!(named("ClusterIssuer", ""), "clusterissuers.cert-manager.io/ca");
        assert_eq!(
            named("AWSPCAIssuer", "awspca.cert-manager.io"),
            "awspcaissuers.awspca.cert-manager.io/ns1.ca"
        );
    }
}
