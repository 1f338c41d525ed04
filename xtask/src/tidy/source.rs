//! Rules about the shape of a Rust file: it says at its top what it is for, it is not too long, and its ignored
//! tests are ones that something runs.
//! It judges length before the unit tests only: tests may be as many as they need to be.

use std::path::Path;

use super::{Complaint, code_ends, is_test};

const LONGEST_FILE: usize = 500;

pub(super) fn complaints(path: &Path, text: &str) -> Vec<Complaint> {
    let mut found = Vec::new();
    found.extend(header(text));
    if !is_test(path) {
        found.extend(length(text));
    }
    found.extend(ignored_tests(path, text));
    found
}

fn header(text: &str) -> Option<Complaint> {
    let has_it = text.starts_with("//!");
    (!has_it).then(|| Complaint {
        line: 1,
        what: "a file begins with //! (what it does, what it must never do)".into(),
    })
}

fn length(text: &str) -> Option<Complaint> {
    let lines = code_ends(text);
    let what = format!("{lines} lines before its tests; cut it by meaning ({LONGEST_FILE} at most)");
    (lines > LONGEST_FILE).then_some(Complaint { line: 1, what })
}

/// `cargo xtask test` runs ignored tests in `tests/real_*.rs`; elsewhere nobody would.
fn ignored_tests(path: &Path, text: &str) -> Vec<Complaint> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if is_test(path) && name.starts_with("real_") {
        return Vec::new();
    }
    let marks = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("#[ignore"));
    let what = "an ignored test is run by nobody unless it stands in tests/real_*.rs";
    marks.map(|(index, _)| Complaint { line: index + 1, what: what.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_complained(path: &str, text: &str) -> Vec<usize> {
        complaints(Path::new(path), text).iter().map(|complaint| complaint.line).collect()
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        assert_eq!(lines_complained("src/a.rs", "use std::fmt;\n"), [1]);
        assert!(lines_complained("src/a.rs", "//! Does a.\n").is_empty());
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(LONGEST_FILE));
        assert_eq!(lines_complained("src/a.rs", &long), [1]);
        assert!(lines_complained("tests/a.rs", &long).is_empty());
        let tested =
            format!("//! Short.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(LONGEST_FILE));
        assert!(lines_complained("src/a.rs", &tested).is_empty());
    }

    #[test]
    fn an_ignored_test_that_nobody_runs_is_found() {
        let text = "//! T.\n#[test]\n#[ignore = \"slow\"]\nfn t() {}\n";
        assert_eq!(lines_complained("src/a.rs", text), [3]);
        assert_eq!(lines_complained("tests/life.rs", text), [3]);
        assert!(lines_complained("crates/operator/tests/real_life.rs", text).is_empty());
    }
}
