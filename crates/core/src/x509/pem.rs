//! PEM in and out, bounded in size before anything is decoded. As lenient as Go's reader where that does no harm (text between blocks, any line
//! width, CRLF), but a block that is cut off or damaged is an error: a chain must not lose a link in silence.
//! It never decodes DER and never puts a byte of what it read into an error, labels apart.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// How much PEM text is read, by what it holds (the peer's flags `--max-certificate-size` and so on, certificate-lifecycle 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PemLimits {
    /// Bytes of PEM for one certificate.
    pub certificate: usize,
    /// Bytes of PEM for one private key.
    pub key: usize,
    /// Bytes of PEM for a chain as an issuer returns it; also for a request, which may carry as many names as a leaf.
    pub chain: usize,
    /// Bytes of PEM for a bundle of trust anchors.
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
    #[error("{expected}: {found} bytes of PEM are more than the limit of {limit}")]
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
    /// It holds other kinds of blocks only.
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

/// One block. It may hold a key, so it has no `Debug`.
pub struct Block<'a> {
    /// The words between `BEGIN` and the dashes.
    pub label: &'a str,
    /// What the Base64 stands for.
    pub der: Zeroizing<Vec<u8>>,
    /// The headers say that it is encrypted.
    pub encrypted: bool,
}

/// The first block of a text of at most the default limit for bundles, whatever it holds.
pub fn first_block(text: &[u8]) -> Result<Block<'_>, PemError> {
    first(text, "a PEM block", PemLimits::DEFAULT.bundle, |_| true)
}

/// The blocks of a text, one after the other.
pub(super) struct Blocks<'a> {
    expected: &'static str,
    lines: std::slice::Split<'a, u8, fn(&u8) -> bool>,
}

/// The blocks of `text`, which may be at most `limit` bytes long.
pub(super) fn blocks<'a>(
    text: &'a [u8],
    expected: &'static str,
    limit: usize,
) -> Result<Blocks<'a>, PemError> {
    if text.len() > limit {
        return Err(PemError::TooLong { expected, found: text.len(), limit });
    }
    let is_line_end: fn(&u8) -> bool = |byte| *byte == b'\n';
    Ok(Blocks { expected, lines: text.split(is_line_end) })
}

/// The first block for which `wanted` says yes to its label; others before it are passed over.
pub(super) fn first<'a>(
    text: &'a [u8],
    expected: &'static str,
    limit: usize,
    wanted: impl Fn(&str) -> bool,
) -> Result<Block<'a>, PemError> {
    let mut other = None;
    for block in blocks(text, expected, limit)? {
        let block = block?;
        if wanted(block.label) {
            return Ok(block);
        }
        other.get_or_insert(block.label);
    }
    Err(none_found(expected, other))
}

/// The error for a text without a block of the right kind.
pub(super) fn none_found(expected: &'static str, other: Option<&str>) -> PemError {
    const LABEL_SHOWN: usize = 64;
    match other {
        None => PemError::NoBlock { expected },
        Some(label) => {
            PemError::OtherBlock { expected, found: crate::words::cut(label.to_owned(), LABEL_SHOWN) }
        }
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>, PemError>;

    fn next(&mut self) -> Option<Self::Item> {
        let label = self.lines.by_ref().find_map(|line| label_of(line, b"-----BEGIN "))?;
        Some(self.body(label).ok_or(PemError::Malformed { expected: self.expected }))
    }
}

impl<'a> Blocks<'a> {
    fn body(&mut self, label: &'a str) -> Option<Block<'a>> {
        let mut base64 = Zeroizing::new(Vec::with_capacity(self.longest_body()));
        let mut encrypted = false;
        loop {
            let line = self.lines.next()?.trim_ascii();
            if let Some(end) = label_of(line, b"-----END ") {
                let der = decode(&mut base64)?;
                return (end == label).then_some(Block { label, der, encrypted });
            }
            if line.starts_with(b"-----") {
                return None;
            }
            // RFC 1421 headers; Base64 has no colon.
            if line.contains(&b':') {
                encrypted |= line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED");
                continue;
            }
            base64.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }

    /// Room for all lines up to the next dashes, so that a key is never moved while it is collected.
    fn longest_body(&self) -> usize {
        self.lines.clone().take_while(|line| !line.trim_ascii().starts_with(b"-----")).map(<[u8]>::len).sum()
    }
}

fn decode(base64: &mut [u8]) -> Option<Zeroizing<Vec<u8>>> {
    let der = Base64::decode_in_place(base64).ok()?;
    Some(Zeroizing::new(der.to_vec()))
}

fn label_of<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a str> {
    let label = line.trim_ascii().strip_prefix(start)?.strip_suffix(b"-----")?;
    std::str::from_utf8(label).ok()
}

/// PEM text of one block: 64 characters a line, as everybody writes it. Memory is taken once, so that no copy of a key stays behind.
pub(super) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    const LINE: usize = 64;
    const FRAME: usize = "-----BEGIN -----\n-----END -----\n".len();
    let length = Base64::encoded_len(der);
    let mut buffer = Zeroizing::new(vec![0; length]);
    // The buffer has the length that the encoder asks for, so this can't fail.
    let base64 = Base64::encode(der, &mut buffer).unwrap_or_default();
    let mut text =
        Zeroizing::new(String::with_capacity(length + length.div_ceil(LINE) + FRAME + 2 * label.len()));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = base64;
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Vec<u8>)>, PemError> {
        let blocks = blocks(text.as_bytes(), "something", 10_000)?;
        blocks.map(|block| block.map(|b| (b.label.to_owned(), b.der.to_vec()))).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 2, 3, 47, 48, 49, 96, 1_000] {
            let der: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let text = encode("A THING", &der);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(text.len(), text.capacity(), "one allocation of the right size");
            assert_eq!(read(&text).unwrap(), [("A THING".to_owned(), der)]);
        }
    }

    #[test]
    fn text_around_blocks_line_ends_and_line_widths_do_not_matter() {
        let text = "# a comment\r\n  -----BEGIN X-----\r\nAQ\r\n==\r\n-----END X-----\r\n\r\nsubject: x\n-----BEGIN Y-----\nKey: value\n\nAgID\n-----END Y-----";
        assert_eq!(read(text).unwrap(), [("X".to_owned(), vec![1]), ("Y".to_owned(), vec![2, 2, 3])]);
    }

    #[test]
    fn a_damaged_block_is_an_error_and_not_a_shorter_list() {
        let good = "-----BEGIN X-----\nAQ==\n-----END X-----\n";
        let cases = [
            "-----BEGIN X-----\nAQ==\n",
            "-----BEGIN X-----\nAQ==\n-----END Y-----\n",
            "-----BEGIN X-----\nA!==\n-----END X-----\n",
            "-----BEGIN X-----\nAQ=\n-----END X-----\n",
            "-----BEGIN X-----\nAQ==\n-----BEGIN X-----\nAQ==\n-----END X-----\n",
        ];
        for case in cases {
            let text = format!("{good}{case}");
            assert_eq!(read(&text), Err(PemError::Malformed { expected: "something" }), "{case}");
        }
    }

    #[test]
    fn too_much_text_is_refused_before_it_is_looked_at() {
        let text = vec![b'-'; 101];
        let error = blocks(&text, "a key", 100).err().unwrap();
        assert_eq!(error.to_string(), "a key: 101 bytes of PEM are more than the limit of 100");
    }

    #[test]
    fn the_error_says_what_was_there_instead() {
        let text = encode("CERTIFICATE", &[1]);
        let error =
            first(text.as_bytes(), "a private key", 1_000, |label| label == "PRIVATE KEY").err().unwrap();
        assert_eq!(error.to_string(), "expected a private key, found a PEM block \"CERTIFICATE\"");
        let error = first(b"nothing", "a private key", 1_000, |_| true).err().unwrap();
        assert_eq!(error, PemError::NoBlock { expected: "a private key" });
    }
}
