//! Keys, a CA, a CSR, and certificates signed for real; made once for all tests of a program.

use everleaf_core::wanted::{
    IssuerRef, KeyEncoding, KeyWish, Keystores, RenewBefore, Renewal, RenewalPolicy, Rotation, Sans,
    SecretTemplate, Subject, SubjectFields, Usage, Wanted,
};
use everleaf_core::x509::{
    Certificate, Csr, Curve, KeyKind, LeafPlan, PrivateKey, Serial, sign_leaf, sign_self,
};
use everleaf_issuers::keys;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::server::{Say, reply};

/// The moment at which the tests begin; the tests move it with the paused clock.
pub(crate) fn start() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// A CA, a key and a CSR, made once.
pub(crate) struct Made {
    pub(crate) root: Certificate,
    pub(crate) root_key: PrivateKey,
    pub(crate) key: PrivateKey,
    pub(crate) csr: Csr,
    pub(crate) csr_pem: String,
}

pub(crate) fn made() -> &'static Made {
    static MADE: std::sync::OnceLock<Made> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let root_key = key();
        let mut wish = wanted("practice root");
        wish.is_ca = true;
        let root_csr = Csr::build(&wish, &root_key).unwrap();
        let root = sign_self(&plan(&root_csr, 36_500, true), &root_key).unwrap();
        let key = key();
        let csr = Csr::build(&wanted("web.example.com"), &key).unwrap();
        let csr_pem = csr.to_pem();
        Made { root, root_key, key, csr, csr_pem }
    })
}

pub(crate) fn key() -> PrivateKey {
    let made = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(keys::make(KeyKind::Ecdsa(Curve::P256))).unwrap()
    });
    made.join().unwrap()
}

pub(crate) fn plan(csr: &Csr, days: i64, is_ca: bool) -> LeafPlan<'_> {
    LeafPlan {
        csr,
        serial: Serial::from_random([7; 20]),
        not_before: start() - SignedDuration::from_secs(30),
        not_after: start() + SignedDuration::from_hours(24 * days),
        usages: &[],
        is_ca,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    }
}

pub(crate) fn wanted(name: &str) -> Wanted {
    let dns = if name.contains(' ') { Vec::new() } else { vec![name.to_owned(), format!("www.{name}")] };
    Wanted {
        secret_name: "web".into(),
        issuer: IssuerRef { name: "vault".into(), written_kind: String::new(), written_group: String::new() },
        subject: Subject::Fields(SubjectFields {
            common_name: Some(name.to_owned()),
            ..SubjectFields::default()
        }),
        sans: Sans {
            dns,
            ips: vec!["192.0.2.7".parse().unwrap()],
            uris: vec!["spiffe://x/y".into()],
            ..Sans::default()
        },
        duration: None,
        renewal: Renewal { before: RenewBefore::Default, policy: RenewalPolicy::AtTime },
        key: KeyWish {
            kind: KeyKind::Ecdsa(Curve::P256),
            encoding: KeyEncoding::Pkcs8,
            rotation: Rotation::Always,
        },
        usages: Vec::<Usage>::new(),
        usages_in_csr: false,
        is_ca: false,
        name_constraints: None,
        signature: None,
        secret_template: SecretTemplate::default(),
        output_formats: Vec::new(),
        keystores: Keystores::default(),
        revision_history_limit: 1,
    }
}

/// A leaf for the CSR in a sign call's body.
pub(crate) fn leaf(body: &Value) -> Certificate {
    let csr = Csr::from_pem(body["csr"].as_str().unwrap().as_bytes()).unwrap();
    sign_leaf(&plan(&csr, 90, false), &made().root, &made().root_key).unwrap()
}

pub(crate) fn signed(body: &Value) -> Say {
    let root = made().root.to_pem();
    reply(
        200,
        &json!({"data": {"certificate": leaf(body).to_pem(), "issuing_ca": root, "ca_chain": [root]}, "warnings": null}),
    )
}
