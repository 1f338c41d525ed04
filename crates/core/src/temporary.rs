//! Temporary certificates: signed by a CA that is thrown away, so that a Secret can be used before its issuer answers (certificate-lifecycle 2.7).
//! Key, serial numbers and time are arguments. A temporary certificate never counts as issued.

use jiff::{SignedDuration, Timestamp};

use crate::checked::{Checked, Flaw};
use crate::observed::RequestSeen;
use crate::wanted::{
    DEFAULT_DURATION, IssuerRef, KeyEncoding, KeyWish, Keystores, RenewBefore, Renewal, RenewalPolicy,
    Rotation, Sans, SecretTemplate, Subject, SubjectFields, Wanted,
};
use crate::x509::{
    Certificate, Chain, ChainError, Csr, CsrError, Curve, KeyKind, LeafPlan, PrivateKey, Serial, SignError,
    sign_leaf, sign_self,
};

/// The name of the CA, by which a temporary certificate is known.
pub const CA_NAME: &str = "cert-manager.local";
/// The key that the CA is to have.
pub const CA_KEY: KeyKind = KeyKind::Ecdsa(Curve::P521);

/// Why there is no temporary certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemporaryError {
    /// The request can't be read, or the CA's can't be made.
    #[error("its request can't be read: {0}")]
    Request(String),
    /// No request for the CA could be made.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// It could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It is not fit to be stored.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// It makes no chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Signs a request with a CA made of this key. The CA's certificate is used here and kept nowhere.
pub fn sign(
    request: &RequestSeen,
    ca_key: &PrivateKey,
    [ca_serial, serial]: [Serial; 2],
    now: Timestamp,
) -> Result<Checked, TemporaryError> {
    let csr = request.csr.as_ref().map_err(|why| TemporaryError::Request(why.clone()))?;
    let life =
        SignedDuration::try_from(request.duration.unwrap_or(DEFAULT_DURATION)).unwrap_or(SignedDuration::MAX);
    let ends = now.checked_add(life).unwrap_or(Timestamp::MAX);
    let plan = LeafPlan {
        csr,
        serial,
        not_before: now,
        not_after: ends,
        usages: &request.usages,
        is_ca: request.is_ca,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    };
    let ca_csr = Csr::build(&ca(), ca_key)?;
    let ca =
        sign_self(&LeafPlan { csr: &ca_csr, serial: ca_serial, usages: &[], is_ca: true, ..plan }, ca_key)?;
    let chain = Chain::from_parts(vec![sign_leaf(&plan, &ca, ca_key)?], None)?;
    Ok(Checked::new(chain, csr.public_key(), csr.sans(), now)?)
}

/// True for what [`sign`] made, and for what the peer's like made.
pub fn is_temporary(leaf: &Certificate) -> bool {
    leaf.issuer().common_name().as_deref() == Some(CA_NAME)
}

fn ca() -> Wanted {
    let name = SubjectFields { common_name: Some(CA_NAME.to_owned()), ..SubjectFields::default() };
    Wanted {
        secret_name: String::new(),
        issuer: IssuerRef { name: String::new(), written_kind: String::new(), written_group: String::new() },
        subject: Subject::Fields(name),
        sans: Sans::default(),
        duration: None,
        renewal: Renewal { before: RenewBefore::Default, policy: RenewalPolicy::Disabled },
        key: KeyWish { kind: CA_KEY, encoding: KeyEncoding::Pkcs8, rotation: Rotation::Always },
        usages: Vec::new(),
        usages_in_csr: true,
        is_ca: true,
        name_constraints: None,
        signature: None,
        secret_template: SecretTemplate::default(),
        output_formats: Vec::new(),
        keystores: Keystores::default(),
        revision_history_limit: 1,
    }
}
