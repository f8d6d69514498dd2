//! `slipstream import` as people meet it: files of real servers, pipes, containers, and what is said about them.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use support::{arg, json, slipstream};

/// A directory for an installation and the files that go into it.
struct Place {
    folder: tempfile::TempDir,
}

/// What an import said.
struct Said {
    code: Option<i32>,
    report: Value,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn import(&self, options: &[&str], files: &[&Path]) -> Said {
        self.import_from(options, files, b"")
    }

    /// Imports with `stdin` as standard input: a pipe.
    fn import_from(&self, options: &[&str], files: &[&Path], stdin: &[u8]) -> Said {
        let data = self.data();
        let mut args = vec!["import", "--json", "--data", arg(&data)];
        args.extend_from_slice(options);
        args.extend(files.iter().map(|file| arg(file)));
        let mut command = slipstream(&args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever is refused does not read.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let report = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
        Said { code: status.code(), report, stderr }
    }

    /// Combined lines of the service web.
    fn web(&self, options: &[&str], files: &[&Path]) -> Said {
        self.import(&[&["--format", "combined", "--service", "web"], options].concat(), files)
    }

    fn kpis(&self) -> Value {
        json(&["query", "kpis", "--json", "--data", arg(&self.data())])
    }

    /// Method, endpoint and status of every event, sorted.
    fn requests(&self) -> Vec<String> {
        let answer = json(&["query", "events", "--json", "--limit", "1000", "--data", arg(&self.data())]);
        let mut requests: Vec<String> = answer["events"].as_array().unwrap().iter().map(request).collect();
        requests.sort();
        requests
    }
}

fn request(event: &Value) -> String {
    let text = |field: &str| event[field].as_str().unwrap().to_owned();
    format!("{} {} {}", text("method"), text("endpoint"), event["status_code"])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// So many lines of a host, a second each.
fn lines(host: &str, from: usize, to: usize) -> String {
    let line = |n: usize| {
        let (minute, second, status) = (n / 60 % 60, n % 60, if n.is_multiple_of(10) { 503 } else { 200 });
        format!(
            "{host} - - [28/Nov/2026:19:{minute:02}:{second:02} +0000] \"GET /{host} HTTP/1.1\" {status} 5 \"-\" \"c\"\n"
        )
    };
    (from..to).map(line).collect()
}

#[test]
fn lines_of_every_server_become_the_requests_they_are() {
    const TIME: &str = "[28/Nov/2026:19:58:08 +0000]";
    let table = [
        // nginx, Apache, gunicorn, squid: fields that are dropped decide nothing.
        (format!(r#"h - - {TIME} "GET /1 HTTP/1.1" 503 5 "-" "bot\""#), "GET /1 503"),
        (format!(r#"h - - {TIME} "GET /2 HTTP/1.1" 503 5 "http://r/"x"" "a"b\c" TCP_MISS:HIER_DIRECT"#), "GET /2 503"),
        (format!(r#"h - a [b {TIME} "GET /3 HTTP/1.1" 502 157 "-" "c""#), "GET /3 502"),
        (format!(r#"h -   {TIME} "GET /4 HTTP/1.1" 502 157 "-" "c""#), "GET /4 502"),
        // Request lines.
        (format!(r#"h - - {TIME} "GET HTTP://EXAMPLE.ORG/5 http/1.0" 200 5 "-" "c""#), "GET /5 200"),
        (format!(r#"[2026-11-28 19:58:04 +0000] [9] [INFO] h:1 - - {TIME} "GET /6 1.1" 200 - "-" "c""#), "GET /6 200"),
        (format!(r#"h - - {TIME} "GET /7 null" 400 0"#), "GET /7 400"),
        (format!(r#"h - - {TIME} "GET /8" 200 5 "-" "-""#), "GET /8 200"),
        (format!(r#"h - - {TIME} "GET /chat HTTP/1.1" 101 99 "-" "-""#), "GET /chat 101"),
        // One spelling of a byte.
        (format!(r#"h - - {TIME} "GET /q\x22uo\x5Cte HTTP/1.1" 200 5 "-" "c""#), r#"GET /q"uo\te 200"#),
        (format!(r#"h - - {TIME} "GET /caf\xc3\xa9 HTTP/1.1" 200 5 "-" "c""#), "GET /café 200"),
        (format!(r#"h - - {TIME} "GET /esc\x1B[31m HTTP/1.1" 500 5 "-" "c""#), "GET /esc%1B[31m 500"),
    ];
    let refused = [
        format!(r#"h - - {TIME} "PRI * HTTP/2.0" 100 156 "-" "-""#),
        format!(r#"- - - {TIME} "- http://localhost HTTP/1.0" 400 0 "-" "-""#),
        format!(r#"h - - {TIME} "GET - HTTP/1.1" 400 0"#),
        format!(r#"h - - {TIME} "-" 408 0 "-" "-""#),
        format!(r#"h - - {TIME} "" 400 0 "-" "-""#),
        format!(r#"h - - {TIME} "\x16\x03\x01\x02" 400 157 "-" "-""#),
        format!(r#"h - - {TIME} "GET /gone HTTP/1.1" 000 0 "-" "-""#),
        format!(r#"h:1 - - {TIME} "GET /gone 1.1" - - "-" "c""#),
    ];
    for end in ["\n", "\r\n", "\r"] {
        let place = Place::new();
        let mut text: Vec<&str> = table.iter().map(|(line, _)| line.as_str()).collect();
        text.extend(refused.iter().map(String::as_str));
        let said = place.web(&[], &[&place.file("access.log", text.join(end) + end)]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let mut want: Vec<&str> = table.iter().map(|(_, want)| *want).collect();
        want.sort_unstable();
        assert_eq!(place.requests(), want, "{end:?}");
        assert_eq!(said.report["rejected"], refused.len(), "{}", said.stderr);
        for number in table.len() + 1..=text.len() {
            assert!(said.stderr.contains(&format!("access.log:{number}: ")), "{number}: {}", said.stderr);
        }
    }
}

#[test]
fn bytes_of_a_path_are_made_harmless_and_said() {
    let place = Place::new();
    let line = |path: &[u8]| {
        [b"h - - [28/Nov/2026:19:58:08 +0000] \"GET /", path, b" HTTP/1.1\" 503 5 \"-\" \"c\"\n"].concat()
    };
    let long = "x".repeat(5_000);
    let text = [line(b"ok"), line(b"caf\xE9"), line(long.as_bytes()), line(b"\xF0\x28\x8C\x28")].concat();
    let said = place.web(&[], &[&place.file("access.log", text)]);
    assert_eq!((said.report["events"].as_u64(), said.report["rejected"].as_u64()), (Some(4), Some(0)));
    let requests = place.requests();
    assert!(requests.contains(&"GET /caf%E9 503".to_owned()), "{requests:?}");
    assert!(
        said.stderr.contains("access.log: 2 lines (first: line 2): the path has bytes that are not text"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("access.log: line 3: the path is longer than 1,024 bytes"), "{}", said.stderr);
    assert_eq!(said.report["files"][0]["notes"].as_array().unwrap().len(), 2);
}

#[test]
fn two_hosts_whose_logs_begin_alike_are_both_counted() {
    let place = Place::new();
    let health = lines("health", 0, 70);
    let a = place.file("a.log", format!("{health}{}", lines("a", 70, 90)));
    let b = place.file("b.log", format!("{health}{}", lines("b", 70, 80)));
    let said = place.web(&[], &[&a, &b, &a]);
    assert_eq!(said.report["events"], 90 + 80, "{}", said.stderr);
    assert!(said.stderr.contains("b.log: it starts like "), "{}", said.stderr);
    assert_eq!((place.kpis()["hits"].as_u64(), place.kpis()["errors"].as_u64()), (Some(170), Some(9 + 8)));
    let again = place.web(&[], &[&b, &a]);
    assert_eq!(again.report["events"], 0, "{}", again.stderr);
}

#[test]
fn standard_input_is_a_file_that_is_read_once() {
    let place = Place::new();
    let options = ["--format", "combined", "--service", "web", "--shift-to-now"];
    let said = place.import_from(&options, &[Path::new("-")], &gzip(lines("a", 0, 3_000).as_bytes()));
    assert_eq!((said.code, said.report["events"].as_u64()), (Some(0), Some(3_000)), "{}", said.stderr);
    let newest = json(&["query", "events", "--json", "--limit", "1", "--data", arg(&place.data())]);
    let time = newest["events"][0]["time"].as_str().unwrap().to_owned();
    let now = jiff::Timestamp::now();
    let age = now.duration_since(time.parse().unwrap());
    assert!(age.as_secs().abs() < 3_600, "the last event is now: {time}");
    let again = place.import_from(&options, &[Path::new("-")], lines("a", 0, 3_000).as_bytes());
    assert_eq!(again.report["events"], 0, "the same lines, unpacked: {}", again.stderr);
    assert!(again.stderr.contains("--shift-to-now does not apply"), "{}", again.stderr);
}

#[test]
fn containers_are_read_as_their_tools_read_them_and_others_are_named() {
    let place = Place::new();
    let text = lines("a", 0, 30);
    let padded = place.file("padded.log.gz", [gzip(text.as_bytes()), vec![0; 1_024]].concat());
    let said = place.web(&[], &[&padded]);
    assert_eq!((said.code, said.report["events"].as_u64()), (Some(0), Some(30)), "{}", said.stderr);
    let other = lines("b", 0, 20);
    let garbage = place.file("garbage.log.gz", [gzip(other.as_bytes()), b"<html>".to_vec()].concat());
    let said = place.web(&[], &[&garbage]);
    assert_eq!((said.code, said.report["events"].as_u64()), (Some(0), Some(20)), "{}", said.stderr);
    assert!(
        said.stderr.contains("garbage.log.gz: ignored 6 bytes after the end of the compressed data"),
        "{}",
        said.stderr
    );

    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lz4 = place.file("access.log.lz4", [&[0x04, 0x22, 0x4D, 0x18][..], text.as_bytes()].concat());
    let good = place.file("good.log", lines("c", 0, 10));
    let said =
        place.web(&[], &[&lz4, &place.file("utf16.log", utf_16), &place.file("twice.gz", gzip(&gzip(b"a"))), &good]);
    assert_eq!((said.code, said.report["events"].as_u64()), (Some(1), Some(10)), "{}", said.stderr);
    for line in [
        "access.log.lz4: this is lz4, which import cannot read; convert it first: lz4 -dc FILE | slipstream import … -",
        "utf16.log: this is UTF-16 text",
        "twice.gz: this is compressed twice, with gzip inside",
    ] {
        assert!(said.stderr.contains(line), "no {line} in: {}", said.stderr);
    }
}

#[test]
fn latency_is_read_where_it_was_said_to_be_and_else_that_is_said() {
    let with = |field: &str| lines("a", 0, 20).replace("\"c\"\n", &format!("\"c\" {field}\n"));
    for (options, field, latency) in [
        (&["--latency-field", "last:s"][..], "0.123", Some(123.0)),
        (&["--latency-field", "last:us"], "\"4500\"", Some(4.5)),
        (&["--latency-field", "rt:s"], "rt=0.5 urt=0.1", Some(500.0)),
        (&["--latency-field", "last-1:ms"], "12 -", Some(12.0)),
        (&[], "0.123", None),
    ] {
        let place = Place::new();
        let said = place.web(options, &[&place.file("access.log", with(field))]);
        assert_eq!(said.report["events"], 20, "{}", said.stderr);
        assert_eq!(place.kpis()["max_latency_ms"].as_f64(), latency, "{options:?} {field}");
        let is_said = said.stderr.contains("numbers after the last quoted field are not read (line 1: `0.123`)");
        assert_eq!(is_said, latency.is_none(), "{}", said.stderr);
    }
    let place = Place::new();
    let file = place.file("access.log", with("0.123"));
    assert_eq!(place.web(&["--latency-field", "last"], &[&file]).code, Some(2), "no unit");
    let json_lines = place.import(&["--format", "json", "--latency-field", "last:s"], &[&file]);
    assert!(json_lines.code == Some(2) && json_lines.stderr.contains("latency_ms"), "{}", json_lines.stderr);
}

#[test]
fn an_argument_that_does_nothing_is_said() {
    let place = Place::new();
    let file = place.file("access.log", lines("a", 0, 20));
    place.web(&[], &[&file]);
    let again = place.import(&["--format", "common", "--service", "shop", "--environment", "prod"], &[&file]);
    assert_eq!((again.code, again.report["events"].as_u64()), (Some(0), Some(0)));
    for line in [
        "20 lines were imported before",
        "--service shop does not apply to lines imported before (with --service web)",
        "--environment prod does not apply",
        "--format common does not apply",
    ] {
        assert!(again.stderr.contains(line), "no {line} in: {}", again.stderr);
    }
}

#[test]
fn a_directory_or_a_file_that_is_not_there_keeps_no_other_out() {
    let place = Place::new();
    let good = place.file("good.log", lines("a", 0, 10));
    let folder = place.folder.path().join("logs");
    std::fs::create_dir(&folder).unwrap();
    let said = place.web(&[], &[&folder, &place.folder.path().join("none.log"), &good]);
    assert_eq!((said.code, said.report["events"].as_u64()), (Some(1), Some(10)), "{}", said.stderr);
    assert!(said.stderr.contains("this is a directory; pass the files in it"), "{}", said.stderr);
}

#[test]
fn lines_that_are_rejected_before_a_file_breaks_off_are_reported() {
    use std::io::Write;
    let place = Place::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(format!("no request\n{}", lines("a", 0, 20_000)).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let file = place.file("access.log.gz", &packed[..packed.len() - 20]);
    let said = place.web(&[], &[&file]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("access.log.gz:1: ") && said.stderr.contains("error: "), "{}", said.stderr);
    let read = said.report["files"][0]["lines"].as_u64().unwrap();
    let again = place.web(&[], &[&file]);
    assert_eq!((again.code, again.report["files"][0]["already_imported"].as_u64()), (Some(1), Some(read)));
    assert!(read > 0 && again.report["files"][0]["lines"] == 0, "{}", again.report);
}

#[test]
fn seconds_where_microseconds_are_expected_are_noted() {
    let place = Place::new();
    let event = r#"{"time":1795955030,"service":"s","endpoint":"/","method":"GET","status_code":200}"#;
    let said = place.import(&["--format", "json"], &[&place.file("events.ndjson", event)]);
    assert_eq!((said.code, said.report["events"].as_u64()), (Some(0), Some(1)));
    let notes = said.report["files"][0]["notes"].to_string();
    assert!(notes.contains("line 1: the time is in 1970") && notes.contains("microseconds"), "{notes}");
}

#[test]
fn a_service_that_no_event_may_have_is_refused_at_once() {
    let place = Place::new();
    let file = place.file("access.log", lines("a", 0, 3));
    for (name, expected) in [("a\nb", "control characters"), ("", "a name"), (&"x".repeat(257), "at most 256 bytes")] {
        let said = place.import(&["--format", "combined", "--service", name], &[&file]);
        assert!(said.code == Some(2) && said.stderr.contains(expected), "{:?} {}", said.code, said.stderr);
    }
}

#[test]
fn an_environment_that_no_event_may_have_is_refused_at_once() {
    let place = Place::new();
    let file = place.file("access.log", lines("a", 0, 3));
    let options = ["--format", "combined", "--service", "web", "--environment", "\u{1}"];
    let said = place.import(&options, &[&file]);
    assert!(said.code == Some(2) && said.stderr.contains("control characters"), "{:?} {}", said.code, said.stderr);
    assert!(!place.data().exists(), "nothing was tried");
}

#[test]
fn the_format_is_doubted_only_where_lines_cannot_be_parsed() {
    const DOUBT: &str = "is --format right?";
    let place = Place::new();
    let garbage = place.web(&[], &[&place.file("garbage.log", "hello\nworld\n")]);
    assert!(garbage.code == Some(1) && garbage.stderr.contains(DOUBT), "{}", garbage.stderr);
    let odd = "h - - [28/Nov/2026:19:58:08 +0000] \"GET / HTTP/1.1\" 700 5\n";
    let odd = place.web(&[], &[&place.file("odd.log", odd)]);
    assert!(odd.code == Some(1) && odd.stderr.contains("100 to 599"), "{}", odd.stderr);
    assert!(!odd.stderr.contains(DOUBT), "{}", odd.stderr);
}
