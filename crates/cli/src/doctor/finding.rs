//! What a doctor's look at a Vault means, line by line: pure, from what was seen to lines with what to do.
//! A line says what was seen; the cure comes from the table that `why` uses. No line ever holds a secret.

use std::time::Duration;

use everleaf_core::conditions::who_acts;
use everleaf_core::failure::Failure;
use everleaf_issuers::vault::{Examined, TokenSeen};
use jiff::Timestamp;

use crate::screen::span;
use crate::why::{Scene, cure};

/// Clocks that differ by more are worth a word, and by this much break short tokens (leeway of JWTs is a minute or so).
const CLOCK_WARNS: i64 = 10;
const CLOCK_BREAKS: i64 = 60;
/// A token that lives shorter than this and can't be renewed makes many logins.
const SHORT_TOKEN: Duration = Duration::from_secs(300);
/// What lets a token sign.
const SIGNS: [&str; 3] = ["update", "create", "root"];

/// How bad a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Works, but somebody should know.
    Warning,
    /// Doesn't work.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// How bad.
    pub(super) level: Level,
    /// What was looked at.
    pub(super) about: String,
    /// What was seen.
    pub(super) says: String,
    /// What to do.
    pub(super) cure: Option<String>,
}

impl Line {
    /// All is well.
    pub(super) fn ok(about: &str, says: impl Into<String>) -> Line {
        Line { level: Level::Ok, about: about.to_owned(), says: says.into(), cure: None }
    }

    /// Worth a word.
    pub(super) fn warning(about: &str, says: impl Into<String>, cure: Option<String>) -> Line {
        Line { level: Level::Warning, about: about.to_owned(), says: says.into(), cure }
    }

    /// Doesn't work.
    pub(super) fn error(about: &str, says: impl Into<String>, cure: Option<String>) -> Line {
        Line { level: Level::Error, about: about.to_owned(), says: says.into(), cure }
    }
}

/// A failure as a line.
pub(super) fn failed(about: &str, failure: &Failure, scene: &Scene<'_>) -> Line {
    let says = format!(
        "{} ({} failed: {}). {}",
        failure.class,
        failure.call.as_str(),
        failure.says,
        who_acts(failure)
    );
    Line::error(about, says, cure(scene, failure.says.as_str()).map(|cure| cure.line))
}

/// The lines of one look.
pub(super) fn lines(seen: &Examined, is_tls: bool, scene: &Scene<'_>, now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    match &seen.health {
        Err(failure) => {
            lines.push(failed("health", failure, scene));
            return lines;
        }
        Ok(time) => {
            lines.push(tls(is_tls));
            lines.push(Line::ok("health", "the server is well"));
            lines.extend(time.map(|time| clock(time, scene, now)));
        }
    }
    let Some(token) = &seen.token else { return lines };
    match token {
        Err(failure) => lines.push(failed("login", failure, scene)),
        Ok(token) => {
            lines.push(login(token));
            lines.push(rights(token, seen.capabilities.as_deref(), scene));
        }
    }
    lines
}

fn tls(is_tls: bool) -> Line {
    if is_tls {
        return Line::ok("TLS", "the server's certificate is accepted: chain, name and life");
    }
    let cure = "use https:// in spec.vault.server".to_owned();
    Line::warning("TLS", "there is none: tokens and requests cross the network in the open", Some(cure))
}

fn clock(server: Timestamp, scene: &Scene<'_>, now: Timestamp) -> Line {
    let apart = (server.as_second() - now.as_second()).abs();
    let says = format!("the server's clock and the one here are {} apart", span(apart));
    let mend = || Some(format!("timedatectl   (here, and on {})", scene.server()));
    match apart {
        CLOCK_BREAKS.. => Line::error("clock", says, mend()),
        CLOCK_WARNS.. => Line::warning("clock", says, mend()),
        _ => Line::ok("clock", says),
    }
}

fn login(token: &TokenSeen) -> Line {
    let life = token.life.map_or_else(
        || "for ever, or for as long as nobody tells".to_owned(),
        |life| format!("for {}", span(i64::try_from(life.as_secs()).unwrap_or(i64::MAX))),
    );
    let renewable = if token.renewable { "can be renewed" } else { "can't be renewed" };
    let says = format!("a token that is good {life}, {renewable}, policies {}", token.policies.join(", "));
    if token.policies.iter().any(|policy| policy == "root") {
        let cure = "give the issuer a token or a role with a policy for its sign path only".to_owned();
        return Line::warning("login", format!("{says}: the root policy may do everything"), Some(cure));
    }
    match token.life {
        Some(life) if life < SHORT_TOKEN && !token.renewable => Line::warning(
            "login",
            says,
            Some("raise token_ttl of the auth role: each of these ends soon".to_owned()),
        ),
        _ => Line::ok("login", says),
    }
}

fn rights(token: &TokenSeen, capabilities: Option<&[String]>, scene: &Scene<'_>) -> Line {
    let path = scene.sign_path();
    match capabilities {
        None => Line::warning("policy", format!("it can't be asked what the token may do at {path}"), None),
        Some(may) if may.iter().any(|verb| SIGNS.contains(&verb.as_str())) => {
            Line::ok("policy", format!("the token may sign at {path} ({})", may.join(", ")))
        }
        Some(may) => {
            let named: Vec<&str> =
                token.policies.iter().map(String::as_str).filter(|name| *name != "default").collect();
            let policy = named.first().copied().unwrap_or("of the login");
            let says =
                format!("policy {policy} lacks update on {path} (capabilities there: {})", may.join(", "));
            let line = cure(scene, &says).map(|cure| cure.line);
            Line::error("policy", says, line)
        }
    }
}

#[cfg(test)]
mod tests {
    use everleaf_core::failure::{Blame, Call, Class, Finality, Says};

    use super::*;

    const SCENE: Scene<'_> = Scene { namespace: "ns", certificate: None, issuer: None };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap_or_default()
    }

    fn sound() -> Examined {
        Examined {
            health: Ok(Some(at("2026-11-25T12:00:01Z"))),
            token: Some(Ok(TokenSeen {
                policies: vec!["default".into(), "web".into()],
                life: Some(Duration::from_secs(3600)),
                renewable: true,
            })),
            capabilities: Some(vec!["create".into(), "update".into()]),
        }
    }

    fn told(seen: &Examined, is_tls: bool) -> Vec<(Level, String)> {
        let lines = lines(seen, is_tls, &SCENE, at("2026-11-25T12:00:00Z"));
        lines
            .into_iter()
            .map(|line| {
                (line.level, format!("{}: {} [{}]", line.about, line.says, line.cure.unwrap_or_default()))
            })
            .collect()
    }

    fn failure(call: Call, says: &str) -> Failure {
        let blame = Blame::Secret("vault-approle".into());
        Failure {
            class: Class::Access,
            call,
            code: "Any",
            says: Says::new(says),
            retry_after: None,
            blame,
            finality: Finality::Never,
        }
    }

    #[test]
    fn a_sound_issuer_has_only_good_lines() {
        let lines = told(&sound(), true);
        assert!(lines.iter().all(|(level, _)| *level == Level::Ok), "{lines:?}");
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().any(|(_, text)| {
            text.contains("a token that is good for 1h, can be renewed, policies default, web")
        }));
    }

    #[test]
    fn each_trouble_is_told_on_its_line_with_what_to_do() {
        use Level::{Error, Warning};
        let with = |change: fn(&mut Examined)| {
            let mut seen = sound();
            change(&mut seen);
            seen
        };
        let rows = [
            (
                with(|seen| seen.health = Ok(Some(at("2026-11-25T12:02:00Z")))),
                true,
                Error,
                "clock: the server's clock and the one here are 2m apart [timedatectl",
            ),
            (
                with(|seen| seen.health = Ok(Some(at("2026-11-25T11:59:40Z")))),
                true,
                Warning,
                "clock: the server's clock and the one here are 20s apart",
            ),
            (sound(), false, Warning, "TLS: there is none"),
            (
                with(|seen| seen.capabilities = Some(vec!["deny".into()])),
                true,
                Error,
                "policy: policy web lacks update on MOUNT/sign/ROLE (capabilities there: deny) [path \"MOUNT/sign/ROLE\" { capabilities = [\"create\", \"update\"] }   (in policy web)]",
            ),
            (with(|seen| seen.capabilities = None), true, Warning, "policy: it can't be asked"),
            (
                with(|seen| seen.token = Some(Err(failure(Call::Login, "invalid role or secret ID")))),
                true,
                Error,
                "login: Access (login failed: invalid role or secret ID). Someone must mend Secret vault-approle. [vault write -f",
            ),
            (
                with(|seen| {
                    seen.health =
                        Err(failure(Call::Health, "the server's certificate is not accepted: it has expired"))
                }),
                true,
                Error,
                "health: Access (health check failed: the server's certificate is not accepted: it has expired). Someone must mend Secret vault-approle. [openssl s_client",
            ),
            (
                with(|seen| {
                    seen.token =
                        Some(Ok(TokenSeen { policies: vec!["root".into()], life: None, renewable: false }))
                }),
                true,
                Warning,
                "login: a token that is good for ever",
            ),
            (
                with(|seen| {
                    seen.token = Some(Ok(TokenSeen {
                        policies: vec!["web".into()],
                        life: Some(Duration::from_secs(60)),
                        renewable: false,
                    }))
                }),
                true,
                Warning,
                "login: a token that is good for 1m, can't be renewed",
            ),
        ];
        for (seen, is_tls, level, words) in rows {
            let lines = told(&seen, is_tls);
            assert!(
                lines.iter().any(|(is, text)| *is == level && text.starts_with(words)),
                "{words}\nis not in\n{lines:#?}"
            );
            assert_eq!(lines.iter().filter(|(is, _)| *is != Level::Ok).count(), 1, "{words}: {lines:#?}");
        }
    }
}
