//! PEM in and out, bounded in size before anything is decoded.
//! It never decodes DER and never puts a byte of what it read into an error.

/// How much PEM text is read, by what it holds (the peer's flags `--max-certificate-size` and so on, certificate-lifecycle 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PemLimits {
    /// One certificate.
    pub certificate: usize,
    /// One private key.
    pub key: usize,
    /// A chain as an issuer returns it.
    pub chain: usize,
    /// A bundle of trust anchors.
    pub bundle: usize,
}

impl PemLimits {
    /// The peer's defaults.
    pub const DEFAULT: PemLimits =
        PemLimits { certificate: 36_500, key: 13_000, chain: 95_000, bundle: 330_000 };
}

impl Default for PemLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why PEM text can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// It is too long to be looked at.
    #[error("{expected} is {found} bytes of PEM, more than the limit of {limit}")]
    TooLong {
        /// What was expected.
        expected: &'static str,
        /// How long it is.
        found: usize,
        /// How long it may be.
        limit: usize,
    },
    /// It holds no PEM block at all.
    #[error("no PEM block found where {expected} was expected")]
    NoBlock {
        /// What was expected.
        expected: &'static str,
    },
    /// It holds another kind of block.
    #[error("expected {expected}, found a PEM block \"{found}\"")]
    OtherBlock {
        /// What was expected.
        expected: &'static str,
        /// The label that was found.
        found: String,
    },
    /// A block isn't Base64 between matching lines.
    #[error("malformed PEM block where {expected} was expected")]
    Malformed {
        /// What was expected.
        expected: &'static str,
    },
}
