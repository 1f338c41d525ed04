//! The practice Vaults of a simulation, one per Vault issuer, set up as an administrator would.
//! Each is known by a name of its own; a cluster stands behind a balancer of that name.

mod network;
mod pool;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use everleaf_practice::{
    AdminError, Balancer, Chance, Clock, Cluster, Furnished, Options, Practice, Scene, furnish,
    furnish_kubernetes, furnish_pki,
};
use serde_json::json;

pub use network::Way;

use crate::moments::Wall;
use crate::scenario::{AuthPlan, Scenario, VaultPlan};
use crate::tokens;

/// The port of every Vault.
const PORT: u16 = 8200;
/// The second role of each Vault, to which an issuer can be pointed.
pub const SECOND_ROLE: &str = "web-too";

/// One Vault, or one cluster.
#[derive(Debug, Clone)]
pub struct Place {
    /// Whose it is.
    pub issuer: usize,
    /// What it is.
    pub plan: VaultPlan,
    /// Its names.
    pub scene: Scene,
    /// The node to do things at by hand: past all faults, for all nodes.
    pub node: Practice,
    /// Credentials of an AppRole.
    pub approle: Option<Furnished>,
    front: Front,
}

#[derive(Debug, Clone)]
enum Front {
    One(Practice),
    Many { cluster: Cluster, balancer: Balancer },
}

/// All Vaults.
#[derive(Debug, Clone)]
pub struct Vaults {
    places: Arc<Vec<Place>>,
}

impl Vaults {
    /// Sets all Vaults of a scenario up.
    pub fn new(scenario: &Scenario, wall: Wall, chance: &Chance) -> Result<Vaults, AdminError> {
        let all = (0..scenario.issuers.len())
            .filter_map(|issuer| scenario.vault(issuer).map(|plan| (issuer, plan)));
        let places: Result<Vec<Place>, AdminError> = all
            .map(|(issuer, plan)| place(issuer, plan, wall, &chance.fork(&format!("vault-{issuer}"))))
            .collect();
        Ok(Vaults { places: Arc::new(places?) })
    }

    /// The Vault of an issuer.
    pub fn of(&self, issuer: usize) -> Option<&Place> {
        self.places.iter().find(|place| place.issuer == issuer)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Place> {
        self.places.iter()
    }
}

impl Place {
    /// The name and port by which the issuer calls it.
    pub fn authority(&self) -> String {
        authority(self.issuer)
    }

    /// A new connection to whatever stands behind this name and port; nothing where nobody listens.
    fn connect(&self, authority: &str) -> Option<Practice> {
        if authority == self.authority() {
            return match &self.front {
                Front::One(practice) => Some(practice.connect()),
                Front::Many { balancer, .. } => balancer.connect(),
            };
        }
        let address = format!("http://{authority}");
        match &self.front {
            Front::One(practice) => (practice.address() == address).then(|| practice.connect()),
            Front::Many { cluster, .. } => cluster.at_address(&address).map(|node| node.connect()),
        }
    }

    /// The cluster, if it is one.
    pub fn cluster(&self) -> Option<&Cluster> {
        match &self.front {
            Front::One(_) => None,
            Front::Many { cluster, .. } => Some(cluster),
        }
    }
}

/// The name and port of an issuer's Vault.
pub fn authority(issuer: usize) -> String {
    format!("vault-{issuer}.example:{PORT}")
}

fn place(issuer: usize, plan: VaultPlan, wall: Wall, chance: &Chance) -> Result<Place, AdminError> {
    let third = u8::try_from(issuer).unwrap_or(u8::MAX);
    let options = Options {
        clock: Clock::new(Arc::new(move || wall.now())),
        address: SocketAddr::from((Ipv4Addr::new(10, 0, third, 1), PORT)),
        ..Options::simulated(chance.clone().number())
    }
    .speaking_as(plan.product);
    let front = match plan.balance {
        None => Front::One(Practice::new(options)),
        Some(balance) => {
            let cluster = Cluster::new(options);
            let balancer = cluster.balancer(balance);
            Front::Many { cluster, balancer }
        }
    };
    let node = match &front {
        Front::One(practice) => practice.clone(),
        Front::Many { cluster, .. } => cluster.node(0),
    };
    let (scene, approle) = furnished(&node, plan.auth)?;
    second_role(&node, &scene)?;
    Ok(Place { issuer, plan, scene, node, approle, front })
}

fn furnished(node: &Practice, auth: AuthPlan) -> Result<(Scene, Option<Furnished>), AdminError> {
    match auth {
        AuthPlan::AppRole => {
            let scene = Scene::default();
            let furnished = furnish(node, &scene)?;
            Ok((scene, Some(furnished)))
        }
        AuthPlan::Kubernetes => {
            let scene = Scene { auth: "kubernetes".to_owned(), ..Scene::default() };
            furnish_pki(node, &scene)?;
            furnish_kubernetes(node, &scene, tokens::AUDIENCE, &[], &[])?;
            Ok((scene, None))
        }
    }
}

fn second_role(node: &Practice, scene: &Scene) -> Result<(), AdminError> {
    let fields = json!({
        "allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "require_cn": false, "max_ttl": "2160h",
    });
    node.write_role(&scene.pki, SECOND_ROLE, fields)?;
    let paths = [&scene.role, SECOND_ROLE].map(|role| {
        format!("path \"{}/sign/{role}\" {{ capabilities = [\"create\", \"update\"] }}", scene.pki)
    });
    node.write_policy(&scene.policy, &paths.join("\n"))?;
    Ok(())
}
