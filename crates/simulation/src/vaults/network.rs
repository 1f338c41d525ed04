//! The way of one life of a replica to the Vaults: latency, cuts, connections. It tells the ledger of every call and how it ended.
//! Faults of Vault itself are the practice Vault's business.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use everleaf_issuers::wire::{Carried, Network, Over, Request, Trouble, TroubleKind};
use everleaf_practice::{Body, Chance, Phase};
use http::Response;
use http_body_util::BodyExt;
use tower::service_fn;

use super::pool::Pool;
use super::{Place, Vaults};
use crate::cluster::{Conditions, Life};
use crate::draw;
use crate::ledger::{self, SharedLedger, VaultCall};

/// A call takes up to this long each way.
const LATENCY: Duration = Duration::from_millis(6);

/// The way of one life of a replica to the Vaults.
#[derive(Clone)]
pub struct Way {
    pub(crate) vaults: Vaults,
    pub(crate) conditions: Conditions,
    pub(crate) life: Arc<Life>,
    pub(crate) ledger: SharedLedger,
    pub(crate) chance: Arc<Mutex<Chance>>,
    pool: Arc<Pool>,
}

impl Way {
    /// A way without a connection yet.
    pub(crate) fn new(
        vaults: Vaults,
        conditions: Conditions,
        life: Arc<Life>,
        ledger: SharedLedger,
        chance: Chance,
    ) -> Way {
        Way { vaults, conditions, life, ledger, chance: Arc::new(Mutex::new(chance)), pool: Arc::default() }
    }

    /// It as the network of issuers.
    pub fn network(&self) -> Network {
        let way = self.clone();
        Network::in_process(service_fn(move |request: Request| {
            let way = way.clone();
            async move {
                let life = way.life.clone();
                tokio::select! {
                    biased;
                    () = life.over() => Err(Trouble::before_sending(TroubleKind::Unreachable)),
                    answer = way.carry(request) => answer,
                }
            }
        }))
    }

    async fn carry(&self, request: Request) -> Result<Response<Body>, Trouble> {
        let authority =
            request.uri().authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
        let path = request.uri().path().trim_start_matches("/v1/").to_owned();
        let about = subject(&request, &path).await;
        // Dropped before it has ended: its caller gave it up, and doubts the other connections too, as the real client does.
        let mut doubt = Doubt { pool: &self.pool, authority: &authority, in_doubt: true };
        let place = self.vaults.all().find(|place| place.connects(&authority)).cloned();
        let result = self.exchanged(request, &authority, place.as_ref()).await;
        doubt.in_doubt = result.is_err();
        let call = VaultCall {
            issuer: place.map(|place| place.issuer),
            authority: &authority,
            path: &path,
            phase: Phase::of_path(&path),
            about: about.as_deref(),
            status: result.as_ref().ok().map(|answer| answer.status().as_u16()),
        };
        ledger::lock(&self.ledger).called_vault(self.life.writer, &call);
        result
    }

    async fn exchanged(
        &self,
        request: Request,
        authority: &str,
        place: Option<&Place>,
    ) -> Result<Response<Body>, Trouble> {
        self.lag().await;
        let refused = || Trouble::before_sending(TroubleKind::Refused);
        let place = place.ok_or_else(refused)?;
        if self.conditions.is_cut_from_vault(self.life.replica, place.issuer) {
            return Err(Trouble::before_sending(TroubleKind::Unreachable));
        }
        let over = request.extensions().get::<Over>().copied();
        let line = self.pool.take(authority, over, || place.connect(authority)).ok_or_else(refused)?;
        let (head, body) = request.into_parts();
        let bytes: Bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let answer = line.node.call(http::Request::from_parts(head, bytes)).await;
        let mut answer = answer.map_err(|error| Trouble::from_error(&error, false))?;
        self.lag().await;
        answer.extensions_mut().insert(Carried(line.number));
        if !answer.status().is_server_error() && !answer.status().is_redirection() {
            self.pool.give_back(authority, line);
        }
        Ok(answer)
    }

    async fn lag(&self) {
        let by = {
            let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
            draw::between(&mut chance, Duration::ZERO, LATENCY)
        };
        if !by.is_zero() {
            tokio::time::sleep(by).await;
        }
    }
}

struct Doubt<'a> {
    pool: &'a Pool,
    authority: &'a str,
    in_doubt: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.in_doubt {
            self.pool.forget(self.authority);
        }
    }
}

impl Place {
    fn connects(&self, authority: &str) -> bool {
        authority == self.authority() || authority.starts_with(&format!("10.0.{}.1:", self.issuer))
    }
}

/// The common name of the CSR in a sign call: whom it is for.
async fn subject(request: &Request, path: &str) -> Option<String> {
    if Phase::of_path(path) != Phase::Sign {
        return None;
    }
    let body = request.body().clone().collect().await.ok()?.to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
    let csr = everleaf_core::x509::Csr::from_pem(body.get("csr")?.as_str()?.as_bytes()).ok()?;
    csr.sans().dns.first().cloned()
}
