//! A row: a name that says what holds, and the steps that show it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::Instant;

use super::check::{Check, fill};
use super::lab::{Answer, Kind, Lab};

/// How long a row waits for what a controller does.
const SOON: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// One behaviour.
#[derive(Clone)]
pub struct Row {
    pub name: &'static str,
    steps: Vec<Step>,
}

#[derive(Clone)]
enum Step {
    /// A request, its checks, and whether they may come true later.
    Ask {
        ask: Ask,
        checks: Vec<Check>,
        keep: Vec<(&'static str, &'static str)>,
        soon: bool,
        only: Option<Kind>,
    },
    /// A watch that is read in the background.
    Watch { name: &'static str, path: String, accept: &'static str },
    /// What that watch has shown so far.
    Saw { name: &'static str, lines: Vec<&'static str> },
}

#[derive(Clone)]
struct Ask {
    method: &'static str,
    path: String,
    media: Option<&'static str>,
    accept: &'static str,
    body: String,
}

pub const JSON: &str = "application/json";
pub const MERGE: &str = "application/merge-patch+json";
pub const JSON_PATCH: &str = "application/json-patch+json";
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub const APPLY: &str = "application/apply-patch+yaml";
pub const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
pub const PARTIAL: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
pub const PARTIAL_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Begins a row.
pub fn row(name: &'static str) -> Row {
    Row { name, steps: Vec::new() }
}

impl Row {
    fn ask(mut self, method: &'static str, path: &str, media: Option<&'static str>, body: String) -> Row {
        let ask = Ask { method, path: path.to_owned(), media, accept: JSON, body };
        self.steps.push(Step::Ask { ask, checks: Vec::new(), keep: Vec::new(), soon: false, only: None });
        self
    }

    pub fn get(self, path: &str) -> Row {
        self.ask("GET", path, None, String::new())
    }

    pub fn post(self, path: &str, body: Value) -> Row {
        self.ask("POST", path, Some(JSON), body.to_string())
    }

    /// A body that need not be JSON, with a media type of its own.
    pub fn post_raw(self, path: &str, media: &'static str, body: &str) -> Row {
        self.ask("POST", path, Some(media), body.to_owned())
    }

    pub fn put(self, path: &str, body: Value) -> Row {
        self.ask("PUT", path, Some(JSON), body.to_string())
    }

    pub fn patch(self, path: &str, media: &'static str, body: Value) -> Row {
        self.ask("PATCH", path, Some(media), body.to_string())
    }

    pub fn patch_raw(self, path: &str, media: &'static str, body: &str) -> Row {
        self.ask("PATCH", path, Some(media), body.to_owned())
    }

    pub fn delete(self, path: &str) -> Row {
        self.ask("DELETE", path, None, String::new())
    }

    pub fn delete_with(self, path: &str, body: Value) -> Row {
        self.ask("DELETE", path, Some(JSON), body.to_string())
    }

    /// Applies a configuration under a manager.
    pub fn apply(self, path: &str, manager: &str, body: Value) -> Row {
        let sign = if path.contains('?') { '&' } else { '?' };
        self.ask("PATCH", &format!("{path}{sign}fieldManager={manager}"), Some(APPLY), body.to_string())
    }

    /// The form in which the last request wants its answer.
    pub fn accept(mut self, accept: &'static str) -> Row {
        if let Some(Step::Ask { ask, .. }) = self.steps.last_mut() {
            ask.accept = accept;
        }
        self
    }

    fn check(mut self, check: Check) -> Row {
        match self.steps.last_mut() {
            Some(Step::Ask { checks, .. }) => checks.push(check),
            _ => panic!("{}: a check without a request", self.name),
        }
        self
    }

    /// The status code.
    pub fn is(self, code: u16) -> Row {
        self.check(Check::Code(code))
    }

    /// A value at a JSON pointer.
    pub fn has(self, pointer: &'static str, value: impl Into<Value>) -> Row {
        self.check(Check::Has(pointer, value.into()))
    }

    /// Nothing at a JSON pointer.
    pub fn lacks(self, pointer: &'static str) -> Row {
        self.check(Check::Lacks(pointer))
    }

    /// Something at a JSON pointer.
    pub fn fills(self, pointer: &'static str) -> Row {
        self.check(Check::Fills(pointer))
    }

    /// A value at a JSON pointer that isn't this one.
    pub fn has_not(self, pointer: &'static str, value: impl Into<Value>) -> Row {
        self.check(Check::HasNot(pointer, value.into()))
    }

    /// The reason of a failure.
    pub fn because(self, reason: &'static str) -> Row {
        self.check(Check::Has("/reason", reason.into()))
    }

    /// Words in the message of a failure.
    pub fn says(self, words: &'static str) -> Row {
        self.check(Check::Says(words))
    }

    /// The fields that a failure blames.
    pub fn blames(self, fields: &[&'static str]) -> Row {
        self.check(Check::Blames(fields.to_vec()))
    }

    /// The names of a list's items, in their order.
    pub fn lists(self, names: &[&'static str]) -> Row {
        self.check(Check::Lists(names.to_vec()))
    }

    /// A warning header with these words.
    pub fn warns(self, words: &'static str) -> Row {
        self.check(Check::Warns(words))
    }

    /// No warning header.
    pub fn warns_not(self) -> Row {
        self.check(Check::WarnsNot)
    }

    /// The lines of a watch, as `TYPE name`; bookmarks as `BOOKMARK`.
    pub fn tells(self, lines: &[&'static str]) -> Row {
        self.check(Check::Tells(lines.to_vec()))
    }

    /// The cells of a table's row, without the age.
    pub fn cells(self, row: usize, cells: Value) -> Row {
        self.check(Check::Cells(row, cells))
    }

    /// The paths a manager owns, as `operation manager subresource`.
    pub fn owns(self, who: &'static str, paths: &[&'static str]) -> Row {
        self.check(Check::Owns(who, paths.to_vec()))
    }

    /// No manager of this name.
    pub fn owns_nothing(self, who: &'static str) -> Row {
        self.check(Check::OwnsNothing(who))
    }

    /// Keeps a value of the answer as `$name` for later steps.
    pub fn keep(mut self, name: &'static str, pointer: &'static str) -> Row {
        if let Some(Step::Ask { keep, .. }) = self.steps.last_mut() {
            keep.push((name, pointer));
        }
        self
    }

    /// The checks of the last request may come true a little later: a controller must act.
    pub fn soon(mut self) -> Row {
        if let Some(Step::Ask { soon, .. }) = self.steps.last_mut() {
            *soon = true;
        }
        self
    }

    /// The last request is made on one kind of server only.
    pub fn only(mut self, kind: Kind) -> Row {
        if let Some(Step::Ask { only, .. }) = self.steps.last_mut() {
            *only = Some(kind);
        }
        self
    }

    /// Starts a watch that goes on while later steps run.
    pub fn watch(mut self, name: &'static str, path: &str) -> Row {
        self.steps.push(Step::Watch { name, path: path.to_owned(), accept: JSON });
        self
    }

    /// What the watch has told by now, bookmarks apart.
    pub fn saw(mut self, name: &'static str, lines: &[&'static str]) -> Row {
        self.steps.push(Step::Saw { name, lines: lines.to_vec() });
        self
    }

    /// Runs the row in a namespace of its own.
    pub async fn run(&self, lab: &Lab, number: usize) -> Result<(), String> {
        let mut run = Run { lab, kept: BTreeMap::new(), watches: BTreeMap::new() };
        let namespace = lab.namespace(number);
        run.kept.insert("ns".to_owned(), namespace.clone());
        let body = serde_json::json!({"metadata": {"name": namespace}}).to_string();
        let made = lab.send("POST", "/api/v1/namespaces", Some(JSON), JSON, &body).await?;
        if made.code != 201 {
            return Err(format!("the namespace: {} {}", made.code, made.text));
        }
        for (index, step) in self.steps.iter().enumerate() {
            run.step(step).await.map_err(|why| format!("step {}: {why}", index + 1))?;
        }
        Ok(())
    }
}

struct Run<'a> {
    lab: &'a Lab,
    kept: BTreeMap<String, String>,
    watches: BTreeMap<&'static str, tokio::sync::mpsc::Receiver<String>>,
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Ask { only, .. } if only.is_some_and(|only| only != self.lab.kind) => Ok(()),
            Step::Ask { ask, checks, keep, soon, .. } => {
                let path = fill(&ask.path, &self.kept);
                let body = fill(&ask.body, &self.kept);
                let until = Instant::now() + SOON;
                loop {
                    let answer = self.lab.send(ask.method, &path, ask.media, ask.accept, &body).await?;
                    match self.verdict(&answer, checks) {
                        Ok(()) => return self.keep(&answer, keep),
                        Err(_) if *soon && Instant::now() < until => tokio::time::sleep(LOOK_AGAIN).await,
                        Err(why) => {
                            return Err(format!("{} {path}: {why}\n{}", ask.method, shortened(&answer.text)));
                        }
                    }
                }
            }
            Step::Watch { name, path, accept } => {
                self.start_watch(name, &fill(path, &self.kept), accept).await
            }
            Step::Saw { name, lines } => self.compare_watch(name, lines).await,
        }
    }

    fn verdict(&self, answer: &Answer, checks: &[Check]) -> Result<(), String> {
        checks.iter().try_for_each(|check| check.holds(answer, &self.kept))
    }

    fn keep(&mut self, answer: &Answer, keep: &[(&'static str, &'static str)]) -> Result<(), String> {
        for (name, pointer) in keep {
            let value =
                answer.body.pointer(pointer).ok_or_else(|| format!("nothing at {pointer} to keep"))?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.kept.insert((*name).to_owned(), text);
        }
        Ok(())
    }

    async fn start_watch(&mut self, name: &'static str, path: &str, accept: &str) -> Result<(), String> {
        let response = self.lab.open("GET", path, None, accept, "").await?;
        if response.status() != 200 {
            return Err(format!("watch {path}: {}", response.status()));
        }
        let (sender, receiver) = tokio::sync::mpsc::channel(1024);
        let mut frames = response.into_body().into_data_stream();
        tokio::spawn(async move {
            let mut buffer = String::new();
            while let Some(Ok(bytes)) = frames.next().await {
                buffer.push_str(&String::from_utf8_lossy(&bytes));
                while let Some(end) = buffer.find('\n') {
                    let line: String = buffer.drain(..=end).collect();
                    if sender.send(super::check::watch_line(&line)).await.is_err() {
                        return;
                    }
                }
            }
        });
        self.watches.insert(name, receiver);
        Ok(())
    }

    async fn compare_watch(&mut self, name: &'static str, wanted: &[&'static str]) -> Result<(), String> {
        let receiver = self.watches.get_mut(name).ok_or_else(|| format!("no watch {name}"))?;
        let wanted: Vec<String> = wanted.iter().map(|line| fill(line, &self.kept)).collect();
        let mut seen = Vec::new();
        while seen.len() < wanted.len() {
            match tokio::time::timeout(SOON, receiver.recv()).await {
                Ok(Some(line)) if line == "BOOKMARK" => {}
                Ok(Some(line)) => seen.push(line),
                Ok(None) | Err(_) => break,
            }
        }
        if seen == wanted { Ok(()) } else { Err(format!("the watch told {seen:?}, not {wanted:?}")) }
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 1500;
    if text.len() > MOST {
        format!("{}...", text.chars().take(MOST).collect::<String>())
    } else {
        text.to_owned()
    }
}
