//! Private keys: every kind in every form, and what is refused.

use everleaf_core::wanted::KeyEncoding;
use everleaf_core::x509::{KeyError, KeyKind, PemError, PrivateKey, RsaSize, SignatureKind};

use crate::makers::{P256, P384, P521, key, kinds, new_key, rsa};
use crate::openssl::{openssl, openssl_text};

const ENCODINGS: [KeyEncoding; 2] = [KeyEncoding::Pkcs1, KeyEncoding::Pkcs8];

fn body(pem: &str) -> Vec<u8> {
    everleaf_core::x509::pem::first_block(pem.as_bytes()).unwrap().der.to_vec()
}

#[test]
fn a_key_that_is_written_is_read_back_in_each_encoding() {
    for kind in kinds() {
        for encoding in ENCODINGS {
            let key = key(kind);
            let pem = key.to_pem(encoding);
            let again = PrivateKey::from_pem(pem.as_bytes()).unwrap();
            assert_eq!((again.kind(), again.public()), (kind, key.public()), "{kind} {encoding:?}");
            assert_eq!(again.pkcs8_der(), key.pkcs8_der());
            assert_eq!(*key.to_der(encoding), body(&pem), "key.der is what tls.key holds");
        }
    }
}

#[test]
fn each_encoding_has_the_label_users_expect() {
    let first_line = |kind, encoding| key(kind).to_pem(encoding).lines().next().unwrap().to_owned();
    for kind in kinds() {
        let pkcs1 = match kind {
            KeyKind::Rsa(_) => "-----BEGIN RSA PRIVATE KEY-----",
            KeyKind::Ecdsa(_) => "-----BEGIN EC PRIVATE KEY-----",
            KeyKind::Ed25519 => "-----BEGIN PRIVATE KEY-----",
        };
        assert_eq!(first_line(kind, KeyEncoding::Pkcs1), pkcs1);
        assert_eq!(first_line(kind, KeyEncoding::Pkcs8), "-----BEGIN PRIVATE KEY-----");
    }
}

/// OpenSSL writes both forms as Go does: SEC1 with curve and public key, PKCS#8 with the public key and the curve outside only.
#[test]
fn the_bytes_are_those_that_openssl_writes() {
    for kind in kinds() {
        let key = key(kind);
        let pem = key.to_pem(KeyEncoding::Pkcs8);
        let pkcs8 = openssl(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], pem.as_bytes());
        assert_eq!(*key.to_der(KeyEncoding::Pkcs8), pkcs8, "{kind}");
        if kind != KeyKind::Ed25519 {
            let old = openssl(&["pkey", "-traditional", "-outform", "DER"], pem.as_bytes());
            assert_eq!(*key.to_der(KeyEncoding::Pkcs1), old, "{kind}");
        }
        let public = openssl(&["pkey", "-pubout", "-outform", "DER"], pem.as_bytes());
        assert_eq!(key.public().spki_der(), public, "{kind}");
        assert_eq!(key.public().kind(), Some(kind));
    }
}

#[test]
fn keys_that_openssl_made_are_read_in_all_its_forms() {
    let pkcs8 = |arguments: &[&str]| openssl_text(&[&["genpkey"][..], arguments].concat(), b"");
    let made = [
        (rsa(2048), pkcs8(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])),
        // A size that can't be made here can still be read.
        (rsa(2056), pkcs8(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2056"])),
        (P256, pkcs8(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])),
        (P384, pkcs8(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"])),
        (P521, pkcs8(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"])),
        (KeyKind::Ed25519, pkcs8(&["-algorithm", "ED25519"])),
        // With a block "EC PARAMETERS" before the key.
        (P384, openssl_text(&["ecparam", "-name", "secp384r1", "-genkey"], b"")),
    ];
    for (kind, pem) in made {
        let key = PrivateKey::from_pem(pem.as_bytes()).unwrap();
        assert_eq!(key.kind(), kind);
        if kind != KeyKind::Ed25519 {
            let old = openssl(&["pkey", "-traditional"], pem.as_bytes());
            assert_eq!(PrivateKey::from_pem(&old).unwrap().public(), key.public(), "{kind}");
        }
        let windows = pem.replace('\n', "\r\n");
        assert_eq!(PrivateKey::from_pem(windows.as_bytes()).unwrap().public(), key.public(), "{kind}");
    }
}

#[test]
fn a_short_or_a_padded_scalar_is_the_same_key() {
    let curve = [0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let sec1 = |scalar: &[u8]| {
        let length = u8::try_from(scalar.len()).unwrap();
        let inner = [&[2, 1, 1, 4, length][..], scalar, &curve].concat();
        let der = [&[0x30, u8::try_from(inner.len()).unwrap()][..], &inner].concat();
        let base64 = openssl_text(&["base64", "-A"], &der);
        let pem = format!("-----BEGIN EC PRIVATE KEY-----\n{base64}\n-----END EC PRIVATE KEY-----\n");
        PrivateKey::from_pem(pem.as_bytes())
    };
    let short = sec1(&[5]).unwrap();
    let full = sec1(&[&[0; 31][..], &[5]].concat()).unwrap();
    let padded = sec1(&[&[0; 40][..], &[5]].concat()).unwrap();
    assert_eq!(short.to_der(KeyEncoding::Pkcs1), full.to_der(KeyEncoding::Pkcs1));
    assert_eq!(short.to_der(KeyEncoding::Pkcs8), padded.to_der(KeyEncoding::Pkcs8));
    for scalar in [&[][..], &[0; 32], &[0xff; 32], &[1; 33]] {
        assert!(matches!(sec1(scalar), Err(KeyError::Malformed(_))), "{scalar:x?}");
    }
}

#[test]
fn what_is_not_a_key_we_use_is_refused_with_the_reason() {
    let weak = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], b"");
    let curve = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], b"");
    let x25519 = openssl(&["genpkey", "-algorithm", "X25519"], b"");
    let good = key(P256).to_pem(KeyEncoding::Pkcs8);
    let locked = openssl(&["pkcs8", "-topk8", "-passout", "pass:secret"], good.as_bytes());
    let old_locked = openssl(
        &["ec", "-aes256", "-passout", "pass:secret"],
        key(P256).to_pem(KeyEncoding::Pkcs1).as_bytes(),
    );
    let table: [(&str, &[u8], &str); 9] = [
        ("RSA-1024", &weak, "not a usable private key: not an RSA key of 2048 to 8192 bits"),
        ("secp256k1", &curve, "unsupported private key: a curve other than P-256, P-384 and P-521"),
        ("X25519", &x25519, "unsupported private key: an algorithm other than RSA, ECDSA and Ed25519"),
        ("encrypted PKCS#8", &locked, "the private key is encrypted"),
        ("encrypted in the old way", &old_locked, "the private key is encrypted"),
        ("nothing", b"", "no PEM block found where a private key was expected"),
        (
            "a certificate",
            b"-----BEGIN CERTIFICATE-----\nAQ==\n-----END CERTIFICATE-----\n",
            "expected a private key, found a PEM block \"CERTIFICATE\"",
        ),
        (
            "a stub",
            b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
            "not a usable private key: PKCS#8 without version",
        ),
        (
            "half a key",
            &good.as_bytes()[..good.len() / 2],
            "malformed PEM block where a private key was expected",
        ),
    ];
    for (what, pem, error) in table {
        assert_eq!(PrivateKey::from_pem(pem).unwrap_err().to_string(), error, "{what}");
    }
}

#[test]
fn a_key_longer_than_the_limit_is_not_even_decoded() {
    let long = vec![b'x'; 13_001];
    let error = PrivateKey::from_pem(&long).unwrap_err();
    let expected = PemError::TooLong { expected: "a private key", found: 13_001, limit: 13_000 };
    assert_eq!(error, KeyError::Pem(expected));
    assert!(
        PrivateKey::from_pem_within(&long, 20_000)
            .is_err_and(|error| matches!(error, KeyError::Pem(PemError::NoBlock { .. })))
    );
}

#[test]
fn a_key_is_never_shown() {
    for kind in kinds() {
        assert_eq!(format!("{:?}", key(kind)), format!("PrivateKey({kind})"));
    }
    assert_eq!(rsa(2048).to_string(), "RSA-2048");
    assert_eq!(KeyKind::Ed25519.to_string(), "Ed25519");
}

#[test]
fn signatures_follow_the_table_where_nobody_asks_for_another() {
    let table = [
        (rsa(2048), SignatureKind::Sha256WithRsa),
        (rsa(3071), SignatureKind::Sha256WithRsa),
        (rsa(3072), SignatureKind::Sha384WithRsa),
        (rsa(4095), SignatureKind::Sha384WithRsa),
        (rsa(4096), SignatureKind::Sha512WithRsa),
        (rsa(8192), SignatureKind::Sha512WithRsa),
        (P256, SignatureKind::EcdsaWithSha256),
        (P384, SignatureKind::EcdsaWithSha384),
        (P521, SignatureKind::EcdsaWithSha512),
        (KeyKind::Ed25519, SignatureKind::PureEd25519),
    ];
    for (kind, signature) in table {
        assert_eq!(SignatureKind::default_for(kind), signature);
        assert!(signature.fits(kind));
    }
    let error = key(P256).sign(SignatureKind::Sha256WithRsa, b"").unwrap_err();
    assert_eq!(error, KeyError::OtherSignature { key: P256, signature: SignatureKind::Sha256WithRsa });
}

#[test]
fn sizes_outside_of_2048_to_8192_can_not_be_written_down() {
    let sizes = [0, 1024, 2047, 8193, u32::MAX].map(RsaSize::new);
    assert_eq!(sizes, [None; 5]);
    assert!(RsaSize::new(2048).unwrap().can_be_made());
    assert!(!RsaSize::new(2056).unwrap().can_be_made());
}

#[test]
fn two_keys_of_one_kind_differ() {
    for kind in [P256, KeyKind::Ed25519] {
        assert_ne!(new_key(kind).public(), new_key(kind).public());
    }
}
