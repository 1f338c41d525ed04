//! How often wrong AppRole credentials may be tried: Vault locks a role for everybody after five wrong tries within a quarter of an
//! hour, the right secret_id included (vault-measured 3). Counted per role across all issuers of the process. No secret is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// After this long without a wrong try Vault has forgotten the earlier ones (15 minutes), and a little more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60 + 10);
/// The most wrong tries before they are forgotten. Vault locks at the fifth.
const MOST_WRONG: u32 = 4;
/// Pauses before the second and third try of the same credentials. The third comes after 65 s, so that a false refusal of a minute
/// costs no quarter of an hour; the fourth try is left for changed credentials.
const PAUSES: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(50)];
/// How long a login waits for another one of the same role.
const WAIT_FOR_SEAT: Duration = Duration::from_secs(5);
/// The most roles remembered; beyond it the ones that were quiet longest are forgotten.
const MOST_ROLES: usize = 10_000;

/// Wrong tries of all roles.
#[derive(Debug, Default)]
pub struct WrongTries {
    roles: Mutex<BTreeMap<Role, Arc<Tries>>>,
}

/// A role at a server: one address, namespace, mount and role id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Role(pub(super) [String; 4]);

/// A fingerprint of credentials: tells whether they changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(credentials: &[u8]) -> Fingerprint {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, credentials);
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Fingerprint(bytes)
    }
}

#[derive(Debug)]
struct Tries {
    seat: Arc<Semaphore>,
    count: Mutex<Count>,
}

#[derive(Debug, Default)]
struct Count {
    wrong: u32,
    of_same: u32,
    last: Option<(Instant, Fingerprint)>,
}

/// Leave to try once; while it is held, nobody else tries this role.
#[derive(Debug)]
pub(super) struct Seat {
    tries: Arc<Tries>,
    fingerprint: Fingerprint,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldBack {
    /// Another login of the role takes its time.
    Busy,
    /// Too many wrong tries; the next may be made after this long.
    For(Duration),
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// The credentials are right.
    Right,
    /// They were called wrong.
    Wrong,
    /// No answer, or one that says nothing about them.
    Unknown,
}

impl WrongTries {
    /// Asks for leave to try credentials.
    pub(super) async fn seat(&self, role: Role, fingerprint: Fingerprint) -> Result<Seat, HeldBack> {
        let tries = self.tries(role);
        let permit = match timeout(WAIT_FOR_SEAT, tries.seat.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(HeldBack::Busy),
        };
        let wait = tries.lock().wait(fingerprint, Instant::now());
        match wait {
            Some(wait) => Err(HeldBack::For(wait)),
            None => Ok(Seat { tries, fingerprint, _permit: permit }),
        }
    }

    fn tries(&self, role: Role) -> Arc<Tries> {
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        if roles.len() >= MOST_ROLES {
            let now = Instant::now();
            roles.retain(|_, tries| Arc::strong_count(tries) > 1 || tries.lock().is_remembered(now));
        }
        let fresh = || Arc::new(Tries { seat: Arc::new(Semaphore::new(1)), count: Mutex::default() });
        roles.entry(role).or_insert_with(fresh).clone()
    }
}

impl Tries {
    fn lock(&self) -> std::sync::MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn is_remembered(&self, now: Instant) -> bool {
        self.last.is_some_and(|(at, _)| now.duration_since(at) < FORGOTTEN_AFTER)
    }

    /// How long to wait before these credentials may be tried.
    fn wait(&self, fingerprint: Fingerprint, now: Instant) -> Option<Duration> {
        let (at, of) = self.last.filter(|_| self.is_remembered(now))?;
        let since = now.duration_since(at);
        let changed = of != fingerprint;
        let pause = match usize::try_from(self.of_same.saturating_sub(1)).ok().and_then(|n| PAUSES.get(n)) {
            _ if self.wrong >= MOST_WRONG => FORGOTTEN_AFTER,
            _ if changed => Duration::ZERO,
            Some(pause) => *pause,
            None => FORGOTTEN_AFTER,
        };
        pause.checked_sub(since).filter(|wait| !wait.is_zero())
    }

    fn note(&mut self, fingerprint: Fingerprint, tried: Tried, now: Instant) {
        let remembered = self.is_remembered(now);
        match tried {
            Tried::Right => *self = Count::default(),
            // Nothing wrong so far: silence counts for nothing.
            Tried::Unknown if !remembered => {}
            Tried::Unknown | Tried::Wrong => {
                let before = if remembered { std::mem::take(self) } else { Count::default() };
                let same = before.last.is_some_and(|(_, of)| of == fingerprint);
                *self = Count {
                    wrong: before.wrong.saturating_add(1),
                    of_same: if same { before.of_same.saturating_add(1) } else { 1 },
                    last: Some((now, fingerprint)),
                };
            }
        }
    }
}

impl Seat {
    /// Says what came of it.
    pub(super) fn note(self, tried: Tried) {
        self.tries.lock().note(self.fingerprint, tried, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn role() -> Role {
        Role(["https://vault".into(), String::new(), "auth/approle".into(), "id".into()])
    }

    /// Tries as fast as it is let for this long; gives the seconds at which it tried.
    async fn tried_within(tries: &WrongTries, credentials: &[u8], seconds: u64) -> Vec<u64> {
        let began = Instant::now();
        let mut at = Vec::new();
        while began.elapsed().as_secs() < seconds {
            match tries.seat(role(), Fingerprint::of(credentials)).await {
                Ok(seat) => {
                    at.push(began.elapsed().as_secs());
                    seat.note(Tried::Wrong);
                }
                Err(_) => tokio::time::advance(Duration::from_secs(1)).await,
            }
        }
        at
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_wrong_credentials_are_tried_three_times_in_a_quarter_of_an_hour() {
        let tries = WrongTries::default();
        assert_eq!(tried_within(&tries, b"wrong", 900).await, [0, 15, 65]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_quarter_of_an_hour_ever_sees_five_wrong_tries() {
        let tries = WrongTries::default();
        let mut all = Vec::new();
        for round in 0..40_u64 {
            // Somebody changes the Secret every ten minutes, always to something wrong.
            let credentials = round.to_be_bytes();
            all.extend(tried_within(&tries, &credentials, 600).await.into_iter().map(|at| round * 600 + at));
        }
        for (at, fifth) in all.iter().zip(all.iter().skip(4)) {
            assert!(fifth - at > 15 * 60, "five tries within {} s: {all:?}", fifth - at);
        }
        assert!(all.len() > 20, "it must go on for ever: {all:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn changed_credentials_are_tried_at_once_and_right_ones_wipe_the_slate() {
        let tries = WrongTries::default();
        assert_eq!(tried_within(&tries, b"wrong", 100).await, [0, 15, 65]);
        let seat = tries.seat(role(), Fingerprint::of(b"right")).await.unwrap();
        seat.note(Tried::Right);
        assert_eq!(tried_within(&tries, b"wrong again", 100).await, [0, 15, 65]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_counts_only_after_a_wrong_try() {
        let tries = WrongTries::default();
        for _ in 0..100 {
            tries.seat(role(), Fingerprint::of(b"secret")).await.unwrap().note(Tried::Unknown);
        }
        tries.seat(role(), Fingerprint::of(b"secret")).await.unwrap().note(Tried::Wrong);
        assert!(matches!(tries.seat(role(), Fingerprint::of(b"secret")).await, Err(HeldBack::For(_))));
    }
}
