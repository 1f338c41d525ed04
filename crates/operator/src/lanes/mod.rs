//! One lane per issuer: requests that wait for its signature, most urgent first, at the pace the issuer can bear.
//! A sick issuer fills only its own lane. A lane never decides whether a request may be signed: what is put in has been approved, or will
//! be by us in the write that publishes the certificate.

mod attempt;
mod job;
mod lane;
mod line;
mod publish;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

pub(crate) use job::Job;
pub(crate) use lane::Lane;

use crate::context::Context;
use crate::ids::{IssuerId, Key};

/// All lanes.
#[derive(Default)]
pub struct Lanes {
    lanes: Mutex<BTreeMap<IssuerId, Arc<Lane>>>,
}

impl Lanes {
    /// The lane of an issuer; it is opened and started if there is none.
    pub fn lane(&self, id: &IssuerId, context: &Arc<Context>) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes
            .entry(id.clone())
            .or_insert_with(|| {
                let lane = Arc::new(Lane::new(id.clone()));
                context.tasks.spawn(lane::run(lane.clone(), context.clone()));
                lane
            })
            .clone()
    }

    /// The lane of an issuer, if it is open.
    pub fn open(&self, id: &IssuerId) -> Option<Arc<Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Every open lane.
    pub fn all(&self) -> Vec<Arc<Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Closes the lane of an issuer that is gone.
    pub fn close(&self, id: &IssuerId) {
        let lane = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        lane.into_iter().for_each(|lane| lane.close());
    }

    /// Takes a request out of whatever lane it waits in.
    pub fn forget(&self, request: &Key) {
        self.all().iter().for_each(|lane| lane.forget(request));
    }

    /// When an issuer or its credentials last changed in the API, as far as this process has seen.
    pub fn changed_at(&self, id: &IssuerId) -> Option<Timestamp> {
        self.open(id)?.changed_at()
    }
}
