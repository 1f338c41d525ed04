//! The cluster of a simulation: the embedded API over a store that shows every commit, the doors through which replicas call it,
//! and the one through which the person behind the faults does.

mod admin;
mod bell;
mod body;
mod conditions;
mod door;
mod life;
mod store;

use std::time::Duration;

use everleaf_apiserver::{BuildError, Server};
use everleaf_practice::Chance;

pub use admin::{Admin, Refused};
pub use body::Body as ApiBody;
pub use conditions::{Conditions, Wrong};
pub use door::Door;
pub use life::Life;
pub use store::{Seat, Watched, Writer};

use crate::ledger::SharedLedger;
use crate::moments::Wall;

/// Watches hear of their version this often: just often enough that clients (295 s) don't take them for dead.
const BOOKMARK: Duration = Duration::from_secs(280);

/// The embedded API, whose commits the ledger sees.
pub(crate) fn server(
    wall: Wall,
    chance: &Chance,
    seat: &Seat,
    ledger: &SharedLedger,
) -> Result<Server, BuildError> {
    let mut builder = Server::builder()
        .store(Watched::new(seat.clone(), ledger.clone()))
        .clock(std::sync::Arc::new(move || wall.now()))
        .bookmarks_every(BOOKMARK)
        .seed(chance.fork("api").number());
    for definition in everleaf_api::crds::all() {
        builder = builder.crd(serde_json::to_value(definition).unwrap_or_default());
    }
    builder.build()
}
