//! A store that keeps nothing but shows each commit to the ledger, in its order and at its moment, with who made it.
//! It is how the invariants see everything, the deletions of the collector included.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use everleaf_apiserver::store::{Latency, Loaded, RowChange, Store, StoreError};

use crate::ledger::{self, SharedLedger};

/// Who makes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Writer {
    /// The API itself: its collector, its first objects.
    #[default]
    Api,
    /// The person behind the faults.
    Person,
    /// A replica of the operator, in one of its lives.
    Replica {
        /// Which.
        number: usize,
        /// Its how-manieth life.
        life: u32,
    },
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Writer::Api => f.write_str("api"),
            Writer::Person => f.write_str("person"),
            Writer::Replica { number, life } => write!(f, "replica-{number}.{life}"),
        }
    }
}

/// Who is being served at this moment. All calls run on one thread, and a commit happens within one poll of its call.
#[derive(Debug, Clone, Default)]
pub struct Seat(Arc<Mutex<Writer>>);

impl Seat {
    fn taken_by(&self) -> Writer {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, writer: Writer) -> Writer {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), writer)
    }

    /// A call, with all its commits made in the name of this writer.
    pub fn serving<F: Future>(&self, writer: Writer, call: F) -> Serving<F> {
        Serving { seat: self.clone(), writer, call: Box::pin(call) }
    }
}

/// See [`Seat::serving`].
pub struct Serving<F> {
    seat: Seat,
    writer: Writer,
    call: Pin<Box<F>>,
}

impl<F: Future> Future for Serving<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let before = self.seat.give(self.writer);
        let poll = self.call.as_mut().poll(cx);
        self.seat.give(before);
        poll
    }
}

/// The store.
pub struct Watched {
    seat: Seat,
    ledger: SharedLedger,
}

impl Watched {
    /// A store whose commits this ledger sees.
    pub(crate) fn new(seat: Seat, ledger: SharedLedger) -> Watched {
        Watched { seat, ledger }
    }
}

impl Store for Watched {
    fn load(&self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    fn commit(&self, changes: &[RowChange]) -> Result<(), StoreError> {
        let writer = self.seat.taken_by();
        let mut ledger = ledger::lock(&self.ledger);
        changes.iter().for_each(|change| ledger.committed(writer, change));
        Ok(())
    }

    fn latency(&self) -> Latency {
        Latency::None
    }
}
