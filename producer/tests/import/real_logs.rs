//! Access logs as servers write them, with what is no request in between.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_producer::import::{Format, ImportError, Options};
use slipstream_schemas::EventTime;

use super::files::{Dead, Kept, TestFile, import, import_with, json_lines, options};

const COMBINED: &str = r#"198.51.100.7 - - [22/Jan/2019:03:56:14 +0330] "GET /filter/27|%D9%85?page=2 HTTP/1.1" 200 30577 "-" "Mozilla/5.0 (X11)" "-"
198.51.100.8 - alice [22/Jan/2019:03:56:16 +0330] "POST /cart HTTP/1.1" 302 - "https://shop.example/" "say \"hi\"" "-"
\x16\x03\x01\x02
198.51.100.9 - - [22/Jan/2019:03:56:17 +0330] "-" 400 0 "-" "-" "-"

198.51.100.9 - - [22/Jan/2019:03:56:18 +0330] "HEAD / HTTP/2.0" 599 12 "-" "-" "-"
"#;

fn log() -> std::sync::Arc<MemoryLog> {
    MemoryLog::new(MemoryOptions::default())
}

#[tokio::test]
async fn lines_that_are_no_requests_land_in_dead_letters_and_stop_nothing() {
    let (log, file) = (log(), TestFile::new(COMBINED));
    let summary = import(&log, &file, Format::Combined).await.unwrap();
    assert_eq!((summary.lines, summary.events, summary.rejected), (6, 3, 2));
    let numbers: Vec<u64> = summary.first_rejected.iter().map(|r| r.line).collect();
    assert_eq!(numbers, [3, 4]);

    let kept = Kept::of(&log).await;
    assert_eq!(kept.endpoints(), ["/filter/27|%D9%85", "/cart", "/"]);
    let statuses: Vec<_> = kept.events.iter().map(|e| (e.method.as_str(), e.status_code)).collect();
    assert_eq!(statuses, [("GET", 200), ("POST", 302), ("HEAD", 599)]);
    assert_eq!(kept.events[0].time, EventTime(1_548_116_774_000_000));
    assert!(kept.events.iter().all(|e| e.latency_ms.is_none() && e.user_ref.is_none() && e.service == "web"));
    let file = file.path.display().to_string();
    let want = Dead {
        line: r"\x16\x03\x01\x02".to_owned(),
        number: "3".to_owned(),
        class: "malformed-line".to_owned(),
        file,
        message: "no time in brackets".to_owned(),
    };
    assert_eq!(kept.dead[0], want);
    assert_eq!(kept.dead[1].number, "4");
}

#[tokio::test]
async fn an_access_log_needs_a_service() {
    let none = Options { service: None, ..options(Format::Combined) };
    let error = import_with(&log(), &TestFile::new(COMBINED), &none).await.unwrap_err();
    assert!(matches!(error, ImportError::NoService), "{error}");
}

#[tokio::test]
async fn a_compressed_file_that_is_cut_gives_what_can_be_read_and_then_the_error() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(json_lines(5_000).as_bytes()).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(bytes.len() / 2);
    let (log, file) = (log(), TestFile::new(bytes));
    for attempt in 0..2 {
        let error = import(&log, &file, Format::Json).await.unwrap_err();
        let kept = Kept::of(&log).await;
        let line = kept.events.len();
        assert!(line > 1_000 && line < 5_000, "{attempt}: {line}");
        assert!(matches!(error, ImportError::Read { line: l, .. } if l == line as u64), "{error}");
        assert_eq!((kept.last().lines, kept.last().finished), (line as i64, false));
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told() {
    let file = TestFile::new("");
    std::fs::remove_file(&file.path).unwrap();
    let error = import(&log(), &file, Format::Json).await.unwrap_err().to_string();
    assert!(error.contains("requests.log") && error.contains("No such file"), "{error}");
}
