//! What is simulated: the user's own numbers, from flags or from a file, checked before anything runs.
//! It knows no policy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use everleaf_core::go_duration;
use serde::Deserialize;

/// More certificates than this say nothing new.
const MOST_CERTIFICATES: usize = 100_000;
/// The longest time that is simulated.
const LONGEST_SPAN: Duration = Duration::from_secs(10 * 366 * 86_400);
const DAY: f64 = 86_400.0;

/// Flags of `everleaf simulate`. Durations are written as in manifests (`36h`, `90m`), or in days (`90d`).
#[derive(Args, Debug)]
pub(crate) struct Flags {
    /// The numbers from a YAML file instead of flags: certificates, life, renewBefore, span, rate, outages (a list of at, lasts)
    #[arg(long, conflicts_with_all = ["certificates", "life", "renew_before", "span", "rate", "outage", "outage_at", "outage_every"])]
    pub plan: Option<PathBuf>,
    /// How many certificates
    #[arg(long, default_value_t = 1000)]
    pub certificates: usize,
    /// How long each lives
    #[arg(long, default_value = "2160h")]
    pub life: String,
    /// How long before its end each is renewed [a third of its life]
    #[arg(long)]
    pub renew_before: Option<String>,
    /// How much time is simulated
    #[arg(long, default_value = "180d")]
    pub span: String,
    /// How many certificates Vault signs in a second at most
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// How long Vault is away
    #[arg(long, default_value = "12h")]
    pub outage: String,
    /// When it goes away for the first time [a quarter of the span]
    #[arg(long)]
    pub outage_at: Option<String>,
    /// After how much time it goes away again [never]
    #[arg(long)]
    pub outage_every: Option<String>,
    /// Write a report with plots to this file
    #[arg(long)]
    pub html: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

/// How the outcome is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What is simulated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub certificates: usize,
    pub life: Duration,
    pub renew_before: Duration,
    pub span: Duration,
    pub rate: f64,
    pub outages: Vec<Outage>,
}

/// Vault is away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outage {
    pub at: Duration,
    pub lasts: Duration,
}

impl Outage {
    /// When it is over.
    pub(crate) fn end(&self) -> Duration {
        self.at.saturating_add(self.lasts)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    certificates: usize,
    life: String,
    renew_before: Option<String>,
    span: String,
    rate: Option<f64>,
    outages: Vec<WrittenOutage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOutage {
    at: String,
    lasts: String,
}

impl Plan {
    /// The plan that the flags ask for, or what is wrong with it.
    pub(crate) fn of(flags: &Flags) -> anyhow::Result<Plan> {
        let plan = match &flags.plan {
            Some(file) => Plan::read(file)?,
            None => Plan::of_numbers(flags)?,
        };
        plan.check()?;
        Ok(plan)
    }

    fn read(file: &Path) -> anyhow::Result<Plan> {
        let of = || format!("--plan: {}", file.display());
        let text = std::fs::read_to_string(file).with_context(of)?;
        let written: Written = serde_saphyr::from_str(&text).map_err(|error| anyhow!("{}: {error}", of()))?;
        let life = duration("life", &written.life)?;
        let outages = written.outages.iter().map(|outage| {
            Ok(Outage {
                at: duration("outages.at", &outage.at)?,
                lasts: duration("outages.lasts", &outage.lasts)?,
            })
        });
        Ok(Plan {
            certificates: written.certificates,
            life,
            renew_before: optional("renewBefore", written.renew_before.as_deref())?.unwrap_or(life / 3),
            span: duration("span", &written.span)?,
            rate: written.rate.unwrap_or(100.0),
            outages: outages.collect::<anyhow::Result<_>>()?,
        })
    }

    fn of_numbers(flags: &Flags) -> anyhow::Result<Plan> {
        let (life, span) = (duration("--life", &flags.life)?, duration("--span", &flags.span)?);
        let lasts = duration("--outage", &flags.outage)?;
        let every = optional("--outage-every", flags.outage_every.as_deref())?;
        ensure!(every.is_none_or(|every| every > lasts), "--outage-every must be longer than --outage");
        let mut at = optional("--outage-at", flags.outage_at.as_deref())?.unwrap_or(span / 4);
        let mut outages = Vec::new();
        while at < span && !lasts.is_zero() {
            outages.push(Outage { at, lasts });
            let Some(every) = every else { break };
            at = at.saturating_add(every);
        }
        Ok(Plan {
            certificates: flags.certificates,
            life,
            renew_before: optional("--renew-before", flags.renew_before.as_deref())?.unwrap_or(life / 3),
            span,
            rate: flags.rate,
            outages,
        })
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1..=MOST_CERTIFICATES).contains(&self.certificates),
            "certificates: {} is not between 1 and {MOST_CERTIFICATES}",
            self.certificates
        );
        ensure!(self.life >= Duration::from_secs(60), "life: must be at least a minute");
        ensure!(!self.renew_before.is_zero(), "renewBefore: must be more than nothing");
        ensure!(self.renew_before < self.life, "renewBefore: must be shorter than life");
        ensure!(
            !self.span.is_zero() && self.span <= LONGEST_SPAN,
            "span: must be more than nothing, and ten years at most"
        );
        ensure!(
            self.rate.is_finite() && self.rate >= 0.01,
            "rate: must be at least 0.01 certificates a second"
        );
        let work = self.certificates as f64 * self.span.as_secs_f64() / self.life.as_secs_f64();
        ensure!(
            work <= 20_000_000.0,
            "this would be {work:.0} issuances: take fewer certificates or a shorter span"
        );
        let mut before = Duration::ZERO;
        for outage in &self.outages {
            ensure!(outage.at >= before, "outages: must follow each other, and not overlap");
            ensure!(!outage.lasts.is_zero(), "outages: each must last more than nothing");
            before = outage.end();
        }
        Ok(())
    }

    /// The same with another renewBefore.
    pub(crate) fn renewing(&self, renew_before: Duration) -> Plan {
        Plan { renew_before, ..self.clone() }
    }

    /// Whether Vault answers at this moment.
    pub(crate) fn is_up(&self, at: Duration) -> bool {
        !self.outages.iter().any(|outage| outage.at <= at && at < outage.end())
    }
}

fn optional(name: &str, text: Option<&str>) -> anyhow::Result<Option<Duration>> {
    text.map(|text| duration(name, text)).transpose()
}

fn duration(name: &str, text: &str) -> anyhow::Result<Duration> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<f64>().ok());
    if let Some(days) = days {
        return Duration::try_from_secs_f64(days * DAY).map_err(|error| anyhow!("{name}: {text:?}: {error}"));
    }
    let parsed = go_duration::parse(text).map_err(|error| anyhow!("{name}: {text:?}: {error}"))?;
    Duration::try_from(parsed).map_err(|_| anyhow!("{name}: {text:?} is negative"))
}
