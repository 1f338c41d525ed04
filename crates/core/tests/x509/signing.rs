//! Certificates signed for the CA and SelfSigned issuers: OpenSSL verifies them and reads what was meant.

use std::io::Write as _;

use everleaf_core::wanted::{NameConstraints, NameSubtrees, Sans, Subject, SubjectFields, Usage, Wanted};
use everleaf_core::x509::{
    Certificate, Csr, CsrError, KeyUsage, LeafPlan, Serial, SignError, effective, sign_leaf, sign_self,
};
use jiff::Timestamp;

use crate::makers::{Entity, P256, P384, key, kinds, named, now, plan, wanted};
use crate::openssl::{openssl_text, try_openssl};

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// A file that is gone when the test is over.
fn file(text: &str) -> (std::path::PathBuf, impl Drop + use<>) {
    struct Gone(std::path::PathBuf);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
    let name = format!(
        "everleaf-x509-{}-{}.pem",
        std::process::id(),
        everleaf_core::x509::sha256_hex(text.as_bytes())
    );
    let path = std::env::temp_dir().join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    (path.clone(), Gone(path))
}

fn must_verify(certificate: &Certificate, ca: &Certificate) {
    let (path, _gone) = file(&ca.to_pem());
    let at = now().as_second().to_string();
    let path = path.to_str().unwrap();
    let arguments = ["verify", "-x509_strict", "-check_ss_sig", "-attime", &at, "-CAfile", path];
    let (done, said) = try_openssl(&arguments, certificate.to_pem().as_bytes());
    assert!(done.is_some(), "{said}: {certificate:?}");
}

#[test]
fn a_leaf_of_every_kind_under_a_ca_of_every_kind_verifies() {
    for ca_kind in kinds() {
        let ca_csr = Csr::build(&Wanted { is_ca: true, ..named("ca") }, &key(ca_kind)).unwrap();
        let ca = sign_self(&plan(&ca_csr, &[], true), &key(ca_kind)).unwrap();
        must_verify(&ca, &ca);
        assert!(ca.is_self_signed());
        for kind in kinds() {
            let csr = Csr::build(&named("web.example.com"), &key(kind)).unwrap();
            let leaf = sign_leaf(&plan(&csr, &[], false), &ca, &key(ca_kind)).unwrap();
            assert!(leaf.was_signed_by(&ca), "{kind} under {ca_kind}");
            must_verify(&leaf, &ca);
            assert_eq!(leaf.public_key(), key(kind).public());
        }
    }
}

#[test]
fn a_leaf_holds_what_request_and_issuer_say() {
    let root = Entity::new("root");
    let ca = root.root();
    let names =
        Sans { dns: owned(&["a.example", "b.example"]), uris: owned(&["spiffe://x/y"]), ..Sans::default() };
    let usages = [Usage::Signing, Usage::DataEncipherment, Usage::ServerAuth, Usage::ClientAuth];
    let csr = Csr::build(&Wanted { sans: names, usages: usages.to_vec(), ..named("a.example") }, &key(P384))
        .unwrap();
    let (crl, ocsp, issuers) = (
        owned(&["http://crl/1", "http://crl/2"]),
        owned(&["http://ocsp/1", "http://ocsp/2"]),
        owned(&["http://ca/1"]),
    );
    let plan = LeafPlan {
        crl_distribution_points: &crl,
        ocsp_servers: &ocsp,
        issuing_certificate_urls: &issuers,
        ..plan(&csr, &usages, false)
    };
    let leaf = sign_leaf(&plan, &ca, &root.key).unwrap();
    assert_eq!((leaf.not_before(), leaf.not_after()), (plan.not_before, plan.not_after));
    assert_eq!((leaf.subject(), leaf.issuer(), leaf.sans()), (csr.subject(), ca.subject(), csr.sans()));
    assert_eq!(leaf.serial(), plan.serial.bytes());
    let (bits, extended) = effective(&usages, false);
    assert_eq!((leaf.key_usage(), leaf.ext_key_usages()), (Some(bits), extended.as_slice()));
    assert_eq!((leaf.is_ca(), leaf.subject_key_id()), (false, None));
    assert_eq!(leaf.authority_key_id(), ca.subject_key_id());
    assert!(ca.subject_key_id().is_some_and(|id| id.len() == 20));
    assert!(!leaf.is_self_signed());
    let text = openssl_text(&["x509", "-noout", "-text"], leaf.to_pem().as_bytes());
    let expected = [
        "Version: 3 (0x2)",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature, Data Encipherment",
        "OCSP - URI:http://ocsp/1\n                OCSP - URI:http://ocsp/2\n                CA Issuers - URI:http://ca/1",
        "URI:http://crl/1",
        "Full Name:\n                  URI:http://crl/2",
        "X509v3 Subject Alternative Name: \n                DNS:a.example, DNS:b.example, URI:spiffe://x/y",
    ];
    for part in expected {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    must_verify(&leaf, &ca);
}

#[test]
fn a_ca_leaf_gets_its_own_identifier_and_name_constraints_are_copied() {
    let root = Entity::new("root");
    let ca = root.root();
    let permitted = NameSubtrees { dns_domains: owned(&["example.com"]), ..NameSubtrees::default() };
    let constraints = NameConstraints { critical: true, permitted, ..NameConstraints::default() };
    let wanted = Wanted { is_ca: true, name_constraints: Some(constraints), ..named("sub") };
    let csr = Csr::build(&wanted, &key(P256)).unwrap();
    let sub = sign_leaf(&plan(&csr, &[], true), &ca, &root.key).unwrap();
    assert!(sub.is_ca());
    assert!(sub.key_usage().unwrap().contains(KeyUsage::CERT_SIGN));
    assert_eq!(sub.authority_key_id(), ca.subject_key_id());
    assert!(sub.subject_key_id().is_some());
    assert_ne!(sub.subject_key_id(), ca.subject_key_id());
    let asked = csr.extensions().last().unwrap();
    assert!(sub.extensions().contains(asked), "byte for byte, and as critical");
    must_verify(&sub, &ca);
}

#[test]
fn names_are_copied_and_critical_exactly_when_there_is_no_subject() {
    let root = Entity::new("root");
    let ca = root.root();
    let names = Sans { dns: owned(&["a.example"]), ..Sans::default() };
    for (subject, critical) in [(named("x"), false), (wanted(), true)] {
        let csr = Csr::build(&Wanted { sans: names.clone(), ..subject }, &key(P256)).unwrap();
        let leaf = sign_leaf(&plan(&csr, &[], false), &ca, &root.key).unwrap();
        let is_names = |ext: &&everleaf_core::x509::Extension| ext.oid.to_string() == "2.5.29.17";
        let in_leaf = leaf.extensions().iter().find(is_names).cloned().unwrap();
        assert_eq!(in_leaf.critical, critical);
        assert_eq!(in_leaf.value, csr.extensions().iter().find(is_names).unwrap().value);
        must_verify(&leaf, &ca);
    }
}

#[test]
fn a_subject_that_go_would_write_otherwise_is_copied_byte_for_byte() {
    let root = Entity::new("root");
    let pem = openssl_text(
        &[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-subj",
            "/O=Acme/C=DE/CN=x",
        ],
        b"",
    );
    let csr = Csr::from_pem(pem.as_bytes()).unwrap();
    let fields = csr.subject().to_fields();
    assert_ne!(everleaf_core::x509::DistinguishedName::from_fields(&fields), *csr.subject());
    let leaf = sign_leaf(&plan(&csr, &[], false), &root.root(), &root.key).unwrap();
    assert_eq!(leaf.subject(), csr.subject());
}

#[test]
fn a_certificate_signs_itself_only_with_the_key_of_its_request() {
    let csr = Csr::build(&named("me"), &key(P256)).unwrap();
    let certificate = sign_self(&plan(&csr, &[], false), &key(P256)).unwrap();
    assert_eq!((certificate.subject(), certificate.issuer()), (csr.subject(), csr.subject()));
    assert_eq!((certificate.authority_key_id(), certificate.subject_key_id()), (None, None));
    assert!(!certificate.is_self_signed(), "signed by itself, but no CA");
    let error = sign_self(&plan(&csr, &[], false), &key(P384)).unwrap_err();
    assert_eq!(error.to_string(), "the private key doesn't belong to the certificate request");
    let (done, said) = try_openssl(&["x509", "-noout", "-checkend", "0"], certificate.to_pem().as_bytes());
    assert!(done.is_some() || said.is_empty());
}

#[test]
fn a_request_without_a_subject_signs_itself_all_the_same() {
    let names = Sans { dns: owned(&["a.example"]), ..Sans::default() };
    let csr = Csr::build(&Wanted { sans: names, ..wanted() }, &key(P256)).unwrap();
    let certificate = sign_self(&plan(&csr, &[], false), &key(P256)).unwrap();
    assert!(certificate.issuer().is_empty());
}

#[test]
fn nothing_is_signed_that_contradicts_its_object_or_is_not_signed_by_its_own_key() {
    let root = Entity::new("root");
    let ca = root.root();
    let csr = Csr::build(&named("x"), &key(P256)).unwrap();
    let refused = |plan: &LeafPlan<'_>| sign_leaf(plan, &ca, &root.key).unwrap_err();
    assert_eq!(refused(&plan(&csr, &[], true)), SignError::Contradiction("key usages"));
    assert_eq!(refused(&plan(&csr, &[Usage::ServerAuth], false)), SignError::Contradiction("key usages"));
    let other_key = sign_leaf(&plan(&csr, &[], false), &ca, &key(P256)).unwrap_err();
    assert_eq!(other_key, SignError::OtherKey("the CA's certificate"));
    let mut der = csr.der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let tampered = Csr::from_der(&der).unwrap();
    assert_eq!(refused(&plan(&tampered, &[], false)), SignError::Csr(CsrError::BadSignature));
    let url = owned(&["http://ü"]);
    let error = refused(&LeafPlan { ocsp_servers: &url, ..plan(&csr, &[], false) });
    assert!(error.to_string().starts_with("ocspServers: \"http://ü\""), "{error}");
    let ancient: Timestamp = "-000001-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(
        refused(&LeafPlan { not_before: ancient, ..plan(&csr, &[], false) }),
        SignError::Time(ancient)
    );
}

#[test]
fn a_life_beyond_2049_is_written_as_it_should_be() {
    let root = Entity::new("root");
    let csr = Csr::build(&named("x"), &key(P256)).unwrap();
    let far: Timestamp = "2061-07-28T00:00:00Z".parse().unwrap();
    let leaf =
        sign_leaf(&LeafPlan { not_after: far, ..plan(&csr, &[], false) }, &root.root(), &root.key).unwrap();
    assert_eq!(leaf.not_after(), far);
    let text = openssl_text(&["x509", "-noout", "-enddate"], leaf.to_pem().as_bytes());
    assert_eq!(text.trim(), "notAfter=Jul 28 00:00:00 2061 GMT");
}

#[test]
fn a_serial_number_is_positive_and_of_full_length() {
    for byte in [0, 0x3f, 0x7f, 0x80, 0xff] {
        let serial = Serial::from_random([byte; Serial::LENGTH]);
        assert!((0x40..0x80).contains(&serial.bytes()[0]), "{serial:?}");
        assert_eq!(serial.bytes()[1..], [byte; Serial::LENGTH - 1]);
    }
    assert_eq!(format!("{:?}", Serial::from_random([0; 20])), format!("Serial(40{})", "00".repeat(19)));
}

#[test]
fn certificates_of_other_programs_are_read_with_all_their_facts() {
    let config = b"[req]\ndistinguished_name=n\n[n]\n";
    let arguments = [
        "req",
        "-x509",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "/dev/null",
        "-subj",
        "/O=Acme/CN=x",
        "-days",
        "36500",
        "-set_serial",
        "0xff01",
        "-addext",
        "subjectAltName=DNS:a.example,email:a@example,IP:1.2.3.4,URI:urn:x",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
        "-addext",
        "extendedKeyUsage=serverAuth,1.2.3.4",
        "-addext",
        "basicConstraints=critical,CA:TRUE,pathlen:1",
        "-addext",
        "subjectKeyIdentifier=01020304",
        "-addext",
        "nameConstraints=permitted;DNS:x,excluded;dirName:d",
        "-sigopt",
        "rsa_padding_mode:pss",
        "-sigopt",
        "rsa_pss_saltlen:-1",
        "-config",
        "/dev/stdin",
    ];
    let config = [&config[..], b"[d]\nCN=y\n"].concat();
    let pem = openssl_text(&arguments, &config);
    let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(certificate.serial(), [0, 0xff, 1]);
    assert_eq!(certificate.subject().to_string(), "CN=x,O=Acme");
    assert_eq!(certificate.sans().dns, ["a.example"]);
    assert_eq!(certificate.sans().emails, ["a@example"]);
    assert_eq!(certificate.sans().uris, ["urn:x"]);
    assert_eq!(certificate.sans().ips, ["1.2.3.4".parse::<std::net::IpAddr>().unwrap()]);
    assert!(certificate.is_ca() && certificate.is_self_signed(), "RSA-PSS with SHA-256");
    assert_eq!(certificate.key_usage(), Some(KeyUsage::CERT_SIGN.with(KeyUsage::CRL_SIGN)));
    assert_eq!(certificate.subject_key_id(), Some(&[1, 2, 3, 4][..]));
    assert_eq!(certificate.ext_key_usages().len(), 2);
    assert!(certificate.not_after() > certificate.not_before());
    assert_eq!(certificate.to_pem(), pem);
}

#[test]
fn old_certificates_link_too() {
    // SHA-1 and RSA-1024: no trust is granted here, a chain is put in order.
    let arguments = [
        "req",
        "-x509",
        "-new",
        "-newkey",
        "rsa:1024",
        "-nodes",
        "-keyout",
        "/dev/null",
        "-subj",
        "/CN=old",
        "-sha1",
    ];
    let old = Certificate::from_pem(openssl_text(&arguments, b"").as_bytes()).unwrap();
    assert!(old.is_self_signed());
    assert_eq!(old.public_key().kind(), None);
}

#[test]
fn fields_of_a_certificate_are_those_of_its_wish() {
    let root = Entity::new("root");
    let fields = SubjectFields {
        common_name: Some("cn".to_owned()),
        organizations: owned(&["a", "b"]),
        ..SubjectFields::default()
    };
    let wanted = Wanted { subject: Subject::Fields(fields.clone()), ..wanted() };
    let csr = Csr::build(&wanted, &key(P256)).unwrap();
    let leaf = sign_leaf(&plan(&csr, &[], false), &root.root(), &root.key).unwrap();
    assert_eq!(leaf.subject().to_fields(), fields);
}
