//! `everleaf status`: all certificates by the life they have left, issuers by their health, and what waits on what.
//! It lists and prints; with `--watch` again and again. It never writes to the API.

mod report;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use everleaf_api::{Certificate, ClusterIssuer, Issuer};
use futures::future::try_join3;
use jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;

use crate::cluster::{self, Cluster, Place, told};
use crate::screen::{self, Paint, one_line, table};
use report::Report;

/// How often `--watch` looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Clears a terminal and goes to its top.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Flags of `everleaf status`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 it could be told, 1 it could not (no access, no connection), 2 wrong usage."
)]
pub(crate) struct Flags {
    #[command(flatten)]
    place: Place,
    /// All namespaces.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Look again every 2 s, until it is interrupted; elsewhere than on a terminal only what has changed is printed.
    #[arg(long, short = 'w')]
    watch: bool,
}

/// Tells the status.
pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    cluster::run(async {
        let cluster = flags.place.connect().await?;
        let mut last = look(flags, &cluster).await?;
        screen::print(&last)?;
        if flags.watch {
            tokio::select! {
                ended = watch(flags, &cluster, &mut last) => ended?,
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn watch(flags: &Flags, cluster: &Cluster, last: &mut String) -> anyhow::Result<()> {
    let clear = if std::io::stdout().is_terminal() { CLEAR } else { "\n" };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        // An API that is away for a moment is told, and looked for again.
        let new = match look(flags, cluster).await {
            Ok(new) => new,
            Err(error) => format!("{error:#}\n"),
        };
        if new != *last {
            screen::print(&format!("{clear}{new}"))?;
            *last = new;
        }
    }
}

async fn look(flags: &Flags, cluster: &Cluster) -> anyhow::Result<String> {
    let client = || cluster.client.clone();
    let (certificates, issuers): (Api<Certificate>, Api<Issuer>) = if flags.all_namespaces {
        (Api::all(client()), Api::all(client()))
    } else {
        (Api::namespaced(client(), &cluster.namespace), Api::namespaced(client(), &cluster.namespace))
    };
    let cluster_issuers: Api<ClusterIssuer> = Api::all(client());
    let every = ListParams::default();
    let (certificates, issuers, cluster_issuers) = try_join3(
        certificates.list(&every),
        issuers.list(&every),
        // Who is let into one namespace only still gets the rest.
        async { Ok(cluster_issuers.list(&every).await.map(|all| all.items).unwrap_or_default()) },
    )
    .await
    .map_err(told)?;
    let report = report::report(&certificates.items, &issuers.items, &cluster_issuers, Timestamp::now());
    Ok(text(&report, flags.all_namespaces, Paint::of_output(), screen::width()))
}

fn text(report: &Report, with_namespace: bool, paint: Paint, width: Option<usize>) -> String {
    let mut out = format!("{}\n", report.summary);
    let tables: [(&[&str], &Vec<Vec<String>>); 2] = [
        (&["NAMESPACE", "ISSUER", "TYPE", "READY", "USED BY", "STATE"], &report.issuers),
        (
            &["NAMESPACE", "CERTIFICATE", "READY", "LIFE LEFT", "RENEWAL", "ISSUER", "STATE"],
            &report.certificates,
        ),
    ];
    for (head, rows) in tables.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        let from = usize::from(!with_namespace);
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().skip(from).map(|cell| one_line(cell)).collect()).collect();
        let lines = table(head.get(from..).unwrap_or_default(), &rows, width);
        out.push('\n');
        for (at, line) in lines.iter().enumerate() {
            out.push_str(&if at == 0 { paint.strong(line) } else { coloured(line, &rows, at, from, paint) });
            out.push('\n');
        }
    }
    if !report.waiting.is_empty() {
        out.push_str(&format!("\n{}\n", paint.strong("WAITING")));
        for line in &report.waiting {
            out.push_str(&format!("{}\n", screen::wrapped(&one_line(line), 2, width)));
        }
    }
    out
}

/// A line in the colour of its state: what isn't ready, and what is ready but has something to tell.
fn coloured(line: &str, rows: &[Vec<String>], at: usize, from: usize, paint: Paint) -> String {
    let Some(row) = at.checked_sub(1).and_then(|at| rows.get(at)) else { return line.to_owned() };
    // READY stands third among certificates and fourth among issuers, counted with the namespace.
    let is_certificate = row.len() + from == 7;
    let ready = row.get(if is_certificate { 2 } else { 3 } - from).map(String::as_str);
    let tells = is_certificate && row.last().is_some_and(|state| !state.is_empty());
    match (ready, tells) {
        (Some("True"), false) => line.to_owned(),
        (Some("True"), true) => paint.working(line),
        _ => paint.bad(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_fits_and_is_coloured_by_its_state() {
        let cells = |row: &[&str]| row.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>();
        let report = Report {
            summary: "sum".to_owned(),
            issuers: vec![cells(&["ns", "Issuer/vault", "Vault", "False", "1", "sealed\nfor long"])],
            certificates: vec![
                cells(&["ns", "web", "True", "2h", "due", "Issuer/vault", "waits"]),
                cells(&["ns", "api", "True", "9h", "in 1h", "Issuer/vault", ""]),
            ],
            waiting: vec!["1 on Issuer ns/vault: ns/web (sealed)".to_owned()],
        };
        let plain = "sum\n\nISSUER         TYPE    READY   USED BY   STATE\nIssuer/vault   Vault   False   1         sealed for long\n\n\
                     CERTIFICATE   READY   LIFE LEFT   RENEWAL   ISSUER         STATE\nweb           True    2h          due       Issuer/vault   waits\n\
                     api           True    9h          in 1h     Issuer/vault\n\nWAITING\n1 on Issuer ns/vault: ns/web (sealed)\n";
        assert_eq!(text(&report, false, Paint::Plain, None), plain);
        let coloured = text(&report, true, Paint::Coloured, Some(40));
        assert!(
            coloured.lines().any(|line| line.starts_with("\x1b[1;31mns") && line.contains("Issuer/vault")),
            "{coloured}"
        );
        assert!(
            coloured.lines().any(|line| line.starts_with("\x1b[33mns") && line.contains("web")),
            "{coloured}"
        );
        assert!(coloured.lines().any(|line| line.starts_with("ns          api")), "{coloured}");
    }
}
