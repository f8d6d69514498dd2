//! The path of a request's target, normalised, whatever its bytes are.

use std::borrow::Cow;

/// Bytes of an event's endpoint at most.
const LONGEST: usize = 1_024;
/// What ends a path that was cut.
const CUT: &str = "…";

/// A path that an event may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path<'a> {
    pub text: Cow<'a, str>,
    /// It had bytes that are not text, or control characters: now percent-encoded like `%E9`.
    pub is_respelled: bool,
    /// It was longer than an endpoint may be.
    pub is_cut: bool,
}

/// The path of a target: `/a` of `/a?b#c`, and of `http://host/a` as sent to a proxy. Percent-encoding is kept, as the
/// client chose it; escapes of the server are undone, because each server has its own.
pub(super) fn path(target: &[u8]) -> Path<'_> {
    let plain = behind_authority(&target[..end_of_path(target)]);
    if plain.is_empty() {
        return Path { text: Cow::Borrowed("/"), is_respelled: false, is_cut: false };
    }
    let is_simple = plain.len() <= LONGEST && plain.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\');
    match std::str::from_utf8(plain) {
        Ok(text) if is_simple => Path { text: Cow::Borrowed(text), is_respelled: false, is_cut: false },
        _ => spelled(&unescaped(plain)),
    }
}

fn end_of_path(target: &[u8]) -> usize {
    memchr::memchr2(b'?', b'#', target).unwrap_or(target.len())
}

/// What follows scheme and host, if there are any. A scheme's case does not matter (RFC 3986, 3.1).
fn behind_authority(target: &[u8]) -> &[u8] {
    let Some(colon) = target.iter().take(32).position(|byte| *byte == b':') else { return target };
    let scheme = &target[..colon];
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    match target[colon..].strip_prefix(b"://") {
        Some(rest) if is_scheme => &rest[memchr::memchr(b'/', rest).unwrap_or(rest.len())..],
        _ => target,
    }
}

/// Undoes `\"`, `\\`, `\x41` and C's escapes of control characters. Other backslashes stand for themselves: not every
/// server escapes them.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (meant, length) = match *after {
            [meant @ (b'"' | b'\\'), ..] => (meant, 1),
            [b'x' | b'X', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (16 * digit(high) + digit(low), 3)
            }
            [b'b', ..] => (0x08, 1),
            [b't', ..] => (b'\t', 1),
            [b'n', ..] => (b'\n', 1),
            [b'v', ..] => (0x0B, 1),
            [b'f', ..] => (0x0C, 1),
            [b'r', ..] => (b'\r', 1),
            _ => (b'\\', 0),
        };
        out.push(meant);
        rest = &after[length..];
    }
    // What was escaped may be a question mark: a query may name a person.
    out.truncate(end_of_path(&out));
    out
}

fn digit(hex: u8) -> u8 {
    char::from(hex).to_digit(16).map_or(0, |digit| digit as u8)
}

/// Any bytes as text: invalid UTF-8 and control characters are percent-encoded; truncated to what fits.
fn spelled<'a>(bytes: &[u8]) -> Path<'a> {
    let mut path = Path { text: Cow::Borrowed(""), is_respelled: false, is_cut: false };
    let text = path.text.to_mut();
    let mut encode = |text: &mut String, bytes: &[u8]| {
        path.is_respelled = true;
        bytes.iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_control() {
                true => encode(text, character.encode_utf8(&mut [0; 4]).as_bytes()),
                false => text.push(character),
            }
        }
        if !chunk.invalid().is_empty() {
            encode(text, chunk.invalid());
        }
    }
    if text.is_empty() {
        text.push('/');
    }
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST - CUT.len()));
        text.push_str(CUT);
        path.is_cut = true;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_a_byte_whatever_the_server_wrote() {
        for (target, want) in [
            (&br#"/q\x22uo\x5Cte"#[..], r#"/q"uo\te"#),
            (br#"/q\"uo\\te"#, r#"/q"uo\te"#),
            (br#"/q"uo\te"#, "/q\"uo%09e"),
            (br"/caf\xC3\xA9", "/café"),
            (br"/caf\xc3\xa9", "/café"),
            ("/café".as_bytes(), "/café"),
            (b"/caf%C3%A9", "/caf%C3%A9"),
            (b"/caf\xE9", "/caf%E9"),
            (br"/caf\xE9", "/caf%E9"),
            (br"/a\tb", "/a%09b"),
            (b"/a\tb", "/a%09b"),
            (br"/a\x09b", "/a%09b"),
            (b"/a\x1b[31m", "/a%1B[31m"),
            (b"/a\0b", "/a%00b"),
            (b"/a\x7F", "/a%7F"),
            ("/a\u{9b}b".as_bytes(), "/a%C2%9Bb"),
            (b"/\xC0\xAF", "/%C0%AF"),
            (b"/\xED\xA0\x80", "/%ED%A0%80"),
            (br"/\x4", r"/\x4"),
            (br"/\xZZ", r"/\xZZ"),
            (br"/end\", r"/end\"),
            (br"/\x5Cx41", r"/\x41"),
            (br"/a\x3Fname=frank", "/a"),
            (br"/a\x23b", "/a"),
        ] {
            assert_eq!(path(target).text, want, "{}", target.escape_ascii());
        }
    }

    #[test]
    fn host_query_and_fragment_are_left_out() {
        for (target, want) in [
            ("/", "/"),
            ("*", "*"),
            ("/a?b#c", "/a"),
            ("?x", "/"),
            ("#", "/"),
            ("//a//b", "//a//b"),
            ("http://example.org/a?b", "/a"),
            ("HTTP://EXAMPLE.ORG/up", "/up"),
            ("hTTps://h", "/"),
            ("https://h?x=/y", "/"),
            ("ws://h:80/chat", "/chat"),
            ("h:443", "h:443"),
            ("/a://b/c", "/a://b/c"),
            ("/go?to=http://h/x", "/go"),
            ("/%D9%85,27|%20", "/%D9%85,27|%20"),
        ] {
            let got = path(target.as_bytes());
            assert_eq!((got.text.as_ref(), got.is_respelled, got.is_cut), (want, false, false), "{target}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_cut_between_characters() {
        for (unit, times) in [("a", 1_025), ("é", 600), ("漢", 400), ("\x01", 400), ("\\x41", 2_000), ("x", 200_000)]
        {
            let target = format!("/{}", unit.repeat(times));
            let got = path(target.as_bytes());
            assert!(got.is_cut && got.text.ends_with('…'), "{unit}");
            assert!((LONGEST - 6..=LONGEST).contains(&got.text.len()), "{unit}: {}", got.text.len());
        }
        let fits = format!("/{}", "a".repeat(LONGEST - 1));
        assert_eq!(path(fits.as_bytes()).text, fits);
        let escaped = format!("/{}", r"\x41".repeat(LONGEST - 1));
        assert!(!path(escaped.as_bytes()).is_cut, "what counts is what is meant");
    }
}
