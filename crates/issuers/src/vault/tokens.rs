//! The token of one issuer: which one is in use, when it is renewed, when it is doubted, and how a failed login is remembered.
//! Pure bookkeeping behind one short lock. It never calls Vault (`login.rs` does) and never shows a token.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everleaf_core::failure::{ConnectionId, Failure, TokenNumber};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// A token is renewed when this share of its life is over: an outage of a third of it stays unseen (vault-server 2.4).
const RENEW_AT: f64 = 2.0 / 3.0;
/// A token is no longer used this long before its end, or a tenth of its life if that is shorter.
const LAST_MOMENTS: Duration = Duration::from_secs(5);
/// After a refusal has led to a login, the next refusal of a token that has never worked leads to none for this long: a CIDR list or
/// a disabled entity refuses every fresh token, and logins would go on for ever (vault-measured 1.6). With the slowest pace of probes
/// (30 s) it stays below the minute in which a cure made in Vault must show.
pub(super) const DOUBT_PAUSE: Duration = Duration::from_secs(25);
/// A failed login is remembered, so that a thousand waiting requests don't make a thousand logins: first this long, then doubled.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// The longest of these pauses: shorter than the pause of an issuer's probe, which is what really spaces the tries. A probe that met a
/// remembered failure would be lost, and with it the seconds until the next.
const FAILED_PAUSE_MOST: Duration = Duration::from_secs(2);
/// Pause between two tries to renew a token that still works.
const RENEWAL_PAUSE: Duration = Duration::from_secs(20);

/// What kind of token it is: only making or renewing a service token is a write (vault-measured 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Service,
    Batch,
    Unknown,
}

/// Where a token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A login.
    Login,
    /// A Secret. It is used until Vault refuses it, since no login can replace it.
    Given,
}

/// A Vault token.
pub(super) struct Token {
    pub(super) text: Zeroizing<String>,
    pub(super) number: TokenNumber,
    pub(super) kind: Kind,
    pub(super) origin: Origin,
    pub(super) life: Life,
    pub(super) policies: Vec<String>,
    /// The connection over which it was made or renewed.
    pub(super) made_over: Option<ConnectionId>,
    /// How often it may still be used; `None` for as often as one likes.
    uses: Option<AtomicU32>,
    /// Vault has taken it at least once.
    worked: AtomicBool,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?}, number {}, {} bytes)", self.kind, self.number.0, self.text.len())
    }
}

/// How long a token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) born: Instant,
    /// `None`: for ever, or not known.
    pub(super) length: Option<Duration>,
    pub(super) renewable: bool,
    /// The life isn't known yet: a look-up is due.
    pub(super) unknown: bool,
}

impl Life {
    fn renew_at(&self) -> Option<Instant> {
        match self.length {
            _ if self.unknown => Some(self.born),
            Some(length) => Some(self.born + length.mul_f64(RENEW_AT)),
            None => None,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.length.is_some_and(|length| {
            let used = length.saturating_sub(LAST_MOMENTS.min(length / 10));
            now.duration_since(self.born) >= used
        })
    }
}

/// What a login, a look-up or a renewal tells of a token.
pub(super) struct Granted {
    pub(super) text: Zeroizing<String>,
    pub(super) kind: Kind,
    pub(super) origin: Origin,
    pub(super) life: Life,
    pub(super) uses: Option<u32>,
    pub(super) policies: Vec<String>,
    pub(super) made_over: Option<ConnectionId>,
}

impl Token {
    /// Whether it may be used now.
    fn is_usable(&self, now: Instant) -> bool {
        let spent = self.uses.as_ref().is_some_and(|uses| uses.load(Ordering::Relaxed) == 0);
        !spent && (self.origin == Origin::Given || !self.life.is_over(now))
    }

    /// Whether its uses are counted: then nothing but signs may use it.
    pub(super) fn is_counted(&self) -> bool {
        self.uses.is_some()
    }

    /// Counts one use.
    pub(super) fn use_once(&self) {
        if let Some(uses) = &self.uses {
            let less = |left: u32| left.checked_sub(1);
            let _ = uses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Vault has taken it.
    pub(super) fn has_worked(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }

    /// Whether a renewal can lengthen it now.
    pub(super) fn can_be_renewed(&self, now: Instant) -> bool {
        self.life.renewable && !self.life.unknown && !self.is_counted() && !self.life.is_over(now)
    }
}

/// What to do for somebody who needs a token.
pub(super) enum Step {
    /// Take this one.
    Use(Arc<Token>),
    /// Take this one, and renew it beside.
    UseAndRenew(Arc<Token>),
    /// Wait for a login.
    LogIn,
    /// A login failed a moment ago.
    Failed(Failure),
}

/// The token in use and what led to it.
pub(super) struct Tokens(Mutex<State>);

#[derive(Default)]
struct State {
    /// Grows when the credentials change; results of older epochs aren't kept.
    epoch: u64,
    numbers: u64,
    current: Option<Arc<Token>>,
    /// The given token that was dropped: the same text again is no new token.
    doubted: Option<Arc<Token>>,
    failed: Option<Failed>,
    renew_not_before: Option<Instant>,
    doubted_at: Option<Instant>,
}

struct Failed {
    failure: Failure,
    until: Instant,
    pause: Duration,
}

impl Tokens {
    pub(super) fn new() -> Tokens {
        Tokens(Mutex::new(State::default()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do for somebody who needs a token, and the epoch it is for.
    pub(super) fn step(&self, now: Instant) -> (u64, Step) {
        let state = self.lock();
        let step = match state.current.as_ref().filter(|token| token.is_usable(now)) {
            Some(token) => {
                let due = token.life.renew_at().is_some_and(|at| now >= at) && !token.is_counted();
                let let_go = state.renew_not_before.is_none_or(|not_before| now >= not_before);
                if due && let_go { Step::UseAndRenew(token.clone()) } else { Step::Use(token.clone()) }
            }
            None => match state.failed.as_ref().filter(|failed| now < failed.until) {
                Some(failed) => Step::Failed(failed.failure.clone()),
                None => Step::LogIn,
            },
        };
        (state.epoch, step)
    }

    /// The token in use, if it belongs to this epoch.
    pub(super) fn current(&self, epoch: u64) -> Option<Arc<Token>> {
        let state = self.lock();
        state.current.clone().filter(|_| state.epoch == epoch)
    }

    /// The number of the newest token.
    pub(super) fn newest(&self) -> TokenNumber {
        TokenNumber(self.lock().numbers)
    }

    /// A login or renewal that began then has ended. Gives back what those who wait for it get.
    pub(super) fn land(
        &self,
        epoch: u64,
        result: Result<Granted, Failure>,
        began: Instant,
    ) -> Result<Arc<Token>, Failure> {
        let mut state = self.lock();
        let of_now = state.epoch == epoch;
        match result {
            Ok(granted) => {
                let token = Arc::new(state.token(granted));
                if of_now {
                    state.current = Some(token.clone());
                    state.failed = None;
                    state.renew_not_before = None;
                }
                Ok(token)
            }
            Err(failure) => {
                if of_now {
                    state.remember(&failure, began);
                }
                Err(failure)
            }
        }
    }

    /// A token was refused. True if it is gone now and a login may bring another; false if it stays, because the refusal of a fresh
    /// token has led to a login a moment ago already, or if somebody has replaced it.
    pub(super) fn doubt(&self, token: &Arc<Token>, now: Instant) -> bool {
        let mut state = self.lock();
        let is_current = state.current.as_ref().is_some_and(|current| current.number == token.number);
        if !is_current {
            // Another one is in use, or a login is under way: take that.
            return true;
        }
        let worked = token.worked.load(Ordering::Relaxed);
        let recently = state.doubted_at.is_some_and(|at| now.duration_since(at) < DOUBT_PAUSE);
        if recently && !worked {
            return false;
        }
        state.doubted_at = Some(now);
        state.doubted = state.current.take();
        state.failed = None;
        true
    }

    /// Forgets the token on purpose, to get one with the policies of today. False if that was done a moment ago.
    pub(super) fn replace(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let recently = state.doubted_at.is_some_and(|at| now.duration_since(at) < DOUBT_PAUSE);
        if !recently {
            state.doubted_at = Some(now);
        }
        !recently
    }

    /// The credentials have changed: what was made of the old ones goes.
    pub(super) fn reset(&self) {
        let mut state = self.lock();
        let (epoch, numbers) = (state.epoch + 1, state.numbers);
        *state = State { epoch, numbers, ..State::default() };
    }
}

impl State {
    fn token(&mut self, granted: Granted) -> Token {
        let known = [&self.current, &self.doubted];
        let same = known.into_iter().flatten().find(|token| token.text == granted.text);
        let (number, worked) = match same {
            Some(same) => (same.number, same.worked.load(Ordering::Relaxed)),
            None => {
                self.numbers += 1;
                (TokenNumber(self.numbers), false)
            }
        };
        Token {
            text: granted.text,
            number,
            kind: granted.kind,
            origin: granted.origin,
            life: granted.life,
            policies: granted.policies,
            made_over: granted.made_over,
            uses: granted.uses.filter(|uses| *uses > 0).map(AtomicU32::new),
            worked: AtomicBool::new(worked),
        }
    }

    /// The pause counts from the beginning of the login: one that hung has waited already.
    fn remember(&mut self, failure: &Failure, began: Instant) {
        self.renew_not_before = Some(began + RENEWAL_PAUSE);
        let pause = match &self.failed {
            Some(before) => (before.pause * 2).min(FAILED_PAUSE_MOST),
            None => FAILED_PAUSE,
        };
        self.failed = Some(Failed { failure: failure.clone(), until: began + pause, pause });
    }
}
