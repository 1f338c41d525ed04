//! `everleaf approve` and `everleaf deny`: a person's verdict over a CertificateRequest. Both are final, and a request carries only one.
//! The API checks whether the caller may; nothing here goes around that.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use everleaf_api::condition::is_true;
use everleaf_api::{CertificateRequest, Condition, ConditionStatus, items};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::cluster::{self, Place, told};
use crate::screen;

/// Flags of `everleaf approve` and `everleaf deny`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 done, or so already; 1 it could not be done (the reason is on standard error); 2 wrong usage."
)]
pub(crate) struct Flags {
    /// Names of CertificateRequests.
    #[arg(required = true)]
    requests: Vec<String>,
    /// One word for programs, in CamelCase.
    #[arg(long, default_value = "ByHand")]
    reason: String,
    /// A sentence for people.
    #[arg(long)]
    message: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// May be signed.
    Approved,
    /// Must not be signed.
    Denied,
}

impl Verdict {
    fn condition(self) -> &'static str {
        match self {
            Verdict::Approved => "Approved",
            Verdict::Denied => "Denied",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Verdict::Approved => "approved",
            Verdict::Denied => "denied",
        }
    }

    fn other(self) -> Verdict {
        match self {
            Verdict::Approved => Verdict::Denied,
            Verdict::Denied => Verdict::Approved,
        }
    }
}

/// Gives the verdict over each request.
pub(crate) fn run(flags: &Flags, verdict: Verdict) -> anyhow::Result<ExitCode> {
    cluster::run(async {
        let cluster = flags.place.connect().await?;
        let api: Api<CertificateRequest> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let mut faults = 0;
        for name in &flags.requests {
            match judge(&api, name, verdict, flags).await {
                Ok(said) => screen::print(&format!("{name}: {said}\n"))?,
                Err(error) => {
                    faults += 1;
                    crate::tell(&format!("everleaf: {name}: {error:#}"));
                }
            }
        }
        Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn judge(
    api: &Api<CertificateRequest>,
    name: &str,
    verdict: Verdict,
    flags: &Flags,
) -> anyhow::Result<String> {
    let request = api.get(name).await.map_err(told)?;
    let message =
        flags.message.clone().unwrap_or_else(|| format!("{} by hand with everleaf", verdict.condition()));
    let Some(conditions) = judged(&request, verdict, (&flags.reason, &message), Timestamp::now())? else {
        return Ok(format!("is {} already", verdict.word()));
    };
    let version = &request.metadata.resource_version;
    let patch = json!({ "metadata": { "resourceVersion": version }, "status": { "conditions": conditions } });
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(told)?;
    Ok(verdict.word().to_owned())
}

/// The conditions with the verdict; `None` if it stands there already; an error if the other one does.
fn judged(
    request: &CertificateRequest,
    verdict: Verdict,
    (reason, message): (&str, &str),
    now: Timestamp,
) -> anyhow::Result<Option<Vec<Condition>>> {
    let conditions = request.status.as_ref().and_then(|status| status.conditions.clone());
    if is_true(&conditions, verdict.condition()) {
        return Ok(None);
    }
    if is_true(&conditions, verdict.other().condition()) {
        bail!("it is {} already, and that is final", verdict.other().word());
    }
    let mut all: Vec<Condition> = items(&conditions)
        .iter()
        .filter(|condition| condition.type_ != verdict.condition())
        .cloned()
        .collect();
    all.push(Condition {
        type_: verdict.condition().to_owned(),
        status: ConditionStatus::True,
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Timestamp::from_second(now.as_second()).ok().map(Time),
    });
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_verdict_is_given_once_and_stays() {
        let request = |conditions: serde_json::Value| -> CertificateRequest {
            serde_json::from_value(json!({ "status": { "conditions": conditions } })).unwrap()
        };
        let condition = |kind: &str| json!({ "type": kind, "status": "True", "reason": "r", "message": "m" });
        let now = "2026-11-25T01:02:03Z".parse().unwrap();
        let judge = |request: &CertificateRequest, verdict| judged(request, verdict, ("ByHand", "fine"), now);

        let open = request(json!([condition("Ready")]));
        let written = serde_json::to_value(judge(&open, Verdict::Approved).unwrap().unwrap()).unwrap();
        assert_eq!(written[0]["type"], "Ready");
        let approved = json!({
            "type": "Approved", "status": "True", "reason": "ByHand", "message": "fine", "lastTransitionTime": "2026-11-25T01:02:03Z",
        });
        assert_eq!(written[1], approved);
        let approved = request(json!([condition("Approved")]));
        assert_eq!(judge(&approved, Verdict::Approved).unwrap(), None);
        let told = judge(&approved, Verdict::Denied).unwrap_err().to_string();
        assert_eq!(told, "it is approved already, and that is final");
        assert!(judge(&request(json!([condition("Denied")])), Verdict::Approved).is_err());
    }
}
