//! The outcome of one decision: at most one step with an effect outside, what the status shall say then, and when to look again.
//! Plain data: the operator's `apply.rs` carries it out.

use jiff::Timestamp;

use crate::checked::Checked;
use crate::conditions::Condition;
use crate::observed::StatusSeen;

/// What to do with one Certificate now.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The one effect outside.
    pub step: Step,
    /// What status says once the step is done; `None` leaves it as it is for now.
    pub status: Option<StatusWish>,
    /// An event to tell.
    pub event: Option<Event>,
    /// When to look again if nothing changes before.
    pub wake: Option<Timestamp>,
}

/// One effect outside.
#[derive(Debug, Clone)]
pub enum Step {
    /// None.
    Rest,
    /// Delete a request that is in the way or too old.
    DeleteRequest {
        /// Its name.
        name: String,
        /// Why, for logs.
        why: &'static str,
    },
    /// Delete a next key that nobody needs any more.
    DeleteKey {
        /// Name of its Secret.
        secret_name: String,
        /// Why, for logs.
        why: &'static str,
    },
    /// Put the key of the coming issuance into a Secret of its own.
    StoreKey {
        /// Where it comes from.
        origin: KeyOrigin,
        /// Name of the Secret.
        secret_name: String,
    },
    /// Create the request.
    Request {
        /// Where its key comes from.
        origin: KeyOrigin,
        /// Its revision.
        revision: u32,
        /// The name reserved for the key's Secret.
        key_secret_name: String,
    },
    /// Write certificate and key to the target Secret.
    Store {
        /// The request that was signed.
        request: String,
        /// The certificate.
        checked: Box<Checked>,
        /// Its revision.
        revision: u32,
    },
    /// Write a certificate of a CA that is thrown away, with the next key, so that the Secret can be used until its issuer answers.
    StoreTemporary {
        /// The request that waits for its issuer.
        request: String,
    },
    /// Write the Secret again from its own data, because its metadata or extra formats are not as wanted.
    Refresh {
        /// What is not as wanted.
        why: &'static str,
    },
}

/// Where the key of an issuance comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// Made now.
    Made,
    /// The key in the target Secret, kept by `rotationPolicy: Never`.
    Kept,
    /// The one held for this issuance already, in memory or in its Secret.
    InHand,
}

/// What the status shall say. Foreign condition types are never touched.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusWish {
    /// `Ready`
    pub ready: Condition,
    /// `Issuing`; `None` removes it.
    pub issuing: Option<Condition>,
    /// `notBefore`, `notAfter`, `renewalTime` of the certificate in the Secret.
    pub leaf: Option<LeafTimes>,
    /// `revision`
    pub revision: Option<u32>,
    /// `lastFailureTime`
    pub last_failure: Option<Timestamp>,
    /// `failedIssuanceAttempts`; zero is left out.
    pub failed_attempts: u32,
    /// `nextPrivateKeySecretName`
    pub next_key_name: Option<String>,
}

/// Times of a certificate in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafTimes {
    /// notBefore
    pub not_before: Timestamp,
    /// notAfter
    pub not_after: Timestamp,
    /// When it is renewed.
    pub renewal: Option<Timestamp>,
}

/// An event on the Certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Warning or Normal.
    pub warning: bool,
    /// CamelCase reason.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Event {
    /// A Normal event.
    pub fn normal(reason: impl Into<String>, message: impl Into<String>) -> Event {
        Event { warning: false, reason: reason.into(), message: message.into() }
    }

    /// A Warning event.
    pub fn warning(reason: impl Into<String>, message: impl Into<String>) -> Event {
        Event { warning: true, reason: reason.into(), message: message.into() }
    }
}

impl Plan {
    /// Only this step; status stays.
    pub(crate) fn only(step: Step) -> Plan {
        Plan { step, status: None, event: None, wake: None }
    }
}

impl StatusWish {
    /// The parts of the status that carry on unless something happens.
    pub(crate) fn carried(seen: &StatusSeen, ready: Condition, leaf: Option<LeafTimes>) -> StatusWish {
        StatusWish {
            ready,
            issuing: seen.issuing.as_ref().map(|(condition, _)| condition.clone()),
            leaf,
            revision: seen.revision,
            last_failure: seen.last_failure,
            failed_attempts: seen.failed_attempts,
            next_key_name: seen.next_key_name.clone(),
        }
    }
}
