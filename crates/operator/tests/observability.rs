//! The alerts and the dashboard that are shipped name metrics that exist. What fires when is Prometheus's business.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

const RULES: &str = include_str!("../../../deploy/observability/rules.yaml");
const DASHBOARD: &str = include_str!("../../../deploy/observability/dashboard.json");
const SOURCE: &str = include_str!("../src/metrics.rs");

/// Words of a text that look like metrics of ours.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let ours = words.filter(|word| word.starts_with("everleaf_") || word.starts_with("certmanager_"));
    ours.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned()).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_exist() {
    let exist = metrics(SOURCE);
    for (file, text) in [("rules.yaml", RULES), ("dashboard.json", DASHBOARD)] {
        let named = metrics(text);
        assert!(named.len() >= 4, "{file} names metrics: {named:?}");
        let unknown: Vec<_> = named.difference(&exist).collect();
        assert!(unknown.is_empty(), "{file}: nothing measures {unknown:?}");
    }
}

#[test]
fn the_dashboard_is_json_and_every_panel_asks_something() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 6);
    for panel in panels {
        let targets = panel["targets"].as_array().unwrap();
        assert!(
            targets.iter().all(|target| !target["expr"].as_str().unwrap().is_empty()),
            "{}",
            panel["title"]
        );
    }
}
