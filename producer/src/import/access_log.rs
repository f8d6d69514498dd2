//! Lines of access logs in NCSA's common and combined formats, as Apache and nginx write them.
//! Source: Apache HTTP Server, "Log Files" (Common Log Format, Combined Log Format).
//!
//! `host ident user [day/month/year:hour:minute:second zone] "method target protocol" status bytes "referer" "agent"`
//!
//! Host, user, referer and agent may name a person: they are checked to be there and dropped.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::Offset;

/// What a line says of its request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Microseconds since 1970.
    pub time: i64,
    /// `GET`
    pub method: &'a str,
    /// The target's path: without query and fragment, percent-encoding kept.
    pub path: Cow<'a, str>,
    /// As the line has it: `HTTP/1.1`; a request of HTTP 0.9 has none.
    pub protocol: Option<&'a str>,
    /// Three digits.
    pub status: i32,
    /// Bytes of the answer's body; none where the line has `-`.
    pub bytes: Option<&'a str>,
}

/// Reads a line.
///
/// # Errors
/// What is expected where, for people.
pub fn parse(line: &[u8], combined: bool) -> Result<Request<'_>, String> {
    let (time, rest) = moment(line)?;
    let (request, rest) = quoted(rest).ok_or("no request in quotes behind the time")?;
    let (status, rest) = word(rest);
    let (bytes, rest) = word(rest);
    let status = number(status, 3..=3)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| format!("the status behind the request must be three digits, is `{}`", shown(status)))?;
    let bytes = match bytes {
        b"-" => None,
        digits => Some(
            number(digits, 1..=19)
                .ok_or_else(|| format!("the bytes behind the status must be a number or -, are `{}`", shown(digits)))?,
        ),
    };
    if combined {
        let (_, rest) = quoted(rest).ok_or("no referer in quotes behind the bytes; is the format common?")?;
        quoted(rest).ok_or("no agent in quotes behind the referer")?;
    }
    let (method, target, protocol) = request_line(request)?;
    Ok(Request { time, method, path: path(target), protocol, status, bytes })
}

/// The time, and what follows its bracket. A user's name may have blanks, so the bracket is looked for.
fn moment(line: &[u8]) -> Result<(i64, &[u8]), String> {
    const LENGTH: usize = "01/Aug/1995:02:00:00 -0400".len();
    let begin = line.windows(2).position(|w| w == b" [").ok_or("no time in brackets")? + 2;
    if line[..begin - 2].split(|b| *b == b' ').filter(|name| !name.is_empty()).count() < 3 {
        return Err("no host, ident and user before the time".to_owned());
    }
    let wrong = || {
        let found = line[begin..].split(|b| *b == b']').next().unwrap_or_default();
        format!("the time must be like [01/Aug/1995:02:00:00 -0400], is [{}]", shown(found))
    };
    let text = line.get(begin..begin + LENGTH).ok_or_else(wrong)?;
    let rest = line[begin + LENGTH..].strip_prefix(b"] ").ok_or_else(wrong)?;
    Ok((instant(text).ok_or_else(wrong)?, rest))
}

/// Microseconds of a time like `01/Aug/1995:02:00:00 -0400`.
fn instant(text: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let separators = [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':'), (20, b' ')];
    if text.len() != 26 || separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let digits = |from: usize, to: usize| -> Option<i32> {
        text[from..to].iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i32::from(b - b'0')))
    };
    let month = MONTHS.iter().position(|m| text[3..6].eq_ignore_ascii_case(&m[..]))? + 1;
    // A leap second has no number of its own in Unix time.
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

/// What stands in quotes, escapes kept, and what follows the closing one. A blank may come before.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b" ").unwrap_or(text).strip_prefix(b"\"")?;
    let mut escaped = false;
    let end = text.iter().position(|b| {
        let closes = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        closes
    })?;
    Some((&text[..end], &text[end + 1..]))
}

/// What stands up to the next blank, and what follows it. A blank may come before.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let end = text.iter().position(|b| *b == b' ').unwrap_or(text.len());
    text.split_at(end)
}

fn number(digits: &[u8], length: std::ops::RangeInclusive<usize>) -> Option<&str> {
    let valid = length.contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    valid.then(|| std::str::from_utf8(digits).unwrap_or_default())
}

/// Method, target and protocol. A target with blanks in it is one all the same: some clients do not encode them.
fn request_line(request: &[u8]) -> Result<(&str, &str, Option<&str>), String> {
    let wrong = || format!("the request must be like `GET /path HTTP/1.1`, is `{}`", shown(request));
    let text = std::str::from_utf8(request).map_err(|_| wrong())?;
    let (method, rest) = text.split_once(' ').ok_or_else(wrong)?;
    let (target, protocol) = match rest.trim_end().rsplit_once(' ') {
        Some((target, protocol)) if protocol.starts_with("HTTP/") => (target, Some(protocol)),
        _ => (rest, None),
    };
    let target = target.trim();
    let token = |b: u8| b.is_ascii_alphabetic() || b == b'-' || b == b'_';
    if method.is_empty() || !method.bytes().all(token) || target.is_empty() || target.starts_with("HTTP/") {
        return Err(wrong());
    }
    Ok((method, target, protocol))
}

/// The path of a target: `/a` of `/a?b#c`, and of `http://host/a` as a proxy is asked.
fn path(target: &str) -> Cow<'_, str> {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let target = &target[..end];
    let path = match target.strip_prefix("http://").or_else(|| target.strip_prefix("https://")) {
        Some(absolute) => absolute.find('/').map_or("", |begin| &absolute[begin..]),
        None => target,
    };
    match path {
        "" => Cow::Borrowed("/"),
        escaped if escaped.contains("\\\"") || escaped.contains("\\\\") => {
            Cow::Owned(escaped.replace("\\\"", "\"").replace("\\\\", "\\"))
        }
        plain => Cow::Borrowed(plain),
    }
}

/// The beginning of what was found instead.
fn shown(found: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = String::from_utf8_lossy(&found[..found.len().min(SHOWN)]);
    let more = if found.len() > SHOWN { "…" } else { "" };
    format!("{}{more}", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Result<Request<'_>, String> {
        parse(line.as_bytes(), false)
    }

    #[test]
    fn a_line_of_the_manual() {
        let line = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?x=1 HTTP/1.0" 200 2326 "http://a/b" "Mozilla/4.08 [en]""#;
        let want = Request {
            time: 971_211_336_000_000,
            method: "GET",
            path: "/apache_pb.gif".into(),
            protocol: Some("HTTP/1.0"),
            status: 200,
            bytes: Some("2326"),
        };
        assert_eq!(parse(line.as_bytes(), true).unwrap(), want);
        assert_eq!(parse(line.as_bytes(), false).unwrap(), want);
    }

    #[test]
    fn what_real_logs_have_is_read() {
        let line = |request: &str| format!(r#"h - - [01/Aug/1995:02:00:00 -0400] "{request}" 304 -"#);
        for (asked, method, path, protocol) in [
            ("GET / HTTP/1.1", "GET", "/", Some("HTTP/1.1")),
            ("GET /old", "GET", "/old", None),
            ("GET /with blank.html HTTP/1.0", "GET", "/with blank.html", Some("HTTP/1.0")),
            ("GET /%D9%85,27|%20?a=1 HTTP/1.1", "GET", "/%D9%85,27|%20", Some("HTTP/1.1")),
            (r#"GET /say\"hi\" HTTP/1.1"#, "GET", r#"/say"hi""#, Some("HTTP/1.1")),
            ("GET http://example.org/a?b HTTP/1.1", "GET", "/a", Some("HTTP/1.1")),
            ("GET http://example.org HTTP/1.1", "GET", "/", Some("HTTP/1.1")),
            ("OPTIONS * HTTP/1.1", "OPTIONS", "*", Some("HTTP/1.1")),
            ("M-SEARCH /x HTTP/1.1", "M-SEARCH", "/x", Some("HTTP/1.1")),
        ] {
            let line = line(asked);
            let got = request(&line).unwrap();
            assert_eq!((got.method, got.path.as_ref(), got.protocol), (method, path, protocol), "{asked}");
            assert_eq!((got.status, got.bytes, got.time), (304, None, 807_256_800_000_000));
        }
    }

    #[test]
    fn more_fields_escaped_quotes_and_names_with_blanks_are_tolerated() {
        for line in [
            r#"::1 - - [22/Jan/2019:03:56:14 +0330] "GET /a HTTP/1.1" 200 3 "-" "agent" "10.0.0.1" rt=0.1"#,
            r#"::1 - - [22/Jan/2019:03:56:14 +0330] "GET /a HTTP/1.1" 200 3 "a\"b" "c\\""#,
            r#"shop.example:443 ::1 - a user [22/Jan/2019:03:56:14 +0330] "GET /a HTTP/1.1" 200 3 "" """#,
        ] {
            let got = parse(line.as_bytes(), true).unwrap();
            assert_eq!((got.path.as_ref(), got.bytes, got.time), ("/a", Some("3"), 1_548_116_774_000_000), "{line}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_what_is_wrong() {
        for (line, message) in [
            ("", "no time in brackets"),
            ("h [01/Aug/1995:02:00:00 -0400] \"GET / HTTP/1.0\" 200 1", "no host, ident and user"),
            ("h - - [01/Foo/1995:02:00:00 -0400] \"GET / HTTP/1.0\" 200 1", "is [01/Foo/1995:02:00:00 -0400]"),
            ("h - - [31/Feb/1995:02:00:00 -0400] \"GET / HTTP/1.0\" 200 1", "the time must be like"),
            ("h - - [01/Aug/1995:02:00:00 -0400] \"GET / HTTP/1.0 200 1", "no request in quotes"),
            ("h - - [01/Aug/1995:02:00:00 -0400] \"-\" 400 0", "the request must be like `GET /path HTTP/1.1`, is `-`"),
            ("h - - [01/Aug/1995:02:00:00 -0400] \"\" 400 0", "the request must be like"),
            (r#"h - - [01/Aug/1995:02:00:00 -0400] "\x16\x03\x01 x" 400 0"#, r"is `\\x16\\x03\\x01 x`"),
            ("h - - [01/Aug/1995:02:00:00 -0400] \"GET HTTP/1.1\" 400 0", "the request must be like"),
            ("h - - [01/Aug/1995:02:00:00 -0400] \"GET / HTTP/1.0\" - 1", "three digits, is `-`"),
            ("h - - [01/Aug/1995:02:00:00 -0400] \"GET / HTTP/1.0\" 200", "a number or -, are ``"),
            ("h - - [01/Aug/1995:02:00:00 -0400] \"GET / HTTP/1.0\" 200 1kB", "are `1kB`"),
        ] {
            let error = request(line).unwrap_err();
            assert!(error.contains(message), "{line}: {error}");
        }
        let common = r#"h - - [01/Aug/1995:02:00:00 -0400] "GET / HTTP/1.0" 200 1"#;
        assert!(parse(common.as_bytes(), true).unwrap_err().contains("is the format common?"));
    }
}
