//! Rounds over the manifests: read all, apply all, tell what is wrong and what is gone. A round runs at the start, on SIGHUP, when a
//! file has changed and come to rest, and from time to time while something is wrong. A fault in one file holds up no other file.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use everleaf_host::private;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::apply::{Applied, Applier};
use super::find::{Fingerprint, files};
use super::read::{Id, read};
use super::values::fill;

/// How often files are looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often a round is repeated while something is wrong: the API may have been short of disk, a file may have come.
const REPEAT_EVERY: Duration = Duration::from_secs(30);
/// The longest list of what was applied.
const LONGEST_LIST: u64 = 16 * 1024 * 1024;

/// The manifests of an instance.
pub(crate) struct Manifests {
    paths: Vec<PathBuf>,
    /// Where the list of what was applied is kept; nowhere for a mere check.
    list: Option<PathBuf>,
    applied: BTreeSet<Id>,
    told: Vec<String>,
    /// Files outside the manifests that values came from.
    sources: Vec<PathBuf>,
    seen: Fingerprint,
    last_seen: Fingerprint,
    repeat_at: Option<Instant>,
}

/// What a round came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    /// Objects that are as the manifests say.
    pub(crate) objects: usize,
    /// What is wrong.
    pub(crate) faults: Vec<String>,
}

impl Manifests {
    /// The manifests below these paths.
    pub(crate) fn new(paths: Vec<PathBuf>, list: Option<PathBuf>) -> Manifests {
        let kept = list.as_deref().and_then(|list| private::read_within(list, LONGEST_LIST).ok());
        let applied = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Manifests {
            paths,
            list,
            applied,
            told: Vec::new(),
            sources: Vec::new(),
            seen: Fingerprint::default(),
            last_seen: Fingerprint::default(),
            repeat_at: None,
        }
    }

    /// Whether a round is due: something has changed since the last one, and has not changed since the last look.
    pub(crate) fn is_due(&mut self) -> bool {
        let now = Fingerprint::of(&self.paths, &self.sources);
        let is_at_rest = now == self.last_seen;
        self.last_seen = now;
        (is_at_rest && self.last_seen != self.seen) || self.repeat_at.is_some_and(|at| at <= Instant::now())
    }

    /// Reads and applies all of them.
    pub(crate) async fn round(&mut self, applier: &Applier) -> Round {
        // Taken before anything is read: what changes meanwhile is seen by the next look.
        self.seen = Fingerprint::of(&self.paths, &self.sources);
        let (files, mut faults) = files(&self.paths);
        let mut described = Vec::new();
        let mut sources = Vec::new();
        let mut unread = !faults.is_empty();
        for file in &files {
            let before = faults.len();
            let found = read(file, &mut faults);
            unread = unread || faults.len() > before;
            let beside = file.parent().unwrap_or(file);
            for mut one in found {
                match fill(&mut one.object, beside, &mut sources) {
                    Ok(()) => described.push(one),
                    Err(why) => {
                        unread = true;
                        faults.push(format!("{}: {}: {why}", one.place, one.id));
                    }
                }
            }
        }
        if sources != self.sources {
            self.sources = sources;
            self.seen = Fingerprint::of(&self.paths, &self.sources);
        }
        self.last_seen = self.seen.clone();
        let mut applied = applier.apply(described).await;
        faults.append(&mut applied.faults);
        self.repeat_at = (!faults.is_empty()).then(|| Instant::now() + REPEAT_EVERY);
        let round = Round { objects: applied.ids.len(), faults };
        self.tell(&round);
        self.keep(applied, unread || !round.faults.is_empty());
        round
    }

    /// Each fault is told once, not in every round.
    fn tell(&mut self, round: &Round) {
        if round.faults != self.told {
            for fault in round.faults.iter().filter(|fault| !self.told.contains(fault)) {
                error!(fault, "a manifest is not applied");
            }
            if round.faults.is_empty() {
                info!("all manifests are applied again");
            }
            self.told = round.faults.clone();
        }
    }

    /// Tells which objects are gone from the manifests, and keeps the list. While something can't be read nothing counts as gone.
    fn keep(&mut self, applied: Applied, is_partial: bool) {
        let before = self.applied.clone();
        if is_partial {
            self.applied.extend(applied.ids);
        } else {
            for gone in self.applied.difference(&applied.ids) {
                warn!(object = %gone, "gone from the manifests, left as it is; kubectl delete removes it");
            }
            self.applied = applied.ids;
        }
        let Some(list) = self.list.as_deref().filter(|_| self.applied != before) else { return };
        let bytes = serde_json::to_vec(&self.applied).unwrap_or_default();
        if let Err(fault) = private::write(list, &bytes) {
            warn!(%fault, "could not keep the list of what was applied");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use kube::api::{Api, ListParams};

    use super::*;

    struct Bench {
        folder: tempfile::TempDir,
        applier: Applier,
        client: kube::Client,
    }

    impl Bench {
        async fn new() -> Bench {
            let server = crate::up::builder().unwrap().build().unwrap();
            let client = kube::Client::new(server, "default");
            let applier = Applier::new(client.clone()).await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("m")).unwrap();
            Bench { folder, applier, client }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.folder.path().join("m").join(name), text).unwrap();
        }

        fn map(&self, name: &str, value: &str) {
            let text = format!(
                "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{a: {value}}}}}"
            );
            self.write(&format!("{name}.yaml"), &text);
        }

        fn manifests(&self) -> Manifests {
            let top = self.folder.path().canonicalize().unwrap();
            Manifests::new(vec![top.join("m")], Some(top.join("applied.json")))
        }

        async fn maps(&self) -> Vec<String> {
            let api: Api<k8s_openapi::api::core::v1::ConfigMap> =
                Api::default_namespaced(self.client.clone());
            let maps = api.list(&ListParams::default()).await.unwrap();
            maps.into_iter().map(|map| format!("{} {:?}", map.metadata.name.unwrap(), map.data)).collect()
        }
    }

    fn names(manifests: &Manifests) -> Vec<&str> {
        manifests.applied.iter().map(|id| id.name.as_str()).collect()
    }

    #[tokio::test]
    async fn what_is_gone_is_left_and_forgotten_but_not_while_something_cant_be_read() {
        let bench = Bench::new().await;
        bench.map("one", "x");
        bench.map("two", "x");
        let mut manifests = bench.manifests();
        assert_eq!(manifests.round(&bench.applier).await, Round { objects: 2, faults: vec![] });
        std::fs::remove_file(bench.folder.path().join("m/two.yaml")).unwrap();
        bench.write("three.yaml", "a: [");
        // Perhaps the broken file is where the second one has gone to.
        let mut manifests = bench.manifests();
        let round = manifests.round(&bench.applier).await;
        assert_eq!((round.objects, round.faults.len()), (1, 1));
        assert_eq!(names(&manifests), ["one", "two"]);
        bench.map("three", "x");
        assert!(manifests.round(&bench.applier).await.faults.is_empty());
        assert_eq!(names(&manifests), ["one", "three"]);
        assert_eq!(bench.maps().await.len(), 3, "nothing is deleted");
    }

    #[tokio::test]
    async fn a_round_is_due_when_a_change_has_come_to_rest() {
        let bench = Bench::new().await;
        bench.map("one", "x");
        let mut manifests = bench.manifests();
        manifests.round(&bench.applier).await;
        assert!(!manifests.is_due());
        bench.map("one", "yy");
        assert!(!manifests.is_due(), "it may still be changing");
        bench.map("one", "zzz");
        assert!(!manifests.is_due(), "it did change");
        assert!(manifests.is_due());
        assert!(bench.maps().await.join("").contains("\"x\""));
        manifests.round(&bench.applier).await;
        assert!(bench.maps().await.join("").contains("\"zzz\""));
        assert!(!manifests.is_due());
    }

    #[tokio::test]
    async fn a_file_that_a_value_comes_from_is_watched_too() {
        let bench = Bench::new().await;
        let source = bench.folder.path().join("value");
        bench.write(
            "s.yaml",
            "{apiVersion: v1, kind: Secret, metadata: {name: s, annotations: {everleaf.dev/from-file: a=../value}}}",
        );
        let mut manifests = bench.manifests();
        let round = manifests.round(&bench.applier).await;
        assert!(
            round.faults.join("").contains("annotation everleaf.dev/from-file, key a: can't read"),
            "{round:?}"
        );
        std::fs::write(&source, "one").unwrap();
        assert!(!manifests.is_due());
        assert!(manifests.is_due());
        assert!(manifests.round(&bench.applier).await.faults.is_empty());
        assert!(!manifests.is_due());
        std::fs::write(&source, "three").unwrap();
        assert!(!manifests.is_due() && manifests.is_due());
        assert!(Path::new(&source).exists());
    }
}
