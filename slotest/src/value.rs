//! Expected numbers with their tolerances.

use crate::span;

/// How an expected number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number; a percentage is a hundredth of it.
    Number,
    /// A number of events, or a duration.
    Amount,
    /// A duration.
    Span,
}

/// What is expected of a number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expected {
    /// That there is none.
    None,
    /// That it lies in a range.
    Within(Range),
}

/// A range of numbers, with or without its ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Range {
    low: f64,
    high: f64,
    /// Neither end belongs to it.
    open: bool,
    /// A duration was written.
    pub(crate) span: bool,
}

/// Sums of doubles are off by less than this share.
const NOISE: f64 = 1e-9;

impl Range {
    /// Whether a number lies in it.
    pub(crate) fn holds(&self, number: f64) -> bool {
        let slack = NOISE * number.abs();
        if self.open {
            self.low + slack < number && number < self.high - slack
        } else {
            self.low - slack <= number && number <= self.high + slack
        }
    }
}

/// A number as written, and half a unit of its last digit.
#[derive(Clone, Copy)]
struct Written {
    number: f64,
    half: f64,
    percent: bool,
    span: bool,
}

/// Reads what is expected of a number.
///
/// # Errors
/// What was expected instead, for a message.
pub(crate) fn parse(text: &str, kind: Kind) -> Result<Expected, String> {
    let text = text.trim();
    if text == "none" {
        return Ok(Expected::None);
    }
    let range = if let Some((bound, rest)) = bound(text) {
        let at = written(rest, kind)?;
        let (low, high) = if bound.upward { (at.number, f64::INFINITY) } else { (f64::NEG_INFINITY, at.number) };
        Range { low, high, open: !bound.with, span: at.span }
    } else if let Some((low, high)) = split(text, &[" to "]) {
        let (low, high) = (written(low, kind)?, written(high, kind)?);
        if low.number > high.number {
            return Err(format!("expected the smaller end first, found `{text}`"));
        }
        Range { low: low.number, high: high.number, open: false, span: low.span }
    } else if let Some((middle, tolerance)) = split(text, &["±", "+-", " within "]) {
        let (middle, tolerance) = (written(middle, kind)?, written(tolerance, kind)?);
        let off = if tolerance.percent && !middle.percent {
            tolerance.number * middle.number.abs()
        } else {
            tolerance.number
        };
        Range { low: middle.number - off, high: middle.number + off, open: false, span: middle.span }
    } else {
        let Written { number, half, span, .. } = written(text, kind)?;
        Range { low: number - half, high: number + half, open: false, span }
    };
    Ok(Expected::Within(range))
}

struct Bound {
    upward: bool,
    with: bool,
}

fn bound(text: &str) -> Option<(Bound, &str)> {
    const BOUNDS: [(&str, bool, bool); 8] = [
        ("at least ", true, true),
        (">=", true, true),
        ("above ", true, false),
        (">", true, false),
        ("at most ", false, true),
        ("<=", false, true),
        ("below ", false, false),
        ("<", false, false),
    ];
    let found = BOUNDS.iter().find_map(|(word, upward, with)| Some((*upward, *with, text.strip_prefix(word)?)));
    found.map(|(upward, with, rest)| (Bound { upward, with }, rest))
}

fn split<'t>(text: &'t str, words: &[&str]) -> Option<(&'t str, &'t str)> {
    words.iter().find_map(|word| text.split_once(word))
}

fn written(text: &str, kind: Kind) -> Result<Written, String> {
    let text = text.trim();
    let (negative, size) = text.strip_prefix('-').map_or((false, text), |size| (true, size));
    if kind != Kind::Number
        && size != "0"
        && let Some(seconds) = span::parse(size)
    {
        let number = if negative { -(seconds as f64) } else { seconds as f64 };
        return Ok(Written { number, half: 0.5, percent: false, span: true });
    }
    let expected = || match kind {
        Kind::Number => format!("expected a number such as 14.4, or a percentage such as 99.9 %, found `{text}`"),
        Kind::Amount => format!("expected a number such as 120, or a duration such as 3m20s, found `{text}`"),
        Kind::Span => format!("expected a duration such as 3m20s, found `{text}`"),
    };
    let (digits, percent) = match size.strip_suffix('%') {
        Some(digits) => (digits.trim_end(), true),
        None => (size, false),
    };
    let plain = digits.replace('_', "");
    let decimal = !plain.is_empty() && plain.len() <= 32 && plain.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number = decimal.then(|| plain.parse::<f64>().ok()).flatten().ok_or_else(expected)?;
    if kind == Kind::Span && number != 0.0 && !percent {
        return Err(expected());
    }
    let places = plain.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
    let unit = if percent { 0.01 } else { 1.0 };
    let number = unit * if negative { -number } else { number };
    Ok(Written { number, half: 0.5 * 10f64.powi(-places) * unit, percent, span: kind == Kind::Span })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, kind: Kind, number: f64) -> bool {
        match parse(text, kind) {
            Ok(Expected::Within(range)) => range.holds(number),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn numbers_and_tolerances() {
        let table: &[(&str, Kind, &[f64], &[f64])] = &[
            ("0.99", Kind::Number, &[0.99, 0.985, 0.995], &[0.984, 0.996]),
            ("99.9 %", Kind::Number, &[0.999, 0.9986, 0.9994], &[0.99, 1.0]),
            ("12", Kind::Amount, &[12.0], &[11.0, 13.0]),
            ("-0.5", Kind::Number, &[-0.5], &[0.5]),
            ("14.4 ± 0.1", Kind::Number, &[14.3, 14.5], &[14.29, 14.51]),
            ("200 +- 1 %", Kind::Number, &[198.0, 202.0], &[197.9, 202.1]),
            ("50 % within 1 %", Kind::Number, &[0.49, 0.51], &[0.488, 0.512]),
            ("above 1", Kind::Number, &[1.01], &[1.0]),
            (">= 1", Kind::Number, &[1.0], &[0.99]),
            ("at most 1_000", Kind::Amount, &[1_000.0], &[1_001.0]),
            ("< 1", Kind::Number, &[0.9], &[1.0]),
            ("10 to 12", Kind::Number, &[10.0, 12.0], &[9.9, 12.1]),
            ("3m20s ± 10s", Kind::Amount, &[190.0, 210.0], &[189.0]),
            ("-5m", Kind::Amount, &[-300.0], &[300.0]),
            ("1h ± 10 %", Kind::Span, &[3_240.0], &[3_239.0]),
        ];
        for (text, kind, right, wrong) in table {
            right.iter().for_each(|number| assert!(holds(text, *kind, *number), "{text} and {number}"));
            wrong.iter().for_each(|number| assert!(!holds(text, *kind, *number), "{text} and {number}"));
        }
        assert_eq!(parse("none", Kind::Number), Ok(Expected::None));
        assert!(matches!(parse("1h", Kind::Amount), Ok(Expected::Within(range)) if range.span));
    }

    #[test]
    fn what_is_no_number_says_what_was_expected() {
        for (text, kind) in [
            ("", Kind::Number),
            ("much", Kind::Number),
            ("1h", Kind::Number),
            ("12", Kind::Span),
            ("1 to", Kind::Number),
            ("± 3", Kind::Number),
            ("1e400", Kind::Number),
            ("inf", Kind::Number),
            ("9 to 1", Kind::Number),
            ("above above 1", Kind::Number),
        ] {
            assert!(parse(text, kind).is_err_and(|message| message.starts_with("expected")), "{text}");
        }
    }
}
