//! Runs a scenario from its first moment to its last: makes certificates, begins and ends faults, looks at everything every few minutes.
//! One thread, paused time, nothing but the seed goes in; the same scenario gives the same trace.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::inject::Injector;
use crate::ledger::{self, Counts, Signing, Violation};
use crate::moments::DAY;
use crate::scenario::Scenario;
use crate::stage::{NotSet, Stage};

/// How often everything is looked at.
const INSPECT_EVERY: Duration = Duration::from_secs(300);

/// How a scenario is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Goes on after a broken invariant.
    pub goes_on: bool,
    /// Remembers the whole trace, not only its end.
    pub whole_trace: bool,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where the scenario was drawn from.
    pub seed: u64,
    /// How long it ran, in virtual time.
    pub ran: Duration,
    /// The hash of the trace.
    pub hash: String,
    /// How many lines it has.
    pub lines: u64,
    /// Its lines, or the latest of them.
    pub trace: Vec<String>,
    /// Broken invariants; none in a good run.
    pub violations: Vec<Violation>,
    /// What was counted.
    pub counts: Counts,
    /// Sign calls in the order of their answers.
    pub signs: Vec<Signing>,
}

impl Report {
    /// Whether all invariants held.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.ran.as_secs_f64() / DAY.as_secs_f64();
        write!(
            f,
            "seed {}: {days:.1} days, trace {} ({} lines), {}",
            self.seed, self.hash, self.lines, self.counts
        )?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

/// Runs a scenario.
pub fn run(scenario: &Scenario, options: Options) -> Result<Report, NotSet> {
    // The jitter of the watches' back-off comes from this thread's generator.
    fastrand::seed(scenario.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| NotSet(error.to_string()))?;
    runtime.block_on(play(scenario.clone(), options))
}

/// Something that happens by the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Certificate(usize),
    Begin(usize),
    End(usize),
    Inspect,
}

async fn play(scenario: Scenario, options: Options) -> Result<Report, NotSet> {
    let stage = Stage::set(scenario, options.whole_trace).await?;
    let origin = Instant::now();
    for (number, replica) in stage.replicas.iter().enumerate() {
        tokio::spawn(replica.clone().keep(number, stage.clone()));
    }
    let broken = ledger::lock(&stage.ledger).broken();
    let mut injector = Injector::new(stage.clone());
    for (at, step) in steps(&stage.scenario) {
        let reached = tokio::time::sleep_until(origin + at);
        if options.goes_on {
            reached.await;
        } else {
            tokio::select! {
                biased;
                () = broken.notified() => break,
                () = reached => {}
            }
        }
        take(&stage, &mut injector, step).await;
    }
    if options.goes_on || ledger::lock(&stage.ledger).violations().is_empty() {
        was_calm_at_last(&stage);
    }
    Ok(report(&stage))
}

/// All steps in their order.
fn steps(scenario: &Scenario) -> Vec<(Duration, Step)> {
    let certificates = scenario.certificates.iter().enumerate();
    let mut steps: Vec<(Duration, Step)> =
        certificates.map(|(index, plan)| (plan.at, Step::Certificate(index))).collect();
    for (index, planned) in scenario.faults.iter().enumerate() {
        steps.push((planned.at, Step::Begin(index)));
        steps.push((planned.at + planned.lasts, Step::End(index)));
    }
    let mut at = INSPECT_EVERY;
    while at <= scenario.horizon {
        steps.push((at, Step::Inspect));
        at += INSPECT_EVERY;
    }
    steps.sort();
    steps
}

async fn take(stage: &Arc<Stage>, injector: &mut Injector, step: Step) {
    match step {
        Step::Certificate(index) => {
            if let Err(error) = stage.create_certificate(index).await {
                ledger::lock(&stage.ledger).note(&format!("not made: {error}"));
            }
        }
        Step::Begin(index) => {
            if let Some(planned) = stage.scenario.faults.get(index).copied() {
                injector.begin(index, &planned).await;
            }
        }
        Step::End(index) => {
            if let Some(planned) = stage.scenario.faults.get(index).copied() {
                injector.end(index, &planned).await;
            }
        }
        Step::Inspect => {
            ledger::lock(&stage.ledger).inspect();
            stage.vaults.all().for_each(|place| place.node.forget_audit());
        }
    }
}

/// A run in which it never became calm again has proved nothing.
fn was_calm_at_last(stage: &Stage) {
    let now = stage.wall.elapsed();
    let mut ledger = ledger::lock(&stage.ledger);
    let calm_by = now.saturating_sub(ledger::GRACE);
    if !ledger.scopes.is_all_calm(calm_by) {
        ledger.violated(
            "never-calm",
            "a fault was still felt at the end, so nothing could be judged".to_owned(),
        );
    }
}

fn report(stage: &Stage) -> Report {
    let ledger = ledger::lock(&stage.ledger);
    Report {
        seed: stage.scenario.seed,
        ran: stage.wall.elapsed(),
        hash: ledger.trace().hash(),
        lines: ledger.trace().count(),
        trace: ledger.trace().lines().map(str::to_owned).collect(),
        violations: ledger.violations().to_vec(),
        counts: ledger.counts.clone(),
        signs: ledger.signs.clone(),
    }
}
