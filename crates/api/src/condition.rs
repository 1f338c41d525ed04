//! Conditions in the status of objects: their types, and how to read them.
//! Reading only: which conditions to publish is decided in `core`, and written by the operator.
//! A condition with a type we don't know is kept like any other.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

open_enum! {
    /// Whether a condition holds.
    #[derive(Default)]
    pub enum ConditionStatus {
        /// It holds.
        True = "True",
        /// It doesn't.
        False = "False",
        /// Nobody knows.
        #[default]
        Unknown = "Unknown",
    }
}

/// A condition of a CertificateRequest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What the condition is about. Known are `Ready`, `Approved`, `Denied` and `InvalidRequest`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds: `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// One word for programs: why the condition is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A sentence for people: why the condition is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When `status` last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
}

/// A condition of a Certificate or an issuer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObservedCondition {
    /// What the condition is about. Known are `Ready` and, on Certificates, `Issuing`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds: `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// One word for programs: why the condition is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A sentence for people: why the condition is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When `status` last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// The `metadata.generation` that this condition was made for. If the object's own is higher, the condition is out
    /// of date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What both kinds of conditions have in common.
pub trait AnyCondition {
    /// What it is about.
    fn type_(&self) -> &str;
    /// Whether it holds.
    fn status(&self) -> &ConditionStatus;
    /// Its reason, empty if it has none.
    fn reason(&self) -> &str;
    /// Its message, empty if it has none.
    fn message(&self) -> &str;
}

macro_rules! any_condition {
    ($name:ty) => {
        impl AnyCondition for $name {
            fn type_(&self) -> &str {
                &self.type_
            }

            fn status(&self) -> &ConditionStatus {
                &self.status
            }

            fn reason(&self) -> &str {
                crate::text(&self.reason)
            }

            fn message(&self) -> &str {
                crate::text(&self.message)
            }
        }
    };
}

any_condition!(Condition);
any_condition!(ObservedCondition);

/// The condition of this type.
pub fn find<'a, C: AnyCondition>(conditions: &'a Option<Vec<C>>, type_: &str) -> Option<&'a C> {
    crate::items(conditions).iter().find(|condition| condition.type_() == type_)
}

/// Whether the condition of this type is there and `True`.
pub fn is_true<C: AnyCondition>(conditions: &Option<Vec<C>>, type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| *condition.status() == ConditionStatus::True)
}

/// Whether the condition of this type is there with this status and reason.
pub fn has<C: AnyCondition>(
    conditions: &Option<Vec<C>>,
    type_: &str,
    status: &ConditionStatus,
    reason: &str,
) -> bool {
    find(conditions, type_).is_some_and(|c| c.status() == status && c.reason() == reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(type_: &str, status: ConditionStatus, reason: &str) -> Condition {
        Condition { type_: type_.into(), status, reason: Some(reason.into()), ..Default::default() }
    }

    #[test]
    fn conditions_are_found_by_their_type() {
        let conditions = Some(vec![
            condition("Approved", ConditionStatus::True, "cert-manager.io"),
            condition("Ready", ConditionStatus::False, "Pending"),
        ]);
        assert!(is_true(&conditions, "Approved"));
        assert!(!is_true(&conditions, "Ready"));
        assert!(!is_true(&conditions, "Denied"));
        assert!(has(&conditions, "Ready", &ConditionStatus::False, "Pending"));
        assert!(!has(&conditions, "Ready", &ConditionStatus::False, "Failed"));
        assert!(!has(&conditions, "Ready", &ConditionStatus::True, "Pending"));
        assert_eq!(find::<Condition>(&None, "Ready"), None);
    }

    #[test]
    fn a_status_nobody_knows_is_kept_and_is_not_true() {
        let status = ConditionStatus::from("Perhaps");
        assert_eq!(status.as_str(), "Perhaps");
        assert!(!is_true(&Some(vec![condition("Ready", status, "")]), "Ready"));
    }
}
