//! What is told when a step was decided and can't be taken yet, because a person must do something first: a keystore without its password.
//! Pure. It never gives an issuance up: the next pass decides anew.

use jiff::{SignedDuration, Timestamp};

use crate::conditions;
use crate::decide::{Pass, Policy};
use crate::observed::{NextKey, Observed};
use crate::plan::{Event, KeyOrigin, Plan, Step};
use crate::wanted::Wanted;

/// Reason of the event when a keystore's password can't be had.
pub const PASSWORD_NOT_FOUND: &str = "KeystorePasswordSecretNotFound";
/// The Secret's appearance wakes the Certificate; this is for what no watch shows.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hindrance {
    /// CamelCase reason, for the event.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// The plan instead of one that could not be carried out. What is told already isn't told again.
pub fn hindered(wanted: &Wanted, seen: &Observed, policy: Policy, now: Timestamp, why: &Hindrance) -> Plan {
    let pass = Pass::new(wanted, seen, policy, now);
    let (step, status) = match (pass.reason_to_issue(), &seen.key) {
        (Some(reason), NextKey::Held { secret_name, .. }) => {
            // This may outlive us.
            let step = Step::StoreKey { origin: KeyOrigin::InHand, secret_name: secret_name.clone() };
            (step, pass.story(&reason, Some(&why.message), Some(secret_name.clone())))
        }
        (Some(reason), _) => {
            let key_name = seen.status.next_key_name.clone();
            (Step::Rest, pass.story(&reason, Some(&why.message), key_name))
        }
        (None, _) => {
            let mut status = pass.status();
            status.ready.message = conditions::with_story(&status.ready.message, Some(&why.message));
            (Step::Rest, status)
        }
    };
    let is_told = seen.status.ready.as_ref() == Some(&status.ready)
        && seen.status.issuing.as_ref().map(|(condition, _)| condition) == status.issuing.as_ref();
    Plan {
        step,
        event: (!is_told).then(|| Event::warning(why.reason, why.message.clone())),
        status: Some(status),
        wake: now.checked_add(LOOK_AGAIN).ok(),
    }
}
