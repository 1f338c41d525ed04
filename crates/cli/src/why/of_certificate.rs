//! The story of a Certificate: an ordered list of small checks, read from the top, the first that finds something tells the cause.
//! Each check reads what somebody has written: a condition, a request, an issuer, an event. None of them guesses.

use everleaf_api::condition::{AnyCondition, find};
use everleaf_api::{Certificate, CertificateRequest, CertificateStatus, ConditionStatus, ObservedCondition};
use everleaf_core::conditions;
use jiff::Timestamp;

use super::cure::cure;
use super::facts;
use super::objects::{Found, Objects};
use super::scene::Scene;
use super::story::{Finding, Story, Verdict};
use super::subject::Kind;
use super::told::{self, Told};
use super::{next, of_issuer, of_request};

/// A Certificate that nobody has looked at for so long has no controller; ours publishes after 30 s at the latest.
const UNSEEN_FOR: i64 = 60;

/// What the checks look at.
pub(super) struct Seen<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) status: CertificateStatus,
    pub(super) objects: &'a Objects,
    pub(super) scene: Scene<'a>,
    pub(super) now: Timestamp,
}

type Check = fn(&Seen<'_>) -> Option<Finding>;

const CHECKS: [Check; 13] = [
    is_being_deleted,
    secret_belongs_to_another,
    spec_is_invalid,
    last_issuance_failed,
    request_waits,
    issuer_is_in_the_way,
    status_tells_a_story,
    a_warning_tells_it,
    nobody_has_looked,
    spec_is_newer_than_status,
    issuance_runs,
    secret_is_gone,
    has_expired_unseen,
];

pub(crate) fn story(certificate: &Certificate, objects: &Objects, now: Timestamp) -> Option<Story> {
    let namespace = certificate.metadata.namespace.clone().unwrap_or_default();
    let name = facts::name(&certificate.metadata);
    let scene = Scene { namespace: &namespace, certificate: Some(name), issuer: objects.issuer.there() };
    let status = certificate.status.clone().unwrap_or_default();
    let seen = Seen { certificate, status, objects, scene, now };
    let finding = CHECKS.iter().find_map(|check| check(&seen));
    let verdict = finding.as_ref().map_or(Verdict::InOrder, |finding| finding.verdict);
    let next = next::lines(&seen, finding.as_ref());
    let (cause, cure) = finding.map_or((None, None), |finding| (Some(finding.cause), finding.cure));
    let mut tried: Vec<String> =
        objects.requests.iter().map(|request| facts::request_state(request, now)).collect();
    tried.extend(facts::failures(&seen.status, now));
    tried.extend(facts::events(objects, now));
    Some(Story {
        kind: Kind::Certificate,
        headline: headline(&seen, verdict),
        name: name.to_owned(),
        verdict,
        cause,
        cure,
        wanted: facts::wish(certificate, objects),
        there: facts::there(&seen.status, certificate, objects, now),
        tried,
        next,
        namespace: Some(namespace.clone()),
    })
}

fn headline(seen: &Seen<'_>, verdict: Verdict) -> String {
    let end = seen.status.not_after.as_ref().map(|time| time.0);
    if let Some(end) = end.filter(|end| *end <= seen.now) {
        let who =
            if verdict == Verdict::NeedsPerson { "a person is needed" } else { "it is being worked on" };
        return format!("has expired at {}: {who}", conditions::clock(end));
    }
    let until = end.map_or_else(String::new, |end| format!(" until {}", conditions::clock(end)));
    match (seen.is_ready(), verdict) {
        (true, Verdict::InOrder) => "is in order".to_owned(),
        (true, Verdict::Working) => format!("is ready{until}, and a new certificate is on its way"),
        (true, Verdict::NeedsPerson) => format!("is ready{until}, but the next certificate needs a person"),
        (false, Verdict::NeedsPerson) => "is not ready: a person is needed".to_owned(),
        (false, _) => "is not ready yet, it is being worked on".to_owned(),
    }
}

impl Seen<'_> {
    pub(super) fn ready(&self) -> Option<&ObservedCondition> {
        find(&self.status.conditions, "Ready")
    }

    fn issuing(&self) -> Option<&ObservedCondition> {
        find(&self.status.conditions, "Issuing")
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready().is_some_and(|ready| ready.status == ConditionStatus::True)
    }

    fn is_issuing(&self) -> bool {
        self.issuing().is_some_and(|issuing| issuing.status == ConditionStatus::True)
    }

    /// The request of the next revision.
    fn next_request(&self) -> Option<&CertificateRequest> {
        let next = self.status.revision.unwrap_or(0) + 1;
        self.objects.requests.iter().rev().find(|request| facts::revision(request) == Some(next))
    }

    fn is_running(&self) -> bool {
        self.is_issuing() || !self.is_ready() || self.next_request().is_some()
    }

    fn by_words(&self, told: Told) -> Finding {
        let found = cure(&self.scene, &told.says);
        let person = told.needs_person().unwrap_or_else(|| found.as_ref().is_some_and(|cure| cure.person));
        let verdict = if person { Verdict::NeedsPerson } else { Verdict::Working };
        Finding { verdict, cause: told, cure: found.map(|cure| cure.line) }
    }
}

fn is_being_deleted(seen: &Seen<'_>) -> Option<Finding> {
    let since = seen.certificate.metadata.deletion_timestamp.as_ref()?;
    let says = format!("it is being deleted since {}", conditions::clock(since.0));
    Some(Finding::working(Told::plain(says)))
}

/// Told by the Ready condition; and where nothing runs, by the other Certificates of the namespace: the peer says nothing then.
fn secret_belongs_to_another(seen: &Seen<'_>) -> Option<Finding> {
    let secret = &seen.certificate.spec.secret_name;
    let ready = seen.ready().filter(|ready| ready.status != ConditionStatus::True);
    let told = ready
        .filter(|ready| ready.reason() == "IncorrectCertificate")
        .map(|ready| ready.message().to_owned());
    let quiet = || {
        let other = seen.objects.sharers.first()?;
        let waits = !seen.is_ready() && !seen.is_issuing() && seen.next_request().is_none();
        waits.then(|| format!("Secret \"{secret}\" is also that of Certificate \"{other}\"; one Secret can hold only one of them"))
    };
    let says = told.or_else(quiet)?;
    let (name, namespace) = (facts::name(&seen.certificate.metadata), seen.scene.namespace);
    let patch = format!("{{\"spec\":{{\"secretName\":\"{name}-own-tls\"}}}}");
    Some(Finding::person(
        Told::plain(says),
        format!(
            "kubectl patch certificate {name} -n {namespace} --type merge -p '{patch}'   (a Secret of its own)"
        ),
    ))
}

fn spec_is_invalid(seen: &Seen<'_>) -> Option<Finding> {
    let ready = seen.ready().filter(|ready| ready.reason() == "InvalidSpec")?;
    let cure = format!("kubectl edit {}   (the fields that are named)", seen.scene.certificate_words());
    Some(Finding::person(Told::plain(ready.message()), cure))
}

/// `Issuing=False` stands after a request that ended without a certificate; a request that still stands tells more.
fn last_issuance_failed(seen: &Seen<'_>) -> Option<Finding> {
    let failed = seen.issuing().filter(|issuing| issuing.status == ConditionStatus::False)?;
    seen.status.last_failure_time.as_ref()?;
    let of_request = seen.next_request().and_then(|request| {
        of_request::finding(request, seen.objects, seen.scene.certificate, seen.now)
            .filter(|finding| finding.verdict == Verdict::NeedsPerson)
    });
    Some(of_request.unwrap_or_else(|| of_request::failed(failed.message(), &seen.scene)))
}

fn request_waits(seen: &Seen<'_>) -> Option<Finding> {
    of_request::finding(seen.next_request()?, seen.objects, seen.scene.certificate, seen.now)
}

fn issuer_is_in_the_way(seen: &Seen<'_>) -> Option<Finding> {
    let is_asked = seen.is_running() && seen.next_request().is_none();
    let reference = &seen.certificate.spec.issuer_ref;
    is_asked.then(|| of_issuer::in_the_way(reference, seen.objects, seen.scene.namespace, seen.now)).flatten()
}

fn status_tells_a_story(seen: &Seen<'_>) -> Option<Finding> {
    let conditions = [seen.issuing(), seen.ready()];
    let message = conditions
        .into_iter()
        .flatten()
        .map(AnyCondition::message)
        .find(|message| told::has_story(message))?;
    Some(seen.by_words(Told::read(message)))
}

/// Where no condition says it (the peer tells of a keystore's password by an event only).
fn a_warning_tells_it(seen: &Seen<'_>) -> Option<Finding> {
    let issuing = seen.issuing().filter(|_| seen.is_issuing())?;
    let since = issuing.last_transition_time.as_ref()?.0;
    let recent = |event: &&super::objects::EventSeen| {
        event.kind == "Warning" && event.at.is_some_and(|at| at >= since)
    };
    let warning = seen.objects.events.iter().rev().find(recent)?;
    Some(seen.by_words(Told::plain(format!("{}: {}", warning.reason, warning.message))))
}

fn nobody_has_looked(seen: &Seen<'_>) -> Option<Finding> {
    if seen.ready().is_some() || seen.issuing().is_some() || !seen.objects.requests.is_empty() {
        return None;
    }
    let says = Told::plain("no controller has said anything about it yet");
    let is_young = facts::age(&seen.certificate.metadata, seen.now) < UNSEEN_FOR;
    Some(if is_young { Finding::working(says) } else { Finding::person(says, facts::WHO_RUNS) })
}

fn spec_is_newer_than_status(seen: &Seen<'_>) -> Option<Finding> {
    let generation = seen.certificate.metadata.generation?;
    let told =
        [seen.ready(), seen.issuing()].into_iter().flatten().filter_map(|c| c.observed_generation).max()?;
    let says = format!(
        "the spec has changed (generation {generation}), and the status is still of generation {told}"
    );
    (told < generation).then(|| Finding::working(Told::plain(says)))
}

fn issuance_runs(seen: &Seen<'_>) -> Option<Finding> {
    let told =
        seen.issuing().filter(|_| seen.is_issuing()).or_else(|| seen.ready().filter(|_| !seen.is_ready()))?;
    Some(Finding::working(Told::plain(format!("{}: {}", told.reason(), told.message()))))
}

fn secret_is_gone(seen: &Seen<'_>) -> Option<Finding> {
    let says = format!(
        "Secret {} is not there, and the status doesn't tell it yet",
        seen.certificate.spec.secret_name
    );
    (seen.objects.secret == Found::Missing).then(|| Finding::working(Told::plain(says)))
}

/// The peer keeps `Ready=True` after the end.
fn has_expired_unseen(seen: &Seen<'_>) -> Option<Finding> {
    let end = seen.status.not_after.as_ref()?.0;
    let says = "the certificate has expired, and the status still calls it ready";
    let cure = format!("everleaf renew {}", seen.scene.name_and_namespace());
    (end <= seen.now).then(|| Finding::person(Told::plain(says), cure))
}
