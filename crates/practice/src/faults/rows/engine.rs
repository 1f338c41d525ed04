//! Rows about the PKI engine: role and mount gone, no issuer, CA at its end, names and keys refused.
//! Nearly all of them need a person; each has its own text (vault-server 3.3, 3.4, vault-measured 2).
//! The mount is kept aside as a whole and comes back as it was.

use std::time::Duration;

use serde_json::json;

use super::{Row, Scene};
use crate::faults::deed::Deed;
use crate::pki::ca::LeafNotAfter;

/// The rest of the CA's life in row 30.
const CA_LEFT: Duration = Duration::from_secs(3600);

fn mount_change(number: u8, what: &'static str, scene: &Scene, change: Vec<Deed>) -> Row {
    let mut begin = vec![Deed::Keep(scene.mount_piece())];
    begin.extend(change);
    Row::new(number, what, begin, vec![Deed::PutBack(scene.mount_piece())])
}

/// Row 11: the PKI role is deleted: 400 `unknown role`.
pub fn pki_role_deleted(scene: &Scene) -> Row {
    mount_change(11, "PKI role deleted", scene, vec![Deed::Delete(scene.role_path())])
}

/// Row 13: the PKI mount is disabled: 404 `no handler for route`.
pub fn pki_disabled(scene: &Scene) -> Row {
    mount_change(13, "PKI mount disabled", scene, vec![Deed::Delete(format!("sys/mounts/{}", scene.pki))])
}

/// Row 28: the mount has no default issuer: 500 that needs a person.
pub fn default_issuer_unset(scene: &Scene) -> Row {
    let unset = Deed::write(format!("{}/config/issuers", scene.pki), json!({ "default": "" }));
    mount_change(28, "no default issuer", scene, vec![unset])
}

/// Row 29: the issuer may not sign certificates: 500 that needs a person.
pub fn issuer_without_usage(scene: &Scene) -> Row {
    let fields = json!({ "usage": ["read-only", "crl-signing"] });
    let restrict = Deed::write(format!("{}/issuer/default", scene.pki), fields);
    mount_change(29, "issuer without usage", scene, vec![restrict])
}

/// Row 30: the CA has an hour left: 400 for a longer life, 200 for a shorter one.
pub fn ca_about_to_expire(scene: &Scene) -> Row {
    let rotate = Deed::RotateCa { mount: scene.pki.clone(), life: CA_LEFT };
    mount_change(30, "CA with an hour left", scene, vec![rotate])
}

/// Beyond the table: the CA has an hour left and leaves are cut or let through instead of refused.
pub fn ca_end_is_not_refused(scene: &Scene, behaviour: LeafNotAfter) -> Row {
    let mount = scene.pki.clone();
    let deeds =
        vec![Deed::RotateCa { mount: mount.clone(), life: CA_LEFT }, Deed::LeafNotAfter { mount, behaviour }];
    mount_change(30, "CA with an hour left, leaves not refused", scene, deeds)
}

/// Row 31: the role wants RSA keys.
pub fn role_wants_rsa(scene: &Scene) -> Row {
    let fields = json!({ "allow_any_name": true, "key_type": "rsa", "require_cn": false });
    mount_change(31, "role wants RSA", scene, vec![Deed::write(scene.role_path(), fields)])
}

/// Row 32: the role allows other names only.
pub fn names_disallowed(scene: &Scene) -> Row {
    let fields = json!({
        "allowed_domains": ["other.invalid"], "allow_subdomains": true, "allow_localhost": false,
        "allow_ip_sans": false, "key_type": "any", "require_cn": false,
    });
    mount_change(32, "names not allowed", scene, vec![Deed::write(scene.role_path(), fields)])
}

/// Row 33: the role cuts every life to an hour, with a warning.
pub fn role_cuts_the_life(scene: &Scene) -> Row {
    let fields = json!({
        "allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "require_cn": false,
        "max_ttl": "1h", "allowed_uri_sans": ["*"],
    });
    mount_change(33, "lives of an hour", scene, vec![Deed::write(scene.role_path(), fields)])
}
