//! What a Certificate asks for, parsed: a `Wanted` can't hold an impossible wish, so nothing behind it validates again.
//! It is made in one place only (`everleaf_api::wanted`), which says which field is wrong when it can't be made.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::x509::name::DistinguishedName;
use crate::x509::{KeyKind, SignatureKind};

/// The life asked for when the Certificate names none.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(90 * 24 * 3600);

/// A Certificate's spec, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The Secret to write, in the Certificate's namespace.
    pub secret_name: String,
    /// Who shall sign.
    pub issuer: IssuerRef,
    /// The subject of the CSR.
    pub subject: Subject,
    /// The subject alternative names.
    pub sans: Sans,
    /// The life to ask for; `None` asks for [`DEFAULT_DURATION`] and is left out of the request.
    pub duration: Option<Duration>,
    /// When to renew.
    pub renewal: Renewal,
    /// The private key.
    pub key: KeyWish,
    /// The key usages as written (empty: the default pair).
    pub usages: Vec<Usage>,
    /// Whether the CSR carries the usages.
    pub usages_in_csr: bool,
    /// A CA certificate is asked for.
    pub is_ca: bool,
    /// Name constraints of a CA.
    pub name_constraints: Option<NameConstraints>,
    /// How the CSR is signed; `None` follows the key.
    pub signature: Option<SignatureKind>,
    /// Labels and annotations for the Secret.
    pub secret_template: SecretTemplate,
    /// Formats beside `tls.key` and `tls.crt`.
    pub output_formats: Vec<OutputFormat>,
    /// Keystores to make.
    pub keystores: Keystores,
    /// How many finished requests to keep.
    pub revision_history_limit: usize,
}

/// Reference to an issuer, with the defaults filled in for comparison and the written values kept for annotations.
#[derive(Debug, Clone)]
pub struct IssuerRef {
    /// Name of the issuer.
    pub name: String,
    /// Kind as written, possibly empty.
    pub written_kind: String,
    /// Group as written, possibly empty.
    pub written_group: String,
}

impl IssuerRef {
    /// The group of the built-in issuers.
    pub const GROUP: &'static str = "cert-manager.io";

    /// Kind, `Issuer` where none is written.
    pub fn kind(&self) -> &str {
        if self.written_kind.is_empty() { "Issuer" } else { &self.written_kind }
    }

    /// Group, `cert-manager.io` where none is written.
    pub fn group(&self) -> &str {
        if self.written_group.is_empty() { Self::GROUP } else { &self.written_group }
    }

    /// True for `Issuer` and `ClusterIssuer` of our own group.
    pub fn is_builtin(&self) -> bool {
        self.group() == Self::GROUP && matches!(self.kind(), "Issuer" | "ClusterIssuer")
    }
}

impl PartialEq for IssuerRef {
    /// Absent and default are equal.
    fn eq(&self, other: &Self) -> bool {
        (self.name.as_str(), self.kind(), self.group()) == (other.name.as_str(), other.kind(), other.group())
    }
}

/// The subject: either built from fields, or given whole as RFC 4514 text.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// Common name and the lists of `spec.subject`.
    Fields(SubjectFields),
    /// `spec.literalSubject`, parsed (already in the order of the encoding).
    Literal(DistinguishedName),
}

/// `spec.commonName` and `spec.subject`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectFields {
    /// CN
    pub common_name: Option<String>,
    /// O
    pub organizations: Vec<String>,
    /// C
    pub countries: Vec<String>,
    /// OU
    pub organizational_units: Vec<String>,
    /// L
    pub localities: Vec<String>,
    /// ST
    pub provinces: Vec<String>,
    /// STREET
    pub street_addresses: Vec<String>,
    /// postalCode
    pub postal_codes: Vec<String>,
    /// serialNumber
    pub serial_number: Option<String>,
}

/// Subject alternative names, in the order written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sans {
    /// DNS names; not checked beyond being ASCII (the extension can't carry more).
    pub dns: Vec<String>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// IP addresses.
    pub ips: Vec<IpAddr>,
    /// URIs.
    pub uris: Vec<String>,
    /// otherNames. `None` when the spec has no such list, which compares with everything.
    pub other_names: Option<Vec<OtherName>>,
}

/// An otherName that holds a UTF8String.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherName {
    /// Its type, dotted.
    pub oid: String,
    /// Its value.
    pub value: String,
}

/// `spec.privateKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyWish {
    /// Algorithm and size.
    pub kind: KeyKind,
    /// How `tls.key` is encoded.
    pub encoding: KeyEncoding,
    /// Whether a new issuance takes a new key.
    pub rotation: Rotation,
}

/// Encoding of `tls.key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEncoding {
    /// RSA PRIVATE KEY or EC PRIVATE KEY; Ed25519 is PKCS#8 all the same.
    Pkcs1,
    /// PRIVATE KEY.
    Pkcs8,
}

/// `spec.privateKey.rotationPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// A new key for each issuance.
    Always,
    /// The key in the Secret stays.
    Never,
}

/// Key usages and extended key usages by the names of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Usage {
    Signing,
    DigitalSignature,
    ContentCommitment,
    KeyEncipherment,
    KeyAgreement,
    DataEncipherment,
    CertSign,
    CrlSign,
    EncipherOnly,
    DecipherOnly,
    Any,
    ServerAuth,
    ClientAuth,
    CodeSigning,
    EmailProtection,
    SMime,
    IpsecEndSystem,
    IpsecTunnel,
    IpsecUser,
    Timestamping,
    OcspSigning,
    MicrosoftSgc,
    NetscapeSgc,
}

/// Name constraints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameConstraints {
    /// The extension is critical.
    pub critical: bool,
    /// Names that are allowed.
    pub permitted: NameSubtrees,
    /// Names that are forbidden.
    pub excluded: NameSubtrees,
}

/// One side of the name constraints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameSubtrees {
    /// DNS domains.
    pub dns_domains: Vec<String>,
    /// IP ranges, as network address and prefix length.
    pub ip_ranges: Vec<(IpAddr, u8)>,
    /// E-mail addresses or their domains.
    pub email_addresses: Vec<String>,
    /// URI domains.
    pub uri_domains: Vec<String>,
}

/// When to renew.
#[derive(Debug, Clone, PartialEq)]
pub struct Renewal {
    /// How long before its end a certificate is renewed.
    pub before: RenewBefore,
    /// Whether and when renewal may happen at all.
    pub policy: RenewalPolicy,
}

/// `renewBefore` and `renewBeforePercentage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewBefore {
    /// At two thirds of the life.
    Default,
    /// This long before the end.
    Duration(Duration),
    /// When this share of the life is left (0 < p < 100).
    Percentage(u8),
}

/// `spec.renewal`.
#[derive(Debug, Clone, PartialEq)]
pub enum RenewalPolicy {
    /// At the computed time.
    AtTime,
    /// Never because of time.
    Disabled,
    /// At the computed time if a window is open then, else when the next one opens.
    Windows(Vec<Window>),
}

/// A window in which renewal may happen: when it opens and how long it stays open. Times are computed by
/// [`crate::renewal`].
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// When it opens: five cron fields or a descriptor such as `@daily`.
    pub cron: crate::cron::Cron,
    /// IANA name of the time zone the fields are meant in.
    pub timezone: String,
    /// How long it stays open.
    pub open_for: Duration,
}

/// `spec.secretTemplate`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretTemplate {
    /// Annotations for the Secret.
    pub annotations: BTreeMap<String, String>,
    /// Labels for the Secret.
    pub labels: BTreeMap<String, String>,
}

/// `spec.additionalOutputFormats[].type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutputFormat {
    /// `key.der`
    Der,
    /// `tls-combined.pem`
    CombinedPem,
}

/// `spec.keystores`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keystores {
    /// `keystore.jks` and `truststore.jks`
    pub jks: Option<Jks>,
    /// `keystore.p12` and `truststore.p12`
    pub pkcs12: Option<Pkcs12>,
}

/// A Java keystore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jks {
    /// Alias of the key entry.
    pub alias: String,
    /// Its password.
    pub password: Password,
}

/// A PKCS#12 keystore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs12 {
    /// Its algorithms.
    pub profile: Pkcs12Profile,
    /// Its password.
    pub password: Password,
}

/// `spec.keystores.pkcs12.profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkcs12Profile {
    /// RC2-40 certificates, 3DES key, SHA-1 MAC.
    LegacyRc2,
    /// 3DES, SHA-1 MAC.
    LegacyDes,
    /// AES-256, SHA-256 MAC.
    Modern2023,
    /// AES-256, PBMAC1.
    Modern2026,
}

/// Where a keystore's password comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// From a key of a Secret.
    Secret {
        /// Name of the Secret.
        name: String,
        /// Key in it.
        key: String,
    },
    /// Written in the spec.
    Literal(String),
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Password::Secret { name, key } => write!(f, "Password::Secret({name}/{key})"),
            Password::Literal(text) => write!(f, "Password::Literal({} bytes)", text.len()),
        }
    }
}
