//! Watches: the state first where it is asked for, then every change, as lines of JSON.
//! A watch keeps only a version; it reads the shared history at its own pace, so a slow one costs nothing.
//! One that falls behind what is remembered is told 410 and ends; it never skips a change.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use serde_json::{Map, Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::accept::Form;
use crate::kinds::Resource;
use crate::options::ListOptions;
use crate::respond::{Look, list_meta, partial};
use crate::selectors::Selector;
use crate::server::Api;
use crate::status::{Outcome, Rejection};
use crate::store::{Bell, Change, Event, Snapshot, Stored};
use crate::table::table;
use crate::write;

/// How many changes are read from the history at a time.
const BATCH: usize = 256;
/// How many bytes are handed on at a time, about.
const CHUNK: usize = 64 * 1024;
/// How often a watch is told the version it has reached, unless the server was built otherwise.
pub(crate) const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// The shortest life of a watch that names none; it lives up to twice as long, so that not all end at once.
const SHORTEST_LIFE: Duration = Duration::from_secs(30 * 60);
/// What a bookmark carries at the end of the state.
const INITIAL_END: &str = "k8s.io/initial-events-end";

struct Watcher {
    api: Arc<Api>,
    resource: Arc<Resource>,
    prefix: String,
    selector: Selector,
    look: Look,
    bookmarks: bool,
    /// The state that is still to be told.
    initial: VecDeque<Arc<Stored>>,
    /// Whether the end of the state is to be told.
    initial_end: bool,
    /// Everything up to this version was told.
    reached: u64,
    told: u64,
    wake: Bell,
    /// How often it had rung before the history was last read.
    rung: u64,
    closing: Receiver<bool>,
    next_bookmark: Instant,
    deadline: Instant,
    with_columns: bool,
    ended: bool,
}

/// Starts a watch.
pub(crate) fn watch(
    api: &Arc<Api>,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    options: &ListOptions,
    look: Look,
) -> Outcome<impl Stream<Item = Bytes> + Send + use<>> {
    let objects = &api.objects;
    let wake = objects.subscribe(resource.collection).ok_or_else(Rejection::no_such_resource)?;
    let version = options.version.unwrap_or_default();
    let wants_state = options.initial_events.unwrap_or(version == 0);
    let Snapshot { objects: state, version: now } = objects.snapshot(resource.collection, namespace);
    if wants_state && version > now {
        return Err(Rejection::version_too_large(version, now));
    }
    let from_now = wants_state || version == 0;
    let life = options.timeout.unwrap_or_else(|| {
        let share = (api.chance)() % SHORTEST_LIFE.as_secs();
        SHORTEST_LIFE + Duration::from_secs(share)
    });
    let start = Instant::now();
    let initial = if wants_state {
        state.into_iter().filter(|s| options.selector.matches(s)).collect()
    } else {
        VecDeque::new()
    };
    let watcher = Watcher {
        api: api.clone(),
        resource: resource.clone(),
        prefix: namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default(),
        selector: options.selector.clone(),
        look,
        bookmarks: options.bookmarks,
        initial,
        initial_end: wants_state && options.bookmarks,
        reached: if from_now { now } else { version },
        told: 0,
        wake,
        rung: 0,
        closing: api.closing.subscribe(),
        next_bookmark: start + api.bookmark_every,
        deadline: start + life,
        with_columns: true,
        ended: false,
    };
    Ok(futures::stream::unfold(watcher, |mut watcher| async move {
        let lines = watcher.next().await?;
        Some((lines, watcher))
    }))
}

/// Why a watch woke.
enum Woken {
    Changed,
    Bookmark,
    End,
}

impl Watcher {
    /// The next lines; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            let mut out = BytesMut::new();
            self.tell_state(&mut out);
            if out.is_empty() && self.initial.is_empty() {
                self.rung = self.wake.rung();
                let full = self.tell_changes(&mut out);
                if out.is_empty() && !full && !self.ended {
                    self.wait(&mut out).await;
                }
            }
            if !out.is_empty() {
                return Some(out.freeze());
            }
        }
        None
    }

    fn tell_state(&mut self, out: &mut BytesMut) {
        while out.len() < CHUNK {
            let Some(stored) = self.initial.pop_front() else { break };
            self.line("ADDED", &write::shown(&self.resource, &stored), out);
        }
        if self.initial.is_empty() && self.initial_end {
            self.initial_end = false;
            self.bookmark(true, out);
        }
    }

    /// Tells what changed; whether there may be more at once.
    fn tell_changes(&mut self, out: &mut BytesMut) -> bool {
        match self.api.objects.since(self.resource.collection, self.reached, BATCH) {
            Ok((events, reached)) => {
                self.reached = reached;
                for event in &events {
                    self.tell(event, out);
                }
                events.len() == BATCH
            }
            Err(floor) => {
                let message = format!("too old resource version: {} ({floor})", self.reached);
                put_line("ERROR", Rejection::expired(message).json().to_string().as_bytes(), out);
                self.ended = true;
                false
            }
        }
    }

    fn tell(&mut self, event: &Event, out: &mut BytesMut) {
        if !event.object().key.starts_with(&self.prefix) {
            return;
        }
        let matches = |stored: &Stored| self.selector.matches(stored);
        let (kind, body) = match &event.change {
            Change::Added { now } if matches(now) => ("ADDED", write::shown(&self.resource, now)),
            Change::Modified { before, now } => match (matches(before), matches(now)) {
                (true, true) => ("MODIFIED", write::shown(&self.resource, now)),
                (false, true) => ("ADDED", write::shown(&self.resource, now)),
                // It left the selection: told as it last was in it, at the version in which it left.
                (true, false) => ("DELETED", at_version(&self.resource, before, event.version)),
                (false, false) => return,
            },
            Change::Deleted { before, last } if matches(before) => {
                ("DELETED", write::shown(&self.resource, last))
            }
            Change::Added { .. } | Change::Deleted { .. } => return,
        };
        self.line(kind, &body, out);
    }

    async fn wait(&mut self, out: &mut BytesMut) {
        let timer = self.deadline.min(if self.bookmarks { self.next_bookmark } else { self.deadline });
        let woken = tokio::select! {
            biased;
            () = closed(&mut self.closing) => Woken::End,
            () = self.wake.rings_after(self.rung) => Woken::Changed,
            () = tokio::time::sleep_until(timer) => {
                if timer == self.deadline { Woken::End } else { Woken::Bookmark }
            }
        };
        match woken {
            Woken::Changed => {}
            Woken::Bookmark => self.bookmark(false, out),
            Woken::End => {
                self.ended = true;
                if self.bookmarks && self.told != self.reached {
                    self.bookmark(false, out);
                }
            }
        }
    }

    fn bookmark(&mut self, initial_end: bool, out: &mut BytesMut) {
        self.next_bookmark = Instant::now() + self.api.bookmark_every;
        self.told = self.reached;
        let mut meta = Map::new();
        meta.insert("resourceVersion".to_owned(), self.reached.to_string().into());
        if initial_end {
            meta.insert("annotations".to_owned(), json!({INITIAL_END: "true"}));
        }
        let object =
            json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": meta});
        self.line("BOOKMARK", object.to_string().as_bytes(), out);
    }

    fn line(&mut self, kind: &str, body: &[u8], out: &mut BytesMut) {
        match self.look.form {
            Form::Whole => put_line(kind, body, out),
            Form::Metadata => put_line(kind, &partial(body), out),
            Form::Table => {
                let object: Value = serde_json::from_slice(body).unwrap_or_default();
                let meta = list_meta(crate::object::version(&object), None, None);
                let with_columns = std::mem::replace(&mut self.with_columns, false);
                let now = (self.api.clock)();
                let table = table(&self.resource, &[object], self.look.include, &meta, with_columns, now);
                put_line(kind, table.to_string().as_bytes(), out);
            }
        }
    }
}

/// Waits until watches must end.
pub(crate) async fn closed(closing: &mut Receiver<bool>) {
    // A sender that is gone means the server is.
    let _ = closing.wait_for(|closing| *closing).await;
}

fn put_line(kind: &str, object: &[u8], out: &mut BytesMut) {
    out.reserve(object.len() + kind.len() + 32);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
}

fn at_version(resource: &Resource, stored: &Stored, version: u64) -> Bytes {
    let mut object = write::value(resource, stored);
    crate::object::set_version(&mut object, version);
    serde_json::to_vec(&object).unwrap_or_default().into()
}
