//! The rule about the length of functions, by counting braces outside strings, characters and comments.
//! It knows just enough Rust for that: a wrong count shows as a false complaint, never as a changed file.
//! Code inside unit tests and test files is left alone.

use std::path::Path;

use super::{Complaint, code_ends, is_test};

const LONGEST_FUNCTION: usize = 70;

pub(super) fn complaints(path: &Path, text: &str) -> Vec<Complaint> {
    if is_test(path) {
        return Vec::new();
    }
    let code = blank_out(text);
    let lines: Vec<&str> = code.lines().take(code_ends(text)).collect();
    let long = functions(&lines).into_iter().filter(|function| function.length > LONGEST_FUNCTION);
    long.map(|function| {
        let what = format!("fn {} has {} lines ({LONGEST_FUNCTION} at most)", function.name, function.length);
        Complaint { line: function.line, what }
    })
    .collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    length: usize,
}

/// Every function with a body: from the line of its `fn` to the line of its last brace.
fn functions(lines: &[&str]) -> Vec<Function> {
    let mut found = Vec::new();
    let mut open: Vec<(String, usize, usize)> = Vec::new();
    let mut named: Option<(String, usize)> = None;
    let (mut depth, mut nested) = (0_usize, 0_usize);
    for (index, line) in lines.iter().enumerate() {
        if let Some(name) = function_name(line) {
            named = Some((name, index));
        }
        for character in line.chars() {
            match character {
                '{' => {
                    if let Some((name, begun)) = named.take() {
                        open.push((name, begun, depth));
                    }
                    depth += 1;
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    if let Some((name, begun, _)) = open.pop_if(|(_, _, at)| *at == depth) {
                        found.push(Function { name, line: begun + 1, length: index - begun + 1 });
                    }
                }
                '(' | '[' => nested += 1,
                ')' | ']' => nested = nested.saturating_sub(1),
                // A declaration without a body, unless it is the one in `[u8; 4]`.
                ';' if nested == 0 => named = None,
                _ => {}
            }
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    words.by_ref().find(|word| *word == "fn" || word.ends_with("(fn"))?;
    let name: String = words.next()?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The text with strings, characters and comments replaced by blanks; lines stay where they are.
fn blank_out(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        match literal_length(rest, &code) {
            Some(length) => {
                let (literal, after) = rest.split_at(length);
                code.extend(literal.chars().map(|c| if c == '\n' { c } else { ' ' }));
                rest = after;
            }
            None => {
                code.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    code
}

/// The length in bytes of the string, character or comment that begins here, if one does.
fn literal_length(rest: &str, before: &str) -> Option<usize> {
    let inside_name =
        before.chars().next_back().is_some_and(|c| c != 'b' && (c.is_alphanumeric() || c == '_'));
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |at| at + 2));
    }
    match rest.chars().next()? {
        'r' if !inside_name => raw_string_length(rest),
        '"' => Some(quoted_length(rest, '"')),
        '\'' => character_length(rest),
        _ => None,
    }
}

fn raw_string_length(rest: &str) -> Option<usize> {
    let hashes = rest.get(1..)?.chars().take_while(|c| *c == '#').count();
    let body = rest.get(1 + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end)?;
    Some(1 + hashes + 1 + length + end.len())
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            found if found == quote => return at + found.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// A character, not a lifetime: `'x'` or `'\...'`.
fn character_length(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    let (_, first) = characters.next()?;
    if first == '\\' {
        return Some(quoted_length(rest, '\''));
    }
    let (at, second) = characters.next()?;
    (second == '\'').then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<(String, usize)> {
        let code = blank_out(text);
        let lines: Vec<&str> = code.lines().collect();
        functions(&lines).into_iter().map(|function| (function.name, function.length)).collect()
    }

    #[test]
    fn functions_are_measured_from_their_name_to_their_last_brace() {
        let rows: [(&str, &[(&str, usize)]); 7] = [
            ("fn a() {}\n", &[("a", 1)]),
            ("pub(crate) async fn a(\n    b: u8,\n) -> u8\n{\n    b\n}\n", &[("a", 6)]),
            ("trait T {\n    fn a();\n    fn b() {\n    }\n}\n", &[("b", 2)]),
            ("fn a() {\n    fn b() {\n    }\n}\n", &[("b", 2), ("a", 4)]),
            ("fn a() {\n    let s = \"}\"; let c = '}'; // }\n    /* } */\n}\n", &[("a", 4)]),
            ("fn a<'l>(x: &'l str) {\n    let r = r#\"}\"}\"#;\n    let q = '\\'';\n}\n", &[("a", 4)]),
            ("fn a(f: impl Fn() -> [u8; 2]) {\n    f();\n}\n", &[("a", 3)]),
        ];
        for (text, expected) in rows {
            let expected: Vec<_> =
                expected.iter().map(|(name, length)| ((*name).to_owned(), *length)).collect();
            assert_eq!(lengths(text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_function_is_found_where_it_begins() {
        let text = format!("//! X.\n\nfn long() {{\n{}}}\n", "    f();\n".repeat(LONGEST_FUNCTION));
        let found = complaints(Path::new("src/x.rs"), &text);
        assert_eq!(found.iter().map(|complaint| complaint.line).collect::<Vec<_>>(), [3]);
        assert!(complaints(Path::new("tests/x.rs"), &text).is_empty());
    }
}
