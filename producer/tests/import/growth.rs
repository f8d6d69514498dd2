//! Files that grow, are cut, or end within a line.

use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_producer::import::{Format, ImportError};

use super::files::{Dead, Kept, TestFile, import, json, json_lines};

fn log() -> std::sync::Arc<MemoryLog> {
    MemoryLog::new(MemoryOptions::default())
}

#[tokio::test]
async fn a_file_that_has_grown_adds_what_is_new() {
    // Of the first sizes the file is shorter than the head that it is known by later.
    let log = log();
    let file = TestFile::new(json_lines(1));
    for (lines, new) in [(1, 1), (10, 9), (10, 0), (60, 50), (61, 1), (500, 439)] {
        file.write(json_lines(lines));
        let summary = import(&log, &file, Format::Json).await.unwrap();
        assert_eq!((summary.events, summary.already_imported), (new, lines as u64 - new), "{lines}");
    }
    let kept = Kept::of(&log).await;
    let want: Vec<String> = (0..500).map(|n| format!("/{n}")).collect();
    assert_eq!(kept.endpoints(), want);
    assert!(kept.positions.iter().all(|p| p.file == kept.positions[0].file), "it stays itself");
}

#[tokio::test]
async fn wherever_a_file_was_cut_each_line_counts_once_and_with_its_number() {
    let text = format!("{}not json\n\n{}{}", json_lines(2), json(2), "\r\n") + &json(3);
    let whole = {
        let log = log();
        import(&log, &TestFile::new(&text), Format::Json).await.unwrap();
        Kept::of(&log).await
    };
    assert_eq!(whole.endpoints(), ["/0", "/1", "/2", "/3"]);
    for cut in 1..text.len() {
        let log = log();
        let file = TestFile::new(&text[..cut]);
        import(&log, &file, Format::Json).await.unwrap();
        file.write(&text);
        import(&log, &file, Format::Json).await.unwrap();
        let again = import(&log, &file, Format::Json).await.unwrap();
        assert_eq!((again.lines, again.events, again.rejected), (0, 0, 0), "cut at {cut}");
        let kept = Kept::of(&log).await;
        assert_eq!(kept.endpoints(), whole.endpoints(), "cut at {cut}");
        let number =
            |k: &Kept| k.events.iter().map(|e| e.event_id.split_once('-').unwrap().1.to_owned()).collect::<Vec<_>>();
        assert_eq!(number(&kept), number(&whole), "cut at {cut}");
        assert!(kept.dead.iter().any(|d| d.line == "not json" && d.number == "3"), "cut at {cut}");
        assert_eq!(kept.last().rejected as usize, kept.dead.len());
        assert_eq!((kept.last().lines, kept.last().bytes as usize), (whole.last().lines, text.len()));
    }
}

#[tokio::test]
async fn what_comes_behind_a_line_that_was_imported_is_a_dead_letter() {
    let line = r#"h - - [01/Aug/1995:02:00:00 -0400] "GET /a HTTP/1.0" 200 17"#;
    let log = log();
    let file = TestFile::new(line);
    assert_eq!(import(&log, &file, Format::Common).await.unwrap().events, 1);
    file.write(format!("{line}13\n{line}\n"));
    let summary = import(&log, &file, Format::Common).await.unwrap();
    assert_eq!((summary.lines, summary.events, summary.rejected), (1, 1, 1));
    let kept = Kept::of(&log).await;
    assert_eq!(kept.events.len(), 2);
    let Dead { line, number, class, .. } = &kept.dead[0];
    assert_eq!((line.as_str(), number.as_str(), class.as_str()), ("13", "1", "line-continued"));
}

#[tokio::test]
async fn a_file_that_became_shorter_is_refused() {
    let log = log();
    let file = TestFile::new(json_lines(200));
    import(&log, &file, Format::Json).await.unwrap();
    file.write(json_lines(150));
    let error = import(&log, &file, Format::Json).await.unwrap_err();
    assert!(matches!(error, ImportError::Shrunk { .. }), "{error}");
    assert!(error.to_string().contains("it was truncated"), "{error}");
}

#[tokio::test]
async fn an_empty_file_leaves_nothing() {
    let log = log();
    let summary = import(&log, &TestFile::new(""), Format::Json).await.unwrap();
    assert_eq!((summary.lines, summary.finished), (0, true));
    assert!(Kept::of(&log).await.positions.is_empty());
}
