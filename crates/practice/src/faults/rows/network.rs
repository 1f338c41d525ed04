//! Rows about what lies between: redirects to nowhere, certificates, balancers, cut connections, lost answers.
//! A lost answer of a write means that the write was done (vault-server 0.9).
//! None of them may ever end a request.

use std::time::Duration;

use super::{Row, Scene};
use crate::faults::deed::Deed;
use crate::faults::rules::{FaultRule, Share};
use crate::faults::{Fault, RedirectTo};
use crate::http::phase::Phase;
use crate::http::transport::TransportKind;

/// How long a connection may be idle in row 45.
const IDLE: Duration = Duration::from_secs(60);

fn fault(number: u8, what: &'static str, label: &'static str, rules: Vec<FaultRule>) -> Row {
    let begin = rules.into_iter().map(|rule| Deed::Inflict(rule.labelled(label))).collect();
    Row::new(number, what, begin, vec![Deed::Lift(label)])
}

/// Row 38: the nodes name an address that can't be reached: 307 to nowhere.
pub fn unroutable_api_address() -> Row {
    let rules = [Phase::Sign, Phase::Login, Phase::Lookup, Phase::Renew, Phase::Capabilities]
        .map(|phase| FaultRule::new(Fault::Redirect(RedirectTo::Nowhere)).on(phase));
    fault(38, "redirect to nowhere", "row 38", rules.to_vec())
}

/// Row 39: the server shows a certificate of another CA.
pub fn foreign_server_certificate() -> Row {
    let mut row = fault(
        39,
        "server certificate of another CA",
        "row 39",
        vec![FaultRule::new(Fault::Broken(TransportKind::Untrusted))],
    );
    row.begin.push(Deed::ForeignServerCertificate);
    row.heal.push(Deed::OwnServerCertificate);
    row
}

/// Row 40: plain HTTP is spoken to the TLS port: 400 in plain text.
pub fn plain_http() -> Row {
    fault(40, "plain HTTP to the TLS port", "row 40", vec![FaultRule::new(Fault::PlainHttp)])
}

/// Row 44: a balancer answers with its own pages: HTML with 502, 503, 504.
pub fn balancer_pages() -> Row {
    let page = |status, share| FaultRule::new(Fault::Page(status)).with_share(Share::new(share));
    // A third each: of what the first rule leaves, the second takes half.
    let rules = vec![page(502, 1.0 / 3.0), page(503, 0.5), page(504, 1.0)];
    fault(44, "pages of a balancer", "row 44", rules)
}

/// Row 45: a balancer cuts idle connections in silence: the first call on one is reset.
pub fn idle_connections_cut() -> Row {
    fault(45, "idle connections cut", "row 45", vec![FaultRule::new(Fault::IdleCut(IDLE))])
}

/// Row 46: answers are lost after the work was done: certificates and tokens exist that nobody got.
pub fn answers_lost(scene: &Scene) -> Row {
    let lost = |path: String| FaultRule::new(Fault::Lost(TransportKind::Reset)).at_path(path);
    fault(
        46,
        "answers lost after the work",
        "row 46",
        vec![lost(scene.sign_path()), lost(scene.login_path())],
    )
}
