//! Draws what goes wrong: when, for how long, where. Every trouble heals before the calm at the end begins.
//! What can't happen in a scenario (a cluster's trouble on a single node) is never drawn.

use std::time::Duration;

use everleaf_practice::{Chance, Needs, Product, Scene, by_row};
use jiff::SignedDuration;

use super::{AuthPlan, Scenario, VaultPlan};
use crate::draw;
use crate::fault::{ApiTrouble, Fault, LeaseDeed, Planned, ReplicaTrouble, Spoil, UserDeed};
use crate::moments::HOUR;

const FEWEST: u64 = 12;
const MOST: u64 = 24;
const FEWEST_KINDS: usize = 5;
/// Nothing goes wrong before this, so that most certificates exist.
const FIRST: Duration = Duration::from_secs(2 * 3_600);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(6 * 3_600);
/// A process that is down is started again sooner than a Vault is mended.
const LONGEST_DOWN: Duration = Duration::from_secs(1_800);
/// A deed of a person is done at once; this long it is granted to be felt.
const DEED: Duration = Duration::from_secs(1);

pub(super) fn draw(chance: &mut Chance, scenario: &Scenario) -> Vec<Planned> {
    let count = draw::number(chance, FEWEST, MOST);
    let mut faults: Vec<Planned> = (0..count).filter_map(|_| one(chance, scenario)).collect();
    while !is_enough(&faults, scenario) {
        faults.extend(one(chance, scenario));
    }
    faults.sort_by_key(|planned| planned.at);
    faults
}

fn is_enough(faults: &[Planned], scenario: &Scenario) -> bool {
    let with = Scenario { faults: faults.to_vec(), ..scenario.clone() };
    with.kinds() >= FEWEST_KINDS && faults.iter().any(|planned| planned.fault.is_crash())
}

fn one(chance: &mut Chance, scenario: &Scenario) -> Option<Planned> {
    let (fault, longest) = match chance.below(100) {
        0..=39 => (vault(chance, scenario)?, LONGEST),
        40..=56 => (Fault::Api(api(chance)), LONGEST / 2),
        57..=78 => replica(chance, scenario),
        79..=80 => (Fault::Lease(lease(chance)), DEED),
        _ => user(chance, scenario)?,
    };
    let lasts = draw::spread(chance, SHORTEST, longest.max(SHORTEST)).max(fault.shortest());
    let last = scenario.horizon.saturating_sub(super::drawn::CALM_AT_END).saturating_sub(lasts);
    let at = draw::between(chance, FIRST, last);
    Some(Planned { at, lasts, fault })
}

fn vaults(scenario: &Scenario) -> Vec<(usize, VaultPlan)> {
    let of = |index| scenario.vault(index).map(|plan| (index, plan));
    (0..scenario.issuers.len()).filter_map(of).collect()
}

fn vault(chance: &mut Chance, scenario: &Scenario) -> Option<Fault> {
    let (issuer, plan) = *draw::one_of(chance, &vaults(scenario))?;
    if plan.balance.is_some() && draw::happens(chance, 0.1) {
        return Some(Fault::FalseRefusals { issuer });
    }
    let rows: Vec<u8> = (1..=48).filter(|row| suits(*row, plan)).collect();
    Some(Fault::Vault { issuer, row: *draw::one_of(chance, &rows)? })
}

/// Whether a row of the fault table can be played on this Vault, and means anything to this login.
pub(crate) fn suits(row: u8, plan: VaultPlan) -> bool {
    let is_bao = plan.product == Product::OpenBao;
    let has_cluster = plan.balance.is_some();
    let fits = |needs| match needs {
        Needs::OneNode => true,
        Needs::Cluster => has_cluster,
        Needs::OpenBao => is_bao && !has_cluster,
        Needs::OpenBaoCluster => is_bao && has_cluster,
    };
    let login = match row {
        22 | 27 => plan.auth == AuthPlan::AppRole,
        23..=25 => plan.auth == AuthPlan::Kubernetes,
        26 => false,
        // The disk of a single node isn't modelled.
        35 => has_cluster,
        _ => true,
    };
    login && by_row(row, &Scene::default()).is_some_and(|row| fits(row.needs))
}

fn api(chance: &mut Chance) -> ApiTrouble {
    let share = 0.1 + 0.8 * chance.fraction();
    match chance.below(11) {
        0 => ApiTrouble::Slow(draw::spread(chance, Duration::from_millis(100), Duration::from_secs(20))),
        1 => ApiTrouble::Conflicts(share),
        2 => ApiTrouble::RateLimited(share),
        3 => ApiTrouble::Errors(share),
        4 => ApiTrouble::Refuses,
        5 => ApiTrouble::Silent,
        6 => ApiTrouble::AnswersLost(share),
        7 => ApiTrouble::WatchesBreak,
        8 => ApiTrouble::WatchesExpire,
        9 => ApiTrouble::WatchesStall,
        _ => {
            ApiTrouble::WatchesLag(draw::spread(chance, Duration::from_millis(100), Duration::from_secs(120)))
        }
    }
}

fn replica(chance: &mut Chance, scenario: &Scenario) -> (Fault, Duration) {
    let replica = draw::index(chance, scenario.replicas);
    let (trouble, longest) = match chance.below(20) {
        0..=4 => (ReplicaTrouble::Killed, LONGEST_DOWN),
        5..=9 => {
            let nth = u32::try_from(draw::number(chance, 1, 12)).unwrap_or(1);
            (ReplicaTrouble::KilledAtWrite { nth, after: draw::happens(chance, 0.5) }, LONGEST_DOWN)
        }
        10 | 11 => (ReplicaTrouble::Restarted, LONGEST_DOWN),
        12 | 13 => (ReplicaTrouble::CutFromApi, HOUR),
        14 => match draw::one_of(chance, &vaults(scenario)) {
            Some((issuer, _)) => (ReplicaTrouble::CutFromVault { issuer: *issuer }, LONGEST),
            None => (ReplicaTrouble::CutFromApi, HOUR),
        },
        15 | 16 => {
            let by = draw::spread(chance, Duration::from_secs(1), 2 * scenario.lease.duration);
            (ReplicaTrouble::SlowWrites(by), HOUR)
        }
        17 | 18 => {
            let by = draw::spread(chance, Duration::from_secs(30), 3 * HOUR);
            let by = SignedDuration::try_from(by).unwrap_or_default();
            (ReplicaTrouble::ClockJumps(if draw::happens(chance, 0.5) { by } else { -by }), LONGEST)
        }
        _ => {
            let drift = (chance.fraction() - 0.5) / 50.0;
            (ReplicaTrouble::ClockDrifts(drift), LONGEST)
        }
    };
    (Fault::Replica { replica, trouble }, longest)
}

fn lease(chance: &mut Chance) -> LeaseDeed {
    if draw::happens(chance, 0.5) { LeaseDeed::Stolen } else { LeaseDeed::Deleted }
}

fn user(chance: &mut Chance, scenario: &Scenario) -> Option<(Fault, Duration)> {
    let certificate = draw::index(chance, scenario.certificates.len());
    let any_vault = *draw::one_of(chance, &vaults(scenario))?;
    let (issuer, plan) = any_vault;
    let deed = match chance.below(20) {
        0 | 1 => UserDeed::SecretDeleted { certificate },
        2..=4 => UserDeed::SecretSpoilt { certificate, how: spoil(chance) },
        5 => UserDeed::SecretsSwapped {
            one: certificate,
            other: draw::index(chance, scenario.certificates.len()),
        },
        6 => UserDeed::RequestsDeleted { certificate },
        7 | 8 => UserDeed::CertificateRecreated { certificate },
        9 => UserDeed::NamesChanged { certificate },
        10 => UserDeed::AllNamesChanged,
        11 => UserDeed::RenewedByHand { certificate },
        12 => return moved(chance, scenario, certificate).map(|deed| (Fault::User(deed), DEED)),
        13 => UserDeed::IssuerRepointed { issuer },
        14 => return Some((Fault::User(UserDeed::IssuerMispointed { issuer }), LONGEST)),
        15 => return Some((Fault::User(UserDeed::IssuerDeleted { issuer }), LONGEST)),
        16 => UserDeed::CaRotated { issuer },
        _ if plan.auth != AuthPlan::AppRole => UserDeed::CaRotated { issuer },
        17 => UserDeed::CredentialsRotated { issuer },
        18 => return Some((Fault::User(UserDeed::CredentialsDie { issuer }), LONGEST)),
        _ => return Some((Fault::User(UserDeed::CredentialsDeleted { issuer }), LONGEST)),
    };
    Some((Fault::User(deed), DEED))
}

/// Only to an issuer that the certificate's namespace can use.
fn moved(chance: &mut Chance, scenario: &Scenario, certificate: usize) -> Option<UserDeed> {
    let namespace = &scenario.certificates.get(certificate)?.namespace;
    let usable: Vec<usize> = (0..scenario.issuers.len())
        .filter(|index| {
            let issuer = scenario.issuers.get(*index);
            issuer.is_some_and(|issuer| issuer.namespace.as_ref().is_none_or(|of| of == namespace))
        })
        .collect();
    Some(UserDeed::MovedToIssuer { certificate, issuer: *draw::one_of(chance, &usable)? })
}

fn spoil(chance: &mut Chance) -> Spoil {
    match chance.below(5) {
        0 => Spoil::Certificate,
        1 => Spoil::Key,
        2 => Spoil::OtherKey,
        3 => Spoil::Emptied,
        _ => Spoil::Undressed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::IssuerKind;

    #[test]
    fn a_seed_means_what_is_promised() {
        for seed in 0..300 {
            let scenario = Scenario::drawn(seed);
            assert!(scenario.certificates.len() >= 30 && scenario.issuers.len() >= 2, "seed {seed}");
            assert!(scenario.faults.len() >= 10 && scenario.kinds() >= 5, "seed {seed}");
            assert!(scenario.faults.iter().any(|planned| planned.fault.is_crash()), "seed {seed}");
            assert!(
                scenario.healed_at() + super::super::drawn::CALM_AT_END <= scenario.horizon,
                "seed {seed}"
            );
            assert!(matches!(scenario.issuers.first().map(|issuer| issuer.kind), Some(IssuerKind::Vault(_))));
            assert_eq!(format!("{scenario:?}"), format!("{:?}", Scenario::drawn(seed)), "seed {seed}");
        }
    }
}
