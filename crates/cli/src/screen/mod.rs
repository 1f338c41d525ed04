//! What the commands for users print with: colours where a person looks on, tables that fit, and spans of time in words.
//! It never writes to standard error, and a reader that has gone away is no error.

mod table;

use std::io::{self, ErrorKind, IsTerminal, Write};

use jiff::Timestamp;

pub(crate) use table::table;

/// A terminal that doesn't tell its width.
const USUAL_WIDTH: usize = 120;

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// For a terminal.
    Coloured,
    /// For files, pipes and those who wish none (NO_COLOR).
    Plain,
}

impl Paint {
    /// What suits standard output.
    pub(crate) fn of_output() -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if !refused && io::stdout().is_terminal() { Paint::Coloured } else { Paint::Plain }
    }

    /// All is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// It is being worked on.
    pub(crate) fn working(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Somebody must act.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// A heading.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Paint::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
            Paint::Plain => text.to_owned(),
        }
    }
}

/// Writes to standard output. Whoever reads only the first lines (`head`) wants no more.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The width to fit into; `None` where no person looks on.
pub(crate) fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let told = rustix::termios::tcgetwinsize(&out).map_or(0, |size| usize::from(size.ws_col));
    Some(if told == 0 { USUAL_WIDTH } else { told })
}

/// Foreign words on one line: line breaks become a space, and nothing in them steers the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let parts = text.split(|c: char| c.is_control()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

/// Words over several lines, the later ones indented; one line where no width is known.
pub(crate) fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(room) = width.map(|width| width.saturating_sub(indent).max(20)) else { return text.to_owned() };
    let (mut out, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let long = word.chars().count();
        if used > 0 && used + 1 + long > room {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += long;
    }
    out
}

/// A span of time in its two largest units: `41d 3h`, `12m 5s`, `0s`.
pub(crate) fn span(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = seconds.abs();
    let first = UNITS.iter().position(|(length, _)| seconds >= *length).unwrap_or(3);
    let mut rest = seconds;
    let mut words = Vec::new();
    for (length, name) in UNITS.iter().skip(first).take(2) {
        if rest / length > 0 || words.is_empty() {
            words.push(format!("{}{name}", rest / length));
        }
        rest %= length;
    }
    words.join(" ")
}

/// A moment and how far away it is: `2026-11-25T01:00:00Z (in 3h 2m)`.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.as_second() - now.as_second();
    let away = match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {}", span(seconds)),
        _ => format!("{} ago", span(seconds)),
    };
    format!("{} ({away})", everleaf_core::conditions::clock(at))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let rows = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_605, "1h"),
            (3_660, "1h 1m"),
            (41 * 86_400 + 3 * 3_600 + 7, "41d 3h"),
            (-125, "2m 5s"),
        ];
        for (seconds, told) in rows {
            assert_eq!(span(seconds), told, "{seconds}");
        }
    }

    #[test]
    fn moments_say_how_far_away_they_are() {
        let now: Timestamp = "2026-11-25T01:00:00Z".parse().unwrap();
        assert_eq!(moment("2026-11-25T04:02:00Z".parse().unwrap(), now), "2026-11-25T04:02:00Z (in 3h 2m)");
        assert_eq!(moment("2026-11-25T00:59:50Z".parse().unwrap(), now), "2026-11-25T00:59:50Z (10s ago)");
    }

    #[test]
    fn foreign_words_stay_on_their_line_and_steer_nothing() {
        assert_eq!(
            one_line("Code: 403. Errors:\n\n* permission denied"),
            "Code: 403. Errors: * permission denied"
        );
        assert_eq!(one_line("red \x1b[31mwords"), "red  [31mwords");
    }

    #[test]
    fn words_are_wrapped_between_words_only() {
        assert_eq!(wrapped("one two three four five six", 2, Some(22)), "one two three four\n  five six");
        assert_eq!(wrapped("one two", 2, None), "one two");
        assert_eq!(Paint::Plain.bad("x"), "x");
        assert_eq!(Paint::Coloured.bad("x"), "\x1b[1;31mx\x1b[0m");
    }
}
