//! Keystores read back by programs that know nothing of us: `openssl pkcs12` and Java's `keytool`. The material is openssl's, too.
//! Neither of the two here knows PBMAC1 (OpenSSL before 3.4, Java before 26): that MAC is computed again from the file, by openssl's own
//! key derivation and HMAC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use everleaf_core::wanted::Pkcs12Profile;
use everleaf_keystores::{Chance, KeystoreError, Material, jks, pkcs12};
use jiff::Timestamp;
use tempfile::TempDir;

const PASSWORD: &str = "pässword-ü€";
/// Java takes only printable ASCII for PKCS#12.
const PLAIN_PASSWORD: &str = "correct horse";
const PROFILES: [Pkcs12Profile; 4] = [
    Pkcs12Profile::LegacyRc2,
    Pkcs12Profile::LegacyDes,
    Pkcs12Profile::Modern2023,
    Pkcs12Profile::Modern2026,
];

fn run(program: &str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if output.status.success() { Ok(output.stdout) } else { Err(said) }
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    run("openssl", arguments, input).unwrap_or_else(|said| panic!("openssl {arguments:?}: {said}"))
}

fn keytool(arguments: &[&str]) -> String {
    let printed =
        run("keytool", arguments, b"").unwrap_or_else(|said| panic!("keytool {arguments:?}: {said}"));
    String::from_utf8(printed).unwrap()
}

struct Made {
    folder: TempDir,
    key: Vec<u8>,
    certificates: Vec<Vec<u8>>,
}

/// A key with three certificates that openssl made: they needn't belong together, a keystore doesn't ask.
fn made(kind: &[&str]) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let key_path = path("key.pem");
    let arguments = [&["genpkey"], kind, &["-out", &key_path]].concat();
    openssl(&arguments, b"");
    let key = openssl(&["pkey", "-in", &key_path, "-outform", "DER"], b"");
    let key = openssl(&["pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER"], &key);
    let certificate = |name: &str| {
        let subject = format!("/CN={name}");
        openssl(&["req", "-x509", "-new", "-key", &key_path, "-subj", &subject, "-outform", "DER"], b"")
    };
    let certificates = ["leaf", "middle", "root one", "root two"].map(certificate).to_vec();
    Made { folder, key, certificates }
}

impl Made {
    fn parts(&self) -> (Vec<&[u8]>, Vec<&[u8]>) {
        let all: Vec<&[u8]> = self.certificates.iter().map(Vec::as_slice).collect();
        (all[..2].to_vec(), all[2..].to_vec())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

fn chance(seed: u8) -> Chance {
    let mut bytes = [0; Chance::LENGTH];
    bytes.iter_mut().zip(seed..).for_each(|(byte, next)| *byte = next);
    Chance::from_random(bytes)
}

fn pem_blocks(pem: &[u8], label: &str) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(pem).into_owned();
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let blocks = text.split(&begin).skip(1).map(|rest| rest.split(&end).next().unwrap().to_owned());
    let whole = blocks.map(|body| format!("{begin}{body}{end}\n"));
    let der = |block: String| match label {
        "CERTIFICATE" => openssl(&["x509", "-outform", "DER"], block.as_bytes()),
        _ => openssl(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], block.as_bytes()),
    };
    whole.map(der).collect()
}

#[test]
fn openssl_reads_every_profile_with_its_key_and_certificates_in_order() {
    for kind in [
        &["-algorithm", "RSA"][..],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["-algorithm", "ED25519"],
    ] {
        let made = made(kind);
        let (chain, cas) = made.parts();
        let material = Material { key: &made.key, chain: &chain, cas: &cas };
        for profile in PROFILES {
            let what = format!("{profile:?} {kind:?}");
            let store = pkcs12::keystore(profile, PASSWORD, &material, &chance(1)).unwrap();
            let file = made.file("keystore.p12", &store);
            let password = format!("pass:{PASSWORD}");
            let mut arguments = vec!["pkcs12", "-legacy", "-nodes", "-in", &file, "-passin", &password];
            if profile == Pkcs12Profile::Modern2026 {
                arguments.push("-nomacver");
            }
            let printed = openssl(&arguments, b"");
            assert_eq!(pem_blocks(&printed, "PRIVATE KEY"), std::slice::from_ref(&made.key), "{what}");
            assert_eq!(pem_blocks(&printed, "CERTIFICATE"), made.certificates, "{what}");
            let ids = String::from_utf8_lossy(&printed).matches("localKeyID").count();
            assert_eq!(ids, 2, "{what}: the key and its leaf, and nothing else");
        }
    }
}

#[test]
fn a_wrong_password_opens_nothing() {
    let made = made(&["-algorithm", "ED25519"]);
    let (chain, cas) = made.parts();
    let material = Material { key: &made.key, chain: &chain, cas: &cas };
    for profile in PROFILES {
        let store = pkcs12::keystore(profile, PASSWORD, &material, &chance(1)).unwrap();
        let file = made.file("keystore.p12", &store);
        for more in [&[][..], &["-nomacver"]] {
            let arguments =
                [&["pkcs12", "-legacy", "-nodes", "-in", &file, "-passin", "pass:other"], more].concat();
            assert!(run("openssl", &arguments, b"").is_err(), "{profile:?} {more:?}");
        }
        for plain in [&made.key, &made.certificates[0]] {
            let hidden = !store.windows(plain.len()).any(|window| window == plain.as_slice());
            assert!(hidden, "{profile:?} holds something in the clear");
        }
    }
}

#[test]
fn each_profile_uses_the_algorithms_it_is_named_for() {
    let table = [
        (
            Pkcs12Profile::LegacyRc2,
            [
                "sha1, Iteration 1",
                "pbeWithSHA1And40BitRC2-CBC, Iteration 2048",
                "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048",
            ],
        ),
        (
            Pkcs12Profile::LegacyDes,
            [
                "sha1, Iteration 1",
                "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048",
                "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048",
            ],
        ),
        (
            Pkcs12Profile::Modern2023,
            [
                "sha256, Iteration 2048",
                "PBES2, PBKDF2, AES-256-CBC, Iteration 2048, PRF hmacWithSHA256",
                "PBES2, PBKDF2, AES-256-CBC, Iteration 2048, PRF hmacWithSHA256",
            ],
        ),
    ];
    let made = made(&["-algorithm", "ED25519"]);
    let (chain, cas) = made.parts();
    let material = Material { key: &made.key, chain: &chain, cas: &cas };
    for (profile, [mac, certificates, key]) in table {
        let store = pkcs12::keystore(profile, PASSWORD, &material, &chance(1)).unwrap();
        let file = made.file("keystore.p12", &store);
        let password = format!("pass:{PASSWORD}");
        let arguments =
            ["-c", "openssl pkcs12 -legacy -info -noout -in \"$0\" -passin \"$1\" 2>&1", &file, &password];
        let told = String::from_utf8(run("sh", &arguments, b"").unwrap()).unwrap();
        assert!(told.contains(&format!("MAC: {mac}")), "{profile:?}: {told}");
        assert!(told.contains(&format!("PKCS7 Encrypted data: {certificates}")), "{profile:?}: {told}");
        assert!(told.contains(&format!("Shrouded Keybag: {key}")), "{profile:?}: {told}");
    }
}

/// Reads the elements inside of an element, each whole.
fn elements(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = contents(bytes);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (_, length) = head(&rest);
        let tail = rest.split_off(length);
        found.push(std::mem::replace(&mut rest, tail));
    }
    found
}

/// Where the contents of the first element begin, and where they end.
fn head(bytes: &[u8]) -> (usize, usize) {
    let (start, length) = match bytes[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7f);
            let length = bytes[2..2 + octets].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (2 + octets, length)
        }
    };
    (start, start + length)
}

fn contents(bytes: &[u8]) -> Vec<u8> {
    let (start, end) = head(bytes);
    bytes[start..end].to_vec()
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    assert_eq!(bytes[0], 0x04, "an octet string");
    contents(bytes)
}

fn number(bytes: &[u8]) -> u32 {
    assert_eq!(bytes[0], 0x02, "an integer");
    contents(bytes).iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// The OIDs that a MAC is made of, from RFC 9579 and RFC 8018.
const PBMAC1: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0e];
const PBKDF2: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMAC_SHA256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_pbmac1_of_modern2026_is_what_openssl_computes_from_its_own_parameters() {
    let made = made(&["-algorithm", "ED25519"]);
    let (chain, cas) = made.parts();
    let material = Material { key: &made.key, chain: &chain, cas: &cas };
    let keystore = pkcs12::keystore(Pkcs12Profile::Modern2026, PASSWORD, &material, &chance(7)).unwrap();
    let truststore = pkcs12::truststore(Pkcs12Profile::Modern2026, PASSWORD, &cas, &chance(9)).unwrap();
    for store in [keystore, truststore] {
        let [version, content, mac_data] = elements(&store).try_into().unwrap();
        assert_eq!(number(&version), 3);
        let safe = octets(&elements(&elements(&content)[1])[0]);
        let [digest, salt] = elements(&mac_data).try_into().unwrap();
        assert_eq!(octets(&salt), b"NOT USED");
        let [algorithm, mac] = elements(&digest).try_into().unwrap();
        let [name, parameters] = elements(&algorithm).try_into().unwrap();
        let [derivation, scheme] = elements(&parameters).try_into().unwrap();
        assert_eq!(name, PBMAC1);
        assert_eq!(elements(&scheme)[0], HMAC_SHA256);
        assert_eq!(elements(&derivation)[0], PBKDF2);
        let [salt, rounds, length, prf] = elements(&elements(&derivation)[1]).try_into().unwrap();
        assert_eq!(elements(&prf)[0], HMAC_SHA256);
        let rounds = number(&rounds);
        let length = number(&length);
        assert_eq!((rounds, length), (2048, 32));
        let derived = openssl(
            &[
                "kdf",
                "-keylen",
                &length.to_string(),
                "-kdfopt",
                "digest:SHA256",
                "-kdfopt",
                &format!("hexpass:{}", hex(PASSWORD.as_bytes())),
                "-kdfopt",
                &format!("hexsalt:{}", hex(&octets(&salt))),
                "-kdfopt",
                &format!("iter:{rounds}"),
                "-binary",
                "PBKDF2",
            ],
            b"",
        );
        let key = format!("hexkey:{}", hex(&derived));
        let computed = openssl(&["dgst", "-sha256", "-mac", "HMAC", "-macopt", &key, "-binary"], &safe);
        assert_eq!(octets(&mac), computed);
    }
}

/// The aliases and kinds that keytool lists.
fn listed(file: &str, kind: &str, password: &str) -> Vec<(String, String)> {
    let told = keytool(&[
        "-list",
        "-keystore",
        file,
        "-storetype",
        kind,
        "-storepass",
        password,
        "-J-Duser.language=en",
    ]);
    let entries = told.lines().filter(|line| line.contains("Entry,"));
    let mut entries: Vec<(String, String)> = entries
        .map(|line| {
            let parts: Vec<&str> = line.split(", ").collect();
            let entry = parts.iter().find(|part| part.contains("Entry")).unwrap();
            (parts[0].to_owned(), entry.trim_end_matches(',').trim().to_owned())
        })
        .collect();
    entries.sort();
    entries
}

fn entry(alias: &str, kind: &str) -> (String, String) {
    (alias.to_owned(), kind.to_owned())
}

#[test]
fn keytool_reads_the_pkcs12_profiles_that_java_knows() {
    let made = made(&["-algorithm", "RSA"]);
    let (chain, cas) = made.parts();
    let material = Material { key: &made.key, chain: &chain, cas: &cas };
    for profile in [Pkcs12Profile::LegacyRc2, Pkcs12Profile::LegacyDes, Pkcs12Profile::Modern2023] {
        let store = pkcs12::keystore(profile, PLAIN_PASSWORD, &material, &chance(1)).unwrap();
        let file = made.file("keystore.p12", &store);
        assert_eq!(listed(&file, "PKCS12", PLAIN_PASSWORD), [entry("1", "PrivateKeyEntry")], "{profile:?}");
        let store = pkcs12::truststore(profile, PLAIN_PASSWORD, &cas, &chance(1)).unwrap();
        let file = made.file("truststore.p12", &store);
        let trusted = [entry("ca", "trustedCertEntry"), entry("ca-1", "trustedCertEntry")];
        assert_eq!(listed(&file, "PKCS12", PLAIN_PASSWORD), trusted, "{profile:?}");
    }
}

#[test]
fn keytool_reads_a_jks_with_its_key_chain_and_cas() {
    let made = made(&["-algorithm", "RSA"]);
    let (chain, cas) = made.parts();
    let material = Material { key: &made.key, chain: &chain, cas: &cas };
    let created: Timestamp = "2026-01-10T12:00:00Z".parse().unwrap();
    let store = jks::keystore("My-Älias", PASSWORD, &material, created, &chance(1)).unwrap();
    let file = made.file("keystore.jks", &store);
    let entries = [
        entry("ca", "trustedCertEntry"),
        entry("ca-1", "trustedCertEntry"),
        entry("my-älias", "PrivateKeyEntry"),
    ];
    let utf8 = ["-J-Dfile.encoding=UTF-8", "-J-Dsun.jnu.encoding=UTF-8"];
    assert_eq!(listed(&file, "JKS", PASSWORD), entries);
    let shown = [
        &[
            "-list",
            "-rfc",
            "-keystore",
            &file,
            "-storetype",
            "JKS",
            "-storepass",
            PASSWORD,
            "-alias",
            "my-älias",
        ],
        &utf8[..],
    ]
    .concat();
    let told = keytool(&shown);
    assert!(told.contains("Jan 10, 2026"), "the moment of creation is ours: {told}");
    assert_eq!(pem_blocks(told.as_bytes(), "CERTIFICATE"), &made.certificates[..2], "the chain, leaf first");

    // It takes only a chain that verifies: the leaf alone here.
    let lone = Material { chain: &chain[..1], ..material };
    let store = jks::keystore("Key", PASSWORD, &lone, created, &chance(1)).unwrap();
    let file = made.file("plain-alias.jks", &store);
    // Java takes the key out with the same password and writes it as PKCS#12; openssl reads that.
    let out = made.folder.path().join("converted.p12").display().to_string();
    keytool(&[
        "-importkeystore",
        "-srckeystore",
        &file,
        "-srcstoretype",
        "JKS",
        "-srcstorepass",
        PASSWORD,
        "-srcalias",
        "key",
        "-destkeystore",
        &out,
        "-deststoretype",
        "PKCS12",
        "-deststorepass",
        PLAIN_PASSWORD,
        "-destalias",
        "key",
    ]);
    assert!(Path::new(&out).exists());
    let printed =
        openssl(&["pkcs12", "-nodes", "-in", &out, "-passin", &format!("pass:{PLAIN_PASSWORD}")], b"");
    assert_eq!(pem_blocks(&printed, "PRIVATE KEY"), std::slice::from_ref(&made.key));

    let store = jks::truststore(PASSWORD, &cas, created).unwrap();
    let file = made.file("truststore.jks", &store);
    assert_eq!(
        listed(&file, "JKS", PASSWORD),
        [entry("ca", "trustedCertEntry"), entry("ca-1", "trustedCertEntry")]
    );
}

#[test]
fn the_same_arguments_give_the_same_bytes_and_other_salts_give_others() {
    let made = made(&["-algorithm", "ED25519"]);
    let (chain, cas) = made.parts();
    let material = Material { key: &made.key, chain: &chain, cas: &cas };
    let at = Timestamp::UNIX_EPOCH;
    for profile in PROFILES {
        let write = |seed| pkcs12::keystore(profile, PASSWORD, &material, &chance(seed)).unwrap();
        assert_eq!(write(1), write(1));
        assert_ne!(write(1), write(2));
    }
    let write = |seed| jks::keystore("a", PASSWORD, &material, at, &chance(seed)).unwrap();
    assert_eq!(write(1), write(1));
    assert_ne!(write(1), write(2));
}

#[test]
fn a_keystore_without_a_certificate_is_refused() {
    let material = Material { key: b"key", chain: &[], cas: &[] };
    let refused = pkcs12::keystore(Pkcs12Profile::Modern2023, PASSWORD, &material, &chance(1));
    assert_eq!(refused, Err(KeystoreError::NoCertificate));
    let refused = jks::keystore("a", PASSWORD, &material, Timestamp::UNIX_EPOCH, &chance(1));
    assert_eq!(refused, Err(KeystoreError::NoCertificate));
}
