//! Go's duration text (`2160h`, `1h30m`, `1.5s`): read by Go's rules, written in Go's form.
//! The API stores durations as such text, so what Go takes we take, and with the same value.
//! It must never read a value that Go would not: two controllers of one cluster have to agree.

use jiff::SignedDuration;

/// The most nanoseconds a Go duration can have, plus one: the magnitude of its most negative value.
const LIMIT: u64 = 1 << 63;
const NANOS_PER_MICRO: u64 = 1_000;
const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MINUTE: u64 = 60 * NANOS_PER_SECOND;
const NANOS_PER_HOUR: u64 = 60 * NANOS_PER_MINUTE;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoDurationError {
    /// Not of the form sign, then number and unit, once or more.
    #[error("\"{0}\" is no duration (write it like 2160h, 90m or 1h30m)")]
    Malformed(String),
    /// A number without a unit.
    #[error("\"{0}\" lacks a unit (h, m, s, ms, us or ns)")]
    MissingUnit(String),
    /// A unit that Go doesn't know, such as `d`.
    #[error("\"{text}\" has the unknown unit \"{unit}\" (known are h, m, s, ms, us and ns)")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The unit in it.
        unit: String,
    },
    /// More than Go's 64 bits of nanoseconds can hold (about 292 years).
    #[error("\"{0}\" is longer than a duration can be (about 292 years)")]
    TooLong(String),
}

/// Reads a duration as Go's `time.ParseDuration` does.
pub fn parse(text: &str) -> Result<SignedDuration, GoDurationError> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return Err(GoDurationError::Malformed(text.to_owned()));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (nanos, after) = leading_term(rest, text)?;
        total = total
            .checked_add(nanos)
            .filter(|sum| *sum <= LIMIT)
            .ok_or_else(|| GoDurationError::TooLong(text.to_owned()))?;
        rest = after;
    }
    signed(total, negative).ok_or_else(|| GoDurationError::TooLong(text.to_owned()))
}

/// Writes a duration as Go's `Duration.String` does: `2160h0m0s`, `1.5s`, `300ms`, `0s`.
pub fn format(duration: SignedDuration) -> String {
    let nanos = duration.as_nanos().unsigned_abs();
    let sign = if duration.is_negative() { "-" } else { "" };
    let second = u128::from(NANOS_PER_SECOND);
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < u128::from(NANOS_PER_MICRO) {
        return format!("{sign}{nanos}ns");
    }
    if nanos < u128::from(NANOS_PER_MILLI) {
        return format!("{sign}{}µs", decimal(nanos, u128::from(NANOS_PER_MICRO)));
    }
    if nanos < second {
        return format!("{sign}{}ms", decimal(nanos, u128::from(NANOS_PER_MILLI)));
    }
    let minutes = nanos / u128::from(NANOS_PER_MINUTE);
    let seconds = decimal(nanos % u128::from(NANOS_PER_MINUTE), second);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// One number with its unit at the head of `rest`: its nanoseconds, and what follows it.
fn leading_term<'a>(rest: &'a str, text: &str) -> Result<(u64, &'a str), GoDurationError> {
    let malformed = || GoDurationError::Malformed(text.to_owned());
    let too_long = || GoDurationError::TooLong(text.to_owned());

    let (whole, rest) = split_at_end_of(rest, |b| b.is_ascii_digit());
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => split_at_end_of(after, |b| b.is_ascii_digit()),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(malformed());
    }
    let (unit, rest) = split_at_end_of(rest, |b| b != b'.' && !b.is_ascii_digit());
    if unit.is_empty() {
        return Err(GoDurationError::MissingUnit(text.to_owned()));
    }
    let unit = nanos_of_unit(unit)
        .ok_or_else(|| GoDurationError::UnknownUnit { text: text.to_owned(), unit: unit.to_owned() })?;
    let whole = leading_number(whole).ok_or_else(too_long)?;
    let nanos = whole.checked_mul(unit).filter(|n| *n <= LIMIT).ok_or_else(too_long)?;
    let nanos =
        nanos.checked_add(fraction_of(fraction, unit)).filter(|n| *n <= LIMIT).ok_or_else(too_long)?;
    Ok((nanos, rest))
}

fn split_at_end_of(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !belongs(b)).unwrap_or(text.len());
    // Both predicates end on an ASCII byte, so `end` is a character boundary.
    (text.get(..end).unwrap_or_default(), text.get(end..).unwrap_or_default())
}

fn nanos_of_unit(unit: &str) -> Option<u64> {
    match unit {
        "ns" => Some(1),
        // U+00B5 (micro sign) and U+03BC (Greek mu) are both read.
        "us" | "\u{b5}s" | "\u{3bc}s" => Some(NANOS_PER_MICRO),
        "ms" => Some(NANOS_PER_MILLI),
        "s" => Some(NANOS_PER_SECOND),
        "m" => Some(NANOS_PER_MINUTE),
        "h" => Some(NANOS_PER_HOUR),
        _ => None,
    }
}

fn leading_number(digits: &str) -> Option<u64> {
    digits.bytes().try_fold(0u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|n| *n <= LIMIT)
    })
}

/// The nanoseconds of `.fraction` units. Go computes this in floating point; so do we, to end on the same nanosecond.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut numerator: u64 = 0;
    let mut scale = 1.0_f64;
    for digit in digits.bytes() {
        if numerator > (LIMIT - 1) / 10 {
            // Digits that no longer fit are too small to matter, and are skipped.
            break;
        }
        numerator = numerator * 10 + u64::from(digit - b'0');
        scale *= 10.0;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let nanos = (numerator as f64 * (unit as f64 / scale)) as u64;
    nanos
}

fn signed(magnitude: u64, negative: bool) -> Option<SignedDuration> {
    let nanos = match (i64::try_from(magnitude), negative) {
        (Ok(nanos), false) => nanos,
        (Ok(nanos), true) => -nanos,
        (Err(_), true) => i64::MIN,
        (Err(_), false) => return None,
    };
    Some(SignedDuration::from_nanos(nanos))
}

/// `value / unit` with as many decimals as it needs.
fn decimal(value: u128, unit: u128) -> String {
    let places = unit.ilog10() as usize;
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:0places$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// Texts, with what Go 1.26 makes of them (run through `time.ParseDuration` and `Duration.String`).
    const GO_READS: &[(&str, i64, &str)] = &[
        ("0", 0, "0s"),
        ("+0", 0, "0s"),
        ("-0", 0, "0s"),
        ("0s", 0, "0s"),
        ("1h", 3600000000000, "1h0m0s"),
        ("2160h", 7776000000000000, "2160h0m0s"),
        ("2160h0m0s", 7776000000000000, "2160h0m0s"),
        ("1h30m", 5400000000000, "1h30m0s"),
        ("90m", 5400000000000, "1h30m0s"),
        ("1.5h", 5400000000000, "1h30m0s"),
        ("-1.5h", -5400000000000, "-1h30m0s"),
        ("+5s", 5000000000, "5s"),
        ("1.0s", 1000000000, "1s"),
        ("1.00s", 1000000000, "1s"),
        ("1.004s", 1004000000, "1.004s"),
        ("1.0040s", 1004000000, "1.004s"),
        ("100.00100s", 100001000000, "1m40.001s"),
        (".5s", 500000000, "500ms"),
        ("5.s", 5000000000, "5s"),
        ("-.5s", -500000000, "-500ms"),
        ("1h15m30.918273645s", 4530918273645, "1h15m30.918273645s"),
        ("3ns", 3, "3ns"),
        ("11ns", 11, "11ns"),
        ("22us", 22000, "22µs"),
        ("13µs", 13000, "13µs"),
        ("14μs", 14000, "14µs"),
        ("5ms", 5000000, "5ms"),
        ("1us1ns", 1001, "1.001µs"),
        ("0.3333333333333333333h", 1200000000000, "20m0s"),
        ("9007199254740993ns", 9007199254740993, "2501h59m59.254740993s"),
        ("9223372036854775807ns", 9223372036854775807, "2562047h47m16.854775807s"),
        ("9223372036854775.807us", 9223372036854775807, "2562047h47m16.854775807s"),
        ("9223372036s854ms775us807ns", 9223372036854775807, "2562047h47m16.854775807s"),
        ("-9223372036854775808ns", -9223372036854775808, "-2562047h47m16.854775808s"),
        ("-9223372036854775.808us", -9223372036854775808, "-2562047h47m16.854775808s"),
        ("-9223372036s854ms775us808ns", -9223372036854775808, "-2562047h47m16.854775808s"),
        ("-2562047h47m16.854775808s", -9223372036854775808, "-2562047h47m16.854775808s"),
        ("0.100000000000000000000h", 360000000000, "6m0s"),
        ("0.830103483285477580700h", 2988372539827, "49m48.372539827s"),
        ("1h1h", 7200000000000, "2h0m0s"),
        ("1s1h", 3601000000000, "1h0m1s"),
        ("8760h", 31536000000000000, "8760h0m0s"),
        ("43800h", 157680000000000000, "43800h0m0s"),
        ("26280h30m", 94609800000000000, "26280h30m0s"),
        ("99999999999ns", 99999999999, "1m39.999999999s"),
        ("1m0.000000001s", 60000000001, "1m0.000000001s"),
        ("0.9223372036854775807h", 3320413933267, "55m20.413933267s"),
        ("0.92233720368547758071h", 3320413933267, "55m20.413933267s"),
        ("0000001h", 3600000000000, "1h0m0s"),
        ("5m", 300000000000, "5m0s"),
        ("4m59.999s", 299999000000, "4m59.999s"),
        ("2562047h47m16.854775807s", 9223372036854775807, "2562047h47m16.854775807s"),
        ("1.9us", 1900, "1.9µs"),
        ("0.1ns", 0, "0s"),
        ("1.9ns", 1, "1ns"),
    ];

    /// Texts that Go 1.26 refuses.
    const GO_REFUSES: &[&str] = &[
        "",
        "3",
        "-",
        "s",
        ".",
        "-.",
        ".s",
        "+.s",
        "1d",
        "90d",
        "1 h",
        "1h ",
        "h1",
        "1hm",
        "9223372036854775808ns",
        "9223372036854775.808us",
        "9223372036854ms775us808ns",
        "-9223372036854775809ns",
        "9223372036854775808h",
        "1e3s",
        "--1s",
        "+-1s",
        "1H",
        "1y",
        "1w",
        "3000000h",
        "1h30",
        "0x1s",
        "٣s",
        "1,5h",
        "1..5s",
        "10000000000000000000000ns",
    ];

    #[test]
    fn what_go_reads_is_read_with_the_same_value_and_written_in_the_same_form() {
        for (text, nanos, written) in GO_READS {
            let duration = parse(text).unwrap();
            assert_eq!(duration, SignedDuration::from_nanos(*nanos), "{text}");
            assert_eq!(format(duration), *written, "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in GO_REFUSES {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_is_no_unit_and_the_error_says_which_are() {
        let error = parse("90d").unwrap_err();
        assert_eq!(error, GoDurationError::UnknownUnit { text: "90d".into(), unit: "d".into() });
        assert!(error.to_string().contains("h, m, s"));
    }

    proptest! {
        #[test]
        fn every_duration_survives_being_written_and_read(nanos in any::<i64>()) {
            let duration = SignedDuration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn terms_add_up(h in 0u32..100_000, m in 0u32..10_000, s in 0u32..10_000, ms in 0u32..10_000) {
            let text = format!("{h}h{m}m{s}s{ms}ms");
            let sum = i64::from(h) * 3_600_000 + i64::from(m) * 60_000 + i64::from(s) * 1_000 + i64::from(ms);
            prop_assert_eq!(parse(&text), Ok(SignedDuration::from_millis(sum)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_read_has_only_go_s_alphabet(text in "[-+]?[0-9a-zµ. ]{0,12}") {
            if parse(&text).is_ok() {
                prop_assert!(text.chars().all(|c| c.is_ascii_digit() || "+-.hmsnuµ".contains(c)), "{}", text);
            }
        }
    }
}
