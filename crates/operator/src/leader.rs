//! Leader election by a Lease, as the peer does it: same object, same defaults, so that a rolling swap never has two writers.
//! The record's age is measured on our own monotonic clock from the moment we saw it, never by comparing wall clocks.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::fence::Fence;

/// How the election is held.
#[derive(Debug, Clone)]
pub struct Election {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who we are; must differ between replicas.
    pub identity: String,
    /// How long a record that isn't renewed still counts.
    pub lease_duration: Duration,
    /// How long the holder tries to renew before it gives up. No write starts later than this after the last renewal.
    pub renew_deadline: Duration,
    /// How often everyone looks.
    pub retry_period: Duration,
}

/// Why an election can't be held.
#[derive(Debug, thiserror::Error)]
pub enum ElectionError {
    /// The three times don't fit together.
    #[error(
        "the lease duration ({0:?}) must be longer than the renew deadline ({1:?}), and that longer than the retry period ({2:?})"
    )]
    Times(Duration, Duration, Duration),
}

impl Election {
    /// Checks that the times fit together.
    pub fn validate(&self) -> Result<(), ElectionError> {
        let fits = self.lease_duration > self.renew_deadline && self.renew_deadline > self.retry_period;
        if fits && !self.retry_period.is_zero() {
            return Ok(());
        }
        Err(ElectionError::Times(self.lease_duration, self.renew_deadline, self.retry_period))
    }
}

/// A candidate, and later the holder.
pub struct Candidate {
    election: Election,
    leases: Api<Lease>,
    fence: Fence,
    clock: Clock,
    seen: Option<(LeaseSpec, Instant)>,
    /// The Lease as we wrote it last: while nobody else writes, renewing it needs no read.
    written: Option<Lease>,
}

impl Candidate {
    /// A candidate over a client that isn't fenced.
    pub fn new(client: kube::Client, election: Election, fence: Fence, clock: Clock) -> Candidate {
        let leases = Api::namespaced(client, &election.namespace);
        Candidate { election, leases, fence, clock, seen: None, written: None }
    }

    /// Waits until we hold the lease. Returns false if `stop` came first.
    pub async fn win(&mut self, stop: &CancellationToken) -> bool {
        info!(lease = %self.election.name, identity = %self.election.identity, "waiting for the lease");
        loop {
            if self.attempt().await {
                info!(lease = %self.election.name, "holding the lease");
                return true;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(self.election.retry_period) => {}
            }
        }
    }

    /// Renews until `stop` comes (then the lease is released) or the lease is lost (then the fence is closed). Returns true if it was released.
    pub async fn hold(&mut self, stop: &CancellationToken) -> bool {
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.fence.close();
                    self.release().await;
                    return true;
                }
                () = tokio::time::sleep(self.election.retry_period) => {}
            }
            let deadline = renewed + self.election.renew_deadline;
            match tokio::time::timeout_at(deadline, self.attempt()).await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) if Instant::now() < deadline && self.is_ours() => {}
                _ => {
                    self.fence.close();
                    warn!(lease = %self.election.name, "lost the lease");
                    return false;
                }
            }
        }
    }

    /// One try to take or renew the lease.
    async fn attempt(&mut self) -> bool {
        let started = Instant::now();
        match self.try_once().await {
            Ok(held) => {
                if held {
                    self.fence.extend(started + self.election.renew_deadline);
                }
                held
            }
            Err(error) => {
                warn!(lease = %self.election.name, %error, "could not read or write the lease");
                false
            }
        }
    }

    async fn try_once(&mut self) -> kube::Result<bool> {
        // Our own last record stands unless somebody wrote since, and then the version says so.
        if let Some(lease) = self.written.take()
            && self.replace(&lease).await?
        {
            return Ok(true);
        }
        let Some(lease) = self.leases.get_opt(&self.election.name).await? else {
            let created = self.leases.create(&PostParams::default(), &self.record(None)).await;
            return self.taken(created);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let now = Instant::now();
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != spec) {
            self.seen = Some((spec.clone(), now));
        }
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let seen_at = self.seen.as_ref().map_or(now, |(_, at)| *at);
        let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(self.election.lease_duration, Duration::from_secs);
        let is_free = holder.is_empty() || now.duration_since(seen_at) > lasts;
        if holder != self.election.identity && !is_free {
            return Ok(false);
        }
        self.replace(&lease).await
    }

    async fn replace(&mut self, lease: &Lease) -> kube::Result<bool> {
        let record = self.record(Some(lease));
        let replaced = self.leases.replace(&self.election.name, &PostParams::default(), &record).await;
        self.taken(replaced)
    }

    /// A conflict means that another was quicker; that it is gone, that somebody deleted it.
    fn taken(&mut self, answer: kube::Result<Lease>) -> kube::Result<bool> {
        match answer {
            Ok(lease) => {
                self.seen = Some((lease.spec.clone().unwrap_or_default(), Instant::now()));
                self.written = Some(lease);
                Ok(true)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_ours(&self) -> bool {
        self.seen
            .as_ref()
            .is_none_or(|(spec, _)| spec.holder_identity.as_deref() == Some(self.election.identity.as_str()))
    }

    fn record(&self, old: Option<&Lease>) -> Lease {
        let now = MicroTime(self.clock.now());
        let spec = old.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let was_ours = spec.holder_identity.as_deref() == Some(self.election.identity.as_str());
        let transitions = spec.lease_transitions.unwrap_or(0);
        Lease {
            metadata: match old {
                Some(lease) => lease.metadata.clone(),
                None => ObjectMeta {
                    name: Some(self.election.name.clone()),
                    namespace: Some(self.election.namespace.clone()),
                    ..ObjectMeta::default()
                },
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.election.identity.clone()),
                lease_duration_seconds: i32::try_from(self.election.lease_duration.as_secs()).ok(),
                acquire_time: if was_ours { spec.acquire_time } else { Some(now.clone()) },
                renew_time: Some(now),
                lease_transitions: Some(if was_ours || old.is_none() {
                    transitions
                } else {
                    transitions + 1
                }),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Gives the lease up so that the next one need not wait for its end.
    async fn release(&mut self) {
        let Ok(Some(mut lease)) = self.leases.get_opt(&self.election.name).await else { return };
        let Some(spec) = lease.spec.as_mut() else { return };
        if spec.holder_identity.as_deref() != Some(self.election.identity.as_str()) {
            return;
        }
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(self.clock.now()));
        match self.leases.replace(&self.election.name, &PostParams::default(), &lease).await {
            Ok(_) => info!(lease = %self.election.name, "released the lease"),
            Err(error) => warn!(lease = %self.election.name, %error, "could not release the lease"),
        }
    }
}
