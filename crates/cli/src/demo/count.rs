//! What the demo counts while it watches. It counts what users would see, from the API alone.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::stage::Seen;

/// Numbers for the screen and the verdict.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    /// Certificates there are.
    pub(super) certificates: usize,
    /// Certificates that are ready.
    pub(super) ready: usize,
    /// Certificates that wait for an answer.
    pub(super) waiting: usize,
    /// Times a certificate was issued.
    pub(super) issued: i64,
    /// Requests that ended as failed, at most one a look and certificate.
    pub(super) failed: usize,
    /// Certificates that were seen past their end.
    pub(super) expired: usize,
    /// Certificates past their end at the last look.
    over: usize,
    /// Failed requests at the last look.
    over_failed: usize,
}

impl Count {
    /// Counts what was seen now.
    pub(super) fn take(&mut self, seen: &[Seen]) {
        let now = Timestamp::now();
        self.certificates = seen.len();
        self.ready = seen.iter().filter(|certificate| certificate.ready).count();
        self.waiting = seen.iter().filter(|certificate| certificate.waits.is_some()).count();
        self.issued = seen.iter().map(|certificate| certificate.revision).sum();
        let over = seen.iter().filter(|certificate| certificate.ends.is_some_and(|ends| ends < now)).count();
        let failed = seen.iter().filter(|certificate| certificate.failed).count();
        // What was over at the last look has been counted.
        self.expired += over.saturating_sub(self.over);
        self.failed += failed.saturating_sub(self.over_failed);
        (self.over, self.over_failed) = (over, failed);
    }
}

/// Lives left by certificate, least first.
pub(super) fn by_life_left(seen: &[Seen]) -> Vec<&Seen> {
    let ordered: BTreeMap<(Option<Timestamp>, &str), &Seen> =
        seen.iter().map(|certificate| ((certificate.ends, certificate.name.as_str()), certificate)).collect();
    ordered.into_values().collect()
}
