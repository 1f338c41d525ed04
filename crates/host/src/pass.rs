//! One pass over one Certificate: read its Secret, put each target's files in place, do what follows, and say how it went.
//! Targets don't wait for each other: one that fails leaves the others served. It never issues and never deletes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use everleaf_core::conditions::{Condition, clock};
use everleaf_core::failure::Class;
use everleaf_core::retry::{Jitter, next_delay};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tracing::{debug, info, warn};

use crate::after::{Changed, follow};
use crate::condition::{Object, Standing, publish, reason};
use crate::due::Key;
use crate::fault::Fault;
use crate::material::Material;
use crate::record::{Record, Records};
use crate::set::{Put, Set, go_on};
use crate::target::{After, Layout, Target, TargetFault};
use crate::{paths, versions};

/// How often files are compared with the Secret although nothing is known to have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// How many targets a message names.
const TOLD_TARGETS: usize = 3;

/// What all passes share.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) client: kube::Client,
    pub(crate) now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) records: Records,
}

/// What a pass works from.
pub(crate) struct Job {
    pub(crate) key: Key,
    pub(crate) uid: String,
    pub(crate) generation: i64,
    pub(crate) secret: String,
    pub(crate) targets: Result<Arc<Vec<Target>>, TargetFault>,
    pub(crate) stands: Option<Standing>,
    /// A path that another Certificate had claimed before, and which.
    pub(crate) taken: Option<(PathBuf, Key)>,
    /// Passes that failed in a row.
    pub(crate) failed: u32,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Look again after this time.
    pub(crate) again: Duration,
    /// It didn't reach its end.
    pub(crate) failed: bool,
}

/// Why a pass didn't reach its end.
struct Trouble {
    reason: &'static str,
    says: String,
    /// Until when the certificate lives that could not be delivered.
    ends: Option<Timestamp>,
}

/// Goes over one Certificate, and publishes how it went.
pub(crate) async fn pass(host: &Host, job: &Job) -> Passed {
    let result = deliver(host, job).await;
    let now = (host.now)();
    let jitter = Jitter::of(&job.uid, job.failed);
    let (told, passed) = match result {
        Ok(message) => {
            let again = LOOK_AGAIN.mul_f64(0.75 + jitter.value() / 4.0);
            (Condition::yes(reason::DELIVERED, message), Passed { again, failed: false })
        }
        Err(trouble) => {
            let life = trouble.ends.and_then(|ends| Duration::try_from(ends.duration_since(now)).ok());
            let again = next_delay(Class::Transient, job.failed + 1, life, None, jitter);
            (told(&trouble, now, again), Passed { again, failed: true })
        }
    };
    if !told.holds && job.stands.as_ref().is_none_or(|stands| !stands.says(&told)) {
        tell(&job.key, &told);
    }
    let object = Object { key: &job.key, uid: &job.uid, generation: job.generation };
    match publish(&host.client, &object, job.stands.as_ref(), &told, now).await {
        Ok(()) => passed,
        Err(error) => {
            warn!(certificate = %job.key, says = words(&error), "could not publish how the delivery went");
            Passed {
                again: passed.again.min(next_delay(Class::Transient, job.failed + 1, None, None, jitter)),
                ..passed
            }
        }
    }
}

/// A certificate that isn't there yet is no news; everything else is.
fn tell(key: &Key, told: &Condition) {
    let (reason, says) = (told.reason.as_str(), told.message.as_str());
    match reason {
        reason::WAITING => debug!(certificate = %key, reason, says, "files wait"),
        _ => warn!(certificate = %key, reason, says, "files not delivered"),
    }
}

/// The API's own words, without the status object around them.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// The condition of a pass that didn't reach its end.
fn told(trouble: &Trouble, now: Timestamp, again: Duration) -> Condition {
    let by = jiff::SignedDuration::try_from(again).ok().and_then(|wait| now.checked_add(wait).ok());
    let by = clock(by.unwrap_or(now));
    let next = match trouble.reason {
        reason::WAITING => "Files follow as soon as it is there.".to_owned(),
        reason::INVALID => format!("Mend the annotation {}.", crate::FILES),
        reason::NOT_TOLD => format!("The files are in place. Next try by {by}."),
        _ => format!("What was there stays. Next try by {by}."),
    };
    Condition::no(trouble.reason, format!("{}. {next}", trouble.says))
}

/// Brings all targets up to date. The text tells what is in place.
async fn deliver(host: &Host, job: &Job) -> Result<String, Trouble> {
    let fail = |reason, says: String| Err(Trouble { reason, says, ends: None });
    let targets = match &job.targets {
        Ok(targets) => targets,
        Err(fault) => return fail(reason::INVALID, fault.to_string()),
    };
    if let Some((path, other)) = &job.taken {
        return fail(reason::TAKEN, format!("{} is written by Certificate {other} already", path.display()));
    }
    let secrets: Api<Secret> = Api::namespaced(host.client.clone(), &job.key.namespace);
    let secret = match secrets.get_opt(&job.secret).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return fail(reason::WAITING, format!("Secret {} isn't there yet", job.secret)),
        Err(error) => {
            return fail(reason::UNREAD, format!("Secret {} can't be read: {}", job.secret, words(&error)));
        }
    };
    let material = match Material::read(secret.data.unwrap_or_default()) {
        Ok(material) => Arc::new(material),
        Err(why) => return fail(reason::UNUSABLE, format!("Secret {} {why}", job.secret)),
    };
    let mut record = host.records.read(&job.key);
    let mut trouble = None;
    for target in targets.iter() {
        if let Err((reason, fault)) = serve(host, job, target, &material, &mut record).await {
            trouble.get_or_insert(Trouble { reason, says: fault.to_string(), ends: Some(material.ends) });
        }
    }
    match trouble {
        Some(trouble) => Err(trouble),
        None => Ok(delivered(targets, material.ends)),
    }
}

fn delivered(targets: &[Target], ends: Timestamp) -> String {
    let mut names: Vec<String> = targets.iter().take(TOLD_TARGETS).map(Target::shown).collect();
    if targets.len() > TOLD_TARGETS {
        names.push(format!("{} more", targets.len() - TOLD_TARGETS));
    }
    format!("The certificate that ends {} is in place: {}", clock(ends), names.join(", "))
}

/// One target: its files, then what follows.
async fn serve(
    host: &Host,
    job: &Job,
    target: &Target,
    material: &Arc<Material>,
    record: &mut Record,
) -> Result<(), (&'static str, Fault)> {
    let (wish, material) = (target.clone(), material.clone());
    let written = tokio::task::spawn_blocking(move || write(&wish, &material)).await;
    let written = written.unwrap_or_else(|_| Err(Fault::After("the writer broke off".to_owned())));
    let (put, generation) = written.map_err(|fault| (reason::NOT_WRITTEN, fault))?;
    let shown = target.shown();
    if put == Put::Changed {
        info!(certificate = %job.key, target = shown, generation, "files are in place");
    }
    if target.after == After::Nothing || record.done.get(&shown) == Some(&generation) {
        return Ok(());
    }
    let changed = Changed { key: &job.key, generation: &generation };
    follow(target, &changed).await.map_err(|fault| (reason::NOT_TOLD, fault))?;
    info!(certificate = %job.key, target = shown, "told that files have changed");
    record.done.insert(shown, generation);
    let (records, key, kept) = (host.records.clone(), job.key.clone(), record.clone());
    let _ = tokio::task::spawn_blocking(move || records.write(&key, &kept)).await;
    Ok(())
}

fn write(target: &Target, material: &Material) -> Result<(Put, String), Fault> {
    let set = Set::of(target.files(), material)?;
    let put = match &target.layout {
        Layout::Folder { folder, .. } => versions::put(folder, &set, &mut go_on)?,
        Layout::Paths { marker, .. } => paths::put(&set, marker.as_deref(), &mut go_on)?,
    };
    Ok((put, set.generation))
}
