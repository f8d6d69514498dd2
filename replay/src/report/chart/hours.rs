//! The time axis: whole seconds, minutes, hours and days of UTC.

use crate::report::times::{self, Micros, SECOND};

/// Steps between ticks, seconds.
const STEPS: [i64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];
const DAY: i64 = 86_400;

/// Ticks from `from` to `to`, at most `most` of them (but at least one per four weeks), with what is written below.
pub fn ticks(from: Micros, to: Micros, most: i64) -> Vec<(Micros, String)> {
    let seconds = (to - from) / SECOND;
    let step = STEPS.into_iter().find(|step| seconds / step <= most).unwrap_or(28 * DAY) * SECOND;
    let first = (from + step - 1).div_euclid(step);
    let last = to.div_euclid(step);
    (first..=last).map(|i| (i * step, name(i * step, step))).collect()
}

/// Midnight is the day that begins.
fn name(time: Micros, step: Micros) -> String {
    let format = match time.rem_euclid(DAY * SECOND) {
        0 => "%-d %b",
        _ if step < 60 * SECOND => "%H:%M:%S",
        _ => "%H:%M",
    };
    times::format(time, format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_whole_units_of_utc() {
        let rows = [
            ("2026-11-29T10:00:00Z", "2026-11-29T11:00:00Z", "10:00 10:10 10:20 10:30 10:40 10:50 11:00"),
            (
                "2026-11-29T10:00:07Z",
                "2026-11-29T10:00:42Z",
                "10:00:10 10:00:15 10:00:20 10:00:25 10:00:30 10:00:35 10:00:40",
            ),
            ("2026-11-29T21:10:00Z", "2026-11-30T03:00:00Z", "22:00|23:00|30 Nov|01:00|02:00|03:00"),
            ("2026-11-29T00:00:00Z", "2026-12-04T12:00:00Z", "29 Nov|30 Nov|1 Dec|2 Dec|3 Dec|4 Dec"),
        ];
        for (from, to, expected) in rows {
            let (from, to) = (times::parse(from).unwrap(), times::parse(to).unwrap());
            let names: Vec<String> = ticks(from, to, 8).into_iter().map(|(_, name)| name).collect();
            let separator = if expected.contains('|') { "|" } else { " " };
            assert_eq!(names.join(separator), expected);
        }
    }

    #[test]
    fn no_range_has_many() {
        for seconds in [0, 1, 59, 3_601, 86_399, 40 * DAY, 400 * DAY] {
            let count = ticks(0, seconds * SECOND, 8).len();
            assert!((1..=16).contains(&count), "{seconds}: {count}");
        }
    }
}
