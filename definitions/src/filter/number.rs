//! Text to decimal numbers as cel-go reads it in `double(...)`: Go's `strconv.ParseFloat`. In addition to what Rust
//! parses, it has hexadecimal numbers, `_` between digits, and its own words for numbers.

/// `None` if it is not a number, or beyond the greatest double.
pub(super) fn double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let is = |word: &str| unsigned.eq_ignore_ascii_case(word);
    if is("inf") || is("infinity") {
        return Some(sign * f64::INFINITY);
    }
    // Without a sign only.
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if unsigned.contains('_') && !separates_digits(unsigned) {
        return None;
    }
    let digits = unsigned.replace('_', "");
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits)?,
        None => decimal(&digits)?,
    };
    Some(sign * magnitude)
}

fn decimal(digits: &str) -> Option<f64> {
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    digits.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether each `_` is between two digits, or between `0x` and a digit.
fn separates_digits(number: &str) -> bool {
    let (hex, digits) = match number.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("0x")) {
        true => (true, &number[2..]),
        false => (false, number),
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || (hex && byte.is_ascii_hexdigit());
    let mut before = hex;
    let mut after_separator = false;
    for byte in digits.bytes() {
        let digit = is_digit(byte);
        if (after_separator && !digit) || (byte == b'_' && !before) {
            return false;
        }
        (before, after_separator) = (digit, byte == b'_');
    }
    !after_separator
}

/// `1.8p3`, the part behind `0x`: rounded to the nearest double, to the even one of two.
fn hexadecimal(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = digits.split_once(['p', 'P'])?;
    let (mut value, mut rest, mut places) = (0_u64, false, 0_i64);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    for (digit, is_fraction) in whole.chars().map(|c| (c, false)).chain(fraction.chars().map(|c| (c, true))) {
        let digit = u64::from(digit.to_digit(16)?);
        if value >> 60 == 0 {
            value = value << 4 | digit;
            places -= if is_fraction { 4 } else { 0 };
        } else {
            rest |= digit != 0;
            places += if is_fraction { 0 } else { 4 };
        }
    }
    nearest(value, rest, places + power(exponent)?)
}

/// A decimal exponent; beyond any double it matters no more how far.
fn power(digits: &str) -> Option<i64> {
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = unsigned.parse().unwrap_or(i64::MAX).min(100_000);
    Some(if digits.starts_with('-') { -magnitude } else { magnitude })
}

/// The double nearest to `value` * 2^`exponent`; `rest`: it is a little more.
fn nearest(value: u64, rest: bool, exponent: i64) -> Option<f64> {
    if value == 0 {
        return Some(0.0);
    }
    let shift = i64::from(value.leading_zeros());
    let (value, top) = (u128::from(value << shift), exponent - shift + 63);
    // Numbers below 2^-1022 have fewer digits.
    let kept = 53 - (-1022 - top).max(0);
    let dropped = 64 - kept;
    if dropped > 64 {
        return Some(0.0);
    }
    let (whole, part, half) = (value >> dropped, value & ((1 << dropped) - 1), 1 << (dropped - 1));
    let up = part > half || (part == half && (rest || whole & 1 == 1));
    let whole = whole as u64 + u64::from(up);
    // The leading digit of a normal number is implicit; if rounding adds one, it carries into the exponent.
    let bits = if kept < 53 { whole } else { (((top + 1023) as u64) << 52) + (whole - (1 << 52)) };
    Some(f64::from_bits(bits)).filter(|number| top <= 1023 && number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("1.5", 1.5),
            ("+1.5", 1.5),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("1E3", 1000.0),
            ("1_000.2_5", 1000.25),
            ("1e1_0", 1e10),
            ("0x10p0", 16.0),
            ("-0X1.8P+1", -3.0),
            ("0x_1p-1", 0.5),
            ("0x.8p0", 0.5),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.8p-1075", 5e-324),
            ("0x0p99999", 0.0),
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1.fffffffffffff7p0", 1.9999999999999998),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000001p0", 1.0000000000000002),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x0.fffffffffffff8p-1022", f64::MIN_POSITIVE),
            ("Inf", f64::INFINITY),
            ("+iNFINITY", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("1e-999", 0.0),
        ] {
            assert_eq!(double(text), Some(expected), "{text}");
        }
        assert!(double("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn what_go_does_not_read_is_no_number() {
        for text in [
            "",
            " 1",
            "1 ",
            ".",
            "+",
            "1e",
            "e5",
            "--1",
            "+-1",
            "_1",
            "1_",
            "1__0",
            "1_.5",
            "1._5",
            "1_e5",
            "1e_5",
            "0x",
            "0x1",
            "0x1p",
            "0xp1",
            "0x.p1",
            "0x1_p1",
            "0x1pf",
            "0xgp1",
            "0b1",
            "0o7",
            "1_0x1p1",
            "infi",
            "+nan",
            "-nan",
            "in_f",
            "1e400",
            "0x1p1024",
            "0x1.fffffffffffff8p1023",
            "٣",
        ] {
            assert_eq!(double(text), None, "{text:?}");
        }
    }
}
