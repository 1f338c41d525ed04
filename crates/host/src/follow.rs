//! Follows all Certificates, keeps those that ask for files, and goes over each when something changed or its time has come.
//! One that hangs (a slow command) holds up nobody but itself. Files are never removed: they may be in use.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use everleaf_api::Certificate;
use everleaf_api::condition::find;
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::condition::{Object, Standing, withdraw};
use crate::due::{Due, Key};
use crate::pass::{Host, Job, Passed, pass};
use crate::record::Records;
use crate::target::{FILES, Target, TargetFault, parse};

/// Passes at a time.
const MOST_AT_ONCE: usize = 8;
/// When to try again after a pass that broke off: a fault of ours, which must not become a loop.
const AFTER_A_BREAK: Duration = Duration::from_secs(60);
/// How long passes may take on the way out.
const GRACE: Duration = Duration::from_secs(15);

/// What the delivery is made from.
pub struct Parts {
    /// The API.
    pub client: kube::Client,
    /// Tells the time of day.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// A folder of ours for what was done after changes; it must be there.
    pub records: PathBuf,
}

/// A Certificate that asks for files.
struct Asking {
    uid: String,
    created: Option<Timestamp>,
    generation: i64,
    secret: String,
    targets: Result<Arc<Vec<Target>>, TargetFault>,
    stands: Option<Standing>,
    /// What wakes us when it changes.
    state: String,
    failed: u32,
}

/// Delivers files until `stop`.
pub async fn deliver(parts: Parts, stop: CancellationToken) {
    let certificates: Api<Certificate> = Api::all(parts.client.clone());
    let host = Host { client: parts.client, now: parts.now, records: Records::within(parts.records) };
    let mut book =
        Book { host, asking: BTreeMap::new(), claims: BTreeMap::new(), due: Due::default(), listed: None };
    let events = watcher(certificates, watcher::Config::default()).default_backoff();
    futures::pin_mut!(events);
    let mut running: JoinSet<Passed> = JoinSet::new();
    let mut keys = HashMap::new();
    loop {
        let next = book.due.next().filter(|_| running.len() < MOST_AT_ONCE);
        tokio::select! {
            () = stop.cancelled() => break,
            Some(event) = events.next() => match event {
                Ok(event) => book.take(event).await,
                Err(error) => debug!(%error, "the watch on Certificates was broken off and begins anew"),
            },
            Some(ended) = running.join_next_with_id() => {
                let (id, passed) = match ended {
                    Ok(ended) => ended,
                    Err(error) => {
                        warn!(%error, "a pass over a Certificate broke off");
                        (error.id(), Passed { again: AFTER_A_BREAK, failed: true })
                    }
                };
                if let Some(key) = keys.remove(&id) {
                    book.ended(&key, passed);
                }
            }
            () = sleep_until(next) => {
                if let Some((host, job)) = book.due.take(Instant::now()).and_then(|key| book.job(&key)) {
                    let key = job.key.clone();
                    let task = running.spawn(async move { pass(&host, &job).await });
                    keys.insert(task.id(), key);
                }
            }
        }
    }
    let rest = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        info!("a command was still running when the time to stop was over");
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// All Certificates that ask for files.
struct Book {
    host: Host,
    asking: BTreeMap<Key, Asking>,
    /// Who claims a path, the oldest first.
    claims: BTreeMap<PathBuf, BTreeSet<(Option<Timestamp>, Key)>>,
    due: Due,
    listed: Option<BTreeSet<Key>>,
}

impl Book {
    async fn take(&mut self, event: Event<Certificate>) {
        match event {
            Event::Init => self.listed = Some(BTreeSet::new()),
            Event::InitApply(certificate) => {
                let key = key(&certificate);
                self.put(key.clone(), &certificate).await;
                self.listed.get_or_insert_default().insert(key);
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let gone: Vec<Key> =
                    self.asking.keys().filter(|key| !listed.contains(key)).cloned().collect();
                gone.iter().for_each(|key| self.forget(key, "its Certificate is gone"));
            }
            Event::Apply(certificate) => self.put(key(&certificate), &certificate).await,
            Event::Delete(certificate) => self.forget(&key(&certificate), "its Certificate is gone"),
        }
    }

    async fn put(&mut self, key: Key, certificate: &Certificate) {
        let text = certificate
            .annotations()
            .get(FILES)
            .filter(|_| certificate.metadata.deletion_timestamp.is_none());
        let Some(text) = text else {
            self.forget(&key, "nothing is asked for any more");
            self.withdraw(&key, certificate).await;
            return;
        };
        let mut asking = Asking::of(certificate, text);
        let before = self.asking.get(&key);
        let is_new = before.is_none_or(|before| before.state != asking.state);
        asking.failed = before.filter(|_| !is_new).map_or(0, |before| before.failed);
        self.unclaim(&key);
        self.claim(&key, &asking);
        self.asking.insert(key.clone(), asking);
        if is_new {
            self.due.by(&key, Instant::now());
        }
    }

    /// Drops a Certificate from the book. Its files stay.
    fn forget(&mut self, key: &Key, why: &'static str) {
        self.unclaim(key);
        self.due.drop(key);
        if let Some(asking) = self.asking.remove(key) {
            let paths = asking.targets.as_ref().map_or(0, |targets| targets.len());
            info!(certificate = %key, why, targets = paths, "files are left as they are");
            self.host.records.forget(key);
        }
    }

    /// Takes a condition away that is left from the time when files were asked for.
    async fn withdraw(&self, key: &Key, certificate: &Certificate) {
        if Standing::of(certificate).is_none() || certificate.metadata.deletion_timestamp.is_some() {
            return;
        }
        let object = Object {
            key,
            uid: certificate.metadata.uid.as_deref().unwrap_or_default(),
            generation: certificate.metadata.generation.unwrap_or_default(),
        };
        if let Err(error) = withdraw(&self.host.client, &object).await {
            debug!(certificate = %key, %error, "could not take the condition away");
        }
    }

    fn claim(&mut self, key: &Key, asking: &Asking) {
        for path in asking.targets.iter().flat_map(|targets| targets.iter()).flat_map(Target::claims) {
            self.claims.entry(path.to_owned()).or_default().insert((asking.created, key.clone()));
        }
    }

    fn unclaim(&mut self, key: &Key) {
        let Some(asking) = self.asking.get(key) else { return };
        let entry = (asking.created, key.clone());
        for path in asking.targets.iter().flat_map(|targets| targets.iter()).flat_map(Target::claims) {
            if let Some(claims) = self.claims.get_mut(path) {
                claims.remove(&entry);
                if claims.is_empty() {
                    self.claims.remove(path);
                }
            }
        }
    }

    /// A path of this Certificate that an older one has claimed.
    fn taken(&self, key: &Key, asking: &Asking) -> Option<(PathBuf, Key)> {
        let mut paths = asking.targets.iter().flat_map(|targets| targets.iter()).flat_map(Target::claims);
        paths.find_map(|path| {
            let (_, first) = self.claims.get(path)?.first()?;
            (first != key).then(|| (path.to_owned(), first.clone()))
        })
    }

    fn job(&mut self, key: &Key) -> Option<(Host, Job)> {
        let Some(asking) = self.asking.get(key) else {
            self.due.done(key);
            return None;
        };
        let job = Job {
            key: key.clone(),
            uid: asking.uid.clone(),
            generation: asking.generation,
            secret: asking.secret.clone(),
            targets: asking.targets.clone(),
            stands: asking.stands.clone(),
            taken: self.taken(key, asking),
            failed: asking.failed,
        };
        Some((self.host.clone(), job))
    }

    fn ended(&mut self, key: &Key, passed: Passed) {
        self.due.done(key);
        if let Some(asking) = self.asking.get_mut(key) {
            asking.failed = if passed.failed { asking.failed.saturating_add(1) } else { 0 };
            self.due.by(key, Instant::now() + passed.again);
        }
    }
}

impl Asking {
    fn of(certificate: &Certificate, text: &str) -> Asking {
        let spec = &certificate.spec;
        let status = certificate.status.clone().unwrap_or_default();
        let ready = find(&status.conditions, "Ready");
        let generation = certificate.metadata.generation.unwrap_or_default();
        let uid = certificate.metadata.uid.clone().unwrap_or_default();
        let state =
            format!("{uid}\n{generation}\n{text}\n{:?}\n{:?}\n{ready:?}", status.revision, status.not_after);
        Asking {
            uid,
            created: certificate.metadata.creation_timestamp.as_ref().map(|time| time.0),
            generation,
            secret: spec.secret_name.clone(),
            targets: parse(text).map(Arc::new),
            stands: Standing::of(certificate),
            state,
            failed: 0,
        }
    }
}

fn key(certificate: &Certificate) -> Key {
    Key { namespace: certificate.namespace().unwrap_or_default(), name: certificate.name_any() }
}
