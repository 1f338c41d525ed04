//! What is done with a CertificateRequest: the order of the questions, as a table.
#![allow(clippy::panic)]

use everleaf_core::request::{Approver, IssuerFacts, ReadyReason, RequestFacts, RequestStep, decide_request};

const OPEN: RequestFacts = RequestFacts {
    builtin: true,
    approved: false,
    denied: false,
    invalid: false,
    ready: ReadyReason::Open,
    has_certificate: false,
};

fn decide(facts: RequestFacts, approver: Approver, issuer: &IssuerFacts) -> RequestStep {
    decide_request(facts, approver, issuer, "Issuer \"ca\"")
}

#[test]
fn nothing_is_signed_before_it_is_approved() {
    for approver in [Approver::Off, Approver::Forbidden] {
        assert_eq!(decide(OPEN, approver, &IssuerFacts::Usable), RequestStep::AwaitApproval(approver));
        let approved = RequestFacts { approved: true, ..OPEN };
        assert_eq!(decide(approved, approver, &IssuerFacts::Usable), RequestStep::Sign { approve: false });
    }
    assert_eq!(decide(OPEN, Approver::Allowed, &IssuerFacts::Usable), RequestStep::Sign { approve: true });
}

#[test]
fn a_denied_request_is_told_once_and_never_signed() {
    for approved in [false, true] {
        let denied = RequestFacts { denied: true, approved, ..OPEN };
        assert_eq!(decide(denied, Approver::Allowed, &IssuerFacts::Usable), RequestStep::TellDenied);
        let told = RequestFacts { ready: ReadyReason::Denied, ..denied };
        assert_eq!(decide(told, Approver::Allowed, &IssuerFacts::Usable), RequestStep::Ignore);
    }
}

#[test]
fn what_has_ended_is_left_alone() {
    let ended = [
        RequestFacts { ready: ReadyReason::Failed, ..OPEN },
        RequestFacts { ready: ReadyReason::Issued, ..OPEN },
        RequestFacts { invalid: true, ..OPEN },
        RequestFacts { approved: true, has_certificate: true, ..OPEN },
    ];
    for facts in ended {
        assert_eq!(decide(facts, Approver::Allowed, &IssuerFacts::Usable), RequestStep::Ignore, "{facts:?}");
    }
}

#[test]
fn requests_of_foreign_groups_are_approved_as_the_peer_does_and_never_signed() {
    let foreign = RequestFacts { builtin: false, ..OPEN };
    assert_eq!(decide(foreign, Approver::Allowed, &IssuerFacts::Missing), RequestStep::Approve);
    for approver in [Approver::Off, Approver::Forbidden] {
        assert_eq!(decide(foreign, approver, &IssuerFacts::Missing), RequestStep::AwaitApproval(approver));
    }
    let approved = RequestFacts { approved: true, ..foreign };
    assert_eq!(decide(approved, Approver::Allowed, &IssuerFacts::Usable), RequestStep::Ignore);
}

#[test]
fn an_issuer_that_is_missing_or_unusable_is_told_and_waited_for() {
    let cases = [
        (IssuerFacts::Missing, "IssuerNotFound"),
        (IssuerFacts::UnknownKind, "IssuerNotFound"),
        (IssuerFacts::NoType, "IssuerTypeMissing"),
        (IssuerFacts::Unusable("spec.vault.server is empty".into()), "IssuerNotReady"),
    ];
    for (issuer, expected) in cases {
        match decide(OPEN, Approver::Allowed, &issuer) {
            RequestStep::TellPending { approve: true, reason, message } => {
                assert_eq!(reason, expected);
                assert!(message.contains("Issuer \"ca\""), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_kind_that_nobody_knows_is_told_even_where_nobody_may_approve() {
    for approver in [Approver::Off, Approver::Forbidden] {
        match decide(OPEN, approver, &IssuerFacts::UnknownKind) {
            RequestStep::TellPending { approve: false, message, .. } => {
                assert!(message.contains("spec.issuerRef.kind"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn requests_to_issuers_that_another_controller_signs_are_only_approved() {
    assert_eq!(decide(OPEN, Approver::Allowed, &IssuerFacts::NotOurs), RequestStep::Approve);
    let approved = RequestFacts { approved: true, ..OPEN };
    assert_eq!(decide(approved, Approver::Allowed, &IssuerFacts::NotOurs), RequestStep::Ignore);
}
