//! Times in certificates: UTCTime until 2049, GeneralizedTime after (RFC 5280 4.1.2.5).
//! It never asks what time it is.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::tlv::{Element, GENERALIZED_TIME, Malformed, UTC_TIME, tlv};

const BROKEN: Malformed = Malformed("malformed time");

/// Reads a time. `99991231235959Z`, the time without end of RFC 5280, lies a day behind the last moment that can be represented here and becomes that.
pub(super) fn read(element: &Element<'_>) -> Result<Timestamp, Malformed> {
    let text = element.value.strip_suffix(b"Z").ok_or(BROKEN)?;
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = digits(text, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => digits(text, 4)?,
        _ => return Err(BROKEN),
    };
    let (month, rest) = digits(rest, 2)?;
    let (day, rest) = digits(rest, 2)?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, rest) = digits(rest, 2)?;
    let (second, rest) = digits(rest, 2)?;
    let small = |number: i16| i8::try_from(number).map_err(|_| BROKEN);
    if !rest.is_empty() {
        return Err(BROKEN);
    }
    let time =
        DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0)
            .map_err(|_| BROKEN)?;
    Ok(Offset::UTC.to_timestamp(time).unwrap_or_else(|_| last_second()))
}

fn last_second() -> Timestamp {
    Timestamp::from_second(Timestamp::MAX.as_second()).unwrap_or(Timestamp::MAX)
}

fn digits(text: &[u8], count: usize) -> Result<(i16, &[u8]), Malformed> {
    let (digits, rest) = text.split_at_checked(count).ok_or(BROKEN)?;
    let number = digits.iter().try_fold(0_i16, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        Some(number * 10 + i16::try_from(digit).ok()?)
    });
    Ok((number.ok_or(BROKEN)?, rest))
}

/// Writes a time to the second; `None` before the year 0.
pub(super) fn der(time: Timestamp) -> Option<Vec<u8>> {
    let time = Offset::UTC.to_datetime(time);
    let (year, two_digits) = (time.year(), 1950..2050);
    let rest = time.strftime("%m%d%H%M%SZ").to_string();
    if two_digits.contains(&year) {
        let text = format!("{:02}{rest}", year % 100);
        return Some(tlv(UTC_TIME, &[text.as_bytes()]));
    }
    let text = format!("{year:04}{rest}");
    (year >= 0).then(|| tlv(GENERALIZED_TIME, &[text.as_bytes()]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::x509::tlv::Elements;

    fn parse(tag: u8, text: &str) -> Result<Timestamp, Malformed> {
        let der = tlv(tag, &[text.as_bytes()]);
        read(&Elements::new(&der).unwrap().next().unwrap())
    }

    #[test]
    fn times_are_written_as_rfc_5280_wants_them_and_read_back() {
        let table = [
            ("1950-01-01T00:00:00Z", UTC_TIME, "500101000000Z"),
            ("1999-12-31T23:59:59Z", UTC_TIME, "991231235959Z"),
            ("2026-11-24T21:30:00Z", UTC_TIME, "261124213000Z"),
            ("2049-12-31T23:59:59Z", UTC_TIME, "491231235959Z"),
            ("2050-01-01T00:00:00Z", GENERALIZED_TIME, "20500101000000Z"),
            ("1949-12-31T23:59:59Z", GENERALIZED_TIME, "19491231235959Z"),
            ("0001-01-01T00:00:00Z", GENERALIZED_TIME, "00010101000000Z"),
        ];
        for (time, tag, text) in table {
            let time: Timestamp = time.parse().unwrap();
            assert_eq!(der(time).unwrap(), tlv(tag, &[text.as_bytes()]), "{time}");
            assert_eq!(parse(tag, text).unwrap(), time);
        }
    }

    #[test]
    fn the_time_without_end_is_the_last_one_there_is() {
        let end = parse(GENERALIZED_TIME, "99991231235959Z").unwrap();
        assert_eq!(end.as_second(), Timestamp::MAX.as_second());
        assert_eq!(end.subsec_nanosecond(), 0);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let texts = [
            "",
            "Z",
            "2611242130Z",
            "261124213000",
            "261324213000Z",
            "261132213000Z",
            "26112421300xZ",
            "261124213000.5Z",
            "261124213000+0100",
        ];
        for text in texts {
            assert_eq!(parse(UTC_TIME, text), Err(BROKEN), "{text}");
            assert_eq!(parse(GENERALIZED_TIME, text), Err(BROKEN), "{text}");
        }
        assert_eq!(parse(0x16, "261124213000Z"), Err(BROKEN));
    }
}
