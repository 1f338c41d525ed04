//! The demo, as a new user starts it: it takes a minute of real time, because it is about real seconds of real certificates.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn the_demo_survives_every_outage_and_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_everleaf")).args(["demo", "--plain"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("The promise held"), "{text}");
    assert!(text.contains("0 requests failed, 0 certificates expired"), "{text}");
}

#[test]
fn a_vault_that_can_not_be_reached_is_told_and_nothing_is_left_running() {
    let output = Command::new(env!("CARGO_BIN_EXE_everleaf"))
        .args(["demo", "--plain", "--real-vault", "http://127.0.0.1:9"])
        .env("VAULT_TOKEN", "none")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("sys/mounts/everleaf-demo"), "{error}");
}
