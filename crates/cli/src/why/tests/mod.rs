//! The twenty commonest troubles, each as the API shows it: the first three lines name the cause in the other side's words, who must
//! act, and what would mend it. Some stories are compared as a whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod makers;
mod whole;

use everleaf_core::conditions;
use everleaf_core::failure::{Blame, Call, Class, Refusal};
use serde_json::json;

use self::makers::{
    Login, approved, at, certificate, condition, failure, issuer, of, peer_failed, request, secret, story_of,
    text, told, waits, well, without_request,
};
use super::objects::{EventSeen, Found, Objects, User};
use super::story::Verdict;
use super::subject::Kind;

struct Trouble {
    name: &'static str,
    objects: Objects,
    verdict: Verdict,
    /// In the second line.
    cause: Vec<&'static str>,
    /// In the third line.
    cure: &'static str,
}

/// Troubles that our controller tells: class, call, words, whom to blame.
fn ours() -> Vec<Trouble> {
    let issuers = |name, login: Login, (class, call, says, blame): (Class, Call, &str, Blame), who, cure| {
        let objects = waits(&login, &failure(class, call, says, blame));
        let verdict = if class == Class::Transient { Verdict::Working } else { Verdict::NeedsPerson };
        let words = format!("{class} ({} failed: {says}", call.as_str());
        Trouble { name, objects, verdict, cause: vec![words.leak(), who], cure }
    };
    let server = || Blame::Server("https://vault.example:8200".to_owned());
    let account = || Blame::ServiceAccount("signer".to_owned());
    let named = |name: &str| Blame::Secret(name.to_owned());
    use Class::{Access, Issuer, Request, Transient};
    let forbidden = "serviceaccounts \"signer\" is forbidden: User \"system:serviceaccount:everleaf:everleaf\" cannot create resource \
                     \"serviceaccounts/token\" in API group \"\" in the namespace \"default\"";
    vec![
        issuers(
            "sealed",
            Login::AppRole,
            (Transient, Call::Sign, "Vault is sealed", server()),
            "is expected to recover by itself",
            "VAULT_ADDR=https://vault.example:8200 vault operator unseal",
        ),
        issuers(
            "policy missing",
            Login::AppRole,
            (Access, Call::Sign, "policy web lacks update on pki/sign/web", Blame::Issuer),
            "Someone must mend the credentials or the rights",
            "path \"pki/sign/web\" { capabilities = [\"create\", \"update\"] }   (in policy web)",
        ),
        issuers(
            "wrong role",
            Login::AppRole,
            (Issuer, Call::Sign, "unknown role: web", Blame::Issuer),
            "Someone must mend the issuer: its mount, role or CA",
            "vault write pki/roles/web allowed_domains=DOMAIN",
        ),
        issuers(
            "name not allowed",
            Login::AppRole,
            (
                Request,
                Call::Sign,
                "subject alternate name www.example.com not allowed by this role",
                Blame::Request,
            ),
            "The request must change, or the issuer's rules",
            "vault patch pki/roles/web allowed_domains=DOMAIN",
        ),
        issuers(
            "TTL too long",
            Login::AppRole,
            (
                Issuer,
                Call::Sign,
                "cannot satisfy request, as TTL would result in notAfter of <time> that is beyond the expiration of the CA certificate",
                Blame::Issuer,
            ),
            "its mount, role or CA",
            "vault write pki/root/rotate/internal common_name=NAME   (the CA of pki ends too soon; or a shorter spec.duration)",
        ),
        issuers(
            "CA expired",
            Login::AppRole,
            (
                Issuer,
                Call::Sign,
                "the CA of pki ends too soon to sign anything, or has ended: 2026-11-20",
                Blame::Issuer,
            ),
            "its mount, role or CA",
            "vault write pki/root/rotate/internal",
        ),
        issuers(
            "token expired or revoked",
            Login::Token,
            (Access, Call::Sign, "Vault refuses the token: permission denied", named("vault-token")),
            "Someone must mend Secret vault-token",
            "put it into Secret vault-token (key token) in namespace default",
        ),
        issuers(
            "secret id wrong",
            Login::AppRole,
            (Access, Call::Login, "invalid role or secret ID", named("vault-approle")),
            "Someone must mend Secret vault-approle",
            "vault write -f auth/approle/role/ROLE/secret-id, and put it into Secret vault-approle (key secretId)",
        ),
        issuers(
            "ServiceAccount missing",
            Login::ServiceAccount,
            (Access, Call::TokenRequest, "ServiceAccount signer not found", account()),
            "Someone must mend ServiceAccount signer",
            "kubectl create serviceaccount signer -n default",
        ),
        issuers(
            "RBAC for token requests missing",
            Login::ServiceAccount,
            (Access, Call::TokenRequest, forbidden, account()),
            "Someone must mend ServiceAccount signer or its rights",
            "--resource=serviceaccounts/token --resource-name=signer && kubectl create rolebinding signer-token -n default --role=signer-token --user=system:serviceaccount:everleaf:everleaf",
        ),
        issuers(
            "CA bundle wrong",
            Login::AppRole,
            (
                Access,
                Call::Health,
                "the server's certificate is not accepted: it is signed by an authority that isn't trusted here",
                server(),
            ),
            "Someone must mend",
            "kubectl edit issuer vault -n default   (spec.vault.caBundle or caBundleSecretRef",
        ),
        issuers(
            "clock skew",
            Login::ServiceAccount,
            (Transient, Call::Login, "invalid not before (nbf) claim: token not valid yet", server()),
            "is expected to recover",
            "timedatectl",
        ),
        issuers(
            "Secret missing",
            Login::AppRole,
            (Access, Call::ReadSecret, "Secret vault-approle not found", named("vault-approle")),
            "Someone must mend Secret vault-approle",
            "kubectl create secret generic vault-approle -n default --from-literal=secretId=VALUE",
        ),
        issuers(
            "rate limit",
            Login::AppRole,
            (Transient, Call::Sign, "request path \"pki/sign/web\": rate limit quota exceeded", server()),
            "is expected to recover by itself",
            "vault list sys/quotas/rate-limit",
        ),
        issuers(
            "ServiceAccount not bound",
            Login::ServiceAccount,
            (Access, Call::Login, "service account name not authorized", Blame::Issuer),
            "Someone must mend the credentials",
            "vault write auth/kubernetes/role/web bound_service_account_names=signer bound_service_account_namespaces=default",
        ),
        issuers(
            "server gone",
            Login::AppRole,
            (Transient, Call::Sign, "connection refused", server()),
            "is expected to recover by itself",
            "curl -sS https://vault.example:8200/v1/sys/health",
        ),
    ]
}

/// Troubles between the objects themselves.
fn of_objects() -> Vec<Trouble> {
    let running = json!({ "conditions": [
        condition("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist"),
        condition("Issuing", "True", "DoesNotExist", "Issuing certificate as Secret does not exist"),
    ] });
    let person =
        |name, objects, cause, cure| Trouble { name, objects, verdict: Verdict::NeedsPerson, cause, cure };
    let with_request = |conditions: &[serde_json::Value]| Objects {
        requests: vec![of(request(conditions))],
        ..without_request(running.clone())
    };
    let shared = json!({ "conditions": [condition("Ready", "False", "IncorrectCertificate",
        "Secret \"web-tls\" is written for Certificate \"old\"; one Secret can hold only one of them")] });
    let invalid = json!({ "conditions": [condition("Ready", "False", "InvalidSpec", "spec.duration: Invalid value: \"5m\": must be at least 1h0m0s")] });
    let not_ready = condition(
        "Ready",
        "False",
        "VaultError",
        "Failed to initialize Vault client: error reading Kubernetes service account token from vault: secrets \"vault-approle\" not found",
    );
    let story = "Issuing certificate as Secret does not exist | User intervention required: existing private key in Secret does not match requirements on Certificate resource";
    let stuck = json!({ "conditions": [condition("Issuing", "True", "SecretMismatch", story)] });
    vec![
        person(
            "approval missing",
            with_request(&[]),
            vec!["CertificateRequest web-1 is not approved"],
            "everleaf approve web-1 -n default   (or give an approver the right: verb approve on signers.cert-manager.io, resource name issuers.cert-manager.io/default.vault)",
        ),
        person(
            "denied",
            with_request(&[condition("Denied", "True", "policy.example", "no such names here")]),
            vec!["an approver has denied it (policy.example): no such names here"],
            "everleaf renew web -n default",
        ),
        person(
            "duplicate secretName",
            without_request(shared),
            vec!["is written for Certificate \"old\""],
            "kubectl patch certificate web -n default --type merge -p '{\"spec\":{\"secretName\":\"web-own-tls\"}}'",
        ),
        person(
            "duplicate secretName where nobody says it",
            Objects {
                sharers: vec!["old".to_owned()],
                ..without_request(
                    json!({ "conditions": [condition("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist")] }),
                )
            },
            vec!["Secret \"web-tls\" is also that of Certificate \"old\""],
            "secretName",
        ),
        person(
            "issuer missing",
            Objects {
                issuer: Found::Missing,
                ..with_request(&[
                    approved(),
                    condition(
                        "Ready",
                        "False",
                        "Pending",
                        "Referenced \"Issuer\" not found: issuer.cert-manager.io \"vault\" not found",
                    ),
                ])
            },
            vec!["Issuer vault is not there in namespace default"],
            "kubectl get issuers -n default",
        ),
        person(
            "issuer of the other kind",
            Objects {
                issuer: Found::Missing,
                namesake: Some(Kind::ClusterIssuer),
                ..without_request(running.clone())
            },
            vec!["Issuer vault is not there"],
            "issuerRef.kind: ClusterIssuer",
        ),
        person(
            "issuer not ready, as the peer says it",
            Objects {
                issuer: Found::There(issuer(&Login::AppRole, Some(not_ready))),
                ..with_request(&[
                    approved(),
                    condition(
                        "Ready",
                        "False",
                        "Pending",
                        "Referenced issuer does not have a Ready status condition",
                    ),
                ])
            },
            vec!["secrets \"vault-approle\" not found"],
            "kubectl create secret generic vault-approle -n default --from-literal=secretId=VALUE",
        ),
        person(
            "invalid spec",
            without_request(invalid),
            vec!["spec.duration: Invalid value"],
            "kubectl edit certificate web -n default",
        ),
        person(
            "key that may not be replaced",
            without_request(stuck),
            vec!["User intervention required"],
            "privateKey.rotationPolicy: Always",
        ),
        person(
            "the peer's back-off",
            peer_failed("Code: 403. Errors:\n\n* permission denied", 3),
            vec!["Code: 403. Errors:", "permission denied"],
            "path \"pki/sign/web\" { capabilities = [\"create\", \"update\"] }   (in the policy of the login); then everleaf renew web -n default",
        ),
        person(
            "sealed, as the peer ends it",
            peer_failed("Code: 503. Errors:\n\n* Vault is sealed", 1),
            vec!["Vault is sealed"],
            "vault operator unseal   (unless it unseals itself); then everleaf renew web -n default",
        ),
    ]
}

#[test]
fn the_first_three_lines_name_cause_and_cure() {
    for trouble in ours().into_iter().chain(of_objects()) {
        let story = told(&trouble.objects);
        let text = text(&story);
        let lines: Vec<&str> = text.lines().collect();
        let about = format!("{}:\n{text}", trouble.name);
        assert_eq!(story.verdict, trouble.verdict, "{about}");
        assert!(lines[0].starts_with("Certificate default/web is not ready"), "{about}");
        assert!(lines[1].starts_with("Why:  "), "{about}");
        for words in trouble.cause {
            assert!(lines[1].contains(words), "{words}\nis not the cause in\n{about}");
        }
        assert!(
            lines[2].starts_with("Mend: ") && lines[2].contains(trouble.cure),
            "{}\nis not the cure in\n{about}",
            trouble.cure
        );
    }
}

#[test]
fn what_is_in_order_needs_nobody() {
    let status = json!({
        "conditions": [condition("Ready", "True", "Ready", "Certificate is up to date and has not expired")],
        "notBefore": "2026-11-25T00:00:00Z", "notAfter": "2026-11-26T00:00:00Z", "renewalTime": "2026-11-25T16:00:00Z", "revision": 1,
    });
    let issued = of(request(&[
        approved(),
        condition("Ready", "True", "Issued", "Certificate fetched from issuer successfully"),
    ]));
    let objects = Objects {
        secret: secret("2026-11-26T00:00:00Z"),
        requests: vec![issued],
        ..without_request(status.clone())
    };
    let story = told(&objects);
    assert_eq!((story.verdict, story.headline.as_str()), (Verdict::InOrder, "is in order"));
    assert_eq!((&story.cause, &story.cure), (&None, &None));
    assert_eq!(
        story.next,
        ["Renewed at 2026-11-25T16:00:00Z (in 4h)", "Ends at 2026-11-26T00:00:00Z (in 12h)"]
    );

    let gone = told(&without_request(status));
    assert_eq!(gone.verdict, Verdict::Working);
    assert!(gone.cause.unwrap().says.contains("Secret web-tls is not there"));
}

#[test]
fn a_renewal_that_waits_leaves_the_certificate_ready_and_says_so() {
    let lacks = failure(Class::Access, Call::Sign, "policy web lacks update on pki/sign/web", Blame::Issuer);
    let mut objects = waits(&Login::AppRole, &lacks);
    let waiting = conditions::waiting(&lacks, conditions::NextTry::WithTheIssuer);
    objects.certificate = Some(of(certificate(json!({
        "conditions": [
            condition("Ready", "True", "Ready", "Certificate is up to date and has not expired"),
            condition("Issuing", "True", "Renewing", &conditions::with_story("Renewing certificate", Some(&waiting))),
        ],
        "notAfter": "2026-11-26T00:00:00Z", "renewalTime": "2026-11-25T11:00:00Z",
    }))));
    let story = told(&objects);
    assert_eq!(
        story.headline,
        "is ready until 2026-11-26T00:00:00Z, but the next certificate needs a person"
    );
    assert_eq!(story.verdict, Verdict::NeedsPerson);
    objects.certificate.as_mut().unwrap().status.as_mut().unwrap().not_after =
        of(json!("2026-11-25T11:59:00Z"));
    assert_eq!(told(&objects).headline, "has expired at 2026-11-25T11:59:00Z: a person is needed");
}

#[test]
fn the_next_try_after_a_failure_follows_the_rules_of_who_keeps_the_certificate() {
    // The peer: 4 h after the third failure, 32 h at most.
    let rows = [
        (1, "2026-11-25T12:30:00Z (in 30m)"),
        (3, "2026-11-25T15:30:00Z (in 3h 30m)"),
        (9, "2026-11-26T19:30:00Z (in 1d 7h)"),
    ];
    for (attempts, when) in rows {
        let story = told(&peer_failed("Code: 400. Errors: * anything", attempts));
        assert!(
            story.next[0].starts_with(&format!("Next try by {when} (cert-manager's back-off")),
            "{:?}",
            story.next
        );
    }
    // Ours: minutes after the first proved refusal.
    let refused = failure(Class::Request, Call::Sign, "name not allowed by this role", Blame::Request);
    let refused =
        everleaf_core::failure::Failure { finality: everleaf_core::failure::Finality::AtOnce, ..refused };
    let message = conditions::refused(&Refusal::evident(refused).unwrap());
    let mut objects = peer_failed("x", 1);
    objects.requests = vec![of(request(&[approved(), condition("Ready", "False", "Failed", &message)]))];
    objects.certificate.as_mut().unwrap().metadata.managed_fields = None;
    let story = told(&objects);
    let cause = story.cause.as_ref().unwrap();
    assert!(cause.refused && story.verdict == Verdict::NeedsPerson);
    assert!(
        cause.line().starts_with("Refused for good (sign failed: name not allowed by this role)."),
        "{}",
        cause.line()
    );
    assert!(story.next[0].starts_with("The next try is due since 2026-11-25T11:3"), "{:?}", story.next);
    assert!(story.next[0].contains("everleaf renew web -n default"));
}

#[test]
fn a_warning_is_the_cause_where_no_condition_tells_one() {
    let running =
        condition("Issuing", "True", "DoesNotExist", "Issuing certificate as Secret does not exist");
    let event = |when: &str| EventSeen {
        at: Some(at(when)),
        kind: "Warning".to_owned(),
        reason: "KeystorePasswordSecretNotFound".to_owned(),
        message: "Secret password not found".to_owned(),
        about: "Certificate web".to_owned(),
    };
    let objects = |when| Objects {
        events: vec![event(when)],
        ..without_request(json!({ "conditions": [running.clone()] }))
    };
    let story = told(&objects("2026-11-25T11:31:00Z"));
    assert_eq!(story.cause.unwrap().says, "KeystorePasswordSecretNotFound: Secret password not found");
    assert_eq!(story.verdict, Verdict::NeedsPerson);
    let older = told(&objects("2026-11-25T11:29:00Z"));
    assert_eq!(older.verdict, Verdict::Working, "it belongs to an earlier issuance");
}

#[test]
fn nobody_looked_and_outdated_status_are_told_as_such() {
    let silent = told(&without_request(json!({})));
    assert_eq!(silent.verdict, Verdict::NeedsPerson);
    assert!(silent.cure.unwrap().starts_with("kubectl get leases -A"));
    let mut young = certificate(json!({}));
    young["metadata"]["creationTimestamp"] = json!("2026-11-25T11:59:50Z");
    let young = Objects { certificate: Some(of(young)), ..without_request(json!({})) };
    assert_eq!(told(&young).verdict, Verdict::Working);

    let mut newer = certificate(json!({ "conditions": [condition("Ready", "True", "Ready", "fine")] }));
    newer["metadata"]["generation"] = json!(3);
    newer["status"]["conditions"][0]["observedGeneration"] = json!(2);
    let newer = Objects {
        certificate: Some(of(newer)),
        secret: secret("2026-11-26T00:00:00Z"),
        ..without_request(json!({}))
    };
    let story = told(&newer);
    assert_eq!(story.verdict, Verdict::Working);
    assert!(story.cause.unwrap().says.contains("generation 3"));
}

#[test]
fn a_request_and_an_issuer_have_stories_of_their_own() {
    let sealed = failure(
        Class::Transient,
        Call::Sign,
        "Vault is sealed",
        Blame::Server("https://vault.example:8200".into()),
    );
    let mut objects = waits(&Login::AppRole, &sealed);
    let story = story_of(Kind::CertificateRequest, "web-1", &objects);
    assert_eq!(
        (story.verdict, story.headline.as_str()),
        (Verdict::Working, "is not signed yet, it is being worked on")
    );
    assert_eq!(story.cause.as_ref().unwrap().says, "Vault is sealed");
    assert_eq!(story.next, ["Next try by 2026-11-25T12:00:30Z."]);

    objects.users = vec![
        User { name: "default/web".into(), ready: false, issuing: true },
        User { name: "default/api".into(), ready: true, issuing: false },
    ];
    let story = story_of(Kind::Issuer, "vault", &objects);
    assert_eq!(story.headline, "is not ready, and is expected to recover");
    assert!(story.there[1].contains("2 Certificates refer to it, 1 wait: default/web"), "{:?}", story.there);

    objects.issuer = Found::There(issuer(&Login::AppRole, well()));
    assert_eq!(story_of(Kind::Issuer, "vault", &objects).verdict, Verdict::InOrder);
    objects.issuer = Found::There(issuer(&Login::AppRole, None));
    assert_eq!(story_of(Kind::Issuer, "vault", &objects).verdict, Verdict::NeedsPerson);
}
