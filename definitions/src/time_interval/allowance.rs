//! Whether intervals that allow something and intervals that forbid it ever leave a moment.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::TimeInterval;

/// A calendar begins anew after so many years: weekdays, days of the month and leap days.
const CYCLE: std::ops::RangeInclusive<i16> = 2024..=2051;
/// Questions to intervals at most, some tenths of a second: who knows no answer by then says that there is a moment.
const LOOKS: usize = 2_000_000;

/// Whether one of `active` holds at some moment, or there are none, while none of `mute` does.
///
/// ```
/// use slipstream_definitions::time_interval::{TimeInterval, ever_allows};
///
/// let (mut weekend, mut sunday) = (TimeInterval::default(), TimeInterval::default());
/// weekend.weekday("saturday:sunday")?;
/// sunday.weekday("sunday")?;
/// assert!(ever_allows(&[&weekend], &[&sunday]));
/// assert!(!ever_allows(&[&sunday], &[&weekend]));
/// # Ok::<(), slipstream_definitions::time_interval::IntervalError>(())
/// ```
pub fn ever_allows(active: &[&TimeInterval], mute: &[&TimeInterval]) -> bool {
    let all: Vec<&TimeInterval> = active.iter().chain(mute).copied().collect();
    let allows = |second| {
        let holds = |interval: &&TimeInterval| interval.contains(second);
        (active.is_empty() || active.iter().any(holds)) && !mute.iter().any(holds)
    };
    if all.is_empty() {
        return true;
    }
    let mut looks = 0;
    for year in years(&all) {
        let first = Date::constant(year, 1, 1);
        for day in first.series(jiff::Span::new().days(1)).take_while(|day| day.year() == year) {
            // What is allowed begins where something begins to hold, or ceases to.
            for second in all.iter().flat_map(|interval| interval.edges(day)) {
                looks += all.len();
                if allows(second) || looks > LOOKS {
                    return true;
                }
            }
        }
    }
    false
}

/// A whole cycle, and as much of the years that are named.
fn years(all: &[&TimeInterval]) -> BTreeSet<i16> {
    let named = all.iter().flat_map(|interval| &interval.years);
    let named = named.flat_map(|range| range.clone().take(CYCLE.count()));
    // A year later other intervals may begin.
    let around = named.flat_map(|year| [year, year + 1]).filter_map(|year| i16::try_from(year).ok());
    around.filter(|year| *year <= 9_998).chain(CYCLE).collect()
}

impl TimeInterval {
    /// The seconds of a day at which it may begin to hold, or cease to.
    fn edges(&self, day: Date) -> impl Iterator<Item = i64> + '_ {
        let times = self.times.iter().flat_map(|(from, to)| [*from, *to]);
        let minutes = times.filter(|minute| (1..24 * 60).contains(minute));
        std::iter::once(0).chain(minutes).filter_map(move |minute| {
            let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
            let at = day.at(hour, minute, 0, 0).to_zoned(self.zone.clone()).ok()?;
            Some(at.timestamp().as_second())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `weekdays|days|months|years|times|zone`, each of one value.
    fn interval(text: &str) -> TimeInterval {
        let mut interval = TimeInterval::default();
        let parts: Vec<&str> = text.split('|').collect();
        let [weekdays, days, months, years, times, zone] = parts.as_slice() else { panic!("{text}") };
        let mut set = |value: &str, add: fn(&mut TimeInterval, &str) -> Result<(), super::super::IntervalError>| {
            if !value.is_empty() {
                add(&mut interval, value).unwrap();
            }
        };
        set(weekdays, TimeInterval::weekday);
        set(days, TimeInterval::day_of_month);
        set(months, TimeInterval::month);
        set(years, TimeInterval::year);
        set(zone, TimeInterval::location);
        if let Some((from, to)) = times.split_once('-') {
            interval.time(from, to).unwrap();
        }
        interval
    }

    #[test]
    fn a_moment_is_found_where_there_is_one() {
        let office = "monday:friday||||09:00-17:00|Europe/Berlin";
        for (active, mute, allowed) in [
            (&[][..], &[][..], true),
            (&[office], &["saturday:sunday|||||"], true),
            (&[office], &["monday:friday|||||Europe/Berlin"], false),
            (&[office], &["||||08:00-16:59|Europe/Berlin"], true),
            (&[office], &["||||08:00-17:00|Europe/Berlin"], false),
            // Berlin's office opens an hour or two earlier by the clock of UTC.
            (&[office], &["||||08:00-17:00|"], true),
            (&[office, "sunday|||||"], &["monday:friday|||||Europe/Berlin"], true),
            (&["|31||||"], &["||january|||"], true),
            (&["|31|february|||"], &[], false),
            (&["sunday|29|february|||"], &["saturday|||||"], true),
            (&["|||2031||"], &["|||2030:2031||"], false),
            (&["|||2090:2091||"], &["|||2090||"], true),
            (&[], &["|||||"], false),
            (&[], &["||||00:00-12:00|", "||||12:00-24:00|"], false),
            (&[], &["||||00:00-12:00|", "||||12:01-24:00|"], true),
        ] {
            let of = |texts: &[&str]| texts.iter().map(|text| interval(text)).collect::<Vec<_>>();
            let (of_active, of_mute) = (of(active), of(mute));
            let found = ever_allows(&of_active.iter().collect::<Vec<_>>(), &of_mute.iter().collect::<Vec<_>>());
            assert_eq!(found, allowed, "{active:?} without {mute:?}");
        }
    }

    #[test]
    fn very_many_intervals_end_without_an_answer() {
        let all: Vec<TimeInterval> = (0..500).map(|_| interval("|31|february|||")).collect();
        assert!(ever_allows(&all.iter().collect::<Vec<_>>(), &[]));
    }
}
