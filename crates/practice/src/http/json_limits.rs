//! The look that Vault takes at a JSON body before it parses it: four bounds, each with its text (vault-measured 2).
//! OpenBao has one bound of its own, on the number of strings.
//! It must stay linear in the size of the body and must not build anything.

/// Vault 1.21: the longest string, the most elements of an array, the most members of an object, the deepest nesting.
const LONGEST_STRING: usize = 1_048_576;
const MOST_ELEMENTS: usize = 10_000;
const DEEPEST: usize = 300;
/// OpenBao: strings in one body.
pub(crate) const OPENBAO_MOST_STRINGS: usize = 1_000;

/// What a walk over the bytes has seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Strings, keys included.
    pub(crate) strings: usize,
    /// Vault's text for the first bound that is passed.
    pub(crate) refused: Option<&'static str>,
}

/// Walks the body once. Text that isn't JSON passes: the parser refuses it with its own words.
pub(crate) fn look(body: &[u8]) -> Look {
    let mut look = Look::default();
    let mut open: Vec<(u8, usize)> = Vec::new();
    let mut bytes = body.iter();
    while let Some(&byte) = bytes.next() {
        let passed = match byte {
            b'"' => {
                look.strings += 1;
                match skip_string(&mut bytes) {
                    None => Some("malformed JSON, unclosed string"),
                    Some(length) => {
                        (length > LONGEST_STRING).then_some("JSON string value exceeds allowed length")
                    }
                }
            }
            b'[' | b'{' => {
                open.push((byte, 1));
                (open.len() > DEEPEST).then_some("JSON input exceeds allowed nesting depth")
            }
            b']' | b'}' => {
                open.pop();
                None
            }
            b',' => open.last_mut().and_then(one_more),
            _ => None,
        };
        look.refused = look.refused.or(passed);
    }
    if !open.is_empty() {
        look.refused = look.refused.or(Some("malformed JSON, unclosed containers"));
    }
    look
}

/// Counts one more element or member.
fn one_more((kind, count): &mut (u8, usize)) -> Option<&'static str> {
    *count += 1;
    (*count > MOST_ELEMENTS).then_some(match kind {
        b'[' => "JSON array exceeds allowed element count",
        _ => "JSON object exceeds allowed entry count",
    })
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) -> Option<usize> {
    let mut length = 0;
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return Some(length),
            b'\\' => {
                bytes.next();
                length += 1;
            }
            _ => length += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_has_its_text() {
        let rows: [(String, &str); 4] = [
            ("{\"csr\":\"abc".into(), "malformed JSON, unclosed string"),
            (format!("{{\"csr\":\"{}\"}}", "a".repeat(2 << 20)), "JSON string value exceeds allowed length"),
            (
                format!("{{\"csr\":[{}\"a\"]}}", "\"a\",".repeat(20_000)),
                "JSON array exceeds allowed element count",
            ),
            ("[".repeat(2000), "JSON input exceeds allowed nesting depth"),
        ];
        for (body, text) in rows {
            assert_eq!(look(body.as_bytes()).refused, Some(text));
        }
        assert_eq!(look(br#"{"a":"b\"c","d":[1,2]}"#), Look { strings: 3, refused: None });
    }
}
