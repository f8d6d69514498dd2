//! Fields that clients choose: whatever their bytes are, a failed request counts, and counts as failed.

use proptest::collection::vec;
use proptest::prelude::*;
use slipstream_producer::import::access_log::parse;

/// A server's way of writing bytes that a client chose.
#[derive(Debug, Clone, Copy)]
enum Server {
    /// Escapes quotes, backslashes and what is not printable: nginx.
    Hex,
    /// The same in another way: Apache.
    Backslash,
    /// Only quotes: gunicorn.
    Quotes,
    /// Nothing at all: squid's agents.
    Nothing,
}

impl Server {
    /// Never a line end: no server writes one into a field.
    fn writes(self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for byte in bytes.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
            match (self, byte) {
                (Server::Hex, b'"' | b'\\' | 0..=31 | 127..) => out.extend(format!("\\x{byte:02X}").bytes()),
                (Server::Backslash, b'"' | b'\\') => out.extend([b'\\', byte]),
                (Server::Backslash, 0..=31 | 127..) => out.extend(format!("\\x{byte:02x}").bytes()),
                (Server::Quotes, b'"') => out.extend(*b"\\\""),
                _ => out.push(byte),
            }
        }
        out
    }
}

fn server() -> impl Strategy<Value = Server> {
    prop_oneof![Just(Server::Hex), Just(Server::Backslash), Just(Server::Quotes), Just(Server::Nothing)]
}

/// Bytes that a hostile client would choose: those that a line is made of, and any others.
fn chosen() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b" [".to_vec()),
        Just(b"] ".to_vec()),
        Just(b" 200 5 ".to_vec()),
        Just(b"\" 200 5 \"-\" \"-\"".to_vec()),
        Just(b"[28/Nov/2026:19:58:08 +0000]".to_vec()),
        Just(b"h - - [28/Nov/2026:19:58:08 +0000] \"GET /up HTTP/1.1\" 200 5".to_vec()),
        Just(b" HTTP/1.1".to_vec()),
        vec(any::<u8>(), 0..12),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

const BEFORE: &[u8] = b"203.0.113.9 - ";
const TIME: &[u8] = b" [28/Nov/2026:19:58:08 +0000] \"";
const ANSWER: &[u8] = b" HTTP/1.1\" 503 17";
const MICROS: i64 = 1_795_895_888_000_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_in_dropped_fields_lose_a_failure(server in server(), referer in chosen(), agent in chosen()) {
        let line = [
            BEFORE, b"-", TIME, b"GET /down", ANSWER, b" \"", &server.writes(&referer), b"\" \"", &server.writes(&agent),
            b"\"",
        ].concat();
        let got = parse(&line).map_err(TestCaseError::fail)?;
        prop_assert_eq!((got.status, got.path.as_ref(), got.time, got.bytes), (503, "/down", MICROS, Some("17")));
    }

    /// Where a server escapes quotes, a user's name leads nobody astray.
    #[test]
    fn no_user_loses_a_failure(backslash: bool, user in chosen()) {
        let server = if backslash { Server::Backslash } else { Server::Hex };
        let line = [BEFORE, &server.writes(&user), TIME, b"GET /down", ANSWER, b" \"-\" \"c\""].concat();
        let got = parse(&line).map_err(TestCaseError::fail)?;
        prop_assert_eq!((got.status, got.path.as_ref(), got.time), (503, "/down", MICROS));
    }

    /// The path, too: it becomes an endpoint that an event may have, and the status stays what the server sent.
    #[test]
    fn no_path_loses_a_failure(server in server(), path in chosen()) {
        let line = [BEFORE, b"-", TIME, b"GET /", &server.writes(&path), ANSWER, b" \"-\" \"c\""].concat();
        let got = parse(&line).map_err(TestCaseError::fail)?;
        prop_assert!(got.path.starts_with('/') && got.path.len() <= 1_024);
        prop_assert!(!got.path.chars().any(char::is_control) && !got.path.contains(['?', '#']));
        // A server that escapes no quotes lets clients write what they like; then nothing can be said.
        let writes_quotes = matches!(server, Server::Nothing);
        prop_assert!(writes_quotes || got.status == 503, "{}", got.status);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(line in vec(any::<u8>(), 0..300)) {
        if let Ok(request) = parse(&line) {
            prop_assert!(!request.method.is_empty() && !request.path.is_empty());
        }
    }
}
