//! Issuances and renewals that are interrupted at each of their writes: by the end of the process before or after it, by a lost answer, by
//! a conflict, by an API that goes away for an hour. Each is finished by the next life or the next pass: nothing is lost, nothing is issued
//! twice, no Secret ever holds a key that doesn't match, nothing is left over.

use std::time::Duration;

use everleaf_api::CertificateRequest;
use everleaf_operator::controllers::Controllers;
use futures::StreamExt as _;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use serde_json::json;
use tokio::time::sleep;

use crate::door::Fate;
use crate::ground::{Ground, Life};
use crate::stage::{NAMESPACE, seconds};

/// More writes than an issuance has, events and all.
const MOST_WRITES: usize = 40;
const HOUR: Duration = Duration::from_secs(3600);
/// How long the certificates live, and when they are renewed.
const LIFE: &str = "6h";
const RENEWAL: Duration = Duration::from_secs(4 * 3600);
/// What came before the first issuance took less.
const MARGIN: Duration = Duration::from_secs(20 * 60);
/// A finished issuance is tidied within this; a watch that was interrupted for an hour comes back after a back-off that is partly chance.
const TIDY: Duration = Duration::from_secs(300);
/// An interrupted issuance is finished this long after the API answers again.
const SOON: Duration = Duration::from_secs(120);

/// Who approves requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Approver {
    /// The operator itself: the key stays in memory.
    Ours,
    /// Somebody else, after a while: the key is stored first.
    Other,
}

/// One issuance to interrupt.
#[derive(Debug, Clone, Copy)]
struct Act {
    issuer: &'static str,
    approver: Approver,
    rotation: &'static str,
    /// Its renewal is interrupted, and not its first issuance.
    renews: bool,
}

const ACTS: [Act; 5] = [
    Act { issuer: "ca", approver: Approver::Ours, rotation: "Always", renews: false },
    Act { issuer: "self", approver: Approver::Ours, rotation: "Always", renews: false },
    Act { issuer: "ca", approver: Approver::Other, rotation: "Always", renews: false },
    Act { issuer: "self", approver: Approver::Ours, rotation: "Never", renews: true },
    Act { issuer: "ca", approver: Approver::Other, rotation: "Never", renews: true },
];

const RENEWALS: [Act; 2] = [
    Act { issuer: "ca", approver: Approver::Ours, rotation: "Always", renews: true },
    Act { issuer: "ca", approver: Approver::Other, rotation: "Always", renews: true },
];

impl Act {
    fn controllers(self) -> Controllers {
        match self.approver {
            Approver::Ours => Controllers::default(),
            Approver::Other => {
                Controllers::parse(&["*".to_owned(), "-certificaterequests-approver".to_owned()]).unwrap()
            }
        }
    }

    fn revision(self) -> i64 {
        if self.renews { 2 } else { 1 }
    }

    fn life(self, ground: &Ground, fate: Fate) -> Life {
        ground.start_with(fate, self.controllers(), None)
    }

    /// Everything up to the moment in which the issuance begins that is to be interrupted.
    async fn prepare(self, ground: &Ground) {
        if self.approver == Approver::Other {
            tokio::spawn(approve_all(ground.client.clone()));
        }
        if !self.renews {
            return;
        }
        let life = self.life(ground, Fate::Lives);
        self.ask(ground).await;
        assert!(ground.until_issued("web", 1, SOON).await, "{self:?}: {}", ground.story().await);
        sleep(TIDY).await;
        life.stop().await;
        ground.until_age(RENEWAL + MARGIN).await;
    }

    async fn ask(self, ground: &Ground) {
        let key = json!({ "algorithm": "ECDSA", "rotationPolicy": self.rotation });
        ground.ask("web", self.issuer, json!({ "duration": LIFE, "privateKey": key })).await;
    }

    /// Interrupts it with this fate. `None`: it was finished before its fate came. Else what is wrong afterwards.
    async fn play(self, fate: Fate) -> Option<Vec<String>> {
        let ground = Ground::new().await;
        self.prepare(&ground).await;
        let life = self.life(&ground, fate);
        if !self.renews {
            self.ask(&ground).await;
        }
        let is_met = tokio::select! {
            () = life.died() => true,
            () = finished(&ground, &life, self.revision(), fate) => false,
        };
        let mut faults = Vec::new();
        if is_met {
            let is_late = matches!(fate, Fate::LandsLate(_));
            let next = self.life(&ground, if is_late { Fate::SlowAnswers } else { Fate::Lives });
            let is_done = ground.until_issued("web", self.revision(), SOON).await
                // A Secret that comes when its request is gone already is in use; only its number is lost.
                || (is_late && ground.has_its("web", self.revision()).await);
            if !is_done {
                faults.push(format!("it hangs: {}", ground.story().await));
            }
            sleep(TIDY).await;
            next.stop().await;
        } else if !ground.is_issued("web", self.revision()).await {
            faults.push(format!("it hangs: {}", ground.story().await));
        }
        let most = self.revision() + i64::from(matches!(fate, Fate::LandsLate(_)));
        faults.extend(ground.faults("web", usize::try_from(most).unwrap()).await);
        let writes = life.door.writes();
        let came = match fate {
            Fate::DiesBefore(at) | Fate::DiesAfter(at) | Fate::LandsLate(at) => at < writes.len(),
            Fate::AnswerLost(at) | Fate::Unanswered(at) | Fate::Conflict(at) => at < writes.len(),
            Fate::ApiAway(at, _) | Fate::ApiSilent(at, _) => at < writes.len(),
            Fate::Lives | Fate::Conflicts | Fate::SlowAnswers => true,
        };
        let at = |fault| format!("{self:?} {fate:?}: {fault} after {}", writes.join(", "));
        came.then(|| faults.into_iter().map(at).collect())
    }
}

/// Waits until a life that goes on has finished its work, an hour without the API included.
async fn finished(ground: &Ground, life: &Life, revision: i64, fate: Fate) {
    if let Fate::ApiAway(at, lasts) | Fate::ApiSilent(at, lasts) = fate {
        // Either its fate comes, or it is finished before.
        while life.door.writes().len() <= at && !ground.is_issued("web", revision).await {
            sleep(seconds(1)).await;
        }
        sleep(lasts).await;
    }
    ground.until_issued("web", revision, 2 * SOON).await;
    sleep(TIDY).await;
}

/// Somebody who approves whatever comes, a moment later.
async fn approve_all(client: kube::Client) {
    let requests: Api<CertificateRequest> = Api::namespaced(client, NAMESPACE);
    let mut changes = Box::pin(watcher(requests.clone(), watcher::Config::default()).applied_objects());
    while let Some(change) = changes.next().await {
        let Ok(request) = change else { continue };
        let conditions = request.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|condition| condition.type_ == "Approved") {
            continue;
        }
        sleep(seconds(1)).await;
        let approved =
            json!({ "type": "Approved", "status": "True", "reason": "tests", "message": "by tests" });
        let change = json!({ "status": { "conditions": [approved] } });
        let name = request.metadata.name.unwrap_or_default();
        // Its Certificate may have deleted it meanwhile.
        let _ = requests.patch_status(&name, &PatchParams::default(), &Patch::Merge(&change)).await;
    }
}

/// Plays each act with a fate at its first write, its second, and so on to its last.
async fn at_each_write(acts: &[Act], fate: impl Fn(usize) -> Fate) {
    let mut faults = Vec::new();
    for act in acts {
        let mut played = 0;
        for at in 0..MOST_WRITES {
            let Some(found) = act.play(fate(at)).await else { break };
            faults.extend(found);
            played += 1;
        }
        assert!((4..MOST_WRITES).contains(&played), "{act:?} has {played} writes");
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_before_any_of_its_writes_loses_nothing() {
    at_each_write(&ACTS, Fate::DiesBefore).await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_after_any_of_its_writes_loses_nothing() {
    at_each_write(&ACTS, Fate::DiesAfter).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_of_a_dead_process_that_lands_late_does_no_harm() {
    at_each_write(&ACTS, Fate::LandsLate).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_any_write_costs_nothing() {
    at_each_write(&ACTS, Fate::AnswerLost).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_never_answered_holds_nothing_up_for_long() {
    at_each_write(&ACTS, Fate::Unanswered).await;
}

#[tokio::test(start_paused = true)]
async fn a_conflict_at_any_write_costs_nothing() {
    at_each_write(&ACTS, Fate::Conflict).await;
    for act in ACTS {
        assert_eq!(act.play(Fate::Conflicts).await.unwrap_or_default(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_that_goes_away_for_an_hour_at_any_write_of_a_renewal_costs_nothing() {
    at_each_write(&RENEWALS, |at| Fate::ApiAway(at, HOUR)).await;
}

#[tokio::test(start_paused = true)]
async fn an_api_that_falls_silent_for_an_hour_at_any_write_of_a_renewal_costs_nothing() {
    at_each_write(&RENEWALS, |at| Fate::ApiSilent(at, HOUR)).await;
}
