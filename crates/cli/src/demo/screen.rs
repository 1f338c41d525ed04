//! What the demo shows: a calm full screen on a terminal, one line an event elsewhere. It only draws.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;

use super::count::{Count, by_life_left};
use super::stage::Seen;

/// The longest life on the bars.
const WHOLE_LIFE: i64 = 30;
const BAR: usize = 30;
/// Certificates that fit on the screen.
const ROWS: usize = 16;
/// How wide a story may be.
const STORY: usize = 44;

/// The screen.
pub(super) struct Screen {
    live: bool,
    colour: bool,
    whole: Option<Duration>,
    fault: Option<&'static str>,
    last: String,
    began: bool,
}

impl Screen {
    /// A full screen if `live`, plain lines otherwise.
    pub(super) fn new(live: bool) -> Screen {
        let colour = live && std::env::var_os("NO_COLOR").is_none();
        Screen { live, colour, whole: None, fault: None, last: String::new(), began: false }
    }

    /// How long it will take, for the progress.
    pub(super) fn whole(&mut self, whole: Duration) {
        self.whole = Some(whole);
    }

    /// The fault that holds now.
    pub(super) fn fault(&mut self, fault: Option<&'static str>) {
        self.fault = fault;
    }

    /// Something happened.
    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        line.clone_into(&mut self.last);
        if self.live {
            return Ok(());
        }
        writeln!(io::stdout().lock(), "{line}")
    }

    /// Draws what there is to see.
    pub(super) fn draw(
        &mut self,
        seen: &[Seen],
        count: &Count,
        signed: u64,
        refused: u64,
        at: Duration,
    ) -> io::Result<()> {
        if !self.live {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        // The alternate screen, so that the terminal is as before afterwards.
        let start = if self.began { "\x1b[H" } else { "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H" };
        self.began = true;
        write!(out, "{start}")?;
        let clear = "\x1b[K";
        writeln!(out, "Everleaf demo   {}{clear}\n{clear}", self.progress(at))?;
        writeln!(out, "  {}{clear}\n{clear}", self.weather())?;
        for certificate in by_life_left(seen).into_iter().take(ROWS) {
            writeln!(out, "  {}{clear}", row(certificate))?;
        }
        writeln!(
            out,
            "{clear}\n  signed {signed}   calls refused or lost {refused}   requests failed {}   certificates expired {}{clear}\x1b[J",
            count.failed, count.expired
        )?;
        out.flush()
    }

    /// Gives the terminal back.
    pub(super) fn close(&self) {
        if self.live && self.began {
            // If standard output is gone there is nobody to tell.
            let _ = write!(io::stdout().lock(), "\x1b[?25h\x1b[?1049l");
        }
    }

    fn progress(&self, at: Duration) -> String {
        let Some(whole) = self.whole else { return self.last.clone() };
        let share = (at.as_secs_f64() / whole.as_secs_f64()).min(1.0);
        let full = (share * 20.0) as usize;
        format!(
            "[{}{}] {:>2} of {} s",
            "#".repeat(full),
            ".".repeat(20 - full.min(20)),
            at.as_secs().min(whole.as_secs()),
            whole.as_secs()
        )
    }

    fn weather(&self) -> String {
        match (self.fault, self.colour) {
            (Some(fault), true) => format!("\x1b[1;31m{fault}\x1b[0m"),
            (Some(fault), false) => format!("FAULT: {fault}"),
            (None, true) => "\x1b[32mVault works\x1b[0m".to_owned(),
            (None, false) => "Vault works".to_owned(),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

fn row(certificate: &Seen) -> String {
    let left = certificate
        .ends
        .map_or(0, |ends| ends.duration_since(Timestamp::now()).as_secs())
        .clamp(0, WHOLE_LIFE);
    let full = usize::try_from(left).unwrap_or(0).min(BAR);
    let state = match (&certificate.waits, certificate.ready) {
        (Some(story), _) => format!("waits: {}", story.chars().take(STORY).collect::<String>()),
        (None, true) => "ready".to_owned(),
        (None, false) => "not ready".to_owned(),
    };
    format!("{:<10} {}{} {left:>2} s  {state}", certificate.name, "=".repeat(full), " ".repeat(BAR - full))
}
