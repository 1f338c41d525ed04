//! The heart of `everleaf why`: from the objects of the API and the time to the story of one of them. Read it from the top.
//! Pure. It says what the status says, never a second theory: what nobody has told stays untold.

use jiff::Timestamp;
use serde::Serialize;

use super::objects::Objects;
use super::subject::{Kind, Subject};
use super::told::Told;
use super::{of_certificate, of_issuer, of_request};

/// The story of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Story {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Who must move.
    pub verdict: Verdict,
    /// The verdict as a sentence without its subject.
    pub headline: String,
    /// The cause, as the status tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Told>,
    /// What would mend it: a command, or a line of a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
    /// What is wanted.
    pub wanted: Vec<String>,
    /// What is there.
    pub there: Vec<String>,
    /// What was tried.
    pub tried: Vec<String>,
    /// What happens next, and when.
    pub next: Vec<String>,
}

/// Who must move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Verdict {
    /// Nobody.
    InOrder,
    /// The controller, or a server that is expected to recover.
    Working,
    /// A person.
    NeedsPerson,
}

/// What was found out first: the beginning of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) cause: Told,
    pub(crate) cure: Option<String>,
}

impl Finding {
    pub(crate) fn working(cause: Told) -> Finding {
        Finding { verdict: Verdict::Working, cause, cure: None }
    }

    pub(crate) fn person(cause: Told, cure: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::NeedsPerson, cause, cure: Some(cure.into()) }
    }
}

/// Tells the story of `subject`; `None` if it isn't among the objects.
pub(crate) fn story(subject: &Subject, objects: &Objects, now: Timestamp) -> Option<Story> {
    match subject.kind {
        Kind::Certificate => of_certificate::story(objects.certificate.as_ref()?, objects, now),
        Kind::CertificateRequest => of_request::story(objects.requests.last()?, objects, now),
        Kind::Issuer | Kind::ClusterIssuer => of_issuer::story(objects.issuer.there()?, objects, now),
    }
}
