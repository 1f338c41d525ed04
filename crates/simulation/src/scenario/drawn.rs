//! Draws a scenario from a seed: at least 30 certificates, 2 issuers, 14 days, 10 faults of 5 kinds, one crash.
//! The same seed draws the same scenario; nothing else goes in.

use std::time::Duration;

use everleaf_practice::{Balance, Chance, Product};

use super::{AuthPlan, CertificatePlan, IssuerKind, IssuerPlan, LeasePace, Scenario, VaultPlan};
use crate::draw;
use crate::moments::{DAY, HOUR};

/// How long a drawn scenario runs.
pub const HORIZON: Duration = Duration::from_secs(14 * 86_400);
/// The calm at its end, in which everything must come to rest.
pub const CALM_AT_END: Duration = Duration::from_secs(36 * 3_600);
/// Where namespaced issuers and their certificates live, and where the others do.
pub const NAMESPACES: [&str; 2] = ["team-a", "team-b"];
const FEWEST_CERTIFICATES: u64 = 30;
const MOST_CERTIFICATES: u64 = 44;
/// This share of the scenarios keeps its Lease as in production; keeping it is most of what they consist of.
const USUAL_LEASES: f64 = 0.05;
/// This share of the scenarios has a fleet: certificates that were made together and are renewed together.
const FLEETS: f64 = 0.3;
const FLEET_MADE_WITHIN: Duration = Duration::from_secs(20 * 60);

impl Scenario {
    /// The scenario of a seed.
    pub fn drawn(seed: u64) -> Scenario {
        let stream = Chance::new(seed);
        let mut chance = stream.fork("scenario");
        let replicas = draw::weighted(&mut chance, &[(3, 1), (5, 2), (2, 3)]).unwrap_or(1);
        let issuers = issuers(&mut chance);
        let mut certificates = certificates(&mut chance, &issuers);
        if draw::happens(&mut chance, FLEETS) {
            make_a_fleet(&mut chance, &mut certificates);
        }
        let mut scenario = Scenario {
            seed,
            horizon: HORIZON,
            replicas,
            lease: if draw::happens(&mut chance, USUAL_LEASES) { LeasePace::USUAL } else { LeasePace::CALM },
            issuers,
            certificates,
            faults: Vec::new(),
        };
        scenario.faults = super::troubles::draw(&mut stream.fork("faults"), &scenario);
        scenario
    }
}

fn issuers(chance: &mut Chance) -> Vec<IssuerPlan> {
    let count = draw::number(chance, 2, 3);
    (0..count)
        .map(|number| {
            let kind = if number == 0 { IssuerKind::Vault(vault(chance)) } else { any_kind(chance) };
            // The first is for all namespaces, so that every certificate has a choice.
            let namespaced = number > 0 && draw::happens(chance, 0.5);
            let namespace = namespaced.then(|| NAMESPACES.first().map(|name| (*name).to_owned())).flatten();
            IssuerPlan { name: format!("issuer-{number}"), namespace, kind }
        })
        .collect()
}

fn any_kind(chance: &mut Chance) -> IssuerKind {
    match chance.below(10) {
        0 => IssuerKind::SelfSigned,
        1 | 2 => IssuerKind::Ca,
        _ => IssuerKind::Vault(vault(chance)),
    }
}

fn vault(chance: &mut Chance) -> VaultPlan {
    let product = if draw::happens(chance, 0.6) { Product::Vault } else { Product::OpenBao };
    let balance = match chance.below(10) {
        0..=4 => None,
        5 | 6 => Some(Balance::Healthy),
        7 | 8 => Some(Balance::RoundRobin),
        _ => Some(Balance::Standbys),
    };
    let auth = if draw::happens(chance, 0.65) { AuthPlan::AppRole } else { AuthPlan::Kubernetes };
    VaultPlan { product, balance, auth }
}

fn certificates(chance: &mut Chance, issuers: &[IssuerPlan]) -> Vec<CertificatePlan> {
    let count = draw::number(chance, FEWEST_CERTIFICATES, MOST_CERTIFICATES);
    (0..count)
        .map(|number| {
            let issuer = draw::index(chance, issuers.len());
            let of_issuer = issuers.get(issuer).and_then(|issuer| issuer.namespace.clone());
            let any = draw::one_of(chance, &NAMESPACES).map(|name| (*name).to_owned()).unwrap_or_default();
            let life = whole_minutes(draw::between(chance, DAY, 7 * DAY));
            let share = draw::between(chance, life / 4, life / 2);
            let explicit = draw::happens(chance, 0.4).then(|| whole_minutes(share).max(7 * HOUR));
            let late = draw::happens(chance, 0.2);
            let at = draw::between(chance, Duration::ZERO, if late { 3 * DAY } else { HOUR });
            CertificatePlan {
                name: format!("web-{number:02}"),
                namespace: of_issuer.unwrap_or(any),
                issuer,
                life,
                renew_before: explicit,
                rotates_key: draw::happens(chance, 0.8),
                history: u32::try_from(draw::number(chance, 1, 3)).unwrap_or(1),
                at,
            }
        })
        .collect()
}

/// Every other certificate is of the same life, of the issuer for all, and made within minutes of the others.
fn make_a_fleet(chance: &mut Chance, certificates: &mut [CertificatePlan]) {
    let life = whole_minutes(draw::between(chance, DAY, 4 * DAY));
    for plan in certificates.iter_mut().step_by(2) {
        let at = draw::between(chance, Duration::ZERO, FLEET_MADE_WITHIN);
        *plan = CertificatePlan { issuer: 0, life, renew_before: None, at, ..plan.clone() };
    }
}

fn whole_minutes(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() / 60 * 60)
}
