//! The parts of an AdmissionReview that are looked at (admission.k8s.io/v1), and the answer.
//! Objects stay plain JSON here: each rule reads them into the type it knows.

use k8s_openapi::api::authentication::v1::UserInfo;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is about to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operation {
    /// A new object.
    Create,
    /// A change, of its status too.
    Update,
    /// Its end.
    Delete,
    /// Something else.
    Connect,
}

/// The kind of the object, in the version that the rule of the configuration names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Kind {
    /// Its group.
    pub group: String,
    /// Its kind.
    pub kind: String,
}

/// What is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Repeated in the answer.
    pub uid: String,
    /// The kind of the object.
    pub kind: Kind,
    /// `status`, or empty.
    #[serde(default)]
    pub sub_resource: String,
    /// What is about to happen.
    pub operation: Operation,
    /// Who does it.
    pub user_info: UserInfo,
    /// The object as it would be stored; null for a deletion.
    #[serde(default)]
    pub object: Value,
    /// The object as it is stored; null for a creation.
    #[serde(default)]
    pub old_object: Value,
}

/// The envelope that questions come in.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    pub(crate) request: Question,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    uid: String,
    /// Whether it may happen.
    pub allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    /// A JSON patch in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    /// What the user should know although it may happen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Refusal {
    status: &'static str,
    message: String,
    reason: &'static str,
    code: u16,
}

impl Answer {
    /// It may happen.
    pub fn yes(uid: &str) -> Answer {
        let uid = uid.to_owned();
        Answer { uid, allowed: true, status: None, patch_type: None, patch: None, warnings: Vec::new() }
    }

    /// It may not, for this reason.
    pub fn no(uid: &str, message: String) -> Answer {
        // cert-manager answers so, too: 406, which API servers pass on.
        let refusal = Refusal { status: "Failure", message, reason: "NotAcceptable", code: 406 };
        Answer { allowed: false, status: Some(refusal), ..Answer::yes(uid) }
    }

    /// The same, and what the user should know.
    pub(crate) fn with_warnings(self, warnings: Vec<String>) -> Answer {
        Answer { warnings, ..self }
    }

    /// It may happen after this JSON patch.
    pub(crate) fn patched(uid: &str, operations: &Value) -> Answer {
        use base64::Engine as _;
        let patch = base64::engine::general_purpose::STANDARD.encode(operations.to_string());
        Answer { patch_type: Some("JSONPatch"), patch: Some(patch), ..Answer::yes(uid) }
    }

    /// Why it may not happen; empty if it may.
    pub fn message(&self) -> &str {
        self.status.as_ref().map(|refusal| refusal.message.as_str()).unwrap_or_default()
    }
}
