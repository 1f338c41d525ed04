//! Rules over CertificateRequests: what one may ask for, that nothing about it changes later, and that a decision stays.
//! Annotations and the asking user are beyond these rules: the shipped policy and the webhook look at them.

use super::{Rules, duration, issuer_reference, rule};

pub(super) fn rules() -> Rules {
    let mut all = Rules::default();
    all.rules.extend(issuer_reference("spec.issuerRef"));
    all.rules.push(rule("spec.request", "self.size() > 0", "must be specified").required());
    let (readable, bound) = duration("spec.duration");
    all.rules.push(readable);
    all.bounds.push(bound);
    all.rules.push(rule("spec", "self == oldSelf", "cannot change spec after creation").forbidden());
    all.rules.push(
        rule("", "!has(oldSelf.spec) || has(self.spec)", "cannot change spec after creation")
            .field("spec")
            .forbidden(),
    );
    decisions(&mut all);
    all
}

/// At most one `Approved` and one `Denied` (the list is a map), each `True`, never both, and never changed.
fn decisions(all: &mut Rules) {
    const CONDITIONS: &str = "status.conditions";
    let only_true = "!(self.type in ['Approved', 'Denied']) || self.status == 'True'";
    let message = "the conditions Approved and Denied may only be set to True";
    let telling = "'\"' + self.type + '\" condition may only be set to True'";
    all.rules.push(rule(format!("{CONDITIONS}[]"), only_true, message).field("status").telling(telling));
    // One that was stored so must still be told about.
    let both = |status: &str| {
        let list = format!("{status}.conditions");
        format!(
            "(has({status}) && has({list}) && {list}.exists(c, c.type == 'Approved') && {list}.exists(c, c.type == 'Denied'))"
        )
    };
    let not_both = format!("!{} || {}", both("self.status"), both("oldSelf.status"));
    let message = "'Denied' and 'Approved' conditions cannot coexist";
    all.rules.push(rule("", not_both, message).field("status.conditions").forbidden());
    for kind in ["Approved", "Denied"] {
        let of_kind = |list: &str| format!("{list}.filter(c, c.type == '{kind}')");
        let stays = format!(
            "!oldSelf.exists(c, c.type == '{kind}') || {} == {}",
            of_kind("self"),
            of_kind("oldSelf")
        );
        let message = format!("'{kind}' condition may not be modified once set");
        all.rules.push(rule(CONDITIONS, stays, &message).forbidden());
    }
    let decided = |list: &str| format!("{list}.conditions.exists(c, c.type in ['Approved', 'Denied'])");
    let message = "'Approved' and 'Denied' conditions may not be modified once set";
    let kept = format!("!has(oldSelf.conditions) || !{} || has(self.conditions)", decided("oldSelf"));
    all.rules.push(rule("status", kept, message).field("conditions").forbidden());
    let kept = format!(
        "!has(oldSelf.status) || !has(oldSelf.status.conditions) || !{} || has(self.status)",
        decided("oldSelf.status")
    );
    all.rules.push(rule("", kept, message).field("status").forbidden());
}
