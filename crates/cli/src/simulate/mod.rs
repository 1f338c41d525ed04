//! `everleaf simulate`: the user's own numbers through Everleaf's policy and cert-manager's, in one model of Vault.
//! It answers whether a renewBefore is long enough for an outage, and touches nothing.

mod outcome;
mod plan;
mod policy;
mod report;
#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

pub(crate) use plan::Flags;
use plan::{Output, Plan};
use policy::Policy;
use report::{Least, Report};

use crate::screen;

/// The smallest renewBefore is found this exactly: a share of the life.
const STEPS: u32 = 400;
/// A longer one isn't looked for: the certificate would be renewed all the time.
const MOST_STEPS: u32 = STEPS * 9 / 10;

/// Runs it. The exit code is 0 if nothing expires with Everleaf, and 2 if something does.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let plan = Plan::of(flags)?;
    let report = simulate(plan, &mut Progress::new());
    if let Some(file) = &flags.html {
        std::fs::write(file, report.html()).with_context(|| format!("--html: {}", file.display()))?;
    }
    match flags.output {
        Output::Text => screen::print(&report.text())?,
        Output::Json => screen::print(&format!("{:#}\n", report.json()))?,
    }
    Ok(if report.everleaf.expired == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn simulate(plan: Plan, progress: &mut Progress) -> Report {
    let (everleaf, peer) = (policy::run(Policy::Everleaf, &plan), policy::run(Policy::Peer, &plan));
    progress.step();
    let least = Least {
        everleaf: least(Policy::Everleaf, &plan, progress),
        peer: least(Policy::Peer, &plan, progress),
    };
    progress.end();
    Report { plan, everleaf, peer, least }
}

/// The smallest renewBefore at which nothing expires, by halving.
fn least(policy: Policy, plan: &Plan, progress: &mut Progress) -> Option<Duration> {
    let renew_before = |step: u32| plan.life * step / STEPS;
    let mut holds = |step: u32| {
        progress.step();
        policy::run(policy, &plan.renewing(renew_before(step))).expired == 0
    };
    let (mut low, mut high) = (0, MOST_STEPS);
    if !holds(high) {
        return None;
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle }
    }
    Some(renew_before(high))
}

/// A bar on a terminal, and nothing elsewhere.
struct Progress {
    shown: bool,
    done: usize,
}

/// Both runs, and the halvings of both policies.
const ALL_STEPS: usize = 1 + 2 * 10;

impl Progress {
    fn new() -> Progress {
        Progress { shown: std::io::stderr().is_terminal(), done: 0 }
    }

    fn step(&mut self) {
        self.done += 1;
        let done = self.done.min(ALL_STEPS);
        self.show(&format!("\r[{}{}]", "#".repeat(done), " ".repeat(ALL_STEPS - done)));
    }

    fn end(&self) {
        self.show(&format!("\r{}\r", " ".repeat(ALL_STEPS + 2)));
    }

    #[allow(clippy::print_stderr)]
    fn show(&self, line: &str) {
        if self.shown {
            eprint!("{line}");
        }
    }
}
