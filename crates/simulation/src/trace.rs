//! The trace: one line for each thing that happened, hashed as it grows, so that two runs can be compared byte for byte.
//! It holds no key material: of Secrets only the certificate goes in.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

use crate::moments::shown;

/// How many of the latest lines a run remembers unless it is asked for all.
const LATEST: usize = 400;

/// The trace of one run.
pub struct Trace {
    digest: Context,
    lines: VecDeque<String>,
    most: usize,
    count: u64,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} lines)", self.count)
    }
}

impl Trace {
    /// An empty trace that remembers the latest lines, or all of them.
    pub fn new(all: bool) -> Trace {
        let most = if all { usize::MAX } else { LATEST };
        Trace { digest: Context::new(&SHA256), lines: VecDeque::new(), most, count: 0 }
    }

    /// Adds a line.
    pub fn note(&mut self, at: Duration, what: &str) {
        let line = format!("{} {what}", shown(at));
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
        self.count += 1;
        if self.lines.len() >= self.most {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The hash of all lines so far.
    pub fn hash(&self) -> String {
        hex(self.digest.clone().finish().as_ref())
    }

    /// How many lines there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The lines that are remembered.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

/// The first bytes of a hash, enough to tell bodies apart in a line.
pub fn short(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&SHA256, bytes);
    hex(digest.as_ref().get(..8).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
