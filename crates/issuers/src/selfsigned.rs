//! The SelfSigned issuer: a certificate signed by the request's own key, which the caller hands in (certificate-lifecycle 3.4).
//! It is always ready. A key that isn't the request's is seen at once and needs no proof.

use std::fmt;

use everleaf_core::failure::{Blame, Call, Class, Failure, Outcome};
use everleaf_core::x509::{Chain, LeafPlan, SignError, sign_self};
use jiff::Timestamp;

use crate::ca::{broken, ends, refused, serial, unsigned};
use crate::chance::Chance;
use crate::order::{Answered, IssuerIdentity, Order, Verified};
use crate::surroundings::failure;

/// The reason of the Ready condition, as the peer writes it.
const READY: &str = "IsReady";

/// A SelfSigned issuer.
pub struct SelfSigned {
    identity: IssuerIdentity,
    crl_distribution_points: Vec<String>,
    chance: Chance,
}

impl fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SelfSigned")
    }
}

impl SelfSigned {
    pub(crate) fn new(
        identity: IssuerIdentity,
        crl_distribution_points: Vec<String>,
        chance: Chance,
    ) -> SelfSigned {
        SelfSigned { identity, crl_distribution_points, chance }
    }

    pub(crate) fn identity(&self) -> &IssuerIdentity {
        &self.identity
    }

    /// Signs.
    pub(crate) fn sign(&self, order: &Order<'_>, now: Timestamp) -> Answered {
        match self.signed(order, now) {
            Ok(chain) => Answered { warnings: warnings(order), ..Answered::locally(Outcome::Issued(chain)) },
            Err(failure) => Answered::failed(failure),
        }
    }

    /// There is nothing that could be missing.
    pub(crate) fn check(&self) -> Verified {
        Verified { reason: READY, message: String::new() }
    }

    fn signed(&self, order: &Order<'_>, now: Timestamp) -> Result<Chain, Failure> {
        let Some(key) = order.key else {
            let says = "a SelfSigned issuer signs with the request's own private key, and none is there";
            return Err(failure(Class::Access, Call::Sign, "KeyMissing", says, Blame::Request));
        };
        let plan = LeafPlan {
            csr: order.csr,
            serial: serial(&self.chance)?,
            not_before: now,
            not_after: ends(order, now)?,
            usages: order.usages,
            is_ca: order.is_ca,
            crl_distribution_points: &self.crl_distribution_points,
            ocsp_servers: &[],
            issuing_certificate_urls: &[],
        };
        let certificate = sign_self(&plan, key).map_err(|why| match why {
            SignError::OtherKey(_) => {
                refused("KeyMismatch", "the private key isn't the one that the request was made with")
            }
            why => unsigned(order, &why),
        })?;
        // It is its own CA, CA bit or not (certificate-lifecycle 3.4).
        Chain::from_parts(vec![certificate.clone()], Some(certificate))
            .map_err(|why| broken("CertificateUnusable", &why.to_string()))
    }
}

fn warnings(order: &Order<'_>) -> Vec<String> {
    match order.csr.subject().is_empty() {
        true => vec![
            "the certificate has an empty issuer, because its subject is empty; many clients refuse it"
                .to_owned(),
        ],
        false => Vec::new(),
    }
}
