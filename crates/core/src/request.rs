//! What to do with one CertificateRequest, whoever made it. Read it from the top: first match wins.
//! Pure. Approval comes before the signature: nothing is signed unless it is approved, or will be by us in the same write.

/// What a pass over a CertificateRequest found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFacts {
    /// The issuer is of the built-in group.
    pub builtin: bool,
    /// `Approved=True`
    pub approved: bool,
    /// `Denied=True`
    pub denied: bool,
    /// `InvalidRequest=True`
    pub invalid: bool,
    /// Reason of the Ready condition.
    pub ready: ReadyReason,
    /// `status.certificate` is set.
    pub has_certificate: bool,
}

/// Reason of the Ready condition of a CertificateRequest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyReason {
    /// No condition, or a reason that says nothing is decided.
    Open,
    /// `Failed`
    Failed,
    /// `Issued`
    Issued,
    /// `Denied`
    Denied,
}

/// Whether this process approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approver {
    /// The approver is switched off.
    Off,
    /// On, and it may approve for this signer.
    Allowed,
    /// On, but it lacks `approve` on this signer.
    Forbidden,
}

/// What is known about the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerFacts {
    /// There is no such issuer.
    Missing,
    /// Its group is ours, its kind is none of ours.
    UnknownKind,
    /// Its spec names no type.
    NoType,
    /// Its type is signed by another controller (`--controllers`), or by none.
    NotOurs,
    /// Its spec can't be used, and why.
    Unusable(String),
    /// Ready to be asked.
    Usable,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestStep {
    /// Nothing.
    Ignore,
    /// Approve it, and nothing else.
    Approve,
    /// Publish `Ready=False/Denied`.
    TellDenied,
    /// Wait for an approver; with the reason why we are none.
    AwaitApproval(Approver),
    /// Publish `Ready=False/Pending`.
    TellPending {
        /// Approve in the same write.
        approve: bool,
        /// Reason of the event.
        reason: &'static str,
        /// The condition's message.
        message: String,
    },
    /// Have it signed.
    Sign {
        /// Approve in the same write that publishes the certificate.
        approve: bool,
    },
}

/// Decides over one CertificateRequest. `issuer_name` is `Kind "name"`, for messages.
pub fn decide_request(
    facts: RequestFacts,
    approver: Approver,
    issuer: &IssuerFacts,
    issuer_name: &str,
) -> RequestStep {
    let is_open = facts.ready == ReadyReason::Open && !facts.denied && !facts.invalid;
    let approve = !facts.approved && approver == Approver::Allowed;
    let only_approve = if approve { RequestStep::Approve } else { RequestStep::Ignore };
    if !facts.builtin {
        return match is_open && !facts.has_certificate && !facts.approved {
            true if approve => RequestStep::Approve,
            true => RequestStep::AwaitApproval(approver),
            false => RequestStep::Ignore,
        };
    }
    if facts.denied && facts.ready != ReadyReason::Denied && facts.ready != ReadyReason::Issued {
        return RequestStep::TellDenied;
    }
    if !is_open || facts.has_certificate {
        return RequestStep::Ignore;
    }
    match issuer {
        IssuerFacts::UnknownKind => unknown_kind(approve, issuer_name),
        _ if !facts.approved && !approve => RequestStep::AwaitApproval(approver),
        IssuerFacts::NotOurs => only_approve,
        IssuerFacts::Missing => RequestStep::TellPending {
            approve,
            reason: "IssuerNotFound",
            message: format!(
                "Referenced {issuer_name} not found. It is signed as soon as the issuer exists."
            ),
        },
        IssuerFacts::NoType => RequestStep::TellPending {
            approve,
            reason: "IssuerTypeMissing",
            message: format!(
                "Referenced {issuer_name} has no type configured. Someone must mend the issuer."
            ),
        },
        IssuerFacts::Unusable(why) => RequestStep::TellPending {
            approve,
            reason: "IssuerNotReady",
            message: format!("Referenced {issuer_name} can't be used: {why}. Someone must mend the issuer."),
        },
        IssuerFacts::Usable => RequestStep::Sign { approve },
    }
}

/// Nobody signs for it, and nobody can be given the right to approve it: that is told before approval is waited for.
fn unknown_kind(approve: bool, issuer_name: &str) -> RequestStep {
    RequestStep::TellPending {
        approve,
        reason: "IssuerNotFound",
        message: format!(
            "Referenced {issuer_name} not found: spec.issuerRef.kind must be Issuer or ClusterIssuer, or spec.issuerRef.group that of \
             another issuer. The request must be made anew."
        ),
    }
}
