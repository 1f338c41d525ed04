//! Reads back what a condition tells: class, call, the other side's own words, who must act, what happens next.
//! It takes sentences apart and makes none up. A message in another manner is the other side's words as a whole.

use everleaf_core::conditions::{REFUSED, without_story};
use everleaf_core::failure::Class;
use serde::Serialize;

/// What a condition tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    /// Who must move, in one word; unset where another program wrote the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'static str>,
    /// The call that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The other side's own words.
    pub says: String,
    /// Who must act, as the condition says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// What happens next, as the condition says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// It was refused, with proof.
    pub refused: bool,
}

const CLASSES: [Class; 4] = [Class::Transient, Class::Access, Class::Issuer, Class::Request];
/// What the peer and we put before a request's own message.
const WILL_BE_RETRIED: &str = "The certificate request has failed to complete and will be retried: ";
/// How sentences about the next try begin.
const NEXT: [&str; 4] =
    ["Next try by ", "It is tried again at least every ", "The issuer is probed ", "Next try follows "];
const STORY: &str = " | ";

impl Told {
    /// Words that are not ours, or that need no taking apart.
    pub(crate) fn plain(says: impl Into<String>) -> Told {
        Told { says: says.into(), ..Told::default() }
    }

    /// Takes a message apart. The check before a story (`Issuing certificate as Secret does not exist | ...`) is left out.
    pub(crate) fn read(message: &str) -> Told {
        let story = message.split_once(STORY).map_or(message, |(_, story)| story);
        let story = story.strip_prefix(WILL_BE_RETRIED).unwrap_or(story);
        let (story, next) = cut_next(story);
        let class = CLASSES.into_iter().find(|class| begins(story, class.as_str()));
        let refused = begins(story, REFUSED);
        if class.is_none() && !refused {
            return Told { next, ..Told::plain(story) };
        }
        let inside = story.split_once(" (").map_or(story, |(_, inside)| inside);
        let (failed, who) = match inside.rsplit_once("). ") {
            Some((failed, who)) => (failed, Some(who.to_owned())),
            None => (inside.trim_end_matches(['.', ')']), None),
        };
        let (call, says) = match failed.split_once(" failed: ") {
            Some((call, says)) => (Some(call.to_owned()), says),
            None => (failed.strip_suffix(" failed").map(str::to_owned), failed),
        };
        let class = if refused { Some(Class::Request) } else { class };
        Told { class: class.map(Class::as_str), call, says: says.to_owned(), who, next, refused }
    }

    /// The cause in one line: as the condition tells it, without what happens next.
    pub(crate) fn line(&self) -> String {
        let failed = match &self.call {
            Some(call) if self.says.starts_with(call.as_str()) => self.says.clone(),
            Some(call) => format!("{call} failed: {}", self.says),
            None => self.says.clone(),
        };
        let told = match self.class {
            Some(_) if self.refused => format!("{REFUSED} ({failed})."),
            Some(class) => format!("{class} ({failed})."),
            None => failed,
        };
        match &self.who {
            Some(who) => format!("{told} {who}"),
            None => told,
        }
    }

    /// Whether a person is needed, as far as the condition says it.
    pub(crate) fn needs_person(&self) -> Option<bool> {
        self.class.map(|class| class != Class::Transient.as_str())
    }
}

/// Whether a message tells more than the check that failed.
pub(crate) fn has_story(message: &str) -> bool {
    without_story(message) != message
}

fn begins(story: &str, word: &str) -> bool {
    story.strip_prefix(word).is_some_and(|rest| rest.starts_with(" ("))
}

fn cut_next(story: &str) -> (&str, Option<String>) {
    let at = NEXT.iter().filter_map(|start| story.rfind(start)).min();
    match at.and_then(|at| Some((story.get(..at)?, story.get(at..)?))) {
        Some((before, next)) => (before.trim_end(), Some(next.to_owned())),
        None => (story, None),
    }
}

#[cfg(test)]
mod tests {
    use everleaf_core::conditions::{self, NextTry};
    use everleaf_core::failure::{Blame, Call, Failure, Finality, Refusal, Says};
    use jiff::Timestamp;

    use super::*;

    fn failure(class: Class, says: &str) -> Failure {
        Failure {
            class,
            call: Call::Sign,
            code: "Any",
            says: Says::new(says),
            retry_after: None,
            blame: Blame::Issuer,
            finality: Finality::AtOnce,
        }
    }

    #[test]
    fn what_the_controller_writes_is_read_back_part_by_part() {
        let policy = failure(Class::Access, "policy web (a, b). lacks update on pki/sign/web");
        let nexts = [
            (NextTry::By(Timestamp::UNIX_EPOCH), "Next try by 1970-01-01T00:00:00Z."),
            (
                NextTry::AtLeastEvery(std::time::Duration::from_secs(60)),
                "It is tried again at least every 60 s.",
            ),
            (
                NextTry::WithTheIssuer,
                "The issuer is probed at least twice a minute; this request follows as soon as it works.",
            ),
        ];
        for (next, words) in nexts {
            let message =
                conditions::with_story("Secret does not exist", Some(&conditions::waiting(&policy, next)));
            let told = Told::read(&message);
            assert_eq!(told.class, Some("Access"), "{message}");
            assert_eq!(told.call.as_deref(), Some("sign"));
            assert_eq!(told.says, "policy web (a, b). lacks update on pki/sign/web");
            let who = "Someone must mend the credentials or the rights of this issuer.";
            assert_eq!(told.who.as_deref(), Some(who));
            assert_eq!(told.next.as_deref(), Some(words));
            assert!(has_story(&message));
            assert_eq!(
                told.line(),
                format!("Access (sign failed: policy web (a, b). lacks update on pki/sign/web). {who}")
            );
        }
    }

    #[test]
    fn a_refusal_is_read_back_from_the_request_and_from_the_certificate() {
        let refusal =
            Refusal::evident(failure(Class::Request, "name not allowed")).map(|r| conditions::refused(&r));
        let refusal = refusal.unwrap_or_default();
        for message in [refusal.clone(), conditions::failed(&refusal)] {
            let told = Told::read(&message);
            assert!(told.refused, "{message}");
            assert_eq!((told.class, told.says.as_str()), (Some("Request"), "name not allowed"));
            assert_eq!(told.who.as_deref(), Some("The request must change, or the issuer's rules."));
        }
    }

    #[test]
    fn words_of_others_stay_whole() {
        let told = Told::read("Vault failed to sign certificate: Code: 403. Errors: * permission denied");
        assert_eq!(
            told,
            Told::plain("Vault failed to sign certificate: Code: 403. Errors: * permission denied")
        );
        assert_eq!(told.needs_person(), None);
        assert_eq!(Told::read("Transient things happen").class, None);
        assert_eq!(Told::read("Transient (sign failed). Wait.").call.as_deref(), Some("sign"));
    }
}
