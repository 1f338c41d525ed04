//! Writes objects exactly as cert-manager 1.21 leaves them: in its order, under its field managers, with its labels, annotations, owners and
//! conditions (certificate-lifecycle 1 to 3). Keys, requests and certificates come from openssl. Nothing of the product writes here.

use std::net::IpAddr;

use everleaf_testkit::makers::Maker;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::openssl;
use super::space::{Space, encoded, text, texts};

const ISSUING: &str = "cert-manager-certificates-issuing";
const READINESS: &str = "cert-manager-certificates-readiness";
const TRIGGER: &str = "cert-manager-certificates-trigger";
const KEY_MANAGER: &str = "cert-manager-certificates-key-manager";
const REQUEST_MANAGER: &str = "cert-manager-certificates-request-manager";
const APPROVER: &str = "cert-manager-certificaterequests-approver";
const ISSUER: &str = "cert-manager-certificaterequests-issuer-ca";
const UP_TO_DATE: &str = "Certificate is up to date and has not expired";

/// A CA whose pair is in the Secret of a CA issuer.
#[derive(Debug, Clone)]
pub(crate) struct Ca {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A key, a request made with it, and the certificate for it, as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    /// As `tls.key` holds it.
    pub(crate) key: String,
    pub(crate) csr: String,
    pub(crate) certificate: String,
}

impl Ca {
    /// Makes a key as a Certificate wants it and signs for it.
    pub(crate) fn sign(&self, certificate: &Value) -> Signed {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
        let key = new_key(certificate);
        write("tls.key", &key);
        write("ca.crt", &self.certificate);
        write("ca.key", &self.key);
        let (subject, sans) = (subject(certificate), sans(certificate));
        let usages = "keyUsage=critical,digitalSignature,keyEncipherment";
        let mut request = vec!["req", "-new", "-key"];
        let (key_path, ca_path, ca_key_path) = (path("tls.key"), path("ca.crt"), path("ca.key"));
        request.extend([key_path.as_str(), "-subj", &subject, "-addext", &sans, "-addext", usages]);
        let csr = openssl::run(&request, b"").unwrap();
        let sign = ["x509", "-req", "-CA", &ca_path, "-CAkey", &ca_key_path, "-days", "90"];
        let sign = [&sign[..], &["-copy_extensions", "copyall"]].concat();
        let signed = openssl::run(&sign, csr.as_bytes()).unwrap();
        Signed { key, csr, certificate: signed }
    }
}

/// In the encoding of the default: SEC1 or PKCS#1.
fn new_key(certificate: &Value) -> String {
    match text(certificate, "/spec/privateKey/algorithm").as_str() {
        "ECDSA" => openssl::run(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], b"").unwrap(),
        _ => openssl::run(&["genrsa", "-traditional", "2048"], b"").unwrap(),
    }
}

fn subject(certificate: &Value) -> String {
    let organizations = texts(certificate, "/spec/subject/organizations");
    let organizations = organizations.iter().map(|name| format!("/O={name}"));
    let common_name = text(certificate, "/spec/commonName");
    let common_name = (!common_name.is_empty()).then(|| format!("/CN={common_name}"));
    let parts: String = organizations.chain(common_name).collect();
    if parts.is_empty() { "/".to_owned() } else { parts }
}

/// Critical where the subject is empty.
fn sans(certificate: &Value) -> String {
    let kinds = [("dnsNames", "DNS"), ("emailAddresses", "email"), ("ipAddresses", "IP"), ("uris", "URI")];
    let names = kinds.iter().flat_map(|(field, kind)| {
        let names = texts(certificate, &format!("/spec/{field}"));
        names.into_iter().map(move |name| format!("{kind}:{name}"))
    });
    let critical = if subject(certificate) == "/" { "critical," } else { "" };
    format!("subjectAltName={critical}{}", names.collect::<Vec<_>>().join(","))
}

/// A user's Certificate, applied with an older kubectl.
pub(crate) async fn certificate(space: &Space, maker: Maker) -> Value {
    let mut object = maker.json();
    let last = object.to_string();
    object["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/last-applied-configuration": last });
    create(space, "Certificate", "kubectl-client-side-apply", object).await
}

/// A CertificateRequest as the request manager creates it, and as the webhook fills it in.
pub(crate) async fn request(space: &Space, certificate: &Value, revision: u64, signed: &Signed) -> Value {
    let (name, spec) = (text(certificate, "/metadata/name"), &certificate["spec"]);
    let annotations = json!({
        "cert-manager.io/certificate-name": name,
        "cert-manager.io/certificate-revision": revision.to_string(),
        "cert-manager.io/private-key-secret-name": next_key_name(certificate),
    });
    let mut of_request = json!({
        "request": encoded(&signed.csr), "issuerRef": spec["issuerRef"],
        "username": "system:serviceaccount:cert-manager:cert-manager", "uid": "0f1e2d3c-0000-4000-8000-000000000001",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:cert-manager", "system:authenticated"],
        "extra": { "authentication.kubernetes.io/pod-name": ["cert-manager-7d9f4b5c6d-x2x9z"] },
    });
    for field in ["duration", "usages", "isCA"] {
        if !spec[field].is_null() {
            of_request[field] = spec[field].clone();
        }
    }
    let object = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
        "metadata": {
            "name": format!("{name}-{revision}"), "labels": certificate["metadata"]["labels"],
            "annotations": annotations, "ownerReferences": [owner(certificate)],
        },
        "spec": of_request,
    });
    create(space, "CertificateRequest", REQUEST_MANAGER, object).await
}

pub(crate) async fn approve(space: &Space, request: &Value) -> Value {
    let approved = condition(
        "Approved",
        "True",
        "cert-manager.io",
        "Certificate request has been approved by cert-manager.io",
    );
    status(space, request, APPROVER, |status| put(status, approved)).await
}

pub(crate) async fn issue(space: &Space, request: &Value, ca: &Ca, signed: &Signed) -> Value {
    let ready = condition("Ready", "True", "Issued", "Certificate fetched from issuer successfully");
    status(space, request, ISSUER, |status| {
        put(status, ready);
        status["certificate"] = json!(encoded(&signed.certificate));
        status["ca"] = json!(encoded(&ca.certificate));
    })
    .await
}

/// A failure for good, long enough ago that the first back-off of the peer would last.
pub(crate) async fn fail(space: &Space, request: &Value, message: &str, at: Timestamp) -> Value {
    let failed = condition("Ready", "False", "Failed", message);
    status(space, request, ISSUER, |status| {
        put(status, failed);
        status["failureTime"] = json!(second(at));
    })
    .await
}

/// The target Secret.
pub(crate) async fn secret(space: &Space, certificate: &Value, ca: &Ca, signed: &Signed) -> Value {
    let mut data = json!({
        "tls.crt": encoded(&signed.certificate), "tls.key": encoded(&signed.key), "ca.crt": encoded(&ca.certificate),
    });
    let formats = certificate.pointer("/spec/additionalOutputFormats").and_then(Value::as_array);
    for format in formats.into_iter().flatten() {
        match format["type"].as_str().unwrap() {
            "DER" => data["key.der"] = json!(encoded(body(&signed.key))),
            _ => {
                let combined = format!("{}\n{}", signed.key, signed.certificate);
                data["tls-combined.pem"] = json!(encoded(combined));
            }
        }
    }
    let mut annotations = certificate["spec"]["secretTemplate"]["annotations"].clone();
    for (key, value) in details(certificate) {
        annotations[key] = json!(value);
    }
    let mut labels = certificate["spec"]["secretTemplate"]["labels"].clone();
    labels["controller.cert-manager.io/fao"] = json!("true");
    let name = text(certificate, "/spec/secretName");
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": data,
        "metadata": { "name": name, "namespace": space.name, "labels": labels, "annotations": annotations },
    });
    let parameters = PatchParams::apply(ISSUING).force();
    plain(&space.api("Secret").patch(&name, &parameters, &Patch::Apply(object)).await.unwrap())
}

/// What a Secret says of its certificate: the first four are always there.
pub(crate) fn details(certificate: &Value) -> Vec<(String, String)> {
    let spec = &certificate["spec"];
    let list = |field: &str| texts(certificate, &format!("/spec/{field}")).join(",");
    let ips = texts(certificate, "/spec/ipAddresses");
    let ips: Vec<String> = ips.iter().map(|ip| ip.parse::<IpAddr>().unwrap().to_string()).collect();
    let reference = |field: &str| text(&spec["issuerRef"], &format!("/{field}"));
    let always = [
        ("common-name", text(certificate, "/spec/commonName")),
        ("alt-names", list("dnsNames")),
        ("ip-sans", ips.join(",")),
        ("uri-sans", list("uris")),
        ("certificate-name", text(certificate, "/metadata/name")),
        ("issuer-name", reference("name")),
        ("issuer-kind", reference("kind")),
        ("issuer-group", reference("group")),
    ];
    let with_value =
        [("email-sans", list("emailAddresses")), ("subject-organizations", list("subject/organizations"))];
    let with_value = with_value.into_iter().filter(|(_, value)| !value.is_empty());
    always
        .into_iter()
        .chain(with_value)
        .map(|(key, value)| (format!("cert-manager.io/{key}"), value))
        .collect()
}

/// Status of a Certificate in order: two managers wrote it.
pub(crate) async fn told(space: &Space, certificate: &Value, revision: u64, signed: &Signed) -> Value {
    let leaf = openssl::Leaf::read(signed.certificate.as_bytes()).unwrap();
    let life = leaf.not_after.duration_since(leaf.not_before);
    let hours = text(certificate, "/spec/renewBefore");
    let before = match hours.strip_suffix('h').and_then(|hours| hours.parse().ok()) {
        Some(hours) => SignedDuration::from_hours(hours),
        None => life / 3,
    };
    let renewal = leaf.not_after.checked_sub(before).unwrap();
    let ready = observed(condition("Ready", "True", "Ready", UP_TO_DATE));
    let certificate =
        status(space, certificate, ISSUING, |status| status["revision"] = json!(revision)).await;
    status(space, &certificate, READINESS, |status| {
        put(status, ready);
        status["notBefore"] = json!(second(leaf.not_before));
        status["notAfter"] = json!(second(leaf.not_after));
        status["renewalTime"] = json!(second(renewal));
    })
    .await
}

/// The trigger has begun an issuance.
pub(crate) async fn begun(space: &Space, certificate: &Value, reason: &str, message: &str) -> Value {
    let issuing = observed(condition("Issuing", "True", reason, message));
    let certificate = status(space, certificate, TRIGGER, |status| put(status, issuing)).await;
    if !certificate["status"]["notAfter"].is_null() {
        return certificate;
    }
    let unready =
        observed(condition("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist"));
    status(space, &certificate, READINESS, |status| put(status, unready)).await
}

/// The key of a running issuance, and the status that names it.
pub(crate) async fn next_key(space: &Space, certificate: &Value, signed: &Signed) -> Value {
    let name = next_key_name(certificate);
    let key = openssl::run(&["pkcs8", "-topk8", "-nocrypt"], signed.key.as_bytes()).unwrap();
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": { "tls.key": encoded(key) },
        "metadata": {
            "name": name, "ownerReferences": [owner(certificate)],
            "labels": { "cert-manager.io/next-private-key": "true", "controller.cert-manager.io/fao": "true" },
        },
    });
    create(space, "Secret", KEY_MANAGER, object).await;
    status(space, certificate, KEY_MANAGER, |status| status["nextPrivateKeySecretName"] = json!(name)).await
}

/// The issuance has failed so many times, the last time at this moment.
pub(crate) async fn failed(
    space: &Space,
    certificate: &Value,
    message: &str,
    times: u64,
    at: Timestamp,
) -> Value {
    let message = format!("The certificate request has failed to complete and will be retried: {message}");
    let issuing = observed(condition("Issuing", "False", "Failed", &message));
    status(space, certificate, ISSUING, |status| {
        put(status, issuing);
        status["failedIssuanceAttempts"] = json!(times);
        status["lastFailureTime"] = json!(second(at));
    })
    .await
}

pub(crate) fn next_key_name(certificate: &Value) -> String {
    format!("{}-b7v4k", text(certificate, "/metadata/name"))
}

fn owner(certificate: &Value) -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": certificate["metadata"]["name"],
        "uid": certificate["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    })
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    // Some time ago: the controller that wrote it is gone.
    let at = Timestamp::now().checked_sub(SignedDuration::from_mins(30)).unwrap();
    json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": second(at) })
}

fn observed(mut condition: Value) -> Value {
    condition["observedGeneration"] = json!(1);
    condition
}

fn put(status: &mut Value, condition: Value) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let conditions = status["conditions"].as_array_mut().unwrap();
    conditions.retain(|old| old["type"] != condition["type"]);
    conditions.push(condition);
}

fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap().to_string()
}

/// The DER inside a PEM text.
fn body(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(lines).unwrap()
}

async fn create(space: &Space, kind: &str, manager: &str, object: Value) -> Value {
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let parameters = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    plain(&space.api(kind).create(&parameters, &object).await.unwrap())
}

/// Changes the status of an object as a controller does: a replacement of the version it has read.
async fn status(space: &Space, object: &Value, manager: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut object = object.clone();
    let mut status = object["status"].take();
    if !status.is_object() {
        status = json!({});
    }
    change(&mut status);
    object["status"] = status;
    let (kind, name) = (text(&object, "/kind"), text(&object, "/metadata/name"));
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let parameters = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    let api: Api<DynamicObject> = space.api(&kind);
    plain(&api.replace_status(&name, &parameters, &object).await.unwrap())
}

fn plain(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}
