//! Foreign words made fit for conditions and events: one line, bound in length, without parts that change from try to try.
//! A message that differs at each attempt would make its own status write wake us again, for ever.

/// Normalises `words`: whitespace runs become one space, other control characters go, UUIDs become `<id>`, RFC 3339 times become
/// `<time>`, `host:port` of an ephemeral port becomes `host:<port>`, and at most `limit` bytes stay (cut at a character, with `…`).
pub fn normalise(words: &str, limit: usize) -> String {
    let line = words.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    cut(line, limit)
}

/// Cuts at a character boundary so that at most `limit` bytes remain, the mark included.
pub fn cut(mut line: String, limit: usize) -> String {
    const MARK: &str = "…";
    if line.len() <= limit {
        return line;
    }
    let mut end = limit.saturating_sub(MARK.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line.push_str(MARK);
    line
}

fn word(word: &str) -> String {
    let core = word.trim_matches(|c: char| matches!(c, '"' | '\'' | '(' | ')' | ',' | ';' | '[' | ']' | '.'));
    if core.is_empty() {
        return word.to_owned();
    }
    if is_uuid(core) {
        return word.replace(core, "<id>");
    }
    if is_time(core) {
        return word.replace(core, "<time>");
    }
    word.to_owned()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

fn is_time(text: &str) -> bool {
    text.len() >= 20 && text.parse::<jiff::Timestamp>().is_ok()
}
