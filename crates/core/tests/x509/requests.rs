//! CSRs: what is asked for is in them, OpenSSL reads the same, and what isn't sound is refused.

use std::net::IpAddr;

use everleaf_core::wanted::{
    NameConstraints, NameSubtrees, OtherName, Sans, Subject, SubjectFields, Usage, Wanted,
};
use everleaf_core::x509::{
    Csr, CsrError, DistinguishedName, KeyError, KeyKind, KeyUsage, Names, SignatureKind, effective,
};

use crate::makers::{P256, P384, P521, key, kinds, named, rsa, signed_with, wanted};
use crate::openssl::{openssl_text, try_openssl};

const UPN: &str = "1.3.6.1.4.1.311.20.2.3";

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

fn other_name(oid: &str, value: &str) -> OtherName {
    OtherName { oid: oid.to_owned(), value: value.to_owned() }
}

/// One of everything.
fn everything() -> Wanted {
    let subject = SubjectFields {
        common_name: Some("web.example.com".to_owned()),
        organizations: owned(&["Zeta", "Ärger & Co"]),
        countries: owned(&["DE"]),
        organizational_units: owned(&["Two", "One"]),
        localities: owned(&["Köln"]),
        provinces: owned(&["NRW"]),
        street_addresses: owned(&["Domplatz 1"]),
        postal_codes: owned(&["50667"]),
        serial_number: Some("42".to_owned()),
    };
    let sans = Sans {
        dns: owned(&["web.example.com", "*.example.com", "xn--kln-sna.example"]),
        emails: owned(&["admin@example.com"]),
        ips: ips(&["10.1.2.3", "2001:db8::1", "::ffff:10.9.9.9"]),
        uris: owned(&["spiffe://cluster.local/ns/sandbox/sa/foo"]),
        other_names: Some(vec![other_name(UPN, "ü@example.com"), other_name("2.999.1", "x")]),
    };
    let permitted = NameSubtrees {
        dns_domains: owned(&["example.com"]),
        ip_ranges: vec![("10.1.2.3".parse().unwrap(), 8)],
        email_addresses: owned(&["example.com"]),
        uri_domains: owned(&[".example.com"]),
    };
    let excluded = NameSubtrees { dns_domains: owned(&["bad.example.com"]), ..NameSubtrees::default() };
    Wanted {
        subject: Subject::Fields(subject),
        sans,
        usages: vec![Usage::Signing, Usage::DataEncipherment, Usage::ServerAuth, Usage::ClientAuth],
        is_ca: true,
        name_constraints: Some(NameConstraints { critical: true, permitted, excluded }),
        ..wanted()
    }
}

#[test]
fn openssl_verifies_the_request_of_every_kind_of_key() {
    for kind in kinds() {
        let csr = Csr::build(&everything(), &key(kind)).unwrap();
        let (text, said) = try_openssl(&["req", "-verify", "-noout", "-text"], csr.to_pem().as_bytes());
        assert!(text.is_some() && said.contains("verify OK"), "{kind}: {said}");
        csr.verify().unwrap();
    }
}

#[test]
fn every_signature_that_a_spec_may_ask_for_verifies() {
    use SignatureKind::{
        EcdsaWithSha256, EcdsaWithSha384, EcdsaWithSha512, PureEd25519, Sha256WithRsa, Sha384WithRsa,
        Sha512WithRsa,
    };
    let all = [
        (Sha256WithRsa, "sha256WithRSAEncryption"),
        (Sha384WithRsa, "sha384WithRSAEncryption"),
        (Sha512WithRsa, "sha512WithRSAEncryption"),
        (EcdsaWithSha256, "ecdsa-with-SHA256"),
        (EcdsaWithSha384, "ecdsa-with-SHA384"),
        (EcdsaWithSha512, "ecdsa-with-SHA512"),
        (PureEd25519, "ED25519"),
    ];
    let mut made = 0;
    for kind in kinds() {
        for (signature, name) in all {
            let csr = Csr::build(&signed_with(named("x"), signature), &key(kind));
            if !signature.fits(kind) {
                let refused = KeyError::OtherSignature { key: kind, signature };
                assert_eq!(csr.unwrap_err(), CsrError::Key(refused));
                continue;
            }
            let csr = csr.unwrap();
            csr.verify().unwrap();
            let (text, said) = try_openssl(&["req", "-verify", "-noout", "-text"], csr.to_pem().as_bytes());
            let text = String::from_utf8(text.unwrap()).unwrap();
            assert!(said.contains("verify OK"), "{kind} {signature:?}: {said}");
            assert!(text.contains(&format!("Signature Algorithm: {name}")), "{kind} {signature:?}: {text}");
            made += 1;
        }
    }
    assert_eq!(made, 2 * 3 + 3 * 3 + 1, "two RSA keys and three curves with three hashes each, and Ed25519");
}

#[test]
fn openssl_reads_what_was_asked_for() {
    let csr = Csr::build(&everything(), &key(P256)).unwrap();
    let text = openssl_text(
        &["req", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus,sname"],
        csr.to_pem().as_bytes(),
    );
    let expected = [
        "Version: 1 (0x0)",
        "Subject: C=DE,ST=NRW,L=Köln,street=Domplatz 1,postalCode=50667,O=Zeta+O=Ärger & Co,OU=One+OU=Two,CN=web.example.com,serialNumber=42",
        "DNS:web.example.com, DNS:*.example.com, DNS:xn--kln-sna.example, email:admin@example.com, IP Address:10.1.2.3, \
         IP Address:2001:DB8:0:0:0:0:0:1, IP Address:10.9.9.9, URI:spiffe://cluster.local/ns/sandbox/sa/foo, \
         othername: UPN::",
        "X509v3 Key Usage: critical\n                    Digital Signature, Data Encipherment, Certificate Sign",
        "X509v3 Extended Key Usage: \n                    TLS Web Server Authentication, TLS Web Client Authentication",
        "X509v3 Name Constraints: critical",
        "Permitted:\n                      DNS:example.com\n                      IP:10.0.0.0/255.0.0.0\n                      \
         email:example.com\n                      URI:.example.com",
        "Excluded:\n                      DNS:bad.example.com",
    ];
    for part in expected {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    let order = ["Alternative Name:", "X509v3 Key Usage:", "Extended Key Usage:", "Name Constraints:"];
    let places: Vec<usize> = order.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(!text.contains("Basic Constraints"), "not by default");
}

#[test]
fn what_was_asked_for_is_read_back() {
    let wanted = everything();
    let csr = Csr::from_pem(Csr::build(&wanted, &key(P384)).unwrap().to_pem().as_bytes()).unwrap();
    let names = Names {
        dns: wanted.sans.dns.clone(),
        emails: wanted.sans.emails.clone(),
        ips: ips(&["10.1.2.3", "2001:db8::1", "10.9.9.9"]),
        uris: wanted.sans.uris.clone(),
        other_names: wanted.sans.other_names.clone().unwrap(),
    };
    assert_eq!(*csr.sans(), names);
    let Subject::Fields(mut fields) = wanted.subject.clone() else { unreachable!() };
    // Values of one kind stand in a SET, which DER sorts.
    fields.organizational_units = owned(&["One", "Two"]);
    assert_eq!(csr.subject().to_fields(), fields);
    let (bits, extended) = effective(&wanted.usages, true);
    assert_eq!((csr.key_usage(), csr.ext_key_usages()), (Some(bits), Some(extended.as_slice())));
    assert!(bits.contains(KeyUsage::CERT_SIGN));
    assert_eq!((csr.ca_bit(), csr.public_key()), (None, key(P384).public()));
    assert_eq!(csr.extensions().len(), 4);
}

#[test]
fn names_are_critical_exactly_when_there_is_no_subject() {
    let names = Sans { dns: owned(&["a.example"]), ..Sans::default() };
    for (subject, critical) in [(named("x"), false), (wanted(), true)] {
        let csr = Csr::build(&Wanted { sans: names.clone(), ..subject }, &key(P256)).unwrap();
        assert_eq!(csr.extensions()[0].critical, critical);
        assert_eq!(csr.subject().is_empty(), critical);
    }
}

#[test]
fn usages_stay_out_of_the_request_when_the_spec_says_so_and_nothing_empty_is_encoded() {
    let silent = Csr::build(&Wanted { usages_in_csr: false, ..named("x") }, &key(P256)).unwrap();
    assert!(silent.extensions().is_empty());
    assert_eq!((silent.key_usage(), silent.ext_key_usages()), (None, None));
    let only_extended = Wanted { usages: vec![Usage::ServerAuth], ..named("x") };
    let csr = Csr::build(&only_extended, &key(P256)).unwrap();
    assert_eq!((csr.key_usage(), csr.extensions().len()), (None, 1));
    let unconstrained = Wanted { name_constraints: Some(NameConstraints::default()), ..named("x") };
    assert_eq!(Csr::build(&unconstrained, &key(P256)).unwrap().extensions().len(), 1, "key usage only");
    let (_, said) = try_openssl(&["req", "-verify", "-noout"], silent.to_pem().as_bytes());
    assert!(said.contains("verify OK"), "{said}");
}

#[test]
fn a_name_that_can_not_be_encoded_is_named_in_the_error() {
    let build = |sans: Sans| Csr::build(&Wanted { sans, ..named("x") }, &key(P256)).unwrap_err().to_string();
    let table = [
        (Sans { dns: owned(&["köln.example"]), ..Sans::default() }, "dnsNames: \"köln.example\""),
        (Sans { emails: owned(&["ü@example.com"]), ..Sans::default() }, "emailAddresses: \"ü@example.com\""),
        (Sans { uris: owned(&["https://ü"]), ..Sans::default() }, "uris: \"https://ü\""),
        (Sans { other_names: Some(vec![other_name("1.x", "v")]), ..Sans::default() }, "otherNames: \"1.x\""),
    ];
    for (sans, start) in table {
        let error = build(sans);
        assert!(error.starts_with(start), "{error}");
    }
    let permitted = NameSubtrees { dns_domains: owned(&["ü"]), ..NameSubtrees::default() };
    let constrained = NameConstraints { permitted, ..NameConstraints::default() };
    let error =
        Csr::build(&Wanted { name_constraints: Some(constrained), ..named("x") }, &key(P256)).unwrap_err();
    assert!(matches!(error, CsrError::NotAscii { field: "nameConstraints dnsDomains", .. }));
}

#[test]
fn a_request_that_was_tampered_with_does_not_verify() {
    let csr = Csr::build(&named("web.example.com"), &key(P256)).unwrap();
    let at = csr.der().windows(3).position(|bytes| bytes == b"web").unwrap();
    let mut der = csr.der().to_vec();
    der[at] = b'W';
    assert_eq!(Csr::from_der(&der).unwrap().verify(), Err(CsrError::BadSignature));
    let other = Csr::build(&named("web.example.com"), &key(P384)).unwrap();
    assert_ne!(csr, other);
}

#[test]
fn requests_of_other_programs_are_read() {
    let pem = openssl_text(
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-subj",
            "/O=Acme/CN=x",
            "-addext",
            "subjectAltName=DNS:a.example,IP:::1,RID:1.2.3,dirName:d",
            "-addext",
            "basicConstraints=critical,CA:TRUE,pathlen:0",
            "-addext",
            "keyUsage=keyCertSign",
            "-config",
            "/dev/stdin",
        ],
        b"[req]\ndistinguished_name=n\nattributes=a\n[n]\n[a]\nchallengePassword=old\n[d]\nCN=dir\n",
    );
    let csr = Csr::from_pem(pem.as_bytes()).unwrap();
    csr.verify().unwrap();
    assert_eq!(csr.public_key().kind(), Some(rsa(2048)));
    assert_eq!(csr.sans().dns, ["a.example"]);
    assert_eq!(csr.sans().ips, ips(&["::1"]));
    assert_eq!((csr.ca_bit(), csr.key_usage()), (Some(true), Some(KeyUsage::CERT_SIGN)));
    let old_label = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert_eq!(Csr::from_pem(old_label.as_bytes()).unwrap(), csr);
}

#[test]
fn a_key_of_a_kind_we_do_not_use_is_read_but_has_no_kind() {
    let pem = openssl_text(
        &["req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x"],
        b"",
    );
    let csr = Csr::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(csr.public_key().kind(), None);
    csr.verify().unwrap();
}

#[test]
fn contradictions_between_request_and_object_are_found() {
    use Usage::{CertSign, ClientAuth, DigitalSignature, KeyEncipherment, ServerAuth};
    let built = |usages: &[Usage], is_ca| {
        Csr::build(&Wanted { usages: usages.to_vec(), is_ca, ..named("x") }, &key(P256)).unwrap()
    };
    let silent = Csr::build(&Wanted { usages_in_csr: false, ..named("x") }, &key(P256)).unwrap();
    assert_eq!(silent.contradiction(&[ServerAuth], true), None);
    type Case<'a> = (&'a [Usage], bool, &'a [Usage], bool, Option<&'a str>);
    let table: [Case<'_>; 8] = [
        (&[], false, &[], false, None),
        (&[], false, &[KeyEncipherment, DigitalSignature], false, None),
        (&[], false, &[], true, Some("key usages")),
        (&[], true, &[DigitalSignature, KeyEncipherment, CertSign], false, None),
        (&[ServerAuth], false, &[], false, Some("key usages")),
        (&[ServerAuth, ClientAuth], false, &[ServerAuth, ClientAuth], false, None),
        (&[ServerAuth, ClientAuth], false, &[ClientAuth, ServerAuth], false, Some("extended key usages")),
        (&[ServerAuth], false, &[ServerAuth, ClientAuth], false, Some("extended key usages")),
    ];
    for (asked, asked_ca, said, said_ca, contradiction) in table {
        assert_eq!(built(asked, asked_ca).contradiction(said, said_ca), contradiction, "{asked:?} {said:?}");
    }
}

#[test]
fn unknown_extended_usages_in_a_request_do_not_contradict() {
    let arguments = [
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
        "/CN=x",
        "-addext",
        "keyUsage=digitalSignature,keyEncipherment",
        "-addext",
        "extendedKeyUsage=1.2.3.4,serverAuth",
    ];
    let csr = Csr::from_pem(openssl_text(&arguments, b"").as_bytes()).unwrap();
    let usages = [Usage::DigitalSignature, Usage::KeyEncipherment, Usage::ServerAuth];
    assert_eq!(csr.contradiction(&usages, false), None);
    assert_eq!(csr.contradiction(&usages[..2], false), Some("extended key usages"));
}

#[test]
fn a_literal_subject_goes_in_as_it_is() {
    let text = "CN=*.x.foo-long.bar.com,OU=FooLong,OU=Bar,OU=Baz,OU=Dept.,O=Corp.";
    let literal = DistinguishedName::parse_literal(text).unwrap();
    let csr =
        Csr::build(&Wanted { subject: Subject::Literal(literal.clone()), ..wanted() }, &key(P521)).unwrap();
    assert_eq!(*csr.subject(), literal);
    let subject =
        openssl_text(&["req", "-noout", "-subject", "-nameopt", "RFC2253"], csr.to_pem().as_bytes());
    assert_eq!(subject.trim(), format!("subject={text}"));
}

#[test]
fn what_is_no_request_is_refused_with_the_reason() {
    let certificate = "-----BEGIN CERTIFICATE-----\nAQ==\n-----END CERTIFICATE-----\n";
    let table: [(&[u8], &str); 4] = [
        (b"", "no PEM block found where a certificate request was expected"),
        (certificate.as_bytes(), "expected a certificate request, found a PEM block \"CERTIFICATE\""),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
            "malformed certificate request: nothing signed in it",
        ),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n",
            "malformed PEM block where a certificate request was expected",
        ),
    ];
    for (pem, error) in table {
        assert_eq!(Csr::from_pem(pem).unwrap_err().to_string(), error);
    }
    let long = vec![b'x'; 95_001];
    assert!(matches!(Csr::from_pem(&long), Err(CsrError::Pem(_))));
    assert_eq!(
        format!("{:?}", Csr::build(&named("x"), &key(KeyKind::Ed25519)).unwrap()),
        "Csr(CN=x, [], PublicKey(Ed25519))"
    );
}
