//! Exact decimals: from source text to a [`Ratio`] and back, never through a float.

use std::cmp::Ordering;

use crate::definition::Ratio;

/// Maximum significant digits of a decimal: a double holds them without loss, and multiplication is far from overflow.
pub const MAX_DIGITS: usize = 15;

/// Why a text is not a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not digits, a point, digits and an exponent.
    #[error("expected a number such as 0.995")]
    Syntax,
    /// Below zero.
    #[error("expected a number that is not negative")]
    Negative,
    /// More digits than are kept exactly.
    #[error("expected at most {MAX_DIGITS} digits")]
    Digits,
}

impl Ratio {
    /// The reduced fraction; `None` if `den` is 0.
    pub fn new(num: u64, den: u64) -> Option<Ratio> {
        let common = greatest_common_divisor(num, den);
        (den != 0).then(|| Ratio { num: num / common, den: den / common })
    }

    /// Reads a decimal as YAML and JSON write it: `0.995`, `.5`, `14.4`, `1e-3`.
    pub fn parse(text: &str) -> Result<Ratio, DecimalError> {
        if let Some(rest) = text.strip_prefix('-') {
            return Ratio::parse(rest).and(Err(DecimalError::Negative));
        }
        let text = text.strip_prefix('+').unwrap_or(text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| DecimalError::Syntax)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(DecimalError::Syntax);
        }
        let zeros = fraction.len() - if fraction.is_empty() { 0 } else { fraction.trim_end_matches('0').len() };
        let digits = digits[..digits.len() - zeros].trim_start_matches('0');
        let places = i64::try_from(fraction.len() - zeros).map_err(|_| DecimalError::Digits)? - i64::from(exponent);
        scaled(digits, places).ok_or(DecimalError::Digits)
    }

    /// `self` x `other`; `None` on overflow.
    pub fn checked_mul(self, other: Ratio) -> Option<Ratio> {
        let left = Ratio::new(self.num, other.den)?;
        let right = Ratio::new(other.num, self.den)?;
        Some(Ratio { num: left.num.checked_mul(right.num)?, den: left.den.checked_mul(right.den)? })
    }

    /// 1 - `self`; `None` above 1.
    pub fn complement(self) -> Option<Ratio> {
        Ratio::new(self.den.checked_sub(self.num)?, self.den)
    }

    /// Exact order, also of fractions that are not reduced.
    pub fn compare(self, other: Ratio) -> Ordering {
        (u128::from(self.num) * u128::from(other.den)).cmp(&(u128::from(other.num) * u128::from(self.den)))
    }

    /// The nearest double, for people.
    pub fn as_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }

    /// The exact decimal, such as `0.995`; `None` if there is none (1/3) or it is longer than [`Ratio::parse`] accepts.
    pub fn to_decimal(self) -> Option<String> {
        let reduced = Ratio::new(self.num, self.den)?;
        let places = (0..=MAX_DIGITS).find(|places| power_of_ten(*places).is_some_and(|p| p % reduced.den == 0))?;
        let digits = reduced.num.checked_mul(power_of_ten(places)? / reduced.den)?;
        let digits = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let text = if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
        (Ratio::parse(&text) == Ok(reduced)).then_some(text)
    }
}

/// digits / 10^places.
fn scaled(digits: &str, places: i64) -> Option<Ratio> {
    if digits.is_empty() {
        return Ratio::new(0, 1);
    }
    let number: u64 = (digits.len() <= MAX_DIGITS).then(|| digits.parse().ok())??;
    let power = power_of_ten(usize::try_from(places.unsigned_abs()).ok()?)?;
    if places < 0 { Ratio::new(number.checked_mul(power)?, 1) } else { Ratio::new(number, power) }
}

fn power_of_ten(exponent: usize) -> Option<u64> {
    (exponent <= MAX_DIGITS).then(|| 10u64.pow(exponent as u32))
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_decimals_exactly() {
        for (text, num, den) in [
            ("0.995", 199, 200),
            ("0.9990", 999, 1_000),
            (".5", 1, 2),
            ("14.4", 72, 5),
            ("1e-3", 1, 1_000),
            ("2.5E2", 250, 1),
            ("+007", 7, 1),
            ("0", 0, 1),
            ("0.000", 0, 1),
            ("100", 100, 1),
            ("0.999999999999999", 999_999_999_999_999, 1_000_000_000_000_000),
        ] {
            assert_eq!(Ratio::parse(text), Ok(Ratio { num, den }), "{text}");
        }
        for (text, error) in [
            ("", DecimalError::Syntax),
            (".", DecimalError::Syntax),
            ("1,5", DecimalError::Syntax),
            ("99.9%", DecimalError::Syntax),
            ("0x10", DecimalError::Syntax),
            ("1e", DecimalError::Syntax),
            ("nan", DecimalError::Syntax),
            ("-1", DecimalError::Negative),
            ("0.9999999999999999", DecimalError::Digits),
            ("1e400", DecimalError::Digits),
        ] {
            assert_eq!(Ratio::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn products_reduce_before_they_overflow() {
        let big = Ratio { num: u64::MAX, den: 2 };
        let small = Ratio { num: 2, den: u64::MAX };
        assert_eq!(big.checked_mul(small), Some(Ratio { num: 1, den: 1 }));
        assert_eq!(big.checked_mul(big), None);
    }

    proptest! {
        #[test]
        fn a_decimal_survives_the_way_there_and_back(digits in 0u64..1_000_000_000_000_000, places in 0usize..=15) {
            let exact = Ratio::new(digits, 10u64.pow(places as u32)).unwrap();
            prop_assert_eq!(Ratio::parse(&exact.to_decimal().unwrap()), Ok(exact));
        }

        #[test]
        fn order_is_that_of_the_numbers(a in 0u64..1_000_000, b in 1u64..1_000_000, c in 0u64..1_000_000, d in 1u64..1_000_000) {
            let exact = (u128::from(a) * u128::from(d)).cmp(&(u128::from(c) * u128::from(b)));
            prop_assert_eq!(Ratio { num: a, den: b }.compare(Ratio { num: c, den: d }), exact);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = Ratio::parse(&text);
        }
    }
}
