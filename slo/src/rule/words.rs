//! Figures and lengths of time as a person reads them at night.

/// More digits than a `f64` can tell apart.
const MOST_DECIMALS: usize = 15;

/// Two numbers that differ by less than this share of the largest of them differ by rounding: no count is so large that
/// one event would be less of it.
const NOISE: f64 = 1e-12;

/// Three figures are enough, `14.4`, `36`, `1235`, unless it would look like 0 or one of `others` (the threshold it is
/// above, say) without being it: `14.402`, `0.04`.
pub fn figure(x: f64, others: &[f64]) -> String {
    let others: Vec<f64> = others.iter().copied().chain([0.0]).collect();
    let text = apart(x, &others, if x.abs() >= 100.0 { 0 } else { 1 });
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A share of 1 in percent: `7%`, `99.49%` where it must not look like 99.5 or like all of it.
pub fn percent(share: f64, others: &[f64]) -> String {
    let others: Vec<f64> = others.iter().map(|other| other * 100.0).chain([100.0]).collect();
    format!("{}%", figure(share * 100.0, &others))
}

/// A number with so many decimals that it looks like none of the others, unless it is one of them; `least` at least.
pub fn apart(value: f64, others: &[f64], least: usize) -> String {
    let noise = NOISE * others.iter().fold(1.0, |largest: f64, other| largest.max(other.abs()));
    let value = others.iter().copied().find(|other| (value - other).abs() <= noise).unwrap_or(value);
    let told = |decimals: &usize| {
        let text = format!("{value:.decimals$}");
        let alike = |other: f64| other != value && same_digits(&text, &format!("{other:.decimals$}"));
        !others.iter().any(|other| alike(*other))
    };
    let decimals = (least..MOST_DECIMALS).find(told).unwrap_or(MOST_DECIMALS);
    format!("{value:.decimals$}")
}

/// `-0.0` says 0.
fn same_digits(one: &str, other: &str) -> bool {
    let zero = |text: &str| text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
    one == other || (zero(one) && zero(other))
}

/// `90 s`, `5 min`, `1 h 30 min`, `3 d`.
pub fn length(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds.max(0);
    let mut parts = Vec::new();
    for (size, name) in units {
        if rest >= size {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
pub(crate) mod tests {
    use slipstream_schemas::records::{BudgetUnit, BurnRates, WindowRates};

    use super::*;

    /// A record with these windows: seconds, good, total.
    pub fn rates(windows: &[(i64, i64, i64)]) -> BurnRates {
        let window = |(seconds, good, total): &(i64, i64, i64)| WindowRates {
            seconds: *seconds,
            slot_seconds: 1,
            good: *good,
            total: *total,
            burn: 1.0,
        };
        BurnRates {
            slo: "checkout".to_owned(),
            objective: "answered".to_owned(),
            group: Vec::new(),
            generation: 0,
            tick: 1_000_000,
            revision: 1,
            complete: true,
            retired: false,
            windows: windows.iter().map(window).collect(),
            sli: None,
            budget_total: 0.0,
            budget_remaining: 1.0,
            exhaustion_at: None,
            conditions: Vec::new(),
            unknown: 0,
            too_late: 0,
            covered_from: 0,
            sources_current: 1,
            sources: 1,
            exemplars: Vec::new(),
            unit: BudgetUnit::Events,
            target: Some(0.99),
            period_start: None,
            previous: None,
        }
    }

    #[test]
    fn shares_look_like_no_other() {
        for (share, others, want) in [
            (0.07, &[0.05][..], "7%"),
            (0.9949, &[0.995], "99.49%"),
            (0.99999, &[], "99.999%"),
            (1.0, &[], "100%"),
            (0.0, &[], "0%"),
            (1.0 - 0.93, &[0.05], "7%"),
        ] {
            assert_eq!(percent(share, others), want);
        }
    }

    #[test]
    fn lengths_and_figures_are_short() {
        for (seconds, want) in [(0, "0 s"), (59, "59 s"), (300, "5 min"), (5_400, "1 h 30 min"), (93_785, "1 d 2 h")] {
            assert_eq!(length(seconds), want);
        }
        let table: [(f64, &[f64], &str); 9] = [
            (14.4, &[], "14.4"),
            (36.0, &[14.4], "36"),
            (0.0, &[], "0"),
            (0.04, &[], "0.04"),
            (1234.56, &[], "1235"),
            (14.402, &[14.4], "14.402"),
            (14.4, &[14.4], "14.4"),
            (14.4 * (1.0 + f64::EPSILON), &[14.4], "14.4"),
            (1000.2, &[1000.0], "1000.2"),
        ];
        for (x, others, want) in table {
            assert_eq!(figure(x, others), want);
        }
    }
}
