//! Files that begin alike: which of them is which, and that each line of each counts once.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use slipstream_log::faults::CrashPoint;
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Outgoing};
use slipstream_producer::import::{Format, ImportError, Options, Summary, Target, import_file};
use slipstream_runtime::Shutdown;
use slipstream_schemas::records::ImportPosition;
use slipstream_schemas::{EventTime, Topic, codec};

use super::files::{Kept, TestFile, import, import_with, json, json_lines, options};

fn log() -> Arc<MemoryLog> {
    MemoryLog::new(MemoryOptions::default())
}

/// The log of a host: health checks that are the same on every host, then its own requests.
fn host(name: &str, requests: usize) -> String {
    let health = json(0) + "\n";
    let own = |n: usize| json(1).replace("/1", &format!("/{name}/{n}")) + "\n";
    health.repeat(60) + &(0..requests).map(own).collect::<String>()
}

const HEALTH: u64 = 60;

fn assert_ids_differ(kept: &Kept) {
    let ids: HashSet<&str> = kept.events.iter().map(|e| e.event_id.as_str()).collect();
    assert_eq!(ids.len(), kept.events.len(), "redelivery would drop events whose ids collide");
}

#[tokio::test]
async fn logs_that_begin_alike_are_all_imported_whole_and_none_twice() {
    for order in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]] {
        let log = log();
        let requests = |name: &str| match name {
            "a" => 6,
            "b" => 9,
            _ => 400,
        };
        let files = order.map(|name| (TestFile::new(host(name, requests(name))), HEALTH + requests(name) as u64));
        for (n, (file, lines)) in files.iter().enumerate() {
            let summary = import(&log, file, Format::Json).await.unwrap();
            assert_eq!((summary.events, summary.already_imported), (*lines, 0), "{order:?}");
            assert_eq!(summary.notes.len(), usize::from(n > 0), "{:?}", summary.notes);
            assert!(summary.notes.iter().all(|note| note.starts_with("it starts like ")), "{:?}", summary.notes);
        }
        for (file, lines) in &files {
            let again = import(&log, file, Format::Json).await.unwrap();
            assert_eq!((again.events, again.already_imported), (0, *lines), "{order:?}");
        }
        let kept = Kept::of(&log).await;
        assert_eq!(kept.events.len() as u64, 3 * HEALTH + 6 + 9 + 400);
        assert_ids_differ(&kept);
    }
}

#[tokio::test]
async fn each_of_them_grows_on_its_own() {
    let log = log();
    let files = ["a", "b"].map(|name| (name, TestFile::new("")));
    for requests in [5, 40, 41, 300] {
        for (name, file) in &files {
            file.write(host(name, requests));
            import(&log, file, Format::Json).await.unwrap();
        }
    }
    let kept = Kept::of(&log).await;
    assert_eq!(kept.events.len() as u64, 2 * (HEALTH + 300));
    assert_ids_differ(&kept);
}

#[tokio::test]
async fn a_killed_import_of_the_second_continues() {
    let first = TestFile::new(host("a", 10));
    let second = TestFile::new(host("b", 20_000));
    let log = log();
    import(&log, &first, Format::Json).await.unwrap();
    let mut steps = 0;
    let mut progress = |so_far: &Summary| {
        steps += usize::from(so_far.lines > 0);
        if steps == 1 {
            log.faults().crash_at(CrashPoint::AfterCommit);
        }
    };
    let died =
        import_file(&Target::Log(log.clone()), &second.path, &options(Format::Json), &mut progress, &Shutdown::new())
            .await;
    assert!(died.is_err());
    let log = log.crash();
    let rest = import(&log, &second, Format::Json).await.unwrap();
    assert!(rest.already_imported > 0 && rest.finished);
    let kept = Kept::of(&log).await;
    assert_eq!(kept.events.len() as u64, 2 * HEALTH + 10 + 20_000);
    assert_ids_differ(&kept);
}

#[tokio::test]
async fn a_copy_is_the_same_file_whatever_it_is_called() {
    let (log, text) = (log(), host("a", 10));
    import(&log, &TestFile::new(&text), Format::Json).await.unwrap();
    let copy = import(&log, &TestFile::new(zstd::encode_all(text.as_bytes(), 1).unwrap()), Format::Json).await.unwrap();
    assert_eq!((copy.events, copy.already_imported), (0, HEALTH + 10));
    assert!(copy.notes.is_empty(), "{:?}", copy.notes);
}

#[tokio::test]
async fn a_file_whose_lines_have_changed_is_another_and_that_is_said() {
    let (log, file) = (log(), TestFile::new(host("a", 100)));
    import(&log, &file, Format::Json).await.unwrap();
    file.write(host("a", 100).replace("/a/50\"", "/x/50\""));
    let summary = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((summary.events, summary.already_imported), (HEALTH + 100, 0));
    assert!(summary.notes[0].starts_with("its content has changed since it was imported"), "{:?}", summary.notes);
}

#[tokio::test]
async fn one_that_was_cut_is_refused_and_named() {
    let (log, file) = (log(), TestFile::new(host("a", 100)));
    import(&log, &file, Format::Json).await.unwrap();
    let cut = TestFile::new(host("a", 50));
    let error = import(&log, &cut, Format::Json).await.unwrap_err();
    assert!(matches!(error, ImportError::Shrunk { .. }), "{error}");
    assert!(error.to_string().contains(&file.path.display().to_string()), "{error}");
    // What it advises helps.
    let other = TestFile::new(format!("\n{}", host("a", 50)));
    assert_eq!(import(&log, &other, Format::Json).await.unwrap().events, HEALTH + 50);
}

#[tokio::test]
async fn what_an_earlier_version_has_imported_is_gone_on_with() {
    let (log, file) = (log(), TestFile::new(host("a", 100)));
    import(&log, &file, Format::Json).await.unwrap();
    let now = Kept::of(&log).await.last().clone();
    let former = ImportPosition { hash: None, checks: Vec::new(), reading: None, ..now };
    let record = Outgoing {
        topic: Topic::ImportPositions,
        partition: None,
        key: Some(Bytes::from(former.file.clone())),
        value: Some(Bytes::from(codec::encode(&former))),
        headers: Vec::new(),
    };
    log.publish(vec![record]).await.unwrap();
    let again = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((again.events, again.already_imported), (0, HEALTH + 100));
    file.write(host("a", 101));
    let grown = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((grown.events, grown.already_imported), (1, HEALTH + 100));
    let kept = Kept::of(&log).await;
    assert!(kept.last().hash.is_some() && !kept.last().checks.is_empty());
    // From now on it is told apart.
    let other = import(&log, &TestFile::new(host("b", 200)), Format::Json).await.unwrap();
    assert_eq!((other.events, other.already_imported), (HEALTH + 200, 0));
}

#[tokio::test]
async fn options_that_do_nothing_for_lines_that_are_there_are_said() {
    let (log, file) = (log(), TestFile::new(json_lines(10)));
    import(&log, &file, Format::Json).await.unwrap();
    let others = Options {
        service: Some("shop".to_owned()),
        environment: "prod".to_owned(),
        shift_to: Some(EventTime(1_800_000_000_000_000)),
        ..options(Format::Json)
    };
    let again = import_with(&log, &file, &others).await.unwrap();
    assert_eq!((again.events, again.already_imported), (0, 10));
    let said = again.notes.join("\n");
    for option in ["--service shop does not", "--environment prod does not", "--shift-to-now does not"] {
        assert!(said.contains(option), "{said}");
    }
    // What is new is read as the options say.
    file.write(json_lines(11));
    let grown = import_with(&log, &file, &others).await.unwrap();
    assert_eq!((grown.events, grown.shift), (1, 0));
    let kept = Kept::of(&log).await;
    let services: Vec<&str> = kept.events.iter().map(|e| e.service.as_str()).collect();
    assert_eq!((services[9], services[10]), ("web", "shop"));
    assert!(import_with(&log, &file, &Options { shift_to: None, ..others }).await.unwrap().notes.is_empty());
}
