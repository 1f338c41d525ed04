//! The `openssl` command as a second opinion.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs `openssl` with these arguments and input; gives what it printed, or fails with what it complained about.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let (output, complaint) = try_openssl(arguments, input);
    output.unwrap_or_else(|| panic!("openssl {arguments:?}: {complaint}"))
}

/// The same as text.
pub(crate) fn openssl_text(arguments: &[&str], input: &[u8]) -> String {
    String::from_utf8_lossy(&openssl(arguments, input)).into_owned()
}

/// Runs `openssl`; no output if it failed, and what it complained about in any case.
pub(crate) fn try_openssl(arguments: &[&str], input: &[u8]) -> (Option<Vec<u8>>, String) {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("these tests need the openssl command");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&done.stderr).into_owned();
    (done.status.success().then_some(done.stdout), complaint)
}
