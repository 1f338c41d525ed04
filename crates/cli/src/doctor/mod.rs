//! `everleaf doctor`: looks at an issuer before the first certificate needs it. It uses the issuer's own client: what it sees is what the
//! controller would see, from here and with the caller's rights. It logs in once, signs nothing, and never prints a secret.

mod finding;
mod reach;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use everleaf_api::validate::validate_issuer;
use everleaf_issuers::{Common, Issuer, IssuerIdentity};
use everleaf_operator::surroundings::KubeSurroundings;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::cluster::{self, Cluster, Place, told};
use crate::screen::{self, Paint, one_line};
use crate::why::{IssuerSeen, Kind, Scene, Subject, issuer_line, issuer_named};
use finding::{Level, Line};

/// There are warnings, and no error.
const WARNINGS: u8 = 3;
/// There are errors.
const ERRORS: u8 = 4;
/// There is no such issuer.
const NOT_FOUND: u8 = 5;

/// Flags of `everleaf doctor`.
#[derive(Args, Debug)]
#[command(
    after_help = "It looks from here, with your own rights: run it where the controller runs to see what the controller sees. It logs in once \
                        and signs nothing.\n\nExit codes: 0 all is well, 1 it could not look, 2 wrong usage, 3 warnings, 4 errors, 5 not found."
)]
pub(crate) struct Flags {
    /// The issuer: NAME of an Issuer, or KIND/NAME with issuer or clusterissuer.
    #[arg(value_name = "[KIND/]NAME", value_parser = issuer)]
    issuer: Subject,
    #[command(flatten)]
    place: Place,
    /// Where the Secrets of ClusterIssuers live, as the controller is told.
    #[arg(long, default_value = "kube-system")]
    cluster_resource_namespace: String,
}

fn issuer(typed: &str) -> Result<Subject, String> {
    let subject =
        if typed.contains('/') { typed.parse()? } else { format!("issuer/{typed}").parse::<Subject>()? };
    match subject.kind {
        Kind::Issuer | Kind::ClusterIssuer => Ok(subject),
        Kind::Certificate | Kind::CertificateRequest => {
            Err("an issuer is looked at: issuer/NAME or clusterissuer/NAME".to_owned())
        }
    }
}

/// Looks, and tells what was seen.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    cluster::run(async {
        let cluster = flags.place.connect().await?;
        let Some(seen) = issuer_named(&cluster, &flags.issuer).await? else {
            cluster.serves_our_kinds().await?;
            crate::tell(&format!("everleaf: there is no {}", flags.issuer));
            return Ok(ExitCode::from(NOT_FOUND));
        };
        let namespace = seen.namespace.clone().unwrap_or_else(|| flags.cluster_resource_namespace.clone());
        let lines = look(&cluster, &seen, &namespace).await;
        screen::print(&text(&issuer_line(&seen), &lines, Paint::of_output()))?;
        Ok(match lines.iter().map(|line| line.level).max() {
            Some(Level::Error) => ExitCode::from(ERRORS),
            Some(Level::Warning) => ExitCode::from(WARNINGS),
            Some(Level::Ok) | None => ExitCode::SUCCESS,
        })
    })
}

async fn look(cluster: &Cluster, seen: &IssuerSeen, namespace: &str) -> Vec<Line> {
    let scene = Scene { namespace, certificate: None, issuer: Some(seen) };
    let faults = validate_issuer(&seen.spec);
    if !faults.is_empty() {
        let cure = Some(format!("kubectl edit {}", scene.issuer_words()));
        return faults.iter().map(|fault| Line::error("spec", fault.to_string(), cure.clone())).collect();
    }
    let identity = IssuerIdentity {
        kind: seen.kind.as_str().to_owned(),
        namespace: seen.namespace.clone(),
        name: seen.name.clone(),
        uid: String::new(),
        generation: seen.generation,
    };
    let surroundings = Arc::new(KubeSurroundings::new(cluster.client.clone(), namespace));
    let issuer = match Issuer::from_spec_with(identity, &seen.spec, surroundings, &Common::default()) {
        Ok(issuer) => issuer,
        Err(error) => {
            return vec![Line::error(
                "spec",
                error.message,
                Some(format!("kubectl edit {}", scene.issuer_words())),
            )];
        }
    };
    let mut lines = vec![Line::ok("spec", "is sound")];
    for name in issuer.secrets() {
        lines.push(secret(cluster, namespace, &name, &scene).await);
    }
    match (&issuer, &seen.spec.vault) {
        (Issuer::Vault(vault), Some(spec)) => {
            lines.extend(reach::lines(&spec.server).await);
            let is_tls = spec.server.starts_with("https://");
            lines.extend(finding::lines(&vault.examine().await, is_tls, &scene, Timestamp::now()));
        }
        _ => lines.push(match issuer.check(Timestamp::now()).await {
            Ok(verified) => Line::ok("issuer", format!("can sign ({})", verified.reason)),
            Err(failure) => finding::failed("issuer", &failure, &scene),
        }),
    }
    lines
}

/// Whether a Secret is there; its data are not read here.
async fn secret(cluster: &Cluster, namespace: &str, name: &str, scene: &Scene<'_>) -> Line {
    let api: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    match api.get_metadata_opt(name).await {
        Ok(Some(_)) => Line::ok("Secret", format!("{name} is there, in namespace {namespace}")),
        Ok(None) => {
            let says = format!("Secret {name} not found in namespace {namespace}");
            let cure = crate::why::cure(scene, &says).map(|cure| cure.line);
            Line::error("Secret", says, cure)
        }
        Err(error) => Line::error("Secret", format!("{name}: {:#}", told(error)), None),
    }
}

fn text(title: &str, lines: &[Line], paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(title));
    for line in lines {
        // The colour must not count as width.
        let word = match line.level {
            Level::Ok => paint.good("ok     "),
            Level::Warning => paint.working("warning"),
            Level::Error => paint.bad("error  "),
        };
        out.push_str(&format!("  {word}  {:<10}  {}\n", line.about, one_line(&line.says)));
        if let Some(cure) = &line.cure {
            out.push_str(&format!("           Mend:       {}\n", one_line(cure)));
        }
    }
    out
}
