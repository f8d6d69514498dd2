//! What follows the bytes of the response: referer, agent, and whatever else a format has. None of it decides whether
//! a request counts; clients choose most of it, and not every server escapes it.

/// The nth field from the end: 0 is the last. Quotes around it are removed.
///
/// Counted from the end, because fields chosen by clients come first: a quote in an agent would shift a count from the
/// front.
pub(crate) fn from_end(fields: &[u8], n: usize) -> Option<&[u8]> {
    let mut rest = fields;
    for _ in 0..n {
        rest = last(rest)?.0;
    }
    last(rest).map(|(_, field)| field)
}

/// The last field, and what comes before it.
fn last(fields: &[u8]) -> Option<(&[u8], &[u8])> {
    let fields = fields.trim_ascii_end();
    if let [quoted @ .., b'"'] = fields {
        let begin = memchr::memrchr(b'"', quoted)?;
        return Some((&quoted[..begin], &quoted[begin + 1..]));
    }
    let mut begin = memchr::memrchr(b' ', fields).map_or(0, |blank| blank + 1);
    // A list is one field: nginx has `0.001, 0.002` for several upstreams.
    while let [list @ .., b','] = fields[..begin].trim_ascii_end() {
        begin = memchr::memrchr(b' ', list).map_or(0, |blank| blank + 1);
    }
    (begin < fields.len()).then(|| (&fields[..begin], &fields[begin..]))
}

/// The value of `name=value`. Clients choose what is in quotes, so it is looked for behind the last quote, then before the
/// first, and only then between; there the last one counts. A list of several values, such as nginx's `0.001, 0.002` for
/// several upstreams, is returned whole.
pub(crate) fn named<'a>(fields: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let behind = memchr::memrchr(b'"', fields).map_or(&b""[..], |quote| &fields[quote + 1..]);
    let before = &fields[..memchr::memchr(b'"', fields).unwrap_or(fields.len())];
    [behind, before]
        .into_iter()
        .find_map(|part| last_named(part, name).filter(|value| !value.is_empty()))
        .or_else(|| last_named(fields, name))
}

fn last_named<'a>(fields: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = fields;
    while let Some(at) = memchr::memmem::rfind(rest, name.as_bytes()) {
        let value = &fields[at + name.len()..];
        let is_whole = at == 0 || matches!(fields[at - 1], b' ' | b'"' | b',' | b';' | b'(' | b'[' | b'{' | b'|');
        match value {
            [b'=', value @ ..] if is_whole => return Some(value_of(value)),
            _ => rest = &rest[..at],
        }
    }
    None
}

fn value_of(text: &[u8]) -> &[u8] {
    if let [b'"', quoted @ ..] = text {
        return &quoted[..memchr::memchr(b'"', quoted).unwrap_or(quoted.len())];
    }
    let ends = |byte: &u8| matches!(byte, b' ' | b'"' | b',' | b';' | b')' | b']' | b'}' | b'|');
    let end = text.iter().position(ends).unwrap_or(text.len());
    match &text[end..] {
        [b',', b'0'..=b'9', ..] | [b',', b' ', b'0'..=b'9', ..] | [b' ', b':', b' ', ..] => text,
        _ => &text[..end],
    }
}

/// A number that is not read: the last field, if it is not the agent. As in the line.
pub(crate) fn unread_number(fields: &[u8]) -> Option<&[u8]> {
    const LONGEST: usize = 40;
    let fields = fields.trim_ascii_end();
    let field = match fields {
        // Referer and agent are quoted as well.
        [.., b'"'] if memchr::memchr_iter(b'"', fields).count() < 6 => return None,
        _ => from_end(fields, 0)?,
    };
    let value = field.iter().rposition(|byte| *byte == b'=').map_or(field, |equals| &field[equals + 1..]);
    let is_number = value.first().is_some_and(u8::is_ascii_digit)
        && value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && value.iter().filter(|byte| **byte == b'.').count() <= 1;
    (is_number && field.len() <= LONGEST).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(field: Option<&[u8]>) -> Option<&str> {
        field.map(|field| std::str::from_utf8(field).unwrap())
    }

    #[test]
    fn fields_are_counted_from_the_end() {
        let line = br#" "-" "a"b c\" "10.0.0.1" 0.123 "0.120" p"#;
        for (n, want) in [(0, "p"), (1, "0.120"), (2, "0.123"), (3, "10.0.0.1")] {
            assert_eq!(text(from_end(line, n)), Some(want));
        }
        assert_eq!(text(from_end(b" 4567 ", 0)), Some("4567"));
        assert_eq!(text(from_end(br#" "-" "c" 3.5, 0.002"#, 0)), Some("3.5, 0.002"));
        assert_eq!(text(from_end(br#" "-" "c," 0.2 3.5, 0.1, 0.002 7"#, 1)), Some("3.5, 0.1, 0.002"));
        assert_eq!(text(from_end(br#" "-" "c," 0.2"#, 0)), Some("0.2"));
        for (fields, n) in [(&b""[..], 0), (b"  ", 0), (b" 1", 1), (b" 1\"", 0)] {
            assert_eq!(text(from_end(fields, n)), None, "{fields:?}");
        }
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        for (fields, want) in [
            (r#" "-" "c" rt=0.123"#, Some("0.123")),
            (r#" "-" "c" rt=0.123 uct="0.1""#, Some("0.123")),
            (r#" "-" "c" rt="0.123""#, Some("0.123")),
            (r#" "-" "c" "rt=0.123""#, Some("0.123")),
            (r#" "-" "c" {rt=0.123,urt=0.1}"#, Some("0.123")),
            (r#" "-" "c" urt=0.1"#, None),
            (r#" "-" "c" urt=0.1 rt=0.2"#, Some("0.2")),
            (r#" "-" "rt=9" rt=0.2"#, Some("0.2")),
            (r#" "-" "c" rt=0.2 urt=0.1"#, Some("0.2")),
            (r#" "-" "c" rt=0.1, 0.2"#, Some("0.1, 0.2")),
            (r#" "-" "c" rt="0.1, 0.2""#, Some("0.1, 0.2")),
            (r#" "-" "c" rt=0.1 : 0.2"#, Some("0.1 : 0.2")),
            (r#" "-" "c" rt=3.5,0.002"#, Some("3.5,0.002")),
            (r#" "-" "c" rt=0,75"#, Some("0,75")),
            (r#" rt=5.0 "-" "evil rt=0.001""#, Some("5.0")),
            (r#" "rt=7" "a" rt=0.5 "rt=8""#, Some("8")),
            (r#" "-" "evil rt=0.001" rt="0.2""#, Some("0.2")),
            (r#" "-" "c" rt=-"#, Some("-")),
            (r#" "-" "c" rt="#, Some("")),
            (r#" "-" "c" rt"#, None),
            ("", None),
        ] {
            assert_eq!(text(named(fields.as_bytes(), "rt")), want, "{fields}");
        }
    }

    #[test]
    fn numbers_that_nobody_reads_are_seen() {
        for (fields, want) in [
            (r#" "-" "c" 0.123"#, Some("0.123")),
            (r#" "-" "c" "0.123""#, Some("0.123")),
            (r#" "-" "c" rt=0.123"#, Some("rt=0.123")),
            (r#" "-" "c" 1234 "#, Some("1234")),
            (" 4567", Some("4567")),
            ("", None),
            (r#" "-" "c""#, None),
            (r#" "-" "123""#, None),
            (r#" "-" "c" "10.0.0.1""#, None),
            (r#" "-" "c" "-""#, None),
            (r#" "-" "a"b" TCP_MISS:HIER_DIRECT"#, None),
            (r#" "-" "c" ."#, None),
        ] {
            assert_eq!(text(unread_number(fields.as_bytes())), want, "{fields}");
        }
    }
}
