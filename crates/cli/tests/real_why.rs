//! `everleaf why` beside real servers: a real Vault is broken in one way after another, and the first three lines name the cause in its
//! words and the cure; `doctor` finds
//! the same without any Certificate. Nothing is asked of the controller.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod faulty;
mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use everleaf_testkit::makers;
use everleaf_testkit::servers::{PkiOptions, Vault};
use faulty::ground::{Ground, shared_vault};
use serde_json::json;

/// What must be told is told within this, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Exit codes of `why`.
const IN_ORDER: i32 = 0;
const WORKING: i32 = 3;
const NEEDS_PERSON: i32 = 4;

/// Whoever asks why.
struct Person {
    kubeconfig: PathBuf,
    namespace: String,
}

impl Person {
    fn of(ground: &Ground) -> Person {
        Person { kubeconfig: ground.kube.kubeconfig(), namespace: ground.space.name.clone() }
    }

    async fn runs(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_everleaf"));
        command.args(arguments).arg("-n").arg(&self.namespace).arg("--kubeconfig").arg(&self.kubeconfig);
        let output = command.output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Asks until verdict, cause and cure stand in the first three lines.
    async fn is_told(&self, name: &str, verdict: i32, cause: &str, cure: &str) {
        let since = Instant::now();
        loop {
            let (code, text, error) = self.runs(&["why", name]).await;
            let lines: Vec<&str> = text.lines().take(3).collect();
            let is_told = code == verdict
                && lines.get(1).is_some_and(|line| line.starts_with("Why: ") && line.contains(cause))
                && lines.get(2).is_some_and(|line| line.starts_with("Mend: ") && line.contains(cure));
            if is_told {
                eprintln!("{name}: told after {:.1?}", since.elapsed());
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "code {verdict}, {cause:?}, {cure:?}: not told, but {code}:\n{text}{error}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks at an issuer: it ends with an error, and one of its lines says this.
    async fn finds(&self, issuer: &str, line: &str) {
        let (code, text, error) = self.runs(&["doctor", issuer]).await;
        assert_eq!(code, NEEDS_PERSON, "{text}{error}");
        assert!(
            text.lines().any(|found| found.trim_start().starts_with(line)),
            "{line}\nis not in\n{text}{error}"
        );
    }
}

async fn policy_is_missing(ground: &Ground, person: &Person, vault: &Vault) {
    let pki = ground.pki(vault, "policy", &PkiOptions::default()).await;
    ground.vault_issuer("policy", vault.url(), &pki).await;
    vault.api().policy(&pki.policy, "path \"nothing\" { capabilities = [\"read\"] }").await.unwrap();
    ground.space.apply(makers::certificate("a").from_issuer("policy")).await;
    let cause = format!("policy {} lacks update on {}", pki.policy, pki.sign_path);
    let cure = format!(
        "path \"{}\" {{ capabilities = [\"create\", \"update\"] }}   (in policy {})",
        pki.sign_path, pki.policy
    );
    person.is_told("a", NEEDS_PERSON, &cause, &cure).await;
    person.finds("policy", &format!("error    policy      {cause}")).await;
}

async fn role_is_wrong(ground: &Ground, person: &Person, vault: &Vault) {
    let pki = ground.pki(vault, "role", &PkiOptions::default()).await;
    ground.vault_issuer("role", vault.url(), &pki).await;
    vault.delete(&format!("{}/roles/{}", pki.mount, pki.role)).await.unwrap();
    ground.space.apply(makers::certificate("b").from_issuer("role")).await;
    let cure = format!("vault write {}/roles/web allowed_domains=DOMAIN", pki.mount);
    person.is_told("b", NEEDS_PERSON, "unknown role: web", &cure).await;
}

async fn name_is_not_allowed(ground: &Ground, person: &Person, vault: &Vault) {
    let only =
        json!({ "allow_any_name": false, "allowed_domains": ["ok.example"], "allow_subdomains": true });
    let pki = ground.pki(vault, "name", &PkiOptions { role_fields: only, ..PkiOptions::default() }).await;
    ground.vault_issuer("name", vault.url(), &pki).await;
    ground.space.apply(makers::certificate("c").from_issuer("name")).await;
    let cure = format!("vault patch {}/roles/web allowed_domains=DOMAIN", pki.mount);
    person.is_told("c", NEEDS_PERSON, "c.example not allowed by this role", &cure).await;
    person.is_told("cr/c-1", NEEDS_PERSON, "The request must change, or the issuer's rules", &cure).await;
}

async fn secret_is_missing(ground: &Ground, person: &Person, vault: &Vault) {
    let issuer = makers::vault_issuer("secret", vault.url(), "pki/sign/web", "any-role-id");
    ground.space.apply(issuer).await;
    ground.space.apply(makers::certificate("d").from_issuer("secret")).await;
    let cure = format!(
        "kubectl create secret generic secret-approle -n {} --from-literal=secretId=VALUE",
        person.namespace
    );
    person.is_told("d", NEEDS_PERSON, "Secret secret-approle not found", &cure).await;
    person.finds("secret", "error    Secret      Secret secret-approle not found").await;
    person.is_told("issuer/secret", NEEDS_PERSON, "Secret secret-approle not found", &cure).await;
}

async fn secret_is_that_of_another(ground: &Ground, person: &Person) {
    ground.space.apply(makers::self_signed_issuer("self")).await;
    ground.space.apply(makers::certificate("first").from_issuer("self")).await;
    ground.space.issued("first").await;
    let second =
        makers::certificate("second").from_issuer("self").with("/spec/secretName", json!("first-tls"));
    ground.space.apply(second).await;
    let cause = "Secret \"first-tls\" is written for Certificate \"first\"";
    person.is_told("second", NEEDS_PERSON, cause, "kubectl patch certificate second -n").await;
    let (code, text, _) = person.runs(&["why", "first"]).await;
    assert_eq!(code, IN_ORDER, "{text}");
}

async fn vault_is_sealed(ground: &Ground, person: &Person) {
    let vault = Vault::start_dev().await.unwrap();
    let pki = ground.pki(&vault, "sealed", &PkiOptions::default()).await;
    ground.vault_issuer("sealed", vault.url(), &pki).await;
    vault.seal().await.unwrap();
    ground.space.apply(makers::certificate("e").from_issuer("sealed")).await;
    let cure = format!("VAULT_ADDR={} vault operator unseal", vault.url());
    person.is_told("e", WORKING, "Vault is sealed", &cure).await;
    person.finds("sealed", "error    health      Transient (health check failed: Vault is sealed)").await;
    vault.unseal().await.unwrap();
    ground.space.issued("e").await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_first_three_lines_name_what_is_wrong_with_a_real_vault_and_what_would_mend_it() {
    let (ground, vault) = tokio::join!(Ground::new(&[]), shared_vault());
    let person = Person::of(&ground);
    tokio::join!(
        policy_is_missing(&ground, &person, vault),
        role_is_wrong(&ground, &person, vault),
        name_is_not_allowed(&ground, &person, vault),
        secret_is_missing(&ground, &person, vault),
        secret_is_that_of_another(&ground, &person),
        vault_is_sealed(&ground, &person),
    );
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_request_that_nobody_has_approved_is_told_and_the_cure_that_is_named_works() {
    let ground = Ground::new(&["--controllers=*,-certificaterequests-approver"]).await;
    let person = Person::of(&ground);
    ground.space.apply(makers::self_signed_issuer("self")).await;
    ground.space.apply(makers::certificate("yes").from_issuer("self")).await;
    ground.space.apply(makers::certificate("no").from_issuer("self")).await;
    let cure = format!("everleaf approve yes-1 -n {}", person.namespace);
    person.is_told("yes", NEEDS_PERSON, "CertificateRequest yes-1 is not approved", &cure).await;

    let (code, text, error) = person.runs(&["approve", "yes-1"]).await;
    assert_eq!((code, text.as_str()), (0, "yes-1: approved\n"), "{error}");
    ground.space.issued("yes").await;
    let (code, text, _) = person.runs(&["why", "yes"]).await;
    assert_eq!(code, IN_ORDER, "{text}");

    let (code, text, error) =
        person.runs(&["deny", "no-1", "--reason", "NotHere", "--message", "no such names"]).await;
    assert_eq!((code, text.as_str()), (0, "no-1: denied\n"), "{error}");
    let cause = "an approver has denied it (NotHere): no such names";
    person.is_told("cr/no-1", NEEDS_PERSON, cause, "everleaf renew no -n").await;
    person.is_told("no", NEEDS_PERSON, cause, "everleaf renew no -n").await;
}
