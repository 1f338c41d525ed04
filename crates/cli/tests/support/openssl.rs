//! The `openssl` command as the judge: what a certificate, a key or a CSR says, and whether a chain verifies.
//! Nothing of the product is used here, so a fault of its parsers can't hide a fault of its writers.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use jiff::Timestamp;

/// Runs `openssl`; what it printed, or what it complained about.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Result<String, String> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("these tests need the openssl command");
    // One that fails early doesn't read its input; its complaint is what counts.
    let _ = child.stdin.take().unwrap().write_all(input);
    let done = child.wait_with_output().unwrap();
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("openssl {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr)))
}

/// A certificate as `openssl x509` tells it.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) public_key: String,
    extensions: Vec<Extension>,
}

#[derive(Debug, Clone)]
struct Extension {
    name: String,
    critical: bool,
    lines: Vec<String>,
}

/// The names of a certificate by kind, each as a set; IP addresses in their usual form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sans {
    pub(crate) dns: BTreeSet<String>,
    pub(crate) ips: BTreeSet<IpAddr>,
    pub(crate) uris: BTreeSet<String>,
    pub(crate) emails: BTreeSet<String>,
    /// `oid::value`; openssl writes UPN for Microsoft's.
    pub(crate) others: BTreeSet<String>,
}

const EXTENSIONS: &str = "subjectAltName,keyUsage,extendedKeyUsage,basicConstraints,nameConstraints,crlDistributionPoints,authorityInfoAccess,subjectKeyIdentifier,authorityKeyIdentifier";

impl Leaf {
    /// Reads the first certificate of a PEM text.
    pub(crate) fn read(pem: &[u8]) -> Result<Leaf, String> {
        let shape = ["-subject", "-issuer", "-serial", "-startdate", "-enddate", "-dateopt", "iso_8601"];
        let mut arguments = vec!["x509", "-noout", "-pubkey", "-nameopt", "RFC2253,-esc_msb,utf8"];
        arguments.extend(shape);
        arguments.extend(["-ext", EXTENSIONS]);
        let printed = run(&arguments, pem)?;
        let line = |prefix: &str| {
            let found = printed.lines().find_map(|line| line.strip_prefix(prefix));
            found.map(|rest| rest.trim().to_owned()).ok_or_else(|| format!("no {prefix} in {printed}"))
        };
        let time = |prefix: &str| {
            let written = line(prefix)?.replace(' ', "T");
            written.parse::<Timestamp>().map_err(|error| format!("{written}: {error}"))
        };
        Ok(Leaf {
            subject: line("subject=")?,
            issuer: line("issuer=")?,
            serial: line("serial=")?,
            not_before: time("notBefore=")?,
            not_after: time("notAfter=")?,
            public_key: block(&printed),
            extensions: extensions(&printed),
        })
    }

    fn extension(&self, name: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.name == name)
    }

    /// The lines of an extension as openssl prints them, without blanks; none if it isn't there.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.extension(name).map(|extension| extension.lines.clone()).unwrap_or_default()
    }

    pub(crate) fn is_critical(&self, name: &str) -> bool {
        self.extension(name).is_some_and(|extension| extension.critical)
    }

    pub(crate) fn is_ca(&self) -> bool {
        self.lines("Basic Constraints").iter().any(|line| line.starts_with("CA:TRUE"))
    }

    /// The items of an extension that openssl writes with commas.
    pub(crate) fn items(&self, name: &str) -> BTreeSet<String> {
        self.lines(name).iter().flat_map(|line| line.split(", ")).map(str::to_owned).collect()
    }

    pub(crate) fn sans(&self) -> Sans {
        let mut sans = Sans::default();
        for item in self.items("Subject Alternative Name") {
            let (kind, value) = item.split_once(':').unwrap_or_default();
            let value = value.trim().to_owned();
            let _ = match kind {
                "DNS" => sans.dns.insert(value),
                "IP Address" => sans.ips.insert(value.parse().unwrap()),
                "URI" => sans.uris.insert(value),
                "email" => sans.emails.insert(value),
                "othername" => sans.others.insert(value),
                other => panic!("an unexpected name of kind {other} in {item}"),
            };
        }
        sans
    }
}

fn block(printed: &str) -> String {
    let inside = printed.lines().skip_while(|line| !line.starts_with("-----BEGIN"));
    let mut block: Vec<&str> = inside.take_while(|line| !line.starts_with("-----END")).collect();
    block.push("-----END PUBLIC KEY-----");
    block.join("\n")
}

fn extensions(printed: &str) -> Vec<Extension> {
    let mut found: Vec<Extension> = Vec::new();
    for line in printed.lines() {
        // The names of the two X509v3 and of the one that isn't: "Authority Information Access: ".
        let head = line.strip_prefix("X509v3 ").unwrap_or(line);
        if !line.starts_with(' ')
            && (line.starts_with("X509v3 ") || line.starts_with("Authority Information"))
        {
            let (name, rest) = head.split_once(':').unwrap_or((head, ""));
            found.push(Extension {
                name: name.trim().to_owned(),
                critical: rest.trim() == "critical",
                lines: Vec::new(),
            });
        } else if let Some(last) = found.last_mut().filter(|_| line.starts_with(' ')) {
            last.lines.push(line.trim().to_owned());
        }
    }
    found
}

/// A private key as `openssl pkey` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// `RSA 2048`, `ECDSA 256`, `Ed25519`.
    pub(crate) kind: String,
    /// `RSA PRIVATE KEY`, `EC PRIVATE KEY`, `PRIVATE KEY`.
    pub(crate) label: String,
    pub(crate) public_key: String,
}

impl Key {
    /// Reads a key, and lets openssl check that it holds together.
    pub(crate) fn read(pem: &[u8]) -> Result<Key, String> {
        let told = run(&["pkey", "-noout", "-check", "-text"], pem)?;
        let first = told.lines().find(|line| line.contains("Private-Key:")).ok_or("no key")?;
        let bits: String = first.chars().skip_while(|c| *c != '(').filter(char::is_ascii_digit).collect();
        let kind = if first.contains("ED25519") {
            "Ed25519".to_owned()
        } else if told.contains("NIST CURVE") {
            format!("ECDSA {bits}")
        } else {
            // "(2048 bit, 2 primes)"
            format!("RSA {}", bits.strip_suffix('2').filter(|_| first.contains("2 primes")).unwrap_or(&bits))
        };
        let text = String::from_utf8_lossy(pem);
        let label = text.lines().next().unwrap_or_default();
        let label = label.trim_start_matches("-----BEGIN ").trim_end_matches("-----").to_owned();
        let public_key = block(&run(&["pkey", "-pubout"], pem)?);
        Ok(Key { kind, label, public_key })
    }
}

/// Verifies the first certificate of `chain` with the rest of it as intermediates, against `ca`; `names` are more arguments, such as
/// `-verify_hostname a.example`.
pub(crate) fn verify(chain: &[u8], ca: &[u8], names: &[&str]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let (ca, chain) = (file("ca.pem", ca), file("chain.pem", chain));
    let mut arguments = vec!["verify", "-CAfile", &ca, "-untrusted", &chain];
    arguments.extend(names);
    arguments.push(&chain);
    run(&arguments, b"").map(drop)
}

/// Verifies the signature of a CSR and returns the public key in it.
pub(crate) fn request(pem: &[u8]) -> Result<String, String> {
    Ok(block(&run(&["req", "-verify", "-noout", "-pubkey"], pem)?))
}

/// What `openssl req -text` says of a CSR.
pub(crate) fn request_text(pem: &[u8]) -> String {
    run(&["req", "-noout", "-text", "-nameopt", "RFC2253,-esc_msb,utf8"], pem).unwrap()
}

/// A root with a P-256 key, valid for ten years: certificate and key, PEM.
pub(crate) fn root(name: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("ca.crt"), path("ca.key"));
    let subject = format!("/CN={name}");
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"];
    let mut arguments = new.to_vec();
    arguments.extend(["-subj", &subject, "-keyout", &key, "-out", &certificate]);
    run(&arguments, b"").unwrap();
    (std::fs::read_to_string(certificate).unwrap(), std::fs::read_to_string(key).unwrap())
}
