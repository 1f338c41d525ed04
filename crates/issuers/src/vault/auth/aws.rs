//! AWS IAM: a signed `sts:GetCallerIdentity` is put together, not sent; Vault sends it to learn who signed (vault-server 4.6). Credentials
//! come from a ServiceAccount's token by STS, or from around the controller where that is allowed. They live as long as one login.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use everleaf_core::failure::{Blame, Call, Class, Failure};
use http::{HeaderValue, Method as Verb};
use http_body_util::Full;
use serde::Serialize;
use std::time::Duration;
use zeroize::Zeroizing;

use super::sigv4::{Credentials, Unsigned, signed};
use super::{Login, Method, json};
use crate::ambient::Ambient;
use crate::surroundings::{failure, unread_token};
use crate::vault::Inner;
use crate::vault::config::{ApiPath, Aws, WebIdentity};
use crate::wire::{Exchanged, HttpTransport, Terms, Trust, client_config};

/// The life of the ServiceAccount token that STS gets (vault-issuer 2.2).
const JWT_LIFE: Duration = Duration::from_secs(600);
/// The session's name, as the peer calls it: policies of AWS may ask for it.
const SESSION: &str = "cert-manager";
const CALLER_IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const FALLBACK_REGION: &str = "us-east-1";
/// Where containers and machines find their credentials: addresses of AWS that lead nowhere else.
const CONTAINER: &str = "http://169.254.170.2";
const MACHINE: &str = "http://169.254.169.254/latest";

#[derive(Serialize)]
struct Body<'a> {
    role: &'a str,
    iam_http_request_method: &'static str,
    iam_request_url: String,
    iam_request_headers: &'a str,
    iam_request_body: String,
}

/// Gets credentials, signs and makes the call.
pub(in crate::vault) async fn login(inner: &Inner, path: &ApiPath, aws: &Aws) -> Result<Login, Failure> {
    let ambient = &inner.common.ambient;
    let region = region(aws, ambient);
    let host = sts_host(&region);
    let credentials = match &aws.web_identity {
        Some(identity) => {
            let token = inner
                .surroundings
                .service_account_token(&identity.account, &identity.audiences, JWT_LIFE)
                .await;
            let token = token.map_err(|why| unread_token(&identity.account, &why))?;
            assumed(inner, &host, &identity.role_arn, &token, blame(aws)).await?
        }
        None if !ambient.is_allowed(inner.identity.namespace.is_none()) => {
            let says = "credentials around the controller are not allowed for this kind of issuer (--issuer-ambient-credentials, \
                        --cluster-issuer-ambient-credentials); name a serviceAccountRef and an iamRoleArn instead";
            return Err(failure(Class::Access, Call::Login, "AmbientRefused", says, Blame::Issuer));
        }
        None => around(inner, ambient, &host).await?,
    };
    let mut headers = vec![("content-type".to_owned(), FORM.to_owned()), ("host".to_owned(), host.clone())];
    headers
        .extend(aws.header_value.iter().map(|value| ("x-vault-aws-iam-server-id".to_owned(), value.clone())));
    let unsigned = Unsigned { region: &region, service: "sts", headers, body: CALLER_IDENTITY };
    let headers = signed(unsigned, &credentials, ambient.now());
    let map: std::collections::BTreeMap<&str, &str> = headers
        .iter()
        .filter(|(name, _)| name != "host")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let encoded = Zeroizing::new(STANDARD.encode(&*json(&map)));
    let body = Body {
        role: &aws.role,
        iam_http_request_method: "POST",
        iam_request_url: STANDARD.encode(format!("https://{host}/")),
        iam_request_headers: &encoded,
        iam_request_body: STANDARD.encode(CALLER_IDENTITY),
    };
    Ok(Login {
        method: Method::Aws,
        path: path.clone(),
        body: json(&body),
        secrets: credentials.session_token.into_iter().chain([credentials.secret_key, encoded]).collect(),
        credentials: blame(aws),
        counted: None,
    })
}

/// The object to look at when the credentials are refused.
pub(super) fn blame(aws: &Aws) -> Blame {
    match &aws.web_identity {
        Some(identity) => Blame::ServiceAccount(identity.account.clone()),
        None => Blame::Issuer,
    }
}

/// With credentials from around, the region of the environment comes first; else that of the issuer (vault-issuer 2.2).
fn region(aws: &Aws, ambient: &Ambient) -> String {
    let around = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| ambient.variable(name));
    let written = aws.region.clone();
    let chosen = if aws.web_identity.is_none() { around.or(written) } else { written.or(around) };
    chosen.unwrap_or_else(|| FALLBACK_REGION.to_owned())
}

/// China is a partition of its own with a domain of its own; the peer lacks it.
fn sts_host(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("sts.{region}.{domain}")
}

/// The audiences of the ServiceAccount's token: STS, and the user's.
pub(in crate::vault) fn audiences(wanted: &[String]) -> Vec<String> {
    let sts = "sts.amazonaws.com".to_owned();
    std::iter::once(sts.clone()).chain(wanted.iter().filter(|one| **one != sts).cloned()).collect()
}

/// The chain of sources: variables, a token in a file, the container's endpoint, the machine's.
async fn around(inner: &Inner, ambient: &Ambient, host: &str) -> Result<Credentials, Failure> {
    if let (Some(access_key), Some(secret)) =
        (ambient.variable("AWS_ACCESS_KEY_ID"), ambient.variable("AWS_SECRET_ACCESS_KEY"))
    {
        let session_token = ambient.variable("AWS_SESSION_TOKEN").map(Zeroizing::new);
        return Ok(Credentials { access_key, secret_key: Zeroizing::new(secret), session_token });
    }
    if let (Some(file), Some(role)) =
        (ambient.variable("AWS_WEB_IDENTITY_TOKEN_FILE"), ambient.variable("AWS_ROLE_ARN"))
    {
        let token = read(&file).await?;
        return assumed(inner, host, &role, token.trim(), Blame::Issuer).await;
    }
    let full = ambient.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let relative = ambient.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    if let Some(url) = relative.map(|path| format!("{CONTAINER}{path}")).or(full) {
        let token = match ambient.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(file) => Some(read(&file).await?),
            None => ambient.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Zeroizing::new),
        };
        let headers: Vec<_> = token.iter().map(|token| ("authorization", token.trim())).collect();
        return from_json(&asked(inner, Verb::GET, &url, &headers, "").await?);
    }
    let wish = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
    let session = asked(inner, Verb::PUT, &format!("{MACHINE}/api/token"), &wish, "").await?;
    let session = Zeroizing::new(String::from_utf8_lossy(session.body()).into_owned());
    let with_session = [("x-aws-ec2-metadata-token", session.as_str())];
    let roles = format!("{MACHINE}/meta-data/iam/security-credentials/");
    let role = asked(inner, Verb::GET, &roles, &with_session, "").await?;
    let role = String::from_utf8_lossy(role.body()).lines().next().unwrap_or_default().to_owned();
    from_json(&asked(inner, Verb::GET, &format!("{roles}{role}"), &with_session, "").await?)
}

async fn read(file: &str) -> Result<Zeroizing<String>, Failure> {
    let text = tokio::fs::read_to_string(file).await.map(Zeroizing::new);
    text.map_err(|error| unusable(&format!("{file}: {error}")))
}

/// Takes on a role with a ServiceAccount's token; the call itself needs no signature.
async fn assumed(
    inner: &Inner,
    host: &str,
    role: &str,
    token: &str,
    blame: Blame,
) -> Result<Credentials, Failure> {
    let body = Zeroizing::new(format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={SESSION}&WebIdentityToken={}",
        form(role),
        form(token)
    ));
    let answer =
        called(inner, Verb::POST, &format!("https://{host}/"), &[("content-type", FORM)], &body).await?;
    let text = String::from_utf8_lossy(answer.body());
    if !answer.status().is_success() {
        let (code, says) =
            (element(&text, "Code").unwrap_or_default(), element(&text, "Message").unwrap_or_default());
        let says = format!("STS refuses role {role}: {code} {says}");
        // The provider's own trouble, and limits, heal by themselves; the rest is a trust policy or a token.
        let passes =
            !answer.status().is_client_error() || matches!(code, "IDPCommunicationError" | "Throttling");
        let class = if passes { Class::Transient } else { Class::Access };
        return Err(failure(class, Call::Login, "StsRefused", &says, blame));
    }
    let parts = ["AccessKeyId", "SecretAccessKey", "SessionToken"]
        .map(|name| element(&text, name).map(str::to_owned));
    match parts {
        [Some(access_key), Some(secret), Some(session)] => Ok(Credentials {
            access_key,
            secret_key: Zeroizing::new(secret),
            session_token: Some(Zeroizing::new(session)),
        }),
        _ => Err(unusable("STS answered without credentials")),
    }
}

/// The text of the first element with this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

fn from_json(answer: &Exchanged) -> Result<Credentials, Failure> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Given {
        access_key_id: String,
        secret_access_key: String,
        token: Option<String>,
    }
    let given: Given = serde_json::from_slice(answer.body())
        .map_err(|_| unusable("the source of AWS credentials gave none"))?;
    Ok(Credentials {
        access_key: given.access_key_id,
        secret_key: Zeroizing::new(given.secret_access_key),
        session_token: given.token.map(Zeroizing::new),
    })
}

/// A call that must succeed.
async fn asked(
    inner: &Inner,
    verb: Verb,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Exchanged, Failure> {
    let answer = called(inner, verb, url, headers, body).await?;
    match answer.status().is_success() {
        true => Ok(answer),
        false => Err(unusable(&format!("{url} answers with status {}", answer.status().as_u16()))),
    }
}

async fn called(
    inner: &Inner,
    verb: Verb,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Exchanged, Failure> {
    let trust = if url.starts_with("https://") { Trust::System } else { Trust::Nobody };
    let tls = client_config(trust, None).map_err(|fault| unusable(&fault.to_string()))?;
    let terms = Terms {
        tls: tls.into(),
        server_name: None,
        connect: inner.common.deadlines.connect,
        numbers: Default::default(),
    };
    let mut request = http::Request::builder().method(verb).uri(url);
    for (name, value) in headers {
        let mut value =
            HeaderValue::from_str(value).map_err(|_| unusable("a header can't carry what was given"))?;
        value.set_sensitive(true);
        request = request.header(*name, value);
    }
    let body = Full::new(Bytes::from_owner(Zeroizing::new(body.as_bytes().to_vec())));
    let request = request.body(body).map_err(|_| unusable(&format!("{url} is not an address")))?;
    let call = HttpTransport::new(&inner.common.network, &terms);
    let answer = tokio::time::timeout(inner.common.deadlines.look_up, call.exchange(request)).await;
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(trouble)) => Err(unusable(&format!("{url}: {}", trouble.kind.words()))),
        Err(_) => Err(unusable(&format!("{url}: no answer in time"))),
    }
}

/// A source that may work again soon.
fn unusable(says: &str) -> Failure {
    failure(Class::Transient, Call::Login, "NoAwsCredentials", says, Blame::Issuer)
}

fn form(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

impl WebIdentity {
    /// From the names in a spec.
    pub(in crate::vault) fn new(account: &str, wanted: &[String], role_arn: &str) -> WebIdentity {
        WebIdentity {
            account: account.to_owned(),
            audiences: audiences(wanted),
            role_arn: role_arn.to_owned(),
        }
    }
}
