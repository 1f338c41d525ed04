//! Each invariant can fail: a ledger is fed with a history in which everything is well but for one thing, and must say which.
//! No operator runs here; what is fed is made by hand. A rule that no row breaks would be a defect of this file.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use everleaf_practice::{CaKeyKind, KeyPair, Phase, RequestNames, Workshop};
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::moments::{DAY, HOUR};
use crate::objects;
use crate::scenario::CertificatePlan;

const LEADER: Writer = Writer::Replica { number: 0, life: 1 };
const OTHER: Writer = Writer::Replica { number: 1, life: 1 };
const REQUESTS: &str = "certificaterequests.cert-manager.io";
const CERTIFICATES: &str = "certificates.cert-manager.io";
const LEASES: &str = "leases.coordination.k8s.io";

/// A ledger and a world of one certificate.
struct Book {
    ledger: Ledger,
    workshop: Workshop,
    scenario: Scenario,
    plan: CertificatePlan,
    requests: u32,
}

impl Book {
    /// The certificate is made, and nothing else yet.
    fn open() -> Book {
        let mut scenario = Scenario::drawn(0);
        let plan = scenario.certificates.first_mut().unwrap();
        (plan.life, plan.renew_before, plan.history, plan.issuer) = (3 * DAY, Some(DAY), 1, 0);
        let plan = plan.clone();
        let wall = Wall::begin();
        let workshop = Workshop::new(1, "ca", CaKeyKind::Ed25519, wall.now(), 100 * DAY).unwrap();
        let ledger = Ledger::new(&scenario, wall, true);
        let mut book = Book { ledger, workshop, scenario, plan, requests: 0 };
        book.certificate(Writer::Person, json!({}));
        book
    }

    /// The certificate is issued and stored as it should be, and called so.
    fn settled() -> Book {
        let mut book = Book::open();
        let pair = book.pair();
        book.answered(&pair);
        book.stored(LEADER, &pair);
        book.ready(&pair);
        book
    }

    fn key(&self) -> String {
        format!("{}/{}", self.plan.namespace, self.plan.name)
    }

    fn commit(&mut self, writer: Writer, collection: &str, key: &str, object: Option<Value>) {
        let body = object.map(|object| Bytes::from(object.to_string()));
        let change = RowChange { collection: collection.into(), key: key.into(), version: 1, body };
        self.ledger.committed(writer, &change);
    }

    fn certificate(&mut self, writer: Writer, status: Value) {
        let issuer = self.scenario.issuers.first().unwrap();
        let mut object = objects::certificate(&self.plan, issuer);
        object.as_object_mut().unwrap().insert("status".into(), status);
        let key = self.key();
        self.commit(writer, CERTIFICATES, &key, Some(object));
    }

    /// A pair for the certificate, alive from now.
    fn pair(&mut self) -> KeyPair {
        self.pair_of(&format!("{}.example", self.plan.name), 3 * DAY)
    }

    fn pair_of(&mut self, name: &str, life: Duration) -> KeyPair {
        self.workshop.leaf(&RequestNames::host(name), self.ledger.wall.now(), life).unwrap()
    }

    fn request(&mut self, writer: Writer, status: Value) {
        self.requests += 1;
        let name = format!("{}-{}", self.plan.name, self.requests);
        let object = json!({
            "metadata": {
                "name": name, "namespace": self.plan.namespace,
                "ownerReferences": [{ "name": self.plan.name }],
                "creationTimestamp": self.ledger.wall.now().to_string(),
            },
            "spec": { "issuerRef": { "name": "issuer-0" } }, "status": status,
        });
        let key = format!("{}/{name}", self.plan.namespace);
        self.commit(writer, REQUESTS, &key, Some(object));
    }

    /// A request was answered with this certificate, and is the only one left.
    fn answered(&mut self, pair: &KeyPair) {
        self.request(LEADER, json!({ "certificate": encoded(&pair.certificate_pem) }));
        let name = format!("{}/{}-{}", self.plan.namespace, self.plan.name, self.requests);
        self.commit(LEADER, REQUESTS, &name, None);
    }

    fn stored(&mut self, writer: Writer, pair: &KeyPair) {
        self.stored_data(writer, &pair.certificate_pem, &pair.key_pem);
    }

    fn stored_data(&mut self, writer: Writer, certificate: &str, key: &str) {
        let name = objects::secret_name(&self.plan);
        let object = json!({
            "metadata": {
                "name": name, "namespace": self.plan.namespace,
                "annotations": { "cert-manager.io/certificate-name": self.plan.name },
            },
            "data": { "tls.crt": encoded(certificate), "tls.key": encoded(key) },
        });
        let key = format!("{}/{name}", self.plan.namespace);
        self.commit(writer, "secrets", &key, Some(object));
    }

    fn ready(&mut self, pair: &KeyPair) {
        let leaf = everleaf_core::x509::Certificate::from_pem(pair.certificate_pem.as_bytes()).unwrap();
        let renewal = leaf.not_after().checked_sub(SignedDuration::try_from(DAY).unwrap()).unwrap();
        let status = json!({
            "conditions": [{ "type": "Ready", "status": "True", "reason": "Ready" }], "renewalTime": renewal.to_string(),
        });
        self.certificate(LEADER, status);
    }

    fn lease(&mut self, holder: &str) {
        let lease = json!({ "spec": { "holderIdentity": holder } });
        self.commit(LEADER, LEASES, "everleaf/cert-manager-controller", Some(lease));
    }

    fn call(&mut self, phase: Phase, path: &str, status: u16) {
        self.call_about(phase, path, status, None);
    }

    fn call_about(&mut self, phase: Phase, path: &str, status: u16, about: Option<&str>) {
        let (issuer, status) = (Some(0), Some(status));
        let call = VaultCall { issuer, authority: "vault-0.example:8200", path, phase, about, status };
        self.ledger.called_vault(LEADER, &call);
    }

    /// Time passes in steps in which everything is looked at.
    async fn pass(&mut self, by: Duration) {
        let until = self.ledger.wall.elapsed() + by;
        while self.ledger.wall.elapsed() < until {
            tokio::time::advance(Duration::from_secs(300)).await;
            self.ledger.inspect();
        }
    }

    fn rules(&self) -> Vec<&'static str> {
        self.ledger.violations().iter().map(|violation| violation.rule).collect()
    }

    /// Exactly this rule was broken.
    #[track_caller]
    fn breaks(&self, rule: &str) {
        let rules = self.rules();
        assert!(!rules.is_empty() && rules.iter().all(|broken| *broken == rule), "{rule}: {rules:?}");
    }

    #[track_caller]
    fn breaks_nothing(&self) {
        assert!(self.rules().is_empty(), "{:?}", self.ledger.violations());
    }
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_issued_and_renewed_in_time_breaks_nothing() {
    let mut book = Book::settled();
    for _ in 0..5 {
        book.pass(47 * HOUR).await;
        let pair = book.pair();
        book.answered(&pair);
        book.stored(LEADER, &pair);
        book.ready(&pair);
    }
    book.pass(HOUR).await;
    book.breaks_nothing();
    assert!(book.ledger.counts.inspected > 2_000 && book.ledger.counts.stored == 6);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_never_issued_is_found() {
    let mut book = Book::open();
    book.pass(GRACE / 2).await;
    book.breaks_nothing();
    book.pass(GRACE).await;
    book.breaks("not-issued");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_renewed_is_found_within_minutes_and_long_before_it_expires() {
    let mut book = Book::settled();
    book.pass(2 * DAY).await;
    book.breaks_nothing();
    book.pass(HOUR).await;
    book.breaks("not-renewed");
    assert!(book.ledger.violations()[0].at < 2 * DAY + HOUR);
    book.pass(DAY).await;
    assert_eq!(book.ledger.counts.expired, 1);
}

#[tokio::test(start_paused = true)]
async fn what_ends_while_its_issuer_is_in_trouble_is_counted_and_breaks_nothing() {
    let mut book = Book::settled();
    book.ledger.scopes.begin_issuer(0);
    book.pass(4 * DAY).await;
    book.breaks_nothing();
    assert_eq!(book.ledger.counts.expired, 1);
    let now = book.ledger.wall.elapsed();
    book.ledger.scopes.end_issuer(0, now);
    book.pass(2 * GRACE).await;
    book.breaks("expired");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_other_names_is_found() {
    let mut book = Book::open();
    let pair = book.pair_of("somebody-else.example", 3 * DAY);
    book.answered(&pair);
    book.stored(LEADER, &pair);
    book.ready(&pair);
    book.pass(2 * GRACE).await;
    book.breaks("wrong-names");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_does_not_say_what_is_is_found() {
    let lies: [(&str, Value); 4] = [
        ("all is well and Ready is False", json!({ "conditions": [{ "type": "Ready", "status": "False" }] })),
        ("nothing is said", json!({})),
        (
            "another renewal time",
            json!({ "conditions": [{ "type": "Ready", "status": "True" }], "renewalTime": "2030-01-01T00:00:00Z" }),
        ),
        (
            "an issuance that isn't",
            json!({ "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Issuing", "status": "True" }] }),
        ),
    ];
    for (what, status) in lies {
        let mut book = Book::settled();
        book.certificate(LEADER, status);
        book.pass(2 * GRACE).await;
        assert!(book.rules().iter().all(|rule| *rule == "untrue-status"), "{what}: {:?}", book.rules());
        assert!(!book.rules().is_empty(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn ready_is_never_said_of_a_secret_without_a_pair() {
    let mut book = Book::open();
    tokio::time::advance(HOUR).await;
    book.certificate(LEADER, json!({ "conditions": [{ "type": "Ready", "status": "True" }] }));
    book.breaks("untrue-status");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_ends_and_a_failure_that_is_counted_need_a_true_refusal() {
    let failed = json!({ "conditions": [{ "type": "Ready", "status": "False", "reason": "Failed" }] });
    let counted = json!({ "failedIssuanceAttempts": 1 });
    let mut book = Book::open();
    book.request(LEADER, failed.clone());
    book.breaks("terminal-without-proof");
    let mut book = Book::open();
    book.certificate(LEADER, counted.clone());
    book.breaks("failed-without-proof");

    // The issuer refuses and means it, and has done so for long enough to be proved.
    let mut book = Book::open();
    book.ledger.scopes.begin_refusing(0, book.ledger.wall.elapsed());
    tokio::time::advance(Duration::from_secs(60)).await;
    book.request(LEADER, failed.clone());
    book.certificate(LEADER, counted);
    book.breaks_nothing();

    // Half a minute of it is no proof.
    let mut book = Book::open();
    book.ledger.scopes.begin_refusing(0, book.ledger.wall.elapsed());
    tokio::time::advance(Duration::from_secs(20)).await;
    book.request(LEADER, failed);
    book.breaks("terminal-without-proof");
}

#[tokio::test(start_paused = true)]
async fn a_secret_only_ever_changes_for_the_better() {
    type Change = fn(&mut Book);
    let rows: [(&str, Change); 5] = [
        ("secret-deleted", |book| {
            let key = format!("{}/{}", book.plan.namespace, objects::secret_name(&book.plan));
            book.commit(LEADER, "secrets", &key, None);
        }),
        ("torn-pair", |book| {
            let (one, other) = (book.pair(), book.pair());
            book.stored_data(LEADER, &one.certificate_pem, &other.key_pem);
        }),
        ("torn-pair", |book| book.stored_data(LEADER, "", "")),
        ("dead-pair", |book| {
            let name = format!("{}.example", book.plan.name);
            let begins = book.ledger.wall.now().checked_sub(SignedDuration::from_hours(48)).unwrap();
            let pair = book.workshop.leaf(&RequestNames::host(&name), begins, DAY).unwrap();
            book.answered(&pair);
            book.stored(LEADER, &pair);
        }),
        ("not-yet-valid", |book| {
            let name = format!("{}.example", book.plan.name);
            let begins = book.ledger.wall.now().checked_add(SignedDuration::from_hours(2)).unwrap();
            let pair = book.workshop.leaf(&RequestNames::host(&name), begins, DAY).unwrap();
            book.answered(&pair);
            book.stored(LEADER, &pair);
        }),
    ];
    for (rule, change) in rows {
        let mut book = Book::settled();
        change(&mut book);
        book.breaks(rule);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pair_is_the_newest_or_the_one_before() {
    let mut book = Book::settled();
    let (first, second, third) = (book.pair(), book.pair(), book.pair());
    for pair in [&first, &second, &third] {
        book.answered(pair);
    }
    book.stored(LEADER, &second);
    book.stored(LEADER, &third);
    book.breaks_nothing();
    book.stored(LEADER, &first);
    book.breaks("old-pair");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_over_is_found() {
    let mut book = Book::settled();
    book.request(LEADER, json!({}));
    book.request(LEADER, json!({}));
    book.pass(2 * GRACE).await;
    book.breaks("leak");

    let mut book = Book::settled();
    let name = format!("{}-abcde", book.plan.name);
    let key = json!({ "metadata": {
        "name": name, "namespace": book.plan.namespace, "labels": { "cert-manager.io/next-private-key": "true" },
    } });
    let at = format!("{}/{name}", book.plan.namespace);
    book.commit(LEADER, "secrets", &at, Some(key));
    book.pass(2 * GRACE).await;
    book.breaks("leak");
}

#[tokio::test(start_paused = true)]
async fn after_a_cure_the_most_urgent_comes_first() {
    let rows: [(&str, [usize; 6], bool); 4] = [
        ("least life first", [0, 1, 2, 3, 4, 5], true),
        ("the probes behind the others", [2, 3, 4, 5, 0, 1], true),
        ("calls that overlap", [1, 0, 3, 2, 4, 5], true),
        ("most life first", [5, 4, 3, 2, 1, 0], false),
    ];
    for (what, order, is_right) in rows {
        let mut book = Book::open();
        for number in 0..order.len() {
            book.plan.name = format!("web-{number}");
            book.certificate(Writer::Person, json!({}));
            let pair = book.pair_of(&format!("web-{number}.example"), (number as u32 + 1) * HOUR);
            book.stored_data(Writer::Person, &pair.certificate_pem, &pair.key_pem);
            book.request(LEADER, json!({}));
        }
        tokio::time::advance(HOUR / 2).await;
        book.ledger.cured(0);
        for number in order {
            book.call_about(Phase::Sign, "pki/sign/web", 200, Some(&format!("web-{number}.example")));
        }
        assert_eq!(book.rules().is_empty(), is_right, "{what}: {:?}", book.rules());
        assert!(book.rules().iter().all(|rule| *rule == "wrong-order"), "{what}: {:?}", book.rules());
        assert_eq!(book.ledger.counts.recoveries, 1, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_holder_of_the_lease_writes() {
    let mut book = Book::settled();
    book.lease(&identity(0, 1));
    book.ledger.sends(LEADER, "/api/v1/namespaces/team-a/secrets/web-tls");
    book.ledger
        .sends(OTHER, "/apis/coordination.k8s.io/v1/namespaces/everleaf/leases/cert-manager-controller");
    book.breaks_nothing();
    book.ledger.sends(OTHER, "/api/v1/namespaces/team-a/secrets/web-tls");
    book.breaks("two-writers");
}

#[tokio::test(start_paused = true)]
async fn writes_logins_and_calls_are_bounded() {
    type Happens = fn(&mut Book);
    let rows: [(&str, u32, Duration, Happens); 5] = [
        ("too-many-writes", 60, Duration::from_secs(1), |book| {
            let status = json!({ "conditions": [{ "type": "Ready", "status": "False" }] });
            book.certificate(LEADER, status);
        }),
        ("too-many-logins", 1_700, Duration::from_secs(2), |book| {
            book.ledger.scopes.begin_issuer(0);
            book.call(Phase::Login, "auth/kubernetes/login", 200);
        }),
        ("locked-out", 5, Duration::from_secs(100), |book| {
            book.call(Phase::Login, "auth/approle/login", 400);
        }),
        ("needless-logins", 24, Duration::from_secs(3_600), |book| {
            book.call(Phase::Login, "auth/approle/login", 200);
        }),
        ("too-many-calls", 1_000, Duration::from_millis(10), |book| {
            book.call(Phase::Sign, "pki/sign/web", 503);
        }),
    ];
    for (rule, times, apart, happens) in rows {
        let mut book = Book::open();
        for _ in 0..times {
            happens(&mut book);
            tokio::time::advance(apart).await;
        }
        book.breaks(rule);
        // The same, ten times as slowly, is no trouble.
        let mut book = Book::open();
        for _ in 0..times {
            happens(&mut book);
            tokio::time::advance(10 * apart.max(Duration::from_secs(100))).await;
        }
        book.breaks_nothing();
    }
}
