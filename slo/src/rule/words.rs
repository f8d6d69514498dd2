//! Figures and lengths of time as a person reads them at night.

/// Three figures are enough: `14.4`, `36`, `1235`.
pub fn figure(x: f64) -> String {
    let text = if x.abs() >= 100.0 { format!("{x:.0}") } else { format!("{x:.1}") };
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
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
mod tests {
    use super::*;

    #[test]
    fn lengths_and_figures_are_short() {
        for (seconds, want) in [(0, "0 s"), (59, "59 s"), (300, "5 min"), (5_400, "1 h 30 min"), (93_785, "1 d 2 h")] {
            assert_eq!(length(seconds), want);
        }
        for (x, want) in [(14.4, "14.4"), (36.0, "36"), (0.04, "0"), (1234.56, "1235")] {
            assert_eq!(figure(x), want);
        }
    }
}
