//! `everleaf demo`: the embedded API, a practice Vault and the operator in one process, short-lived certificates, and one outage after another.
//! It shows live what happens and ends with a table. Exit code 0 only if the promise held. It touches nothing outside this process.

mod acts;
mod count;
mod real;
mod screen;
mod stage;
mod vaults;
mod verdict;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use acts::{Act, acts};
use count::Count;
use real::RealVault;
use screen::Screen;
use stage::Stage;
use vaults::Vault;
use verdict::Survived;

/// How often the stage is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Certificates are asked for over this time, so that renewals are due at any moment afterwards.
const SPREAD: Duration = Duration::from_secs(10);
/// How long the first certificates may take.
const FIRST: Duration = Duration::from_secs(20);
/// How long the last outage may echo.
const LAST: Duration = Duration::from_secs(15);

/// Flags of `everleaf demo`.
#[derive(Args, Debug)]
pub(crate) struct Flags {
    /// How many certificates.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=200))]
    certificates: u16,
    /// One line for each event, even on a terminal.
    #[arg(long)]
    plain: bool,
    /// Use a Vault of your own, with the token in VAULT_TOKEN. The demo makes a mount and a policy named everleaf-demo and takes them away again.
    #[arg(long, value_name = "ADDR")]
    real_vault: Option<String>,
}

/// Runs the demo.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(play(flags))
}

async fn play(flags: &Flags) -> anyhow::Result<ExitCode> {
    let live = std::io::stdout().is_terminal() && !flags.plain;
    let vault = match &flags.real_vault {
        Some(address) => RealVault::set(address).await?,
        None => Vault::practice()?,
    };
    let mut show = Show {
        stage: Stage::set(vault).await?,
        screen: Screen::new(live),
        count: Count::default(),
        began: Instant::now(),
    };
    let stop = CancellationToken::new();
    let operator = tokio::spawn(show.stage.operator(stop.clone())?);
    let survived = tokio::select! {
        survived = show.all(flags.certificates) => survived,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("the demo was interrupted")),
    };
    stop.cancel();
    operator.await?;
    show.stage.vault.clean_up().await;
    let survived = survived?;
    let held = verdict::held(&survived, &show.count);
    show.screen.close();
    verdict::print(&survived, &show.count, usize::from(flags.certificates), held)?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Show {
    stage: Stage,
    screen: Screen,
    count: Count,
    began: Instant,
}

impl Show {
    async fn all(&mut self, certificates: u16) -> anyhow::Result<Vec<Survived>> {
        let acts = acts();
        let whole: Duration = acts.iter().map(|act| act.lasts + act.rest).sum();
        self.screen.whole(SPREAD + whole);
        self.screen.say("issuing certificates")?;
        for number in 1..=certificates {
            self.stage.ask_for(number).await?;
            self.watch(SPREAD / u32::from(certificates)).await?;
        }
        let all_ready = self.until(FIRST, |count| count.ready == usize::from(certificates)).await?;
        anyhow::ensure!(all_ready, "the first certificates were not issued");
        let mut survived = Vec::new();
        for act in acts {
            survived.push(self.act(&act).await?);
        }
        self.screen.fault(None);
        self.until(LAST, |count| count.ready == count.certificates && count.waiting == 0).await?;
        Ok(survived)
    }

    /// One outage: begin it, watch while it lasts, heal it, and see how long the certificates take to be served again.
    async fn act(&mut self, act: &Act) -> anyhow::Result<Survived> {
        let before = self.count;
        let hits = self.stage.vault.refused();
        self.stage.vault.inflict(act.trouble);
        self.screen.fault(Some(act.name));
        self.screen.say(&format!("fault: {}, for {} s", act.name, act.lasts.as_secs()))?;
        self.watch(act.lasts).await?;
        self.stage.vault.heal();
        self.screen.fault(None);
        let (signed, healed) = (self.stage.vault.signed(), Instant::now());
        self.screen.say(&format!("healed: {}", act.name))?;
        let mut served = None;
        while healed.elapsed() < act.rest {
            self.watch(LOOK).await?;
            if served.is_none() && self.stage.vault.signed() > signed {
                served = Some(healed.elapsed());
            }
        }
        Ok(Survived {
            name: act.name,
            lasted: act.lasts,
            refused: self.stage.vault.refused() - hits,
            served_after: served,
            failed: self.count.failed - before.failed,
            expired: self.count.expired - before.expired,
        })
    }

    async fn watch(&mut self, time: Duration) -> anyhow::Result<()> {
        self.until(time, |_| false).await.map(drop)
    }

    /// Looks at the stage until this holds, or for this long. Returns whether it held.
    async fn until(&mut self, most: Duration, holds: impl Fn(&Count) -> bool) -> anyhow::Result<bool> {
        let start = Instant::now();
        loop {
            let seen = self.stage.look().await?;
            self.count.take(&seen);
            self.screen.draw(
                &seen,
                &self.count,
                self.stage.vault.signed(),
                self.stage.vault.refused(),
                self.began.elapsed(),
            )?;
            if holds(&self.count) {
                return Ok(true);
            }
            if start.elapsed() >= most {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
