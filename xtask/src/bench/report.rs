//! The figures of a run in words, and as a row of `docs/benchmarks.md`.
//! It never rounds a fault away: conflicts and refusals are whole numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::meter::{self, Usage};
use super::{Issuance, Issuer, Key};
use crate::project_folder;

const HEAD: &str = "\
# Benchmarks

Rows are appended by `cargo xtask bench issuance --out`. Certificates a second are counted from before the first creation to the last
`Ready=True`; the ceiling is the same writes by a bare client without watches, in the same run. CPU and memory are the controller's; API
requests are counted in the API server's audit log, logins and signatures in Vault's.

| date | machine | issuer | keys | certificates | per second | ceiling | share | writes each | conflicts | CPU each | memory idle / after / peak | logins / signs |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// What was measured.
pub(super) struct Figures {
    pub(super) took: Duration,
    pub(super) ceiling: Duration,
    pub(super) requests: Requests,
    /// Of the controller, during the run.
    pub(super) cpu: Duration,
    /// Of kube-apiserver and etcd, during the run.
    pub(super) server_cpu: Duration,
    /// The controller before the run.
    pub(super) idle: Usage,
    /// The controller after the run.
    pub(super) after: Usage,
    /// Logins and signatures, with a Vault issuer.
    pub(super) vault: Option<(usize, usize)>,
}

/// The controller's requests to the API, without its Lease.
pub(super) struct Requests {
    pub(super) tally: BTreeMap<String, usize>,
    pub(super) writes: usize,
    pub(super) conflicts: usize,
    pub(super) refused: usize,
}

/// The figures in words.
pub(super) fn text(issuance: &Issuance, figures: &Figures) -> String {
    let n = issuance.n as f64;
    let (rate, ceiling) = rates(issuance, figures);
    let mut text = format!(
        "\n{} certificates, issuer {}, keys {}\n{}\n\n\
         certificates a second      {rate:>8.1}   ({:.2} s)\n\
         ceiling                    {ceiling:>8.1}   (this is {:.0} % of it)\n\
         API writes a certificate   {:>8.2}\n\
         conflicts                  {:>8}\n\
         other refusals             {:>8}\n\
         controller CPU each        {:>8.2} ms\n\
         API server and etcd each   {:>8.2} ms\n\
         controller memory          {} MB idle, {} MB after, {} MB at most\n",
        issuance.n,
        issuer(issuance),
        keys(issuance),
        meter::machine(),
        figures.took.as_secs_f64(),
        100.0 * rate / ceiling,
        figures.requests.writes as f64 / n,
        figures.requests.conflicts,
        figures.requests.refused,
        each(figures.cpu, issuance.n),
        each(figures.server_cpu, issuance.n),
        megabytes(figures.idle.resident),
        megabytes(figures.after.resident),
        megabytes(figures.after.peak),
    );
    if let Some((logins, signs)) = figures.vault {
        let _ = writeln!(text, "Vault                      {logins:>8} logins, {signs} signatures");
    }
    text += "\nrequests of the controller, a certificate:\n";
    for (what, count) in &figures.requests.tally {
        let _ = writeln!(text, "  {what:<36} {:>8.3}", *count as f64 / n);
    }
    text
}

/// Appends a row, to a new file with its head.
pub(super) fn append(path: &Path, issuance: &Issuance, figures: &Figures) -> Result<()> {
    let path = project_folder().join(path);
    let is_new = !path.exists();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::File::options().create(true).append(true).open(&path)?;
    if is_new {
        file.write_all(HEAD.as_bytes())?;
    }
    file.write_all(row(issuance, figures).as_bytes()).with_context(|| format!("write {}", path.display()))?;
    println!("\nappended to {}", path.display());
    Ok(())
}

fn row(issuance: &Issuance, figures: &Figures) -> String {
    let (rate, ceiling) = rates(issuance, figures);
    let vault = figures.vault.map_or_else(|| "-".to_owned(), |(logins, signs)| format!("{logins} / {signs}"));
    format!(
        "| {} | {} | {} | {} | {} | {rate:.1} | {ceiling:.1} | {:.0} % | {:.2} | {} | {:.2} ms | {} / {} / {} MB | {vault} |\n",
        jiff::Zoned::now().date(),
        meter::machine(),
        issuer(issuance),
        keys(issuance),
        issuance.n,
        100.0 * rate / ceiling,
        figures.requests.writes as f64 / issuance.n as f64,
        figures.requests.conflicts,
        each(figures.cpu, issuance.n),
        megabytes(figures.idle.resident),
        megabytes(figures.after.resident),
        megabytes(figures.after.peak),
    )
}

fn rates(issuance: &Issuance, figures: &Figures) -> (f64, f64) {
    let n = issuance.n as f64;
    (n / figures.took.as_secs_f64(), n / figures.ceiling.as_secs_f64())
}

fn issuer(issuance: &Issuance) -> &'static str {
    match issuance.issuer {
        Issuer::Ca => "CA",
        Issuer::Vault => "Vault",
    }
}

fn keys(issuance: &Issuance) -> &'static str {
    match issuance.key {
        Key::Ecdsa => "P-256",
        Key::Rsa => "RSA-2048",
    }
}

/// Milliseconds for each of `n`.
fn each(all: Duration, n: usize) -> f64 {
    all.as_secs_f64() * 1000.0 / n as f64
}

fn megabytes(bytes: u64) -> u64 {
    bytes >> 20
}
