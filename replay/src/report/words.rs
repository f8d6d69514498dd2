//! Numbers as people read them: `12,044`, `1.2k`, `99.95 %`, `340 ms`, `12 min 39 s`.
//!
//! A number and its unit are joined by a space that does not break.

/// The space between a number and its unit.
const SPACE: char = '\u{a0}';

/// `12,044`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("−{out}") } else { out }
}

/// `1 request`, `2 requests`.
pub fn plural(number: i64, one: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{}{SPACE}{one}{many}", count(number))
}

/// `0.25`, `12`, `1.2k`, `3.4M`: for an axis.
pub fn short(number: f64) -> String {
    let size = number.abs();
    let (scaled, letter) = match size {
        s if s >= 999_500_000.0 => (number / 1e9, "G"),
        s if s >= 999_500.0 => (number / 1e6, "M"),
        s if s >= 999.5 => (number / 1e3, "k"),
        _ => (number, ""),
    };
    format!("{}{letter}", three_digits(scaled))
}

/// `14.9 %`. What is not all, or not nothing, does not look like it.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        v if v < 0.000_5 && value < 0.0 => return format!(">{SPACE}−0.001{SPACE}%"),
        v if v < 0.000_5 => return format!("<{SPACE}0.001{SPACE}%"),
        v if v < 1.0 => decimals(value, 3),
        v if v < 10.0 => decimals(value, 2),
        v if v < 99.0 => decimals(value, 1),
        v if v < 100.0 => below_all(value),
        _ => decimals(value, 1),
    };
    format!("{text}{SPACE}%")
}

/// [`percent`] without decimals where that says enough: `98 %`, but `0.4 %` and `99.7 %`.
pub fn rough_percent(share: f64) -> String {
    let value = share * 100.0;
    if (1.0..=99.0).contains(&value.abs()) { format!("{}{SPACE}%", decimals(value, 0)) } else { percent(share) }
}

/// 99.95, 99.9996: as many decimals as it takes to be below 100.
fn below_all(value: f64) -> String {
    let texts = (1..=5).map(|places| decimals(value, places));
    // One digit more than the first that differs from 100: 99.95 rather than 99.9.
    let places = texts.take_while(|text| text.trim_start_matches('−') == "100").count() + 2;
    if places > 6 { "99.999".to_owned() } else { decimals(value, places) }
}

/// `0.8 ms`, `340 ms`, `1.2 s`, `3 min`.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms >= 59_950.0 => format!("{}{SPACE}min", three_digits(ms / 60_000.0)),
        ms if ms >= 999.5 => format!("{}{SPACE}s", three_digits(ms / 1_000.0)),
        ms => format!("{}{SPACE}ms", three_digits(ms)),
    }
}

/// A burn rate: `0.4`, `14.4`, `812`.
pub fn rate(burn: f64) -> String {
    match burn.abs() {
        b if b >= 99.95 => count(burn.round() as i64),
        b if b >= 10.0 => decimals(burn, 1),
        b if b >= 0.005 || b == 0.0 => decimals(burn, 2),
        _ => format!("<{SPACE}0.01"),
    }
}

/// `41 s`, `12 min 39 s`, `3 h 5 min`, `2 d 4 h`: two units at most.
pub fn span(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(length, _)| seconds >= *length).unwrap_or(3);
    let (length, name) = units[first];
    let mut out = format!("{}{SPACE}{name}", count(seconds / length));
    if let Some((next, name)) = units.get(first + 1) {
        let rest = seconds % length / next;
        if rest > 0 {
            out.push_str(&format!("{SPACE}{rest}{SPACE}{name}"));
        }
    }
    out
}

/// A budget's window in words: `30-day`, `1-month`; others as they are.
pub fn window(window: &str) -> String {
    let (number, unit) = window.split_at(window.len() - window.chars().last().map_or(0, char::len_utf8));
    let unit = match unit {
        "d" => "day",
        "w" => "week",
        "M" => "month",
        "Q" => "quarter",
        "Y" => "year",
        "h" => "hour",
        _ => return window.to_owned(),
    };
    if number.parse::<u32>().is_ok() { format!("{number}-{unit}") } else { window.to_owned() }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [many @ .., last] => format!("{} and {last}", many.join(", ")),
    }
}

/// Three significant digits, at most two decimals.
fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => decimals(value, 0),
        v if v >= 9.995 => decimals(value, 1),
        _ => decimals(value, 2),
    }
}

/// Rounded, without zeros at its end.
fn decimals(value: f64, places: usize) -> String {
    let text = format!("{:.places$}", value.abs());
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if value < 0.0 && text != "0" { format!("−{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table<T: Copy + std::fmt::Debug>(of: impl Fn(T) -> String, rows: &[(T, &str)]) {
        for (input, expected) in rows {
            assert_eq!(of(*input).replace(SPACE, " "), *expected, "{input:?}");
        }
    }

    #[test]
    fn counts() {
        table(count, &[(0, "0"), (999, "999"), (1_000, "1,000"), (12_044, "12,044"), (-1_234_567, "−1,234,567")]);
        table(|n| plural(n, "user"), &[(0, "0 users"), (1, "1 user"), (1_200, "1,200 users")]);
    }

    #[test]
    fn numbers_of_an_axis() {
        let rows = [
            (0.0, "0"),
            (0.25, "0.25"),
            (12.0, "12"),
            (999.4, "999"),
            (999.6, "1k"),
            (1_240.0, "1.24k"),
            (3.4e6, "3.4M"),
        ];
        table(short, &rows);
        table(short, &[(-1_500.0, "−1.5k"), (2e9, "2G")]);
    }

    #[test]
    fn percentages_do_not_look_like_all_or_nothing() {
        let rows = [
            (0.0, "0 %"),
            (0.000_001, "< 0.001 %"),
            (0.000_5, "0.05 %"),
            (0.149, "14.9 %"),
            (0.98, "98 %"),
            (0.999_5, "99.95 %"),
            (0.999_996, "99.9996 %"),
            (0.999_999_999, "99.999 %"),
            (1.0, "100 %"),
            (-0.000_001, "> −0.001 %"),
            (-0.08, "−8 %"),
            (-2.5, "−250 %"),
        ];
        table(percent, &rows);
        table(rough_percent, &[(0.984, "98 %"), (0.004, "0.4 %"), (0.997, "99.7 %"), (1.0, "100 %"), (-0.082, "−8 %")]);
    }

    #[test]
    fn lengths_of_time() {
        table(
            milliseconds,
            &[(0.8, "0.8 ms"), (340.2, "340 ms"), (999.7, "1 s"), (1_234.0, "1.23 s"), (90_000.0, "1.5 min")],
        );
        table(
            span,
            &[
                (0, "0 s"),
                (41, "41 s"),
                (759, "12 min 39 s"),
                (3_600, "1 h"),
                (11_100, "3 h 5 min"),
                (187_200, "2 d 4 h"),
            ],
        );
        table(window, &[("30d", "30-day"), ("1M", "1-month"), ("budget", "budget"), ("", ""), ("1ü", "1ü")]);
    }

    #[test]
    fn burn_rates() {
        table(
            rate,
            &[
                (0.0, "0"),
                (0.001, "< 0.01"),
                (0.4, "0.4"),
                (14.4, "14.4"),
                (13.44, "13.4"),
                (812.3, "812"),
                (1_000.0, "1,000"),
            ],
        );
    }

    #[test]
    fn lists() {
        let parts = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        for (length, expected) in [(0, ""), (1, "a"), (2, "a and b"), (3, "a, b and c")] {
            assert_eq!(list(&parts[..length]), expected);
        }
    }
}
