//! How Go prints and reads what Vault shows: durations, quoted text, times, JSON.
//! Clients compare whole texts, so these must match byte for byte (vault-measured 7).
//! Nothing here knows of Vault's paths or state.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

const SECONDS_A_DAY: u64 = 86_400;

/// `72h0m0s`, as Go's `Duration.String` does for whole seconds.
pub(crate) fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// `72h`, the short form of Vault's TTL warnings: trailing zero units are dropped.
pub(crate) fn short_duration_text(duration: Duration) -> String {
    let mut text = duration_text(duration);
    for (tail, keep) in [("m0s", 2), ("h0m", 2)] {
        if text.ends_with(tail) {
            text.truncate(text.len() - keep);
        }
    }
    text
}

/// Reads a duration as Vault's fields do: seconds, Go's style, or days (`3d`). The error is Vault's own text.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let invalid = || format!("time: invalid duration {}", quote(text));
    if text.is_empty() {
        return Ok(Duration::ZERO);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return u64::try_from(seconds)
            .map(Duration::from_secs)
            .map_err(|_| format!("cannot provide negative value '{seconds}'"));
    }
    if let Some(days) = text.strip_suffix('d') {
        let days: u64 = days.parse().map_err(|_| invalid())?;
        return Ok(Duration::from_secs(days.saturating_mul(SECONDS_A_DAY)));
    }
    parse_go_duration(text).ok_or_else(invalid)
}

fn parse_go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let units = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(units);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = next;
    }
    Some(total)
}

/// Go's `%q` for the texts that occur here.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// RFC 3339 with as many digits of the second as are there, in UTC: Go's `RFC3339Nano`.
pub(crate) fn rfc3339_nano(at: Timestamp) -> String {
    at.to_string()
}

/// RFC 3339 with whole seconds, in UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// JSON as Go's encoder writes maps: keys sorted, `<`, `>` and `&` escaped.
pub(crate) fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = write!(out, "{value}");
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            // Sorted here, because another crate may switch serde_json to insertion order for the whole build.
            let mut keys: Vec<_> = members.iter().collect();
            keys.sort_by(|a, b| a.0.cmp(b.0));
            write_members(keys.into_iter().map(|(key, value)| (key.as_str(), value)), out);
        }
    }
}

fn write_members<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        write_json(value, out);
    }
    out.push('}');
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// JSON of a Go struct: the members stay in the order of the fields.
pub(crate) fn json_struct(members: &[(&str, Value)]) -> String {
    let mut out = String::new();
    write_members(members.iter().map(|(key, value)| (*key, value)), &mut out);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_read_and_print_as_go_does() {
        let rows = [
            ("3600", 3600, "1h0m0s", "1h"),
            ("1h", 3600, "1h0m0s", "1h"),
            ("90m", 5400, "1h30m0s", "1h30m"),
            ("2160h0m0s", 7_776_000, "2160h0m0s", "2160h"),
            ("3d", 259_200, "72h0m0s", "72h"),
            ("3s", 3, "3s", "3s"),
            ("1m5s", 65, "1m5s", "1m5s"),
            ("", 0, "0s", "0s"),
        ];
        for (text, seconds, long, short) in rows {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_secs(seconds), "{text}");
            assert_eq!(duration_text(duration), long, "{text}");
            assert_eq!(short_duration_text(duration), short, "{text}");
        }
    }

    #[test]
    fn bad_durations_are_refused_in_vaults_words() {
        assert_eq!(parse_duration("abc").unwrap_err(), "time: invalid duration \"abc\"");
        assert_eq!(parse_duration("-5").unwrap_err(), "cannot provide negative value '-5'");
        assert!(parse_duration("5x").is_err());
    }

    #[test]
    fn json_is_sorted_and_escaped_as_go_does() {
        let value = json!({"b": "RSA keys < 2048 & \"more\"\n", "a": [1, null, true]});
        assert_eq!(json(&value), r#"{"a":[1,null,true],"b":"RSA keys \u003c 2048 \u0026 \"more\"\n"}"#);
    }

    #[test]
    fn times_print_as_go_does() {
        let at: Timestamp = "2026-11-27T01:41:11.91278452Z".parse().unwrap();
        assert_eq!(rfc3339_nano(at), "2026-11-27T01:41:11.91278452Z");
        assert_eq!(rfc3339(at), "2026-11-27T01:41:11Z");
    }
}
