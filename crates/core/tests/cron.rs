//! Cron expressions: what is read, what is refused, and which moment comes next.
//! The table was made with robfig/cron v3's standard parser on Go 1.26.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use everleaf_core::cron::{Cron, CronError};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

/// Expression, time zone, moment, and the next matching moment.
type Row = (&'static str, &'static str, &'static str, Option<&'static str>);

const NEXT: &[Row] = &[
    ("0 3 * * *", "UTC", "2026-01-01T00:00:00Z", Some("2026-01-01T03:00:00Z")),
    ("0 3 * * *", "UTC", "2026-01-01T03:00:00Z", Some("2026-01-02T03:00:00Z")),
    ("0 3 * * *", "UTC", "2026-01-01T02:59:59.9Z", Some("2026-01-01T03:00:00Z")),
    ("*/15 * * * *", "UTC", "2026-01-01T00:14:59Z", Some("2026-01-01T00:15:00Z")),
    ("*/15 * * * *", "UTC", "2026-12-31T23:45:00Z", Some("2027-01-01T00:00:00Z")),
    ("0 22 * * MON-FRI", "UTC", "2026-01-02T22:00:00Z", Some("2026-01-05T22:00:00Z")),
    ("0 0 13 * 5", "UTC", "2026-01-03T00:00:00Z", Some("2026-01-09T00:00:00Z")),
    ("0 0 13 * ?", "UTC", "2026-01-13T00:00:00Z", Some("2026-02-13T00:00:00Z")),
    ("0 0 */2 * 5", "UTC", "2026-01-03T00:00:00Z", Some("2026-01-05T00:00:00Z")),
    ("0 0 * * 5", "UTC", "2026-01-03T00:00:00Z", Some("2026-01-09T00:00:00Z")),
    ("0 0 1,15 * 3", "UTC", "2026-01-03T00:00:00Z", Some("2026-01-07T00:00:00Z")),
    ("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", Some("2026-03-31T00:00:00Z")),
    ("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", None),
    ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", Some("2028-02-29T00:00:00Z")),
    ("59 23 31 12 *", "UTC", "2026-12-31T23:59:00Z", Some("2027-12-31T23:59:00Z")),
    ("5/20 * * * *", "UTC", "2026-01-01T00:05:00Z", Some("2026-01-01T00:25:00Z")),
    ("10-30/10 8-9 * jan,Mar sun", "UTC", "2026-01-01T00:00:00Z", Some("2026-01-04T08:10:00Z")),
    ("0 0 ? * ?", "UTC", "2026-01-01T00:00:00Z", Some("2026-01-02T00:00:00Z")),
    ("0 0 */1 * 1", "UTC", "2026-01-01T00:00:00Z", Some("2026-01-05T00:00:00Z")),
    ("@hourly", "UTC", "2026-01-01T00:00:01Z", Some("2026-01-01T01:00:00Z")),
    ("@daily", "Asia/Kolkata", "2026-01-01T00:00:00Z", Some("2026-01-01T18:30:00Z")),
    ("@midnight", "America/New_York", "2026-07-01T12:00:00Z", Some("2026-07-02T04:00:00Z")),
    ("@weekly", "UTC", "2026-01-01T00:00:00Z", Some("2026-01-04T00:00:00Z")),
    ("@monthly", "UTC", "2026-01-01T00:00:00Z", Some("2026-02-01T00:00:00Z")),
    ("@yearly", "UTC", "2026-01-01T00:00:00Z", Some("2027-01-01T00:00:00Z")),
    ("@annually", "UTC", "2025-06-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
    ("@every 90m", "UTC", "2026-01-01T00:00:00.75Z", Some("2026-01-01T01:30:00Z")),
    ("@every 1.5s", "UTC", "2026-01-01T00:00:00Z", Some("2026-01-01T00:00:01Z")),
    ("@every 0s", "UTC", "2026-01-01T00:00:00Z", Some("2026-01-01T00:00:01Z")),
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", Some("2026-03-30T00:30:00Z")),
    ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", Some("2026-10-25T00:30:00Z")),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", Some("2026-10-25T01:30:00Z")),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:30:00Z", Some("2026-10-26T01:30:00Z")),
    ("0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", Some("2026-03-29T01:00:00Z")),
    ("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", Some("2026-03-29T01:00:00Z")),
    ("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", Some("2026-09-07T03:00:00Z")),
    ("15 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", Some("2026-04-04T14:15:00Z")),
    ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", Some("2026-04-04T15:15:00Z")),
    ("0 9 1 1 *", "Pacific/Auckland", "2026-01-01T00:00:00Z", Some("2026-12-31T20:00:00Z")),
    ("0 12 * * *", "Asia/Kathmandu", "2026-01-01T06:15:00Z", Some("2026-01-02T06:15:00Z")),
];

#[test]
fn the_next_moment_is_the_one_that_robfig_cron_gives() {
    for (expression, zone, after, expected) in NEXT {
        let cron = Cron::parse(expression).unwrap();
        let tz = TimeZone::get(zone).unwrap();
        let next = cron.next_after(after.parse().unwrap(), &tz);
        let expected = expected.map(|text| text.parse::<Timestamp>().unwrap());
        assert_eq!(next, expected, "{expression} in {zone} after {after}");
    }
}

#[test]
fn clock_changes_at_midnight_lose_no_match() {
    // robfig/cron v3 gives 2011-01-01 here: it steps over a whole year behind the clock change of 2009.
    let after: Timestamp = "2009-02-01T00:00:00Z".parse().unwrap();
    let next =
        Cron::parse("@yearly").unwrap().next_after(after, &TimeZone::get("Africa/Casablanca").unwrap());
    assert_eq!(next, Some("2010-01-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn what_is_no_expression_is_refused_and_the_error_names_the_field() {
    let table = [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * *", "6 fields"),
        (" @daily", "1 fields"),
        ("60 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("1.5 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* 20-8 * * *", "backwards"),
        ("* * 0 * *", "day of month"),
        ("* * 32 * *", "day of month"),
        ("* * * 0 *", "month"),
        ("* * * 13 *", "month"),
        ("* * * sept *", "month"),
        ("* * * * 7", "day of week"),
        ("* * * * monday", "day of week"),
        ("*/0 * * * *", "step"),
        ("*/x * * * *", "no number"),
        ("1-2-3 * * * *", "hyphens"),
        ("1/2/3 * * * *", "slashes"),
        ("1- * * * *", "no number"),
        ("@Daily", "descriptor"),
        ("@reboot", "descriptor"),
        ("@every", "descriptor"),
        ("@every 5", "unit"),
        ("@every 1d", "unit"),
    ];
    for (expression, word) in table {
        let error = Cron::parse(expression).unwrap_err();
        assert!(error.to_string().contains(word), "{expression:?} gave {error}");
    }
    assert_eq!(Cron::parse("a b"), Err(CronError::WrongFieldCount { found: 2 }));
}

#[test]
fn an_expression_without_a_match_in_five_years_has_no_next_moment() {
    let after: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", ", * * * *"] {
        assert_eq!(Cron::parse(expression).unwrap().next_after(after, &TimeZone::UTC), None, "{expression}");
    }
}

#[test]
fn the_last_moments_of_time_make_no_panic() {
    for after in [Timestamp::MAX, Timestamp::MIN] {
        for expression in ["* * * * *", "@yearly", "@every 1h"] {
            let _ = Cron::parse(expression).unwrap().next_after(after, &TimeZone::get("Asia/Tokyo").unwrap());
        }
    }
}

/// An expression as sets of numbers; empty means `*`.
#[derive(Debug, Clone)]
struct Sets {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<i8>,
    weekdays: Vec<i8>,
}

impl Sets {
    fn expression(&self) -> String {
        let field = |set: &[i8]| {
            if set.is_empty() {
                return "*".to_owned();
            }
            set.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        let Sets { minutes, hours, days, weekdays } = self;
        format!("{} {} {} * {}", field(minutes), field(hours), field(days), field(weekdays))
    }

    fn matches(&self, at: Timestamp, tz: &TimeZone) -> bool {
        let local = tz.to_datetime(at);
        let within = |set: &[i8], value| set.is_empty() || set.contains(&value);
        let day = within(&self.days, local.day());
        let weekday = within(&self.weekdays, local.weekday().to_sunday_zero_offset());
        let day_ok = match (self.days.is_empty(), self.weekdays.is_empty()) {
            (false, false) => day || weekday,
            _ => day && weekday,
        };
        local.second() == 0
            && within(&self.minutes, local.minute())
            && within(&self.hours, local.hour())
            && day_ok
    }
}

fn sets() -> impl Strategy<Value = Sets> {
    let set = |range: std::ops::Range<i8>| proptest::collection::vec(range, 0..4);
    (set(0..60), set(0..24), set(1..32), set(0..7)).prop_map(|(minutes, hours, days, weekdays)| Sets {
        minutes,
        hours,
        days,
        weekdays,
    })
}

/// Zones with ordinary, half-hour and midnight clock changes, and one moment shortly before such a change each.
const CHANGES: &[(&str, &str)] = &[
    ("UTC", "2026-02-27T12:00:00Z"),
    ("Europe/Berlin", "2026-03-28T12:00:00Z"),
    ("Europe/Berlin", "2026-10-24T12:00:00Z"),
    ("America/New_York", "2026-03-07T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T01:00:00Z"),
    ("America/Santiago", "2026-09-05T12:00:00Z"),
    ("America/Havana", "2026-10-31T12:00:00Z"),
    ("America/St_Johns", "2010-11-06T12:00:00Z"),
    ("Pacific/Apia", "2011-12-29T12:00:00Z"),
    ("Africa/Casablanca", "2026-02-14T12:00:00Z"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_next_moment_is_the_first_minute_that_matches(
        sets in sets(),
        change in 0..CHANGES.len(),
        seconds in 0i64..86_400,
    ) {
        const MINUTES_SEARCHED: i64 = 3 * 24 * 60;
        let (zone, start) = CHANGES.get(change).copied().unwrap();
        let tz = TimeZone::get(zone).unwrap();
        let after = start.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds);
        let first_minute = after.as_second().div_euclid(60) + 1;
        let by_hand = (first_minute..first_minute + MINUTES_SEARCHED)
            .map(|minute| Timestamp::from_second(minute * 60).unwrap())
            .find(|at| sets.matches(*at, &tz));
        let next = Cron::parse(&sets.expression()).unwrap().next_after(after, &tz);
        let end = Timestamp::from_second((first_minute + MINUTES_SEARCHED) * 60).unwrap();
        match by_hand {
            Some(_) => prop_assert_eq!(next, by_hand, "{} in {}", sets.expression(), zone),
            None => prop_assert!(next.is_none_or(|next| next >= end), "{} in {}", sets.expression(), zone),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}") {
        let _ = Cron::parse(&text);
    }

    #[test]
    fn no_expression_makes_it_panic(text in "([-0-9*?,/]{1,6} ){4}[-0-9*?,/a-z]{1,6}") {
        if let Ok(cron) = Cron::parse(&text) {
            let _ = cron.next_after("2026-01-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC);
        }
    }
}
