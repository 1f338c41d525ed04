//! Whatever comes in, nothing panics; and what is read is read the same again. proptest prints the seed of a failure.

use std::sync::LazyLock;

use everleaf_core::wanted::{KeyEncoding, NameConstraints, NameSubtrees, OtherName, Sans, Wanted};
use everleaf_core::x509::{Certificate, Chain, Csr, DistinguishedName, Oid, PemLimits, PrivateKey};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use crate::makers::{Entity, P256, key, named, rsa};
use everleaf_core::x509::KeyKind;

/// Sound DER of each kind, to be damaged.
static SOUND: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let sans = Sans {
        dns: vec!["a.example".to_owned()],
        ips: vec!["::1".parse().unwrap()],
        other_names: Some(vec![OtherName { oid: "1.2.3".to_owned(), value: "x".to_owned() }]),
        ..Sans::default()
    };
    let permitted = NameSubtrees { dns_domains: vec!["example".to_owned()], ..NameSubtrees::default() };
    let constraints = NameConstraints { permitted, ..NameConstraints::default() };
    let wanted = Wanted { sans, name_constraints: Some(constraints), is_ca: true, ..named("x") };
    let (root, sub) = (Entity::new("root"), Entity::new("sub"));
    let certificate = root.root();
    vec![
        Csr::build(&wanted, &key(P256)).unwrap().der().to_vec(),
        sub.leaf_by(&root, &certificate).der().to_vec(),
        certificate.der().to_vec(),
        key(P256).pkcs8_der().to_vec(),
        key(KeyKind::Ed25519).pkcs8_der().to_vec(),
        key(rsa(2048)).pkcs8_der().to_vec(),
    ]
});

/// Everything that reads DER gets a look at it.
fn read_all(der: &[u8]) {
    let _ = PrivateKey::from_pkcs8_der(der).map(|key| key.to_pem(KeyEncoding::Pkcs1));
    if let Ok(csr) = Csr::from_der(der) {
        let _ = (csr.verify(), csr.subject().to_fields(), csr.to_pem(), csr.contradiction(&[], false));
        let _ = format!("{csr:?}");
    }
    if let Ok(certificate) = Certificate::from_der(der) {
        let _ = (certificate.is_self_signed(), certificate.extensions(), certificate.subject().attributes());
        let _ = format!("{certificate:?}");
        assert_eq!(Certificate::from_pem(certificate.to_pem().as_bytes()).unwrap(), certificate);
    }
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop_oneof![
        vec((any::<prop::sample::Index>(), any::<u8>()), 1..4).prop_map(|changes| (changes, None)),
        any::<prop::sample::Index>().prop_map(|end| (Vec::new(), Some(end))),
    ];
    (0..SOUND.len(), damage).prop_map(|(which, (changes, end))| {
        let mut der = SOUND[which].clone();
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Some(end) = end {
            der.truncate(end.index(der.len()));
        }
        der
    })
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
        let _ = PrivateKey::from_pem(&bytes);
        let _ = Certificate::all_from_pem(&bytes, 1_000);
        let _ = Chain::from_pem(&bytes, &bytes, &PemLimits::DEFAULT);
    }

    #[test]
    fn damaged_der_does_no_harm(der in damaged()) {
        read_all(&der);
    }

    #[test]
    fn text_that_looks_like_pem_does_no_harm(
        lines in vec(prop_oneof![
            "-----BEGIN (CERTIFICATE|PRIVATE KEY|EC PRIVATE KEY|CERTIFICATE REQUEST)-----",
            "-----END (CERTIFICATE|PRIVATE KEY|EC PRIVATE KEY|CERTIFICATE REQUEST)-----",
            "[A-Za-z0-9+/]{0,64}={0,2}",
            "[a-zA-Z-]{1,10}: .{0,10}",
            ".{0,20}",
        ], 0..12)
    ) {
        let text = lines.join("\n");
        let _ = PrivateKey::from_pem(text.as_bytes());
        let _ = Csr::from_pem(text.as_bytes());
        let _ = Certificate::all_from_pem(text.as_bytes(), 10_000);
    }

    #[test]
    fn literal_subjects_do_no_harm(text in prop_oneof![
        any::<String>(),
        "((C|O|OU|CN|DC|1\\.2\\.3|x)? ?=? ?[a-zé#,+;=\\\\ \"0-9]{0,6}[,+;]?){0,5}",
    ]) {
        if let Ok(name) = DistinguishedName::parse_literal(&text) {
            let _ = (name.to_string(), name.to_fields());
            let wanted = Wanted { subject: everleaf_core::wanted::Subject::Literal(name.clone()), ..named("x") };
            let csr = Csr::build(&wanted, &key(P256)).unwrap();
            prop_assert_eq!(csr.subject(), &name);
        }
    }

    #[test]
    fn fields_come_back_as_they_went_in(values in vec(any::<String>(), 0..5), name in any::<String>()) {
        let mut organizations = values;
        // A SET is sorted by its DER: by kind of string, then length, then bytes.
        organizations.sort();
        organizations.dedup();
        let fields = everleaf_core::wanted::SubjectFields {
            common_name: Some(name).filter(|name| !name.is_empty()),
            organizations,
            ..Default::default()
        };
        let mut read = DistinguishedName::from_fields(&fields).to_fields();
        read.organizations.sort();
        prop_assert_eq!(read, fields);
    }

    #[test]
    fn object_identifiers_come_back_as_they_went_in(root in 0_u64..3, second in 0_u64..40, arcs in vec(any::<u64>(), 0..10)) {
        let text = [root, second].iter().chain(&arcs).map(u64::to_string).collect::<Vec<_>>().join(".");
        prop_assert_eq!(Oid::parse(&text).unwrap().dotted(), Some(text));
    }
}

#[test]
fn sound_der_that_is_cut_off_anywhere_is_refused() {
    for der in SOUND.iter() {
        for end in 0..der.len() {
            let cut = &der[..end];
            assert!(PrivateKey::from_pkcs8_der(cut).is_err());
            assert!(Csr::from_der(cut).is_err());
            assert!(Certificate::from_der(cut).is_err());
        }
        let longer = [der.as_slice(), &[0]].concat();
        assert!(PrivateKey::from_pkcs8_der(&longer).is_err());
        assert!(Csr::from_der(&longer).is_err());
        assert!(Certificate::from_der(&longer).is_err());
    }
}
