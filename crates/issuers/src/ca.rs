//! The CA issuer: signs with a certificate and key from a Secret, read once and kept until the Secret changes (certificate-lifecycle 3.3).
//! A pair that can't sign is the issuer's fault, a Secret that isn't there is waited for; neither ever ends a request.

use std::fmt;
use std::sync::Arc;

use everleaf_core::failure::{Blame, Call, Class, Failure, Finality, Outcome, Says};
use everleaf_core::wanted::DEFAULT_DURATION;
use everleaf_core::x509::{
    Certificate, Chain, LeafPlan, PemLimits, PrivateKey, Serial, SignError, sign_leaf,
};
use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;
use crate::flight::Kept;
use crate::order::{Answered, IssuerIdentity, Order, Verified};
use crate::surroundings::{Surroundings, failure, lacking, unread_secret, unusable};

/// The reason of the Ready condition when all is well, as the peer writes it.
const VERIFIED: &str = "KeyPairVerified";

/// A CA issuer.
pub struct CaIssuer {
    identity: IssuerIdentity,
    plan: Plan,
    surroundings: Arc<dyn Surroundings>,
    chance: Chance,
    pair: Kept<Arc<Pair>>,
}

/// What stands in the spec.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) secret: String,
    pub(crate) crl_distribution_points: Vec<String>,
    pub(crate) ocsp_servers: Vec<String>,
    pub(crate) issuing_certificate_urls: Vec<String>,
}

/// A CA: its certificate, its key, and what stands above it.
#[derive(Debug)]
struct Pair {
    certificate: Certificate,
    key: PrivateKey,
    above: Vec<Certificate>,
}

impl fmt::Debug for CaIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaIssuer({})", self.plan.secret)
    }
}

impl CaIssuer {
    pub(crate) fn new(
        identity: IssuerIdentity,
        plan: Plan,
        surroundings: Arc<dyn Surroundings>,
        chance: Chance,
    ) -> CaIssuer {
        CaIssuer { identity, plan, surroundings, chance, pair: Kept::new() }
    }

    pub(crate) fn identity(&self) -> &IssuerIdentity {
        &self.identity
    }

    /// Signs.
    pub(crate) async fn sign(&self, order: &Order<'_>, now: Timestamp) -> Answered {
        match self.signed(order, now).await {
            Ok(chain) => Answered::locally(Outcome::Issued(chain)),
            Err(failure) => Answered::failed(failure),
        }
    }

    /// Whether the pair can be read and can sign.
    pub(crate) async fn check(&self, now: Timestamp) -> Result<Verified, Failure> {
        let pair = self.pair().await?;
        self.usable(&pair, now)?;
        Ok(Verified { reason: VERIFIED, message: "Signing CA verified".to_owned() })
    }

    pub(crate) fn secret(&self) -> &str {
        &self.plan.secret
    }

    pub(crate) fn secret_changed(&self) {
        self.pair.reset();
    }

    async fn signed(&self, order: &Order<'_>, now: Timestamp) -> Result<Chain, Failure> {
        let pair = self.pair().await?;
        self.usable(&pair, now)?;
        let plan = LeafPlan {
            csr: order.csr,
            serial: serial(&self.chance)?,
            not_before: now,
            not_after: ends(order, now)?,
            usages: order.usages,
            is_ca: order.is_ca,
            crl_distribution_points: &self.plan.crl_distribution_points,
            ocsp_servers: &self.plan.ocsp_servers,
            issuing_certificate_urls: &self.plan.issuing_certificate_urls,
        };
        let leaf = sign_leaf(&plan, &pair.certificate, &pair.key).map_err(|why| unsigned(order, &why))?;
        let mut above = vec![pair.certificate.clone()];
        above.extend(pair.above.iter().cloned());
        Chain::for_leaf(leaf, above).map_err(|why| broken("CertificateUnusable", &why.to_string()))
    }

    async fn pair(&self) -> Result<Arc<Pair>, Failure> {
        let (surroundings, secret) = (self.surroundings.clone(), self.plan.secret.clone());
        self.pair.or_make(|| async move { read(surroundings.as_ref(), &secret).await.map(Arc::new) }).await
    }

    /// What the peer doesn't look at and its users find out late: key, CA bit, life.
    fn usable(&self, pair: &Pair, now: Timestamp) -> Result<(), Failure> {
        let secret = &self.plan.secret;
        if !pair.certificate.is_ca() {
            return Err(broken("NotACa", &format!("the certificate in Secret {secret} is not a CA")));
        }
        if pair.certificate.public_key() != pair.key.public() {
            let says = format!("tls.key in Secret {secret} doesn't belong to the certificate in tls.crt");
            return Err(broken("OtherKey", &says));
        }
        let ends = pair.certificate.not_after();
        if ends <= now {
            return Err(broken(
                "CaExpired",
                &format!("the CA certificate in Secret {secret} has expired on {}", day(ends)),
            ));
        }
        if pair.certificate.not_before() > now {
            let begins = day(pair.certificate.not_before());
            return Err(broken(
                "CaNotYetValid",
                &format!("the CA certificate in Secret {secret} begins on {begins}"),
            ));
        }
        Ok(())
    }
}

async fn read(from: &dyn Surroundings, secret: &str) -> Result<Pair, Failure> {
    let data = from.secret(secret).await.map_err(|why| unread_secret(secret, &why))?.data;
    let value = |key: &str| data.get(key).filter(|value| !value.is_empty());
    let needed =
        |key: &str| value(key).ok_or_else(|| lacking(secret, &format!("Secret {secret} has no key {key}")));
    let chain = Certificate::all_from_pem(needed("tls.crt")?, PemLimits::DEFAULT.chain)
        .map_err(|why| unusable(secret, &format!("tls.crt in Secret {secret}: {why}")))?;
    let key = PrivateKey::from_pem(needed("tls.key")?)
        .map_err(|why| unusable(secret, &format!("tls.key in Secret {secret}: {why}")))?;
    // What stands above is decoration: a certificate there that can't be read does no harm.
    let root = value("ca.crt")
        .map(|pem| Certificate::all_from_pem(pem, PemLimits::DEFAULT.bundle).unwrap_or_default());
    let mut certificates = chain.into_iter();
    let Some(certificate) = certificates.next() else {
        return Err(unusable(secret, &format!("tls.crt in Secret {secret} holds no certificate")));
    };
    Ok(Pair { certificate, key, above: certificates.chain(root.unwrap_or_default()).collect() })
}

pub(crate) fn serial(chance: &Chance) -> Result<Serial, Failure> {
    let mut bytes = [0; Serial::LENGTH];
    match chance.fill(&mut bytes) {
        Ok(()) => Ok(Serial::from_random(bytes)),
        Err(why) => Err(failure(Class::Transient, Call::Sign, "NoChance", &why.to_string(), Blame::Issuer)),
    }
}

/// The end of the life asked for. One that no certificate can hold is seen at once.
pub(crate) fn ends(order: &Order<'_>, now: Timestamp) -> Result<Timestamp, Failure> {
    let life = SignedDuration::try_from(order.duration.unwrap_or(DEFAULT_DURATION));
    life.ok().and_then(|life| now.checked_add(life).ok()).ok_or_else(|| {
        refused("LifeTooLong", "the duration asked for leads beyond what a certificate can hold")
    })
}

/// What we see ourselves needs no second look.
pub(crate) fn refused(code: &'static str, says: &str) -> Failure {
    Failure { finality: Finality::AtOnce, ..failure(Class::Request, Call::Sign, code, says, Blame::Request) }
}

pub(crate) fn broken(code: &'static str, says: &str) -> Failure {
    failure(Class::Issuer, Call::Sign, code, says, Blame::Issuer)
}

/// Whose fault it is that nothing was signed.
pub(crate) fn unsigned(order: &Order<'_>, why: &SignError) -> Failure {
    let says = why.to_string();
    match why {
        SignError::Contradiction(_) => refused("CsrContradicts", &says),
        // A CSR whose signature is good makes the other errors of that kind ones of the issuer's URLs.
        SignError::Csr(_) => match order.csr.verify() {
            Err(why) => refused("UnreadableCsr", &why.to_string()),
            Ok(()) => broken("UrlUnusable", &says),
        },
        SignError::Time(_) => refused("LifeTooLong", &says),
        SignError::OtherKey(_) => broken("OtherKey", &says),
        SignError::Key(_) | SignError::Certificate(_) => broken("SigningFailed", &says),
    }
}

fn day(at: Timestamp) -> Says {
    Says::new(&at.strftime("%Y-%m-%d at %H:%M:%S UTC").to_string())
}
