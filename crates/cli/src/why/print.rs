//! A story as text for one screen: verdict, cause and cure in the first three lines, the rest in four short sections.
//! It adds no word to the cause and the cure.

use std::fmt::Write as _;

use super::story::{Story, Verdict};
use crate::screen::{Paint, one_line, wrapped};

/// Lines of a section stand in by this much, and their later parts by twice that.
const INDENT: &str = "  ";

/// The text.
pub(super) fn text(story: &Story, paint: Paint, width: Option<usize>) -> String {
    let mut out = String::new();
    let place = story.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
    let headline = format!("{} {place}{} {}.", story.kind.as_str(), story.name, story.headline);
    let headline = match story.verdict {
        Verdict::InOrder => paint.good(&headline),
        Verdict::Working => paint.working(&headline),
        Verdict::NeedsPerson => paint.bad(&headline),
    };
    // Writing to a String can't fail.
    let _ = writeln!(out, "{headline}");
    if let Some(cause) = &story.cause {
        let _ = writeln!(out, "{} {}", paint.strong("Why: "), one_line(&cause.line()));
    }
    if let Some(cure) = &story.cure {
        let _ = writeln!(out, "{} {}", paint.strong("Mend:"), one_line(cure));
    }
    let sections =
        [("Wanted", &story.wanted), ("There", &story.there), ("Tried", &story.tried), ("Next", &story.next)];
    for (name, lines) in sections.into_iter().filter(|(_, lines)| !lines.is_empty()) {
        let _ = writeln!(out, "\n{}", paint.strong(name));
        for line in lines {
            let _ = writeln!(out, "{INDENT}{}", wrapped(&one_line(line), INDENT.len() * 2, width));
        }
    }
    out
}
