//! Lines of access logs in NCSA's common and combined formats, as servers write them.
//! Source: Apache HTTP Server, "Log Files" (Common Log Format, Combined Log Format); how each server varies them is in
//! docs/import.md.
//!
//! `host ident user [day/month/year:hour:minute:second zone] "method target protocol" status bytes "referer" "agent"`
//!
//! A request counts whatever its client has put into user, path, referer or agent: a client that could have a failed
//! request refused here would hide it from the SLI. So only the time, the request line and the response after it are
//! looked for, each by its shape. Host, user, referer and agent may name a person: they are dropped.
//!
//! The time is parsed in `time`, the request in `request_line` and `path`, and what follows the response in `fields`.

pub(super) mod fields;
mod path;
mod request_line;
mod time;

use std::borrow::Cow;

use memchr::{memchr_iter, memmem};

/// The request of a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Microseconds since 1970.
    pub time: i64,
    /// `GET`
    pub method: &'a str,
    /// The target's path: without query and fragment, percent-encoding kept, at most as long as an endpoint may be.
    pub path: Cow<'a, str>,
    /// The path had bytes that are not text, now percent-encoded like `%E9`.
    pub is_respelled: bool,
    /// The path was longer than an endpoint may be.
    pub is_cut: bool,
    /// `HTTP/1.1`; a request of HTTP 0.9 has none.
    pub protocol: Option<Cow<'a, str>>,
    /// 101, or 200 and above.
    pub status: i32,
    /// Bytes of the response body; `None` if the line has `-`.
    pub bytes: Option<&'a str>,
    /// What follows the bytes.
    pub fields: &'a [u8],
}

/// Why a line is not a request.
enum Refusal {
    /// It does not have the shape of a line; there may be one after a later bracket.
    Shape(String),
    /// It has the shape, but no request was made, or there was no response.
    NoRequest(String),
}

/// Reads a line.
///
/// # Errors
/// What is expected where, for people.
pub fn parse(line: &[u8]) -> Result<Request<'_>, String> {
    let mut first = None;
    // A user's name may have brackets in it, so each is tried.
    for begin in brackets(line) {
        match behind_bracket(line, begin) {
            Ok(request) => return Ok(request),
            Err(Refusal::NoRequest(message)) => return Err(message),
            Err(Refusal::Shape(message)) => first = first.or(Some(message)),
        }
    }
    Err(first.unwrap_or_else(|| "no time in brackets".to_owned()))
}

/// Whether there is another request in what follows the first: two lines that have become one.
pub(super) fn has_second_request(fields: &[u8]) -> bool {
    brackets(fields).any(|begin| {
        let end = begin + time::LENGTH;
        let ends = fields.get(end..).is_some_and(|rest| rest.starts_with(b"] \""));
        ends && time::instant(&fields[begin..end]).is_some()
    })
}

/// Where the content of brackets begins. A bracket follows a blank.
fn brackets(text: &[u8]) -> impl Iterator<Item = usize> {
    memchr_iter(b'[', text).filter(move |at| *at > 0 && text[*at - 1] == b' ').map(|at| at + 1)
}

/// The request whose time begins at `begin`.
fn behind_bracket(line: &[u8], begin: usize) -> Result<Request<'_>, Refusal> {
    let (time, rest) = moment(line, begin).map_err(Refusal::Shape)?;
    let Answered { request, status, bytes, fields } = answered(rest).map_err(Refusal::Shape)?;
    let request_line::RequestLine { method, target, protocol } =
        request_line::read(request).map_err(Refusal::NoRequest)?;
    match status {
        0..=99 => {
            let message =
                format!("no response: the status is {status:03}; the client disconnected before one was sent");
            return Err(Refusal::NoRequest(message));
        }
        // 101 ends an exchange in HTTP; a WebSocket follows.
        100 | 102..=199 => {
            return Err(Refusal::NoRequest(format!("no response: the status is {status}, which only announces one")));
        }
        _ => {}
    }
    let path::Path { text, is_respelled, is_cut } = path::path(target);
    Ok(Request { time, method, path: text, is_respelled, is_cut, protocol, status, bytes, fields })
}

/// The time that begins at `begin`, and what follows its bracket.
fn moment(line: &[u8], begin: usize) -> Result<(i64, &[u8]), String> {
    // User and ident may be empty, or have blanks in them; there are blanks between them in any case.
    if memchr_iter(b' ', &line[..begin]).count() < 3 {
        return Err("no host, ident and user before the time".to_owned());
    }
    let wrong = || {
        let found = line[begin..].split(|b| *b == b']').next().unwrap_or_default();
        format!("the time must look like [01/Aug/1995:02:00:00 -0400], found [{}]", shown(found))
    };
    let text = line.get(begin..begin + time::LENGTH).ok_or_else(wrong)?;
    let rest = line[begin + time::LENGTH..].strip_prefix(b"] ").ok_or_else(wrong)?;
    Ok((time::instant(text).ok_or_else(wrong)?, rest))
}

/// A request line and the response.
struct Answered<'a> {
    request: &'a [u8],
    status: i32,
    bytes: Option<&'a str>,
    fields: &'a [u8],
}

/// Finds the quote that ends the request: the one followed by status and bytes. Not every server escapes quotes, and
/// not every one escapes backslashes, so of several such quotes one that is not escaped is taken before one that is, then
/// one behind a protocol before one behind none, then the first: a server that does escape cannot be led astray.
fn answered(text: &[u8]) -> Result<Answered<'_>, String> {
    let text = text.strip_prefix(b"\"").ok_or("no request in quotes after the time")?;
    let mut best: Option<((bool, bool), Answered<'_>)> = None;
    for end in memchr_iter(b'"', text) {
        let Some((status, bytes, fields)) = answer(&text[end + 1..]) else { continue };
        let request = &text[..end];
        let is_escaped = request.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
        let rank = (is_escaped, !request_line::has_protocol(request));
        if best.as_ref().is_none_or(|(found, _)| rank < *found) {
            best = Some((rank, Answered { request, status, bytes, fields }));
        }
        if rank == (false, false) {
            break;
        }
    }
    best.map(|(_, answered)| answered).ok_or_else(|| misshapen(text))
}

/// Status, bytes, and what follows them: ` 200 17 …`, or ` 304 -`.
fn answer(text: &[u8]) -> Option<(i32, Option<&str>, &[u8])> {
    let [b' ', status @ ..] = text else { return None };
    let (status, rest) = status.split_at_checked(3)?;
    let status = number(status, 3..=3)?.parse().ok()?;
    let [b' ', rest @ ..] = rest else { return None };
    let (bytes, fields) = word(rest);
    match bytes {
        b"-" => Some((status, None, fields)),
        digits => Some((status, Some(number(digits, 1..=19)?), fields)),
    }
}

/// What is wrong with text that follows a quote, but has no request and response.
fn misshapen(text: &[u8]) -> String {
    let Some(end) = memmem::find(text, b"\" ").or_else(|| memchr::memchr(b'"', text)) else {
        return "no request in quotes after the time".to_owned();
    };
    let (status, rest) = word(text[end + 1..].trim_ascii_start());
    if status == b"-" {
        return "no response: the status is -; the client disconnected before one was sent".to_owned();
    }
    if number(status, 3..=3).is_none() {
        return format!("the status after the request must be three digits, found `{}`", shown(status));
    }
    let (bytes, _) = word(rest.trim_ascii_start());
    format!("the bytes after the status must be a number or -, found `{}`", shown(bytes))
}

/// The text up to the next blank, and the rest, including the blank.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(memchr::memchr(b' ', text).unwrap_or(text.len()))
}

fn number(digits: &[u8], length: std::ops::RangeInclusive<usize>) -> Option<&str> {
    let valid = length.contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    valid.then(|| std::str::from_utf8(digits).unwrap_or_default())
}

/// The start of what was found instead.
fn shown(found: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = String::from_utf8_lossy(&found[..found.len().min(SHOWN)]);
    let more = if found.len() > SHOWN { "…" } else { "" };
    format!("{}{more}", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_manual() {
        let line = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?x=1 HTTP/1.0" 200 2326 "http://a/b" "Mozilla/4.08 [en]""#;
        let want = Request {
            time: 971_211_336_000_000,
            method: "GET",
            path: "/apache_pb.gif".into(),
            is_respelled: false,
            is_cut: false,
            protocol: Some("HTTP/1.0".into()),
            status: 200,
            bytes: Some("2326"),
            fields: br#" "http://a/b" "Mozilla/4.08 [en]""#,
        };
        assert_eq!(parse(line.as_bytes()).unwrap(), want);
    }

    /// What precedes the request's quotes.
    const BEFORE: &str = "h - - [01/Aug/1995:02:00:00 -0400] ";

    #[test]
    fn whatever_clients_choose_the_request_counts() {
        const TIME: &str = "[28/Nov/2026:19:58:08 +0000]";
        for line in [
            // Referer and agent.
            &format!(r#"h - - {TIME} "GET /down HTTP/1.1" 503 5 "-" "bot\""#),
            &format!(r#"h - - {TIME} "GET /down HTTP/1.1" 503 5 "http://r/"x"" "a"b\c" TCP_MISS:HIER_DIRECT"#),
            &format!(r#"h - - {TIME} "GET /down HTTP/1.1" 503 5 """#),
            &format!(r#"h - - {TIME} "GET /down HTTP/1.1" 503 5 ""#),
            &format!(r#"h - - {TIME} "GET /down HTTP/1.1" 503 5"#),
            &format!(r#"h - - {TIME} "GET /down HTTP/1.1" 503 - no quotes at all"#),
            &format!(r#"h - - {TIME} "GET /down HTTP/1.1" 503 5 "-" "x" 200 5 "-" "y""#),
            &format!(r#"h - - {TIME} "GET /down HTTP/1.1" 503 5 "-" "h - - {TIME} \"GET /up HTTP/1.1\" 200 5""#),
            // User and ident.
            &format!(r#"h - a [b {TIME} "GET /down HTTP/1.1" 503 5 "-" "c""#),
            &format!(r#"h - [x] [{TIME} {TIME} "GET /down HTTP/1.1" 503 5 "-" "c""#),
            &format!(r#"h - [01/Jan/2020:00:00:00 +0000] {TIME} "GET /down HTTP/1.1" 503 5 "-" "c""#),
            &format!(r#"h -  {TIME} "GET /down HTTP/1.1" 503 5 "-" "c""#),
            &format!(r#"h - "" {TIME} "GET /down HTTP/1.1" 503 5 "-" "c""#),
            &format!(r#"h - a b"c {TIME} "GET /down HTTP/1.1" 503 5 "-" "c""#),
            // What precedes it all.
            &format!(r#"[2026-11-28 19:58:04 +0000] [22433] [INFO] h:1 - - {TIME} "GET /down 1.1" 503 - "-" "c""#),
            &format!(r#"Nov 28 19:58:08 web nginx: fe80::1%eth0 - - {TIME} "GET /down HTTP/1.1" 503 5 "-" "c""#),
            // The query.
            &format!(r#"h - - {TIME} "GET /down?q=" 200 5 HTTP/1.1" 503 5 "-" "c""#),
            &format!(r#"h - - {TIME} "GET /down?q=\" 200 5 \"-\" HTTP/1.1" 503 5 "-" "c""#),
            &format!(r#"h - - {TIME} "GET /down?{TIME} "x HTTP/1.1" 503 5 "-" "c""#),
        ] {
            let got = parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!((got.status, got.path.as_ref(), got.time), (503, "/down", 1_795_895_888_000_000), "{line}");
        }
    }

    #[test]
    fn what_real_logs_have_is_read() {
        for (asked, method, path, protocol) in [
            ("GET / HTTP/1.1", "GET", "/", Some("HTTP/1.1")),
            ("GET /old", "GET", "/old", None),
            (r#"GET /say\"hi\" HTTP/1.1"#, "GET", r#"/say"hi""#, Some("HTTP/1.1")),
            (r#"GET /say"hi" HTTP/1.1"#, "GET", r#"/say"hi""#, Some("HTTP/1.1")),
            (r"GET /end\ HTTP/1.1", "GET", r"/end\", Some("HTTP/1.1")),
            (r"GET /end\", "GET", r"/end\", None),
            ("GET HTTP://example.org/a?b http/1.1", "GET", "/a", Some("HTTP/1.1")),
            ("M-SEARCH /x HTTP/1.1", "M-SEARCH", "/x", Some("HTTP/1.1")),
        ] {
            let line = format!(r#"{BEFORE}"{asked}" 304 -"#);
            let got = parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!((got.method, got.path.as_ref(), got.protocol.as_deref()), (method, path, protocol), "{asked}");
            assert_eq!((got.status, got.bytes, got.time), (304, None, 807_256_800_000_000));
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_what_is_wrong() {
        for (line, message) in [
            ("", "no time in brackets"),
            (r#"h [01/Aug/1995:02:00:00 -0400] "GET / HTTP/1.0" 200 1"#, "no host, ident and user"),
            (r#"h - - [01/Foo/1995:02:00:00 -0400] "GET / HTTP/1.0" 200 1"#, "found [01/Foo/1995:02:00:00 -0400]"),
            (r#"h - - [31/Feb/1995:02:00:00 -0400] "GET / HTTP/1.0" 200 1"#, "the time must look like"),
            (r#"h - - [01/Aug/1995:02:00:00 -0400] "GET / HTTP/1.0 200 1"#, "no request in quotes"),
        ] {
            let error = parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(message), "{line}: {error}");
        }
        for (rest, message) in [
            (r#""-" 400 0"#, "the request must look like `GET /path HTTP/1.1`, found `-`"),
            (r#""" 400 0"#, "the request must look like"),
            (r#""\x16\x03\x01 x" 400 0"#, r"found `\\x16\\x03\\x01 x`"),
            (r#""GET HTTP/1.1" 400 0"#, "the request must look like"),
            (r#""GET - HTTP/1.1" 400 0"#, "the request must look like"),
            (r#""- http://localhost HTTP/1.0" 400 0 "-" "-""#, "the request must look like"),
            (r#""PRI * HTTP/2.0" 100 156 "-" "-""#, "the preface of an HTTP/2 connection"),
            (r#""GET / HTTP/1.1" 100 0"#, "no response: the status is 100"),
            (r#""GET / HTTP/1.1" 000 0"#, "no response: the status is 000"),
            (r#""GET / HTTP/1.1" - - "-" "c""#, "no response: the status is -"),
            (r#""GET / HTTP/1.0" 2000 1"#, "three digits, found `2000`"),
            (r#""GET / HTTP/1.0" 200"#, "a number or -, found ``"),
            (r#""GET / HTTP/1.0" 200 1kB"#, "found `1kB`"),
        ] {
            let error = parse(format!("{BEFORE}{rest}").as_bytes()).unwrap_err();
            assert!(error.contains(message), "{rest}: {error}");
        }
    }

    #[test]
    fn an_agent_is_never_taken_for_a_request() {
        let garbage =
            format!(r#"{BEFORE}"\x16\x03" 400 0 "-" "h - - [01/Aug/1995:02:00:00 -0400] "GET / HTTP/1.1" 200 5""#);
        assert!(parse(garbage.as_bytes()).is_err());
    }

    #[test]
    fn a_web_socket_is_an_answer() {
        let line = format!(r#"{BEFORE}"GET /chat HTTP/1.1" 101 4711"#);
        assert_eq!(parse(line.as_bytes()).unwrap().status, 101);
    }

    #[test]
    fn two_lines_in_one_are_noticed() {
        let line = format!(r#"{BEFORE}"GET /a HTTP/1.1" 200 5 "-" "c""#);
        for (glued, want) in [
            (format!("{line}{line}"), true),
            (format!("{line} {line}"), true),
            (line.clone(), false),
            (format!(r#"{BEFORE}"GET /a HTTP/1.1" 200 5 "-" "c [x] [01/Aug/1995:02:00:00 -0400] d""#), false),
        ] {
            assert_eq!(has_second_request(parse(glued.as_bytes()).unwrap().fields), want, "{glued}");
        }
    }
}
