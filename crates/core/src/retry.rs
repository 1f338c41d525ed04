//! How long to wait before the next attempt. Waits are bound by the life that is left, so that a fault that heals never costs a
//! certificate. Pure: jitter comes in as a hash of UID and attempt; the pace of a whole issuer is kept in `pace.rs`.

use std::hash::Hasher as _;
use std::time::Duration;

use crate::failure::Class;

/// No wait is longer than this share of the life that is left (one twentieth: at least twenty tries before the end).
pub const LIFE_SHARE: u32 = 20;
/// The longest wait of a certificate without life: a first issuance, or one that has expired.
pub const CAP_WITHOUT_LIFE: Duration = Duration::from_secs(60);
/// The shortest wait there is.
pub const FLOOR: Duration = Duration::from_secs(1);

/// Waits in seconds before attempt 2, 3, 4 ...; the running total stands behind each row. The last value stays.
const TRANSIENT: &[u64] = &[2, 3, 5, 8, 15, 30, 60, 120, 300]; // 2 s, 5 s, 10 s, 18 s, 33 s, 63 s, 2 min, 4 min, 9 min
const ACCESS: &[u64] = &[10, 20, 30, 60, 60, 120, 300]; // 10 s, 30 s, 1 min, 2 min, 3 min, 5 min, 10 min
const ISSUER: &[u64] = &[10, 20, 30, 60, 60, 120, 300]; // as Access
/// A refusal is looked at again after half a minute at the earliest: that is the distance its proof needs.
const REQUEST: &[u64] = &[64, 64, 120, 300, 600];

/// A number in [0, 1) that spreads waits of different objects apart and is the same each time it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Jitter(f64);

impl Jitter {
    /// Jitter of one attempt of one object.
    pub fn of(uid: &str, attempt: u32) -> Jitter {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        hash.write(uid.as_bytes());
        hash.write(&attempt.to_le_bytes());
        Jitter((mix(hash.finish()) >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// A chosen value, held into [0, 1).
    pub fn new(value: f64) -> Jitter {
        if value.is_finite() { Jitter(value.clamp(0.0, 1.0 - f64::EPSILON)) } else { Jitter(0.0) }
    }

    /// The value.
    pub fn value(self) -> f64 {
        self.0
    }
}

/// The wait before the next attempt of one request: `base/2 + jitter * base/2`, where base grows with the attempts to the cap.
///
/// `attempts` counts the tries that failed so far (at least one), `life_left` is the time until the certificate in use ends (`None`
/// or zero: there is none). A `retry_after` lifts the wait, but never over the cap.
pub fn next_delay(
    class: Class,
    attempts: u32,
    life_left: Option<Duration>,
    retry_after: Option<Duration>,
    jitter: Jitter,
) -> Duration {
    let cap = cap(life_left);
    let base = base(class, attempts).min(cap);
    let spread = base / 2 + (base / 2).mul_f64(jitter.value());
    spread.max(retry_after.unwrap_or_default()).clamp(FLOOR, cap.max(FLOOR))
}

/// The longest wait for this much life left.
pub fn cap(life_left: Option<Duration>) -> Duration {
    match life_left {
        Some(life) if !life.is_zero() => (life / LIFE_SHARE).max(FLOOR),
        _ => CAP_WITHOUT_LIFE,
    }
}

/// The base of the wait after so many failed attempts: front-loaded and monotone.
pub fn base(class: Class, attempts: u32) -> Duration {
    let rungs = match class {
        Class::Transient => TRANSIENT,
        Class::Access => ACCESS,
        Class::Issuer => ISSUER,
        Class::Request => REQUEST,
    };
    let rung = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = rungs.get(rung).or(rungs.last()).copied().unwrap_or(1);
    Duration::from_secs(seconds)
}

/// When a Certificate tries again after a proved refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// Ours: 5 minutes, doubled with each refusal to at most 8 hours, never more than a share of the life that is left.
    BoundByLife,
    /// The peer's: `minimum * 2^(attempts - 1)`, at most `maximum`; used when both of its flags are set.
    Doubling {
        /// First wait.
        minimum: Duration,
        /// Longest wait.
        maximum: Duration,
    },
}

const CADENCE_FIRST: Duration = Duration::from_secs(5 * 60);
const CADENCE_LAST: Duration = Duration::from_secs(8 * 3600);

impl Cadence {
    /// The peer's own: 1 h, 2 h, 4 h ... 32 h (certificate-lifecycle 2.4).
    pub const PEER: Cadence =
        Cadence::Doubling { minimum: Duration::from_secs(3_600), maximum: Duration::from_secs(32 * 3_600) };

    /// The wait after the `attempts`-th refusal in a row.
    pub fn wait(self, attempts: u32, life_left: Option<Duration>, jitter: Jitter) -> Duration {
        match self {
            Cadence::BoundByLife => {
                let bound = match life_left {
                    Some(life) if !life.is_zero() => {
                        CADENCE_LAST.min((life / LIFE_SHARE).max(CADENCE_FIRST / 5))
                    }
                    _ => CADENCE_LAST,
                };
                let base = doubled(CADENCE_FIRST, attempts, CADENCE_LAST).min(bound);
                base / 2 + (base / 2).mul_f64(jitter.value())
            }
            Cadence::Doubling { minimum, maximum } => doubled(minimum, attempts, maximum),
        }
    }
}

fn doubled(first: Duration, attempts: u32, last: Duration) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    first.checked_mul(1 << doublings).map_or(last, |wait| wait.min(last))
}

/// FNV-1a: a fixed hash, the same on every machine and in every run.
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// FNV leaves the high bits of short inputs nearly alone; this spreads them.
fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// Five lower-case letters and digits made from a seed: the tail of a generated name.
pub fn name_suffix(uid: &str, salt: u32) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.write(uid.as_bytes());
    hash.write(&salt.to_be_bytes());
    let mut rest = mix(hash.finish());
    let mut suffix = String::with_capacity(5);
    for _ in 0..5 {
        let at = usize::try_from(rest % LETTERS.len() as u64).unwrap_or_default();
        suffix.push(char::from(LETTERS.get(at).copied().unwrap_or(b'x')));
        rest /= LETTERS.len() as u64;
    }
    suffix
}
