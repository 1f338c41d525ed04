//! The outcomes in words, as JSON, and as a page with plots that needs no network. It only formats.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::outcome::Outcome;
use super::plan::Plan;
use crate::screen;

/// What the model is, said with every report.
pub(crate) const MODEL: &str = "The model: renewals are spread evenly, Vault signs at the given rate and fails every call during an outage. Everleaf's side runs the \
controller's own pace and waits. cert-manager's side is version 1.21 as measured: a failed sign ends the request, the next one follows after 1, 2, 4 ... 32 hours, five \
workers sign side by side, in the order of arrival.";

/// Both outcomes, and the smallest renewBefore at which nothing expires.
pub(crate) struct Report {
    pub plan: Plan,
    pub everleaf: Outcome,
    pub peer: Outcome,
    pub least: Least,
}

/// The smallest renewBefore at which nothing expires; `None` if none does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Least {
    pub everleaf: Option<Duration>,
    pub peer: Option<Duration>,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let plan = &self.plan;
        let mut text = format!(
            "{} certificates that live {}, renewed {} before their end, for {}; Vault is away {}.\n\n",
            plan.certificates,
            words(plan.life),
            words(plan.renew_before),
            words(plan.span),
            outages(plan),
        );
        let rows = self.rows();
        let head = ["", "Everleaf", "cert-manager"];
        for line in screen::table(&head, &rows, screen::width()) {
            text += &line;
            text.push('\n');
        }
        let _ = write!(text, "\n{}\n\n{}\n", self.verdict(), screen::wrapped(MODEL, 0, screen::width()));
        text
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |name: &str, of: &dyn Fn(&Outcome) -> String| {
            vec![name.to_owned(), of(&self.everleaf), of(&self.peer)]
        };
        let least =
            |least: Option<Duration>| least.map_or_else(|| "none up to 90 % of life".to_owned(), words);
        vec![
            row("certificates that expired", &|outcome| outcome.expired.to_string()),
            row("time expired, all together", &|outcome| seconds(outcome.expired_seconds)),
            row("least life left at a renewal", &|outcome| seconds(outcome.least_left_seconds)),
            row("all renewed after an outage, at most", &|outcome| {
                seconds(outcome.recovery_seconds.iter().copied().fold(0.0, f64::max))
            }),
            row("most signatures in a minute", &|outcome| outcome.peak_signs_a_minute.to_string()),
            row("calls that failed", &|outcome| outcome.failed_calls.to_string()),
            vec![
                "smallest renewBefore that would do".to_owned(),
                least(self.least.everleaf),
                least(self.least.peer),
            ],
        ]
    }

    /// Whether the user's renewBefore is long enough.
    pub(crate) fn verdict(&self) -> String {
        let given = words(self.plan.renew_before);
        match (self.everleaf.expired, self.least.everleaf) {
            (0, _) => format!("renewBefore {given} is long enough with Everleaf."),
            (expired, Some(least)) => {
                format!("renewBefore {given} is too short: {expired} expire. {} would do.", words(least))
            }
            (expired, None) => format!(
                "renewBefore {given} is too short, and no longer one would do: {expired} expire. The outages are too long for this life."
            ),
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let seconds = |least: Option<Duration>| least.map(|least| least.as_secs());
        json!({
            "plan": {
                "certificates": self.plan.certificates,
                "lifeSeconds": self.plan.life.as_secs(),
                "renewBeforeSeconds": self.plan.renew_before.as_secs(),
                "spanSeconds": self.plan.span.as_secs(),
                "rate": self.plan.rate,
                "outages": self.plan.outages.iter().map(|outage| json!({"atSeconds": outage.at.as_secs(), "lastsSeconds": outage.lasts.as_secs()})).collect::<Vec<_>>(),
            },
            "everleaf": self.everleaf,
            "certManager": self.peer,
            "leastRenewBeforeSeconds": {"everleaf": seconds(self.least.everleaf), "certManager": seconds(self.least.peer)},
            "model": MODEL,
        })
    }

    /// A page of its own.
    pub(crate) fn html(&self) -> String {
        let rows: String = self
            .rows()
            .iter()
            .map(|row| {
                let cells: Vec<String> =
                    row.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
                format!("<tr>{}</tr>\n", cells.concat())
            })
            .collect();
        let floats = |values: &[u64]| values.iter().map(|value| *value as f64).collect::<Vec<_>>();
        let expired = |outcome: &Outcome| {
            outcome.expired_over_time.iter().map(|value| *value as f64).collect::<Vec<_>>()
        };
        format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>everleaf simulate</title>\n<style>body{{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}\
             td{{padding:.2rem 1.5rem .2rem 0}}svg{{width:100%;height:auto}}.e{{stroke:#1a7f37}}.c{{stroke:#cf222e}}</style>\n\
             <h1>everleaf simulate</h1>\n<p>{} certificates that live {}, renewed {} before their end, for {}; Vault is away {}.</p>\n<p><b>{}</b></p>\n\
             <table><tr><th></th><th>Everleaf</th><th>cert-manager</th></tr>\n{rows}</table>\n\
             <h2>Expired certificates</h2>\n{}\n<h2>Signatures</h2>\n{}\n<p>Green: Everleaf. Red: cert-manager. Grey: Vault is away.</p>\n<p>{MODEL}</p>\n</html>\n",
            self.plan.certificates,
            words(self.plan.life),
            words(self.plan.renew_before),
            words(self.plan.span),
            escaped(&outages(&self.plan)),
            escaped(&self.verdict()),
            self.plot(&expired(&self.everleaf), &expired(&self.peer)),
            self.plot(&floats(&self.everleaf.signs_over_time), &floats(&self.peer.signs_over_time)),
        )
    }

    /// Two curves over the span, with the outages behind them.
    fn plot(&self, everleaf: &[f64], peer: &[f64]) -> String {
        const WIDTH: f64 = 960.0;
        const HEIGHT: f64 = 240.0;
        let most = everleaf.iter().chain(peer).copied().fold(1.0, f64::max);
        let curve = |values: &[f64], class: &str| {
            let points = values.iter().enumerate().map(|(at, value)| {
                let x = WIDTH * (at as f64 + 0.5) / values.len() as f64;
                format!("{x:.1},{:.1}", HEIGHT * (1.0 - value / most))
            });
            let points: Vec<String> = points.collect();
            format!(
                "<polyline class=\"{class}\" fill=\"none\" stroke-width=\"2\" points=\"{}\"/>",
                points.join(" ")
            )
        };
        let span = self.plan.span.as_secs_f64();
        let outages: String = self
            .plan
            .outages
            .iter()
            .map(|outage| {
                let (x, width) =
                    (WIDTH * outage.at.as_secs_f64() / span, WIDTH * outage.lasts.as_secs_f64() / span);
                format!(
                    "<rect x=\"{x:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\" fill=\"#d0d7de\"/>",
                    width.max(1.0)
                )
            })
            .collect();
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\">{outages}{}{}<line x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\" stroke=\"#57606a\"/>\
             <text x=\"4\" y=\"16\">{most:.0}</text><text x=\"0\" y=\"{}\">0</text><text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{}</text></svg>",
            HEIGHT + 24.0,
            curve(peer, "c"),
            curve(everleaf, "e"),
            HEIGHT + 18.0,
            HEIGHT + 18.0,
            words(self.plan.span),
        )
    }
}

fn outages(plan: &Plan) -> String {
    match plan.outages.as_slice() {
        [] => "never".to_owned(),
        [one] => format!("once, for {}", words(one.lasts)),
        many => {
            let longest = many.iter().map(|outage| outage.lasts).max().unwrap_or_default();
            format!("{} times, for {} at most", many.len(), words(longest))
        }
    }
}

fn seconds(seconds: f64) -> String {
    let size = Duration::try_from_secs_f64(seconds.abs()).unwrap_or_default();
    let sign = if seconds < 0.0 { "-" } else { "" };
    format!("{sign}{}", words(size))
}

fn words(span: Duration) -> String {
    screen::span(i64::try_from(span.as_secs()).unwrap_or(i64::MAX))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
