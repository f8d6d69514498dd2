use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn calendar(duration: &str, start: &str, zone: &str) -> Calendar {
    let (count, unit) = crate::duration::units(duration).unwrap();
    let start = DateTime::strptime("%Y-%m-%d %H:%M:%S", start).unwrap();
    Calendar::new(count, unit, start, zone).unwrap()
}

fn second(timestamp: &str) -> i64 {
    timestamp.parse::<Timestamp>().unwrap().as_second()
}

/// The period that holds a moment, as UTC.
fn period(calendar: &Calendar, at: &str) -> (String, String) {
    let period = calendar.period_at(second(at));
    let text = |second| Timestamp::from_second(second).unwrap().to_string();
    (text(period.start), text(period.end))
}

/// Duration, start, zone, moment, and the period that holds it.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

fn check(cases: &[Case]) {
    for (duration, start, zone, at, from, to) in cases {
        let found = period(&calendar(duration, start, zone), at);
        assert_eq!(found, ((*from).to_owned(), (*to).to_owned()), "{duration} from {start} {zone}, at {at}");
    }
}

#[test]
fn daylight_saving_shortens_and_lengthens_periods() {
    let berlin = "Europe/Berlin";
    check(&[
        // 29 March 2026 has 23 hours there, 25 October 25.
        ("1d", "2026-01-01 00:00:00", berlin, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("1d", "2026-01-01 00:00:00", berlin, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("1w", "2026-01-05 00:00:00", berlin, "2026-03-29T12:00:00Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("1M", "2026-01-01 00:00:00", berlin, "2026-03-15T00:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("1M", "2026-01-01 00:00:00", berlin, "2026-10-15T00:00:00Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
        ("1Y", "2026-07-01 00:00:00", berlin, "2026-12-01T00:00:00Z", "2026-06-30T22:00:00Z", "2027-06-30T22:00:00Z"),
        // Where clocks turn by half an hour.
        (
            "1d",
            "2026-01-01 00:00:00",
            "Australia/Lord_Howe",
            "2026-04-05T00:00:00Z",
            "2026-04-04T13:00:00Z",
            "2026-04-05T13:30:00Z",
        ),
        // 02:30 is left out on 29 March: an hour later. It is there twice on 25 October: the first.
        ("1d", "2026-01-01 02:30:00", berlin, "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"),
        ("1d", "2026-01-01 02:30:00", berlin, "2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        // Hours are exact.
        ("24h", "2026-01-01 00:00:00", berlin, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T23:00:00Z"),
    ]);
}

#[test]
fn months_from_the_31st_begin_on_the_last_day_of_shorter_ones() {
    let start = "2026-01-31 00:00:00";
    check(&[
        ("1M", start, "UTC", "2026-02-01T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"),
        ("1M", start, "UTC", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"),
        ("1M", start, "UTC", "2026-04-30T12:00:00Z", "2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z"),
        ("1Q", start, "UTC", "2026-05-01T00:00:00Z", "2026-04-30T00:00:00Z", "2026-07-31T00:00:00Z"),
    ]);
}

#[test]
fn leap_years_have_their_day() {
    check(&[
        ("1M", "2023-12-01 00:00:00", "UTC", "2024-02-15T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("1M", "2026-01-31 00:00:00", "UTC", "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"),
        ("1Y", "2024-02-29 00:00:00", "UTC", "2025-06-01T00:00:00Z", "2025-02-28T00:00:00Z", "2026-02-28T00:00:00Z"),
        ("1Y", "2024-02-29 00:00:00", "UTC", "2028-06-01T00:00:00Z", "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"),
    ]);
    let year = calendar("1Y", "2024-01-01 00:00:00", "UTC");
    assert_eq!(year.period_at(second("2024-07-01T00:00:00Z")).seconds(), 366 * DAY);
    assert_eq!(year.nominal_seconds(), 365 * DAY);
}

#[test]
fn zones_of_half_hours_begin_at_their_midnight() {
    check(&[
        (
            "1d",
            "2026-01-01 00:00:00",
            "Asia/Kolkata",
            "2026-05-05T18:29:59Z",
            "2026-05-04T18:30:00Z",
            "2026-05-05T18:30:00Z",
        ),
        (
            "1d",
            "2026-01-01 00:00:00",
            "Asia/Kolkata",
            "2026-05-05T18:30:00Z",
            "2026-05-05T18:30:00Z",
            "2026-05-06T18:30:00Z",
        ),
        (
            "1M",
            "2026-01-01 00:00:00",
            "Asia/Kathmandu",
            "2026-02-15T00:00:00Z",
            "2026-01-31T18:15:00Z",
            "2026-02-28T18:15:00Z",
        ),
    ]);
}

#[test]
fn periods_before_the_start_are_counted_back() {
    let start = "2026-01-31 12:30:00";
    check(&[
        ("1M", start, "UTC", "2026-01-31T12:29:59Z", "2025-12-31T12:30:00Z", "2026-01-31T12:30:00Z"),
        ("1M", start, "UTC", "2025-11-30T12:30:00Z", "2025-11-30T12:30:00Z", "2025-12-31T12:30:00Z"),
        ("2w", start, "UTC", "2026-01-30T00:00:00Z", "2026-01-17T12:30:00Z", "2026-01-31T12:30:00Z"),
        ("90m", start, "UTC", "1970-01-01T00:00:00Z", "1969-12-31T23:00:00Z", "1970-01-01T00:30:00Z"),
    ]);
}

#[test]
fn zones_and_counts_that_are_none() {
    let start = DateTime::constant(2026, 1, 1, 0, 0, 0, 0);
    for (count, zone, there) in
        [(1, "UTC", true), (1, "Europe/Berlin", true), (1, "Mars/Olympus", false), (1, "", false), (0, "UTC", false)]
    {
        assert_eq!(Calendar::new(count, Unit::Month, start, zone).is_some(), there, "{count} {zone}");
    }
    assert!(Calendar::new(Calendar::MAX_COUNT, Unit::Year, start, "UTC").is_some());
    assert!(Calendar::new(Calendar::MAX_COUNT + 1, Unit::Year, start, "UTC").is_none());
}

fn any_calendar() -> impl Strategy<Value = Calendar> {
    let unit = prop::sample::select(vec!["m", "h", "d", "w", "M", "Q", "Y"]);
    let zone = prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Apia",
    ]);
    (1i64..=40, unit, zone, 1_970i16..2_090, 1i8..=12, 1i8..=28, 0i8..24, 0i8..60).prop_map(
        |(count, unit, zone, year, month, day, hour, minute)| {
            let start = format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:00");
            calendar(&format!("{count}{unit}"), &start, zone)
        },
    )
}

proptest! {
    #[test]
    fn every_second_is_in_one_period_and_they_follow_each_other(calendar in any_calendar(), at in 0i64..4_102_444_800) {
        let period = calendar.period_at(at);
        prop_assert!(period.contains(at) && period.seconds() > 0, "{period:?}");
        prop_assert_eq!(calendar.period_at(period.start), period);
        prop_assert_eq!(calendar.period_at(period.end - 1), period);
        prop_assert_eq!(calendar.period_at(period.end).start, period.end);
        prop_assert_eq!(calendar.period_at(period.start - 1).end, period.start);
    }

    #[test]
    fn any_second_has_a_period_or_the_nearest(calendar in any_calendar(), at in any::<i64>()) {
        calendar.period_at(at);
    }
}
