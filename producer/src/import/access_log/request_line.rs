//! The quoted text after the time: `GET /path HTTP/1.1`.

use std::borrow::Cow;

use super::shown;

/// The parts of a request line.
#[derive(Debug)]
pub(super) struct RequestLine<'a> {
    pub method: &'a str,
    /// As the line has it, escapes kept. A target with blanks in it is one all the same: some clients do not encode them.
    pub target: &'a [u8],
    /// One spelling of each: `HTTP/1.1`.
    pub protocol: Option<Cow<'a, str>>,
}

/// Takes a request line apart.
pub(super) fn read(request: &[u8]) -> Result<RequestLine<'_>, String> {
    let wrong = || format!("the request must look like `GET /path HTTP/1.1`, found `{}`", shown(request));
    let (method, rest) = split_once(request.trim_ascii()).ok_or_else(wrong)?;
    let method = token(method).ok_or_else(wrong)?;
    let (target, protocol) = match split_last(rest) {
        Some((target, last)) => match Protocol::of(last) {
            Some(protocol) => (target, protocol.0),
            None => (rest, None),
        },
        None => (rest, None),
    };
    if matches!(target, b"" | b"-") || Protocol::of(target).is_some() {
        return Err(wrong());
    }
    // Some servers log it for each connection, although it is not a request.
    if method == "PRI" && target == b"*" {
        return Err("not a request: `PRI * HTTP/2.0` is the preface of an HTTP/2 connection".to_owned());
    }
    Ok(RequestLine { method, target, protocol })
}

/// Whether a request line ends with a protocol, as one of HTTP 1.0 and later does.
pub(super) fn has_protocol(request: &[u8]) -> bool {
    split_last(request.trim_ascii()).is_some_and(|(_, last)| Protocol::of(last).is_some())
}

/// The first word, and what follows the blanks after it.
fn split_once(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b' ')?;
    Some((&text[..end], text[end..].trim_ascii()))
}

/// The last word, and what precedes the blanks before it.
fn split_last(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let begin = memchr::memrchr(b' ', text)? + 1;
    Some((text[..begin].trim_ascii(), &text[begin..]))
}

/// A method: it starts with a letter, unlike the `-` that means none.
fn token(method: &[u8]) -> Option<&str> {
    let is_method = method.first().is_some_and(u8::is_ascii_alphabetic)
        && method.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_method.then(|| std::str::from_utf8(method).ok()).flatten()
}

/// A logged protocol, or what servers write if there is none.
struct Protocol<'a>(Option<Cow<'a, str>>);

impl<'a> Protocol<'a> {
    /// `HTTP/1.1` in any case, of any name; `1.1` alone, as hypercorn writes it; Tomcat's `null`.
    fn of(word: &'a [u8]) -> Option<Self> {
        match word {
            b"null" | b"-" => return Some(Protocol(None)),
            b"0.9" | b"1.0" | b"1.1" | b"2" | b"2.0" | b"3" | b"3.0" => {
                let version = std::str::from_utf8(word).ok()?;
                return Some(Protocol(Some(format!("HTTP/{version}").into())));
            }
            _ => {}
        }
        let slash = word.iter().take(9).position(|byte| *byte == b'/')?;
        let (name, version) = (&word[..slash], &word[slash + 1..]);
        let is_version = match version {
            [major] => major.is_ascii_digit(),
            [major, b'.', minor] => major.is_ascii_digit() && minor.is_ascii_digit(),
            _ => false,
        };
        if !is_version || name.len() < 2 || !name.iter().all(u8::is_ascii_alphabetic) {
            return None;
        }
        let text = std::str::from_utf8(word).ok()?;
        let is_upper = name.iter().all(u8::is_ascii_uppercase);
        Some(Protocol(Some(if is_upper { text.into() } else { text.to_ascii_uppercase().into() })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_of_every_server_come_apart() {
        for (line, method, target, protocol) in [
            ("GET / HTTP/1.1", "GET", "/", Some("HTTP/1.1")),
            ("GET /old", "GET", "/old", None),
            ("GET /old ", "GET", "/old", None),
            ("get /x http/1.0", "get", "/x", Some("HTTP/1.0")),
            ("GET /x Http/2", "GET", "/x", Some("HTTP/2")),
            ("GET /x HTTP/3.0", "GET", "/x", Some("HTTP/3.0")),
            ("GET /x 1.1", "GET", "/x", Some("HTTP/1.1")),
            ("GET /x 2", "GET", "/x", Some("HTTP/2")),
            ("GET /x null", "GET", "/x", None),
            ("GET /x -", "GET", "/x", None),
            ("DESCRIBE /stream RTSP/1.0", "DESCRIBE", "/stream", Some("RTSP/1.0")),
            ("GET  /two  blanks  HTTP/1.1", "GET", "/two  blanks", Some("HTTP/1.1")),
            ("GET /with blank.html HTTP/1.0", "GET", "/with blank.html", Some("HTTP/1.0")),
            ("GET /a b/1", "GET", "/a b/1", None),
            ("GET /version 1.15", "GET", "/version 1.15", None),
            ("OPTIONS * HTTP/1.1", "OPTIONS", "*", Some("HTTP/1.1")),
            ("CONNECT h:443 HTTP/1.1", "CONNECT", "h:443", Some("HTTP/1.1")),
            ("M-SEARCH * HTTP/1.1", "M-SEARCH", "*", Some("HTTP/1.1")),
            ("RPC_IN_DATA /rpc HTTP/1.1", "RPC_IN_DATA", "/rpc", Some("HTTP/1.1")),
        ] {
            let got = read(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(
                (got.method, got.target, got.protocol.as_deref()),
                (method, target.as_bytes(), protocol),
                "{line}"
            );
        }
    }

    #[test]
    fn what_asks_for_nothing_is_no_request() {
        for line in [
            "",
            "-",
            "  ",
            "GET",
            "GET ",
            "GET HTTP/1.1",
            "GET null",
            "GET - HTTP/1.1",
            "GET -",
            "- HTTP/1.1",
            "- / HTTP/1.1",
            "- http://localhost HTTP/1.0",
            r"\x16\x03\x01 x",
            "<BADREQ>",
            "PRI * HTTP/2.0",
            "PRI *",
            "{} / HTTP/1.1",
        ] {
            assert!(read(line.as_bytes()).is_err(), "{line}");
        }
    }
}
