//! The conditions users read: their reasons and the sentences behind them.
//! Reasons and key words are those of the peer's API; text is written here and nowhere else. It never decides anything.

use std::time::Duration;

use jiff::Timestamp;

use crate::failure::{Blame, Call, Class, Failure, Refusal};
use crate::observed::Ending;

/// A condition as we want it published; its type is where it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// True or False; Unknown is never ours.
    pub holds: bool,
    /// CamelCase reason.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Condition {
    /// A condition that holds.
    pub fn yes(reason: impl Into<String>, message: impl Into<String>) -> Condition {
        Condition { holds: true, reason: reason.into(), message: message.into() }
    }

    /// A condition that doesn't hold.
    pub fn no(reason: impl Into<String>, message: impl Into<String>) -> Condition {
        Condition { holds: false, reason: reason.into(), message: message.into() }
    }
}

/// Reasons of a CertificateRequest's Ready condition; clients branch on them.
pub mod request_reason {
    /// Not answered yet.
    pub const PENDING: &str = "Pending";
    /// Ended without a certificate.
    pub const FAILED: &str = "Failed";
    /// Signed.
    pub const ISSUED: &str = "Issued";
    /// Denied by an approver.
    pub const DENIED: &str = "Denied";
}

/// What a waiting request says: what happened, who must act, what happens next.
///
/// The next try is told as a time at first, later as the longest wait between two tries, so that the text (and with it the write) changes
/// with the rung of the back-off and not with each attempt.
pub fn waiting(failure: &Failure, next: NextTry) -> String {
    let said = if failure.says.is_empty() { String::new() } else { format!(": {}", failure.says) };
    format!(
        "{} ({} failed{said}). {} {}",
        failure.class,
        failure.call.as_str(),
        who_acts(failure),
        next.sentence(failure)
    )
}

/// When a waiting request is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTry {
    /// By this time at the latest.
    By(Timestamp),
    /// Again and again, with at most this wait between.
    AtLeastEvery(Duration),
    /// When the issuer works again, which one probe finds out for all.
    WithTheIssuer,
}

impl NextTry {
    fn sentence(self, failure: &Failure) -> String {
        let pace = match (self, failure.class) {
            (NextTry::By(at), _) => return format!("Next try by {}.", clock(at)),
            (NextTry::AtLeastEvery(wait), _) => {
                return format!("It is tried again at least every {} s.", wait.as_secs());
            }
            (NextTry::WithTheIssuer, _) if failure.retry_after.is_some() => "as soon as it wishes",
            (NextTry::WithTheIssuer, Class::Transient | Class::Request) => "every few seconds",
            (NextTry::WithTheIssuer, Class::Access | Class::Issuer) => "at least twice a minute",
        };
        format!("The issuer is probed {pace}; this request follows as soon as it works.")
    }
}

/// A time of day with its date, in whole seconds.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// One sentence that names who must act.
pub fn who_acts(failure: &Failure) -> String {
    match (failure.class, &failure.blame) {
        // The same bytes for a reviewer that is down, a mount that is gone and a lock-out: nothing proves which (vault-measured 7).
        (Class::Transient, _) if failure.call == Call::Login && failure.code == "LoginDenied" => {
            "Vault gives no reason, so this may heal by itself. If it lasts, someone must look at the auth mount in Vault, at what it asks \
             (such as TokenReview), and for a lock-out."
                .to_owned()
        }
        (Class::Transient, Blame::Server(server)) => format!("{server} is expected to recover by itself."),
        (Class::Transient, _) => "This is expected to heal by itself.".to_owned(),
        (_, Blame::Secret(name)) => format!("Someone must mend Secret {name}."),
        (_, Blame::ServiceAccount(name)) => format!("Someone must mend ServiceAccount {name} or its rights."),
        (Class::Access, _) => "Someone must mend the credentials or the rights of this issuer.".to_owned(),
        (Class::Issuer, _) => "Someone must mend the issuer: its mount, role or CA.".to_owned(),
        (Class::Request, _) => "The request must change, or the issuer's rules.".to_owned(),
    }
}

/// Message of `Issuing=False` after a request ended without a certificate.
pub fn failed(request_message: &str) -> String {
    format!("The certificate request has failed to complete and will be retried: {request_message}")
}

/// First words of the message of a request that ended by a proved refusal: they tell our verdicts from those of others.
pub const REFUSED: &str = "Refused for good";

/// Message of `Ready=False/Failed` after a proved refusal.
pub fn refused(refusal: &Refusal) -> String {
    let failure = refusal.failure();
    format!("{REFUSED} ({} failed: {}). {}", failure.call.as_str(), failure.says, who_acts(failure))
}

/// True if the request ended by a refusal that we proved.
pub fn is_refusal(ending: &Ending) -> bool {
    ending.message.contains(REFUSED)
}

const STORY: &str = " | ";

/// A check's message with what became of the issuance so far.
pub fn with_story(check: &str, told: Option<&str>) -> String {
    match told {
        Some(told) => format!("{check}{STORY}{told}"),
        None => check.to_owned(),
    }
}

/// The check's message alone.
pub fn without_story(message: &str) -> &str {
    message.split_once(STORY).map_or(message, |(check, _)| check)
}

/// Message of the `Ready` condition of a sound certificate.
pub const UP_TO_DATE: &str = "Certificate is up to date and has not expired";
/// Event message after a success; clients look for it.
pub const ISSUED: &str = "The certificate has been successfully issued";
/// Event message when a Secret got a temporary certificate.
pub const ISSUED_TEMPORARY: &str = "Issued temporary certificate";
