//! AWS IAM login against the practice Vault, whose stand-in STS checks every signature, and a stand-in for AWS's own addresses.
//! Row L12 of vault-issuer 6, and L13 for this method. Nothing leaves the process.
#![allow(clippy::type_complexity, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use everleaf_api::issuer::VaultIssuer;
use everleaf_core::failure::{Blame, Class, Failure};
use everleaf_issuers::vault::Vault;
use everleaf_issuers::vault::config::Config;
use everleaf_issuers::wire::{Network, Request};
use everleaf_issuers::{
    Ambient, BoxFuture, Common, IssuerIdentity, ReadFailure, SecretData, Surroundings, Verified,
};
use everleaf_practice::{AwsAccount, Clock, Options, Outside, Practice, Scene, Sts, furnish_pki};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::Service as _;
use zeroize::Zeroizing;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "the/session+token==";
const ARN: &str = "arn:aws:sts::123456789012:assumed-role/app/cert-manager";

/// ServiceAccount tokens, numbered by what they were asked for.
#[derive(Default)]
struct Accounts(Mutex<Vec<(String, Vec<String>, Duration)>>);

impl Surroundings for Accounts {
    fn secret<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<SecretData, ReadFailure>> {
        Box::pin(async { Err(ReadFailure::Missing) })
    }

    fn service_account_token<'a>(
        &'a self,
        name: &'a str,
        audiences: &'a [String],
        life: Duration,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, ReadFailure>> {
        self.0.lock().unwrap().push((name.to_owned(), audiences.to_vec(), life));
        Box::pin(async { Ok(Zeroizing::new("eyJhbGciOiJub25lIn0.jwt.sig".to_owned())) })
    }
}

/// What AWS's own addresses were asked: method, host and path, body.
type Asked = Arc<Mutex<Vec<(String, String, String)>>>;

struct Bench {
    vault: Vault,
    asked: Asked,
    accounts: Arc<Accounts>,
    practice: Practice,
}

fn practice() -> Practice {
    let options = Options::simulated(7);
    let account = AwsAccount {
        access_key: KEY.into(),
        secret_key: Zeroizing::new(SECRET.into()),
        session_token: Some(Zeroizing::new(SESSION.into())),
        arn: ARN.into(),
        clock: Clock::tokio_from("2026-01-01T00:00:00Z".parse().unwrap()),
    };
    let outside = Outside { sts: Sts::Verifies(Arc::new(account)), ..Outside::default() };
    let practice = Practice::new(options.with_outside(outside));
    furnish_pki(&practice, &Scene::default()).unwrap();
    practice.write("sys/auth/aws", json!({ "type": "aws" })).unwrap();
    practice
        .write("auth/aws/config/client", json!({ "iam_server_id_header_value": "vault.example" }))
        .unwrap();
    let role = json!({ "bound_iam_principal_arn": ["arn:aws:iam::123456789012:role/app"], "token_policies": ["web-sign"] });
    practice.write("auth/aws/role/app", role).unwrap();
    practice
}

/// AWS's addresses: STS, the container's endpoint, the machine's.
fn aws(path: &str) -> (u16, String) {
    let json = json!({ "AccessKeyId": KEY, "SecretAccessKey": SECRET, "Token": SESSION }).to_string();
    match path {
        "sts.eu-central-1.amazonaws.com/" | "sts.cn-north-1.amazonaws.com.cn/" => (
            200,
            format!(
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{KEY}</AccessKeyId>\
             <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{SESSION}</SessionToken></Credentials>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            ),
        ),
        "sts.us-east-1.amazonaws.com/" => {
            let error = "<Error><Code>AccessDenied</Code><Message>Not authorized</Message></Error><RequestId>6f1c</RequestId>";
            (403, error.to_owned())
        }
        "169.254.170.2/v2/credentials" | "169.254.169.254/latest/meta-data/iam/security-credentials/app" => {
            (200, json)
        }
        "169.254.169.254/latest/api/token" => (200, "session".to_owned()),
        "169.254.169.254/latest/meta-data/iam/security-credentials/" => (200, "app\n".to_owned()),
        other => panic!("{other} was asked"),
    }
}

fn bench(auth: Value, namespace: Option<&str>, variables: &[(&str, &str)], may: bool) -> Bench {
    let practice = practice();
    let asked = Asked::default();
    let (node, log) = (practice.clone(), asked.clone());
    let network = Network::in_process(tower::service_fn(move |request: Request| {
        let (node, log) = (node.clone(), log.clone());
        async move {
            let host = request.uri().authority().unwrap().to_string();
            if host == "vault.practice:8200" {
                let answer = node.over_bodies().call(request).await?;
                let (status, headers, body) = everleaf_practice::whole_body(answer).await?;
                let mut answer = http::Response::new(Full::new(body));
                (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
                return Ok::<_, everleaf_practice::TransportError>(answer);
            }
            let (head, body) = request.into_parts();
            let path = format!("{host}{}", head.uri.path());
            let body = body.collect().await.unwrap().to_bytes();
            log.lock().unwrap().push((
                head.method.to_string(),
                path.clone(),
                String::from_utf8_lossy(&body).into_owned(),
            ));
            let (status, text) = aws(&path);
            Ok(http::Response::builder().status(status).body(Full::new(Bytes::from(text))).unwrap())
        }
    }));
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let clock = practice.clone();
    let ambient = Ambient {
        issuers: may,
        read: Arc::new(move |name| variables.get(name).cloned()),
        clock: Arc::new(move || clock.now()),
        ..Ambient::default()
    };
    let identity = IssuerIdentity {
        kind: if namespace.is_some() { "Issuer" } else { "ClusterIssuer" }.into(),
        namespace: namespace.map(str::to_owned),
        name: "web".into(),
        uid: "u".into(),
        generation: 1,
    };
    let spec =
        json!({ "server": "http://vault.practice:8200", "path": "pki/sign/web", "auth": { "aws": auth } });
    let spec: VaultIssuer = serde_json::from_value(spec).unwrap();
    let accounts = Arc::new(Accounts::default());
    let config = Config::from_spec(&identity, &spec).unwrap();
    let vault =
        Vault::new(identity, config, accounts.clone(), Common { network, ambient, ..Common::default() });
    Bench { vault, asked, accounts, practice }
}

async fn checked(bench: &Bench) -> Result<Verified, Failure> {
    bench.vault.check().await
}

fn by_account(region: &str) -> Value {
    json!({ "role": "app", "region": region, "vaultHeaderValue": "vault.example",
        "serviceAccountRef": { "name": "app", "audiences": ["extra"] }, "iamRoleArn": "arn:aws:iam::123456789012:role/app" })
}

fn ambient() -> Value {
    json!({ "role": "app", "region": "eu-west-3", "vaultHeaderValue": "vault.example" })
}

const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_SESSION_TOKEN", SESSION)];

#[tokio::test(start_paused = true)]
async fn a_service_account_takes_on_a_role_and_its_signature_is_good() {
    for (region, host) in [
        ("eu-central-1", "sts.eu-central-1.amazonaws.com/"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn/"),
    ] {
        let bench = bench(by_account(region), Some("ns"), &[], false);
        checked(&bench).await.expect(region);
        let asked = bench.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 1, "GetCallerIdentity isn't sent by us");
        let (method, path, body) = &asked[0];
        assert_eq!((method.as_str(), path.as_str()), ("POST", host));
        assert!(
            body.contains("RoleSessionName=cert-manager") && body.contains("RoleArn=arn%3Aaws%3Aiam"),
            "{body}"
        );
        let wanted = (
            "app".to_owned(),
            vec!["sts.amazonaws.com".to_owned(), "extra".to_owned()],
            Duration::from_secs(600),
        );
        assert_eq!(*bench.accounts.0.lock().unwrap(), [wanted]);
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_around_the_controller_are_found_in_the_usual_order() {
    let container =
        [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials"), ("AWS_REGION", "eu-west-1")];
    let rows: [(&str, &[(&str, &str)], usize); 3] =
        [("variables", &KEYS, 0), ("container", &container, 1), ("machine", &[], 3)];
    for (row, variables, calls) in rows {
        let bench = bench(ambient(), None, variables, false);
        checked(&bench).await.expect(row);
        assert_eq!(bench.asked.lock().unwrap().len(), calls, "{row}");
        let login = bench.practice.audit();
        assert_eq!(login.logins(), 1, "{row}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_may_not_use_them_unless_it_is_allowed() {
    let refused = bench(ambient(), Some("ns"), &KEYS, false);
    let failure = checked(&refused).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (Class::Access, "AmbientRefused"), "L12");
    let login = refused.practice.audit().calls(everleaf_practice::Phase::Login);
    assert_eq!((refused.asked.lock().unwrap().len(), login), (0, 0), "L12: a call left");
    checked(&bench(ambient(), Some("ns"), &KEYS, true)).await.expect("allowed");
}

#[tokio::test(start_paused = true)]
async fn every_form_of_the_mount_path_leads_to_the_same_login() {
    for path in ["/v1/auth/aws", "v1/auth/aws", "auth/aws", "/auth/aws/"] {
        let mut auth = ambient();
        auth["mountPath"] = json!(path);
        checked(&bench(auth, None, &KEYS, false)).await.expect(path);
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_name_who_must_act_and_show_no_secret() {
    let by_sts = bench(by_account("us-east-1"), Some("ns"), &[], false);
    let failure = checked(&by_sts).await.unwrap_err();
    assert_eq!((failure.class, &failure.blame), (Class::Access, &Blame::ServiceAccount("app".into())));
    assert!(
        failure.says.as_str().contains("AccessDenied") && !failure.says.as_str().contains("6f1c"),
        "{failure:?}"
    );
    let mut without_header = ambient();
    without_header["vaultHeaderValue"] = json!("other.example");
    let failure = checked(&bench(without_header, None, &KEYS, false)).await.unwrap_err();
    assert!(failure.says.as_str().contains("X-Vault-AWS-IAM-Server-ID"), "{failure:?}");
    let other = bench(ambient(), None, &KEYS, false);
    let role =
        json!({ "bound_iam_principal_arn": ["arn:aws:iam::1:role/other"], "token_policies": ["web-sign"] });
    other.practice.write("auth/aws/role/app", role).unwrap();
    let failure = checked(&other).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (Class::Access, "PrincipalRefused"));
    assert!(!format!("{failure:?}").contains(SECRET));
}
