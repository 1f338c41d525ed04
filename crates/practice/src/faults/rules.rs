//! Which calls a fault hits: phase, path, node, share, number of times, span of time. The first rule that fits is taken.
//! Whether a call of a fault with a share is hit is drawn from the seed, in the order of the calls.
//! A rule that is over is dropped; nothing here acts.

use std::time::Duration;

use jiff::Timestamp;

use super::Fault;
use crate::chance::Chance;
use crate::clock::later;
use crate::http::phase::Phase;

/// A share between nothing and all.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// All.
    pub const ALL: Share = Share(1.0);

    /// A share; what is below 0 or above 1 is cut.
    pub fn new(share: f64) -> Share {
        Share(share.clamp(0.0, 1.0))
    }

    fn hits(self, chance: &mut Chance) -> bool {
        // A share of all draws nothing, so that such a rule doesn't shift the draws of others.
        self.0 >= 1.0 || chance.fraction() < self.0
    }
}

/// The name of an active fault, to lift it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(u64);

/// A fault and the calls that it hits.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    pub(crate) fault: Fault,
    phase: Phase,
    path: Option<String>,
    node: Option<usize>,
    share: Share,
    times: Option<u32>,
    wait: Duration,
    lasts: Option<Duration>,
    label: &'static str,
}

impl FaultRule {
    /// A fault that hits every call, for as long as it isn't lifted.
    pub fn new(fault: Fault) -> FaultRule {
        FaultRule {
            fault,
            phase: Phase::Any,
            path: None,
            node: None,
            share: Share::ALL,
            times: None,
            wait: Duration::ZERO,
            lasts: None,
            label: "",
        }
    }

    /// Only on calls of this phase.
    pub fn on(mut self, phase: Phase) -> FaultRule {
        self.phase = phase;
        self
    }

    /// Only on calls whose path (behind `/v1/`) begins like this.
    pub fn at_path(mut self, path: impl Into<String>) -> FaultRule {
        self.path = Some(path.into());
        self
    }

    /// Only at this node.
    pub fn at_node(mut self, node: usize) -> FaultRule {
        self.node = Some(node);
        self
    }

    /// Only on this share of the calls.
    pub fn with_share(mut self, share: Share) -> FaultRule {
        self.share = share;
        self
    }

    /// Only so many times.
    pub fn times(mut self, times: u32) -> FaultRule {
        self.times = Some(times);
        self
    }

    /// Beginning only after this long.
    pub fn after(mut self, wait: Duration) -> FaultRule {
        self.wait = wait;
        self
    }

    /// For this long.
    pub fn lasting(mut self, span: Duration) -> FaultRule {
        self.lasts = Some(span);
        self
    }

    /// With a name by which all such rules can be lifted together.
    pub fn labelled(mut self, label: &'static str) -> FaultRule {
        self.label = label;
        self
    }
}

#[derive(Debug)]
struct Active {
    id: FaultId,
    rule: FaultRule,
    from: Timestamp,
    until: Option<Timestamp>,
    left: Option<u32>,
}

/// The faults that are on.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    active: Vec<Active>,
    named: u64,
}

/// A call, as far as faults look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) phase: Phase,
    pub(crate) path: &'a str,
    pub(crate) node: usize,
}

impl Rules {
    pub(crate) fn inflict(&mut self, rule: FaultRule, now: Timestamp) -> FaultId {
        self.named += 1;
        let id = FaultId(self.named);
        let from = later(now, rule.wait);
        let until = rule.lasts.map(|lasts| later(from, lasts));
        let left = rule.times;
        self.active.push(Active { id, rule, from, until, left });
        id
    }

    pub(crate) fn lift(&mut self, id: FaultId) {
        self.active.retain(|active| active.id != id);
    }

    pub(crate) fn lift_labelled(&mut self, label: &str) {
        self.active.retain(|active| active.rule.label != label);
    }

    pub(crate) fn lift_all(&mut self) {
        self.active.clear();
    }

    /// When the next fault that is known begins or ends.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let moments = self.active.iter().flat_map(|active| [Some(active.from), active.until]);
        moments.flatten().filter(|at| *at > now).min()
    }

    /// The fault that hits this call, if one does.
    pub(crate) fn strike(&mut self, call: Call<'_>, now: Timestamp, chance: &mut Chance) -> Option<Fault> {
        self.active.retain(|active| active.until.is_none_or(|until| until > now) && active.left != Some(0));
        let hit = self
            .active
            .iter_mut()
            .find(|active| active.from <= now && active.rule.fits(call) && active.rule.share.hits(chance))?;
        hit.left = hit.left.map(|left| left - 1);
        Some(hit.rule.fault.clone())
    }

    /// Whether every call at this node is refused now: then the server closes its listener.
    pub(crate) fn refuses_all(&self, node: usize, now: Timestamp) -> bool {
        use crate::http::transport::TransportKind::Refused;
        self.active.iter().any(|active| {
            let rule = &active.rule;
            active.from <= now
                && active.until.is_none_or(|until| until > now)
                && rule.fault == Fault::Broken(Refused)
                && rule.phase == Phase::Any
                && rule.path.is_none()
                && rule.node.is_none_or(|at| at == node)
                && rule.share == Share::ALL
                && rule.times.is_none()
        })
    }
}

impl FaultRule {
    fn fits(&self, call: Call<'_>) -> bool {
        self.phase.covers(call.phase)
            && self.node.is_none_or(|node| node == call.node)
            && self.path.as_ref().is_none_or(|path| call.path.starts_with(path))
            && self.fault.concerns(call.phase)
    }
}

impl Fault {
    /// Some faults only make sense on some calls.
    fn concerns(&self, phase: Phase) -> bool {
        match self {
            Fault::HealthCode(_) => phase == Phase::Health,
            Fault::DeadCertificate | Fault::ForeignKey | Fault::OtherNames | Fault::NoCertificate => {
                phase == Phase::Sign
            }
            Fault::UnknownRole => matches!(phase, Phase::Sign | Phase::Login),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGN: Call<'_> = Call { phase: Phase::Sign, path: "pki/sign/web", node: 0 };

    fn at(seconds: u64) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    #[test]
    fn a_rule_hits_only_what_it_names() {
        let rows = [
            (FaultRule::new(Fault::NotFound), true),
            (FaultRule::new(Fault::NotFound).on(Phase::Sign), true),
            (FaultRule::new(Fault::NotFound).on(Phase::Login), false),
            (FaultRule::new(Fault::NotFound).at_path("pki/sign/web"), true),
            (FaultRule::new(Fault::NotFound).at_path("int/"), false),
            (FaultRule::new(Fault::NotFound).at_node(1), false),
            (FaultRule::new(Fault::NotFound).after(Duration::from_secs(5)), false),
            (FaultRule::new(Fault::HealthCode(472)), false),
            (FaultRule::new(Fault::NotFound).with_share(Share::new(0.0)), false),
        ];
        for (rule, expected) in rows {
            let mut rules = Rules::default();
            rules.inflict(rule.clone(), at(0));
            let hit = rules.strike(SIGN, at(1), &mut Chance::new(1)).is_some();
            assert_eq!(hit, expected, "{rule:?}");
        }
    }

    #[test]
    fn a_rule_ends_by_time_by_count_and_by_lifting() {
        let mut chance = Chance::new(1);
        let mut rules = Rules::default();
        rules.inflict(FaultRule::new(Fault::NotFound).times(1).lasting(Duration::from_secs(10)), at(0));
        assert!(rules.strike(SIGN, at(1), &mut chance).is_some());
        assert!(rules.strike(SIGN, at(2), &mut chance).is_none());
        let id = rules.inflict(FaultRule::new(Fault::Sealed).lasting(Duration::from_secs(10)), at(0));
        assert_eq!(rules.next_change(at(3)), Some(at(10)));
        assert!(rules.strike(SIGN, at(9), &mut chance).is_some());
        assert!(rules.strike(SIGN, at(10), &mut chance).is_none());
        let again = rules.inflict(FaultRule::new(Fault::Sealed).labelled("x"), at(0));
        assert_ne!(id, again);
        rules.lift_labelled("x");
        assert!(rules.strike(SIGN, at(1), &mut chance).is_none());
    }

    #[test]
    fn a_share_is_kept_on_the_average() {
        let mut rules = Rules::default();
        rules.inflict(FaultRule::new(Fault::NotFound).with_share(Share::new(0.25)), at(0));
        let mut chance = Chance::new(42);
        let hits = (0..10_000).filter(|_| rules.strike(SIGN, at(1), &mut chance).is_some()).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
    }
}
