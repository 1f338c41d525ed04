//! One table of how a Kubernetes API behaves, run against the embedded API and against a real kube-apiserver.
//! A row is a few requests with what each must answer; where the two servers differ, the real one is right.
//! Each row has a namespace of its own and names nothing outside it.

#![allow(
    dead_code,
    clippy::needless_pass_by_value,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod check;
mod lab;
mod objects;
mod row;
mod rows_apply;
mod rows_collect;
mod rows_core;
mod rows_delete;
mod rows_discovery;
mod rows_events;
mod rows_list;
mod rows_patch;
mod rows_schema;
mod rows_watch;

pub use lab::{Kind, Lab};
pub use objects::widget_definition;
pub use row::Row;

/// How many rows run at a time.
const AT_A_TIME: usize = 16;
/// A row that takes longer is told.
const SLOW: std::time::Duration = std::time::Duration::from_secs(5);

/// The whole table.
pub fn all_rows() -> Vec<Row> {
    [
        rows_core::rows(),
        rows_schema::rows(),
        rows_patch::rows(),
        rows_apply::rows(),
        rows_delete::rows(),
        rows_collect::rows(),
        rows_list::rows(),
        rows_watch::rows(),
        rows_events::rows(),
        rows_discovery::rows(),
    ]
    .concat()
}

/// Runs the rows whose name contains `ROW` (an environment variable), or all, and tells each that doesn't hold.
pub async fn run(lab: &Lab) {
    use futures::StreamExt;
    let wanted = std::env::var("ROW").unwrap_or_default();
    let rows: Vec<Row> = all_rows().into_iter().filter(|row| row.name.contains(&wanted)).collect();
    let mut names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    names.sort_unstable();
    let total = names.len();
    names.dedup();
    assert_eq!(names.len(), total, "two rows have the same name");
    let outcomes: Vec<Result<(), String>> = futures::stream::iter(rows.iter().enumerate())
        .map(|(number, row)| async move {
            let start = std::time::Instant::now();
            let outcome = row.run(lab, number).await;
            if start.elapsed() > SLOW {
                println!("{:.1} s: {}", start.elapsed().as_secs_f32(), row.name);
            }
            outcome.map_err(|why| format!("- {}\n    {}", row.name, why.replace('\n', "\n    ")))
        })
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    let failures: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    println!("{total} rows, {} do not hold", failures.len());
    assert!(failures.is_empty(), "{} of {total} rows do not hold:\n{}", failures.len(), failures.join("\n"));
}
