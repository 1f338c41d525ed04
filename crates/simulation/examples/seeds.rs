//! Runs many seeds, as many at a time as there are processors: `cargo run -p everleaf-simulation --release --example seeds -- --seeds N`.
//! A failing one is made smaller and printed with the line that runs it again.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a command talks to the person who runs it"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use everleaf_simulation::{Options, Report, Scenario, run, shrink};

#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Runs at a time; by default one for each processor
    #[arg(long)]
    jobs: Option<usize>,
    /// Print each run
    #[arg(long)]
    verbose: bool,
    /// Print the whole trace of each run
    #[arg(long)]
    trace: bool,
    /// Print the operator's log, filtered like RUST_LOG
    #[arg(long)]
    log: Option<String>,
    /// Leave a failing scenario as it is
    #[arg(long)]
    no_shrink: bool,
    /// Keep only these faults, by their number in the list
    #[arg(long, value_delimiter = ',')]
    only: Option<Vec<usize>>,
    /// Stop after so many failing seeds
    #[arg(long, default_value_t = 5)]
    most_failures: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(filter) = &arguments.log {
        tracing_subscriber::fmt()
            .without_time()
            .with_ansi(false)
            .with_writer(std::io::stderr)
            .with_env_filter(filter)
            .init();
    }
    let began = Instant::now();
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.seeds);
    let tally = Mutex::new(Tally::default());
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough =
                        tally.lock().is_ok_and(|tally| tally.failed.len() >= arguments.most_failures);
                    if seed >= end || enough {
                        return;
                    }
                    one(seed, &arguments, &tally);
                }
            });
        }
    });
    let Ok(tally) = tally.into_inner() else { return ExitCode::FAILURE };
    println!(
        "{} seeds in {:.1} s, {} failed {:?}; {}",
        tally.runs,
        began.elapsed().as_secs_f64(),
        tally.failed.len(),
        tally.failed,
        tally.counts
    );
    if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Tally {
    runs: u64,
    failed: Vec<u64>,
    counts: everleaf_simulation::ledger::Counts,
}

fn one(seed: u64, arguments: &Arguments, tally: &Mutex<Tally>) {
    let mut scenario = Scenario::drawn(seed);
    if let Some(only) = &arguments.only {
        let kept = scenario.faults.iter().enumerate().filter(|(index, _)| only.contains(index));
        scenario.faults = kept.map(|(_, planned)| *planned).collect();
    }
    let options = Options { whole_trace: arguments.trace, ..Options::default() };
    let began = Instant::now();
    let report = match run(&scenario, options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("seed {seed}: {error}");
            if let Ok(mut tally) = tally.lock() {
                tally.failed.push(seed);
            }
            return;
        }
    };
    if arguments.trace {
        report.trace.iter().for_each(|line| println!("{line}"));
    }
    if arguments.verbose {
        println!("{report} in {:.2} s", began.elapsed().as_secs_f64());
    }
    if let Ok(mut tally) = tally.lock() {
        tally.runs += 1;
        tally.counts = tally.counts.and(&report.counts);
        if !report.is_good() {
            tally.failed.push(seed);
        }
    }
    if !report.is_good() {
        tell(&scenario, &report, arguments);
    }
}

fn tell(scenario: &Scenario, report: &Report, arguments: &Arguments) {
    println!("{report}");
    println!(
        "  again: cargo run -p everleaf-simulation --release --example seeds -- --seeds 1 --from {}",
        scenario.seed
    );
    let Some(first) = report.violations.first().filter(|_| !arguments.no_shrink) else { return };
    let small = shrink(scenario, first.rule);
    let numbers: Vec<String> = small
        .faults
        .iter()
        .filter_map(|kept| scenario.faults.iter().position(|planned| planned == kept))
        .map(|number| number.to_string())
        .collect();
    println!(
        "  {} of {} faults are enough: --only {}",
        small.faults.len(),
        scenario.faults.len(),
        numbers.join(",")
    );
    small.faults.iter().for_each(|planned| println!("    {planned}"));
    println!(
        "    {} replicas, issuers {:?}",
        scenario.replicas,
        scenario.issuers.iter().map(|issuer| issuer.kind).collect::<Vec<_>>()
    );
}
