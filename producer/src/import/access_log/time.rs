//! The time of a line.

use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Bytes of a time.
pub(super) const LENGTH: usize = "01/Aug/1995:02:00:00 -0400".len();

/// Microseconds of a time like `01/Aug/1995:02:00:00 -0400`.
pub(super) fn instant(text: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let separators = [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':'), (20, b' ')];
    if text.len() != LENGTH || separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let digits = |from: usize, to: usize| -> Option<i32> {
        text[from..to].iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i32::from(b - b'0')))
    };
    let month = MONTHS.iter().position(|m| text[3..6].eq_ignore_ascii_case(&m[..]))? + 1;
    // A leap second has no number in Unix time.
    let second = digits(18, 20).map(|s| if s == 60 { 59 } else { s })?;
    let (year, day) = (digits(7, 11)? as i16, digits(0, 2)? as i8);
    let (hour, minute) = (digits(12, 14)? as i8, digits(15, 17)? as i8);
    let local = DateTime::new(year, month as i8, day, hour, minute, second as i8, 0).ok()?;
    let east = digits(22, 24)? * 3_600 + digits(24, 26)? * 60;
    let east = match text[21] {
        b'+' => east,
        b'-' => -east,
        _ => return None,
    };
    Some(Offset::from_seconds(east).ok()?.to_timestamp(local).ok()?.as_microsecond())
}
