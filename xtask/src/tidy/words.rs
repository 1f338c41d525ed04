//! Rules about words: no paths of one machine, no talk of how the work is organised, nothing that looks like a
//! secret. The project is read by strangers.
//! The words are put together here from halves, so that this file passes its own rule.

use super::Complaint;

/// Folders with which no path may begin.
const FOLDERS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/tmp/br", "ief")];

/// Text that may stand nowhere, without regard to case.
const BANNED: [(&str, &str); 9] = [
    (concat!("(iss", "ue \""), "how the work is organised"),
    (concat!("co-auth", "ored-by"), "how the work is organised"),
    (concat!("language mo", "del"), "how the work is organised"),
    (concat!("sub", "agent"), "how the work is organised"),
    (concat!("the br", "ief says"), "how the work is organised"),
    (concat!("in this ses", "sion"), "how the work is organised"),
    (concat!("goproxy", "="), "a proxy of one machine"),
    (concat!("artifact", "ory"), "a proxy of one machine"),
    (concat!("begin openssh pri", "vate key"), "a private key"),
];

/// Beginnings of tokens, and how many letters and digits after them make it a real one.
const TOKENS: [(&str, usize); 6] = [
    (concat!("hv", "s."), 24),
    (concat!("hv", "b."), 24),
    (concat!("gh", "p_"), 30),
    (concat!("github_", "pat_"), 20),
    (concat!("AK", "IA"), 16),
    (concat!("glp", "at-"), 20),
];

/// The ending by which documents mark a token as made up.
const MADE_UP: &str = "EXAMPLE";

pub(super) fn complaints(text: &str) -> Vec<Complaint> {
    let numbered = text.lines().enumerate();
    numbered
        .flat_map(|(index, line)| found_in(line).map(move |what| Complaint { line: index + 1, what }))
        .collect()
}

fn found_in(line: &str) -> impl Iterator<Item = String> {
    let lower = line.to_lowercase();
    let folders = FOLDERS.iter().filter(|folder| has_path(line, folder));
    let folders = folders.map(|folder| format!("\"{folder}\": a path of one machine"));
    let banned = BANNED.iter().filter(move |(word, _)| lower.contains(word));
    let banned = banned.map(|(word, why)| format!("\"{word}\": {why}"));
    let tokens = TOKENS.iter().filter(|(start, length)| has_token(line, start, *length));
    folders.chain(banned).chain(tokens.map(|(start, _)| format!("\"{start}...\": looks like a secret")))
}

/// Only where a path begins: Vault's API has folders of these names further in.
fn has_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && !"}/.*>-_".contains(c))
    })
}

fn has_token(line: &str, start: &str, length: usize) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let after = line.get(at + start.len()..).unwrap_or_default();
        let token: String =
            after.chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
        token.len() >= length && !token.ends_with(MADE_UP)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_tokens_are_found_and_plain_text_is_not() {
        let token = format!("{}{}", concat!("hv", "s."), "A".repeat(30));
        let aws = format!("{}IOSFODNN7{MADE_UP}", concat!("AK", "IA"));
        let rows = [
            (format!("see {}a.txt", concat!("/ro", "ot/")), 1),
            (format!("token = \"{token}\""), 1),
            (format!("the prefix {} is Vault's", concat!("hv", "s.")), 0),
            (format!("key {aws}"), 0),
            (format!("write {{mount}}{}generate", concat!("/ro", "ot/")), 0),
            ("Vault Agent keeps sessions at the root of /var/lib".to_owned(), 0),
        ];
        for (line, expected) in rows {
            assert_eq!(complaints(&line).len(), expected, "{line}");
        }
    }
}
