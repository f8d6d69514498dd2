//! Figures for people: percentages, moments and spans of time, counts, budgets.

use slipstream_schemas::EventTime;
use slipstream_schemas::records::BudgetUnit;
use slipstream_slo::rule::words::apart;
use slipstream_store::text;

/// More digits than an `f64` can distinguish.
const MOST_DECIMALS: usize = 15;

/// A share as a percentage with three decimals, and with more where it would look like 0 %, 100 % or one of `others`
/// without being it: a value just below a target must not print as the target.
pub fn percent(share: f64, others: &[f64]) -> String {
    format!("{} %", apart(share * 100.0, &percentages(others), 3))
}

/// A text, or a dash where there is none.
pub fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// [`percent`] with at least one decimal.
pub fn rough_percent(share: f64, others: &[f64]) -> String {
    format!("{} %", apart(share * 100.0, &percentages(others), 1))
}

fn percentages(others: &[f64]) -> Vec<f64> {
    [0.0, 1.0].iter().chain(others).map(|share| share * 100.0).collect()
}

/// A target with all of its digits, three at least: `99.500 %`, `99.99999 %`.
pub fn target(share: f64) -> String {
    // Digits are moved, not multiplied: 0.9999999 * 100 is 99.99998999999999.
    let written = format!("{share:.MOST_DECIMALS$}");
    let (whole, parts) = written.split_once('.').unwrap_or((&written, ""));
    let whole = format!("{whole}{}", &parts[..2]);
    let whole = whole.trim_start_matches('0');
    let parts = parts[2..].trim_end_matches('0');
    format!("{}.{parts:0<3} %", if whole.is_empty() { "0" } else { whole })
}

/// A span of seconds in the largest unit that divides it: 5m, 6h, 30d.
pub fn span(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    match units.iter().find(|(size, _)| seconds != 0 && seconds % size == 0) {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
    }
}

/// A span of seconds in its two largest units: 9h14m, 4m6s, 40s.
pub fn long_span(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(units.len() - 1);
    let told = units[first..].iter().take(2).scan(seconds, |rest, (size, unit)| {
        let whole = *rest / size;
        *rest %= size;
        Some((whole, unit))
    });
    let told: Vec<String> =
        told.enumerate().filter(|(at, (n, _))| *at == 0 || *n > 0).map(|(_, (n, unit))| format!("{n}{unit}")).collect();
    told.concat()
}

/// A count of alerts: 1 alert, 1,200 alerts.
pub fn alerts(n: i64) -> String {
    counted(n, "alert")
}

/// A count in groups of three digits: 56,070.
pub fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap_or("")).collect();
    format!("{}{}", if n < 0 { "-" } else { "" }, groups.join(","))
}

/// A count of events: 1 event, 1,200 events.
pub fn events(n: i64) -> String {
    counted(n, "event")
}

/// A count of things: 1 line, 1,200 lines.
pub fn counted(n: i64, thing: &str) -> String {
    format!("{} {thing}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A moment to the second: 2026-01-31T09:30:00Z.
pub fn moment(time: EventTime) -> String {
    text::seconds(time.0.div_euclid(1_000_000))
}

/// The beginning of a text that may be long, as a cell of a table has it.
pub fn beginning(text: &str) -> String {
    const SHOWN: usize = 100;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// An amount of what a budget counts: events as a count, time in minutes. A composite's shares are in its SLI.
pub fn amount(unit: BudgetUnit, amount: i64) -> String {
    match unit {
        BudgetUnit::Events => count(amount),
        BudgetUnit::Seconds => format!("{:.1} min", amount as f64 / 60.0),
        BudgetUnit::Share => "-".to_owned(),
    }
}

/// The whole events in a number of them; 0.9999999999 is one that was computed.
fn whole(events: f64) -> i64 {
    ((events * 1e6).round() / 1e6).floor() as i64
}

/// A small number of events: two decimals, and below a tenth two significant digits, so that it does not look like 0.
fn small(events: f64) -> String {
    let leading = if events > 0.0 { (1.0 - events.log10().floor()).clamp(2.0, MOST_DECIMALS as f64) } else { 2.0 };
    let text = format!("{events:.*}", leading as usize);
    let zeros = text.len() - text.trim_end_matches('0').len();
    text[..text.len() - zeros.min(decimals(&text) - 2)].to_owned()
}

/// How many decimals a number is written with.
fn decimals(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

/// What is left of a budget, in whole events or in minutes: `64 of 103`, `40.2 of 43.2 min`.
pub fn left_of_budget(unit: BudgetUnit, remaining: f64, budget: f64) -> String {
    let left = remaining * budget;
    match unit {
        // In a small budget fractions matter: a hundred events at 99.9 % allow a tenth of one.
        BudgetUnit::Events if budget < 10.0 => {
            let budget_text = small(budget);
            let decimals = if left < 0.0 { 2 } else { decimals(&budget_text) };
            format!("{} of {budget_text}", apart(left, &[0.0, budget], decimals))
        }
        BudgetUnit::Events => format!("{} of {}", count(whole(left)), count(whole(budget))),
        BudgetUnit::Seconds => format!("{} of {:.1} min", apart(left / 60.0, &[0.0, budget / 60.0], 1), budget / 60.0),
        BudgetUnit::Share => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_looks_like_nothing_that_it_is_not() {
        let table: [(f64, &[f64], &str); 16] = [
            (1e-16, &[], "0.000 %"),
            (1.0 - 1e-16, &[], "100.000 %"),
            (0.1 + 0.2, &[0.3], "30.000 %"),
            (1.0, &[0.999], "100.000 %"),
            (0.0, &[], "0.000 %"),
            (0.5, &[], "50.000 %"),
            (0.999996, &[], "99.9996 %"),
            (0.999_999_9, &[], "99.99999 %"),
            (1e-7, &[], "0.00001 %"),
            (0.995, &[0.995], "99.500 %"),
            (0.994_999_6, &[0.995], "99.49996 %"),
            (0.995_000_4, &[0.995], "99.50004 %"),
            (0.999_5, &[0.999_5], "99.950 %"),
            (0.999_999_94, &[0.999_999_9], "99.999994 %"),
            (-3.2, &[], "-320.000 %"),
            (-1e-7, &[], "-0.00001 %"),
        ];
        for (share, others, text) in table {
            assert_eq!(percent(share, others), text);
        }
        for (share, text) in
            [(1.0, "100.0 %"), (0.9999, "99.99 %"), (-0.0004, "-0.04 %"), (0.43, "43.0 %"), (1e-16, "0.0 %")]
        {
            assert_eq!(rough_percent(share, &[]), text);
        }
    }

    #[test]
    fn a_long_span_has_two_units() {
        let table =
            [(0, "0s"), (40, "40s"), (246, "4m6s"), (3_600, "1h"), (33_252, "9h14m"), (90_061, "1d1h"), (86_461, "1d")];
        for (seconds, text) in table {
            assert_eq!(long_span(seconds), text);
        }
    }

    #[test]
    fn a_target_has_all_of_its_digits() {
        for (share, text) in [
            (0.995, "99.500 %"),
            (0.9, "90.000 %"),
            (0.999_95, "99.995 %"),
            (0.999_999_9, "99.99999 %"),
            (0.05, "5.000 %"),
            (0.001, "0.100 %"),
            (1.0, "100.000 %"),
            (0.333_333_333, "33.3333333 %"),
        ] {
            assert_eq!(target(share), text);
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1234567, "-1,234,567")] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn budgets_are_in_events_or_in_minutes() {
        let table = [
            (BudgetUnit::Events, 0.625, 104.9, "65 of 104"),
            (BudgetUnit::Events, -1.5, 10.0, "-15 of 10"),
            (BudgetUnit::Events, 0.099_999_999_999_999_98, 10.0, "1 of 10"),
            (BudgetUnit::Events, 0.5, 99.999_999_999_999_9, "50 of 100"),
            (BudgetUnit::Seconds, -1e-16, 2_592_000.0, "0.0 of 43200.0 min"),
            (BudgetUnit::Events, -99.0, 0.01, "-0.99 of 0.01"),
            (BudgetUnit::Events, 0.999_6, 5.0, "4.998 of 5.00"),
            (BudgetUnit::Events, 1.0, 0.1, "0.10 of 0.10"),
            (BudgetUnit::Events, 1.0, 0.012_3, "0.012 of 0.012"),
            (BudgetUnit::Events, 0.5, 0.004, "0.002 of 0.004"),
            (BudgetUnit::Events, -249.0, 0.004, "-1.00 of 0.004"),
            (BudgetUnit::Events, 1.0, 3e-7, "0.0000003 of 0.0000003"),
            (BudgetUnit::Events, 1.0 - 1.0 / 3e-7, 3e-7, "-1.00 of 0.0000003"),
            (BudgetUnit::Seconds, 0.5, 2_592.0, "21.6 of 43.2 min"),
            (BudgetUnit::Seconds, 0.999_6, 2_592.0, "43.18 of 43.2 min"),
            (BudgetUnit::Seconds, -1.0, 302.4, "-5.0 of 5.0 min"),
            (BudgetUnit::Share, 0.5, 1e6, "-"),
        ];
        for (unit, remaining, budget, text) in table {
            assert_eq!(left_of_budget(unit, remaining, budget), text);
        }
        assert_eq!(amount(BudgetUnit::Seconds, 2_592_030), "43200.5 min");
    }

    #[test]
    fn a_long_text_is_shown_by_its_beginning() {
        assert_eq!(beginning("short"), "short");
        assert_eq!(beginning(&"ü".repeat(100)), "ü".repeat(100));
        assert_eq!(beginning(&"ü".repeat(101)), format!("{}...", "ü".repeat(100)));
        assert_eq!(moment(EventTime(1_769_851_800_999_999)), "2026-01-31T09:30:00Z");
    }

    #[test]
    fn spans_take_the_largest_unit() {
        for (seconds, text) in [(0, "0s"), (30, "30s"), (300, "5m"), (3_600, "1h"), (5_400, "90m"), (2_592_000, "30d")]
        {
            assert_eq!(span(seconds), text);
        }
    }
}
