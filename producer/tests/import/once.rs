//! Each line counts once: over a second import, a kill, commits that fail, and a rival.

use std::collections::HashSet;

use slipstream_log::faults::{CommitFault, CrashPoint};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_producer::import::{Format, ImportError, Options, Summary, Target, import_file};
use slipstream_runtime::Shutdown;
use slipstream_schemas::{EventTime, Topic};

use super::files::{Kept, TestFile, import, import_with, json_lines, options};

/// More than two steps.
const LINES: usize = 20_000;

fn log() -> std::sync::Arc<MemoryLog> {
    MemoryLog::new(MemoryOptions::default())
}

fn assert_each_once(kept: &Kept, lines: usize) {
    let endpoints: HashSet<&str> = kept.endpoints().into_iter().collect();
    assert_eq!((kept.events.len(), endpoints.len()), (lines, lines));
    let ids: HashSet<&str> = kept.events.iter().map(|e| e.event_id.as_str()).collect();
    assert_eq!(ids.len(), lines);
    let last = kept.last();
    assert_eq!((last.lines, last.events, last.rejected, last.finished), (lines as i64, lines as i64, 0, true));
}

#[tokio::test]
async fn a_second_import_adds_nothing() {
    let (log, file) = (log(), TestFile::new(json_lines(LINES)));
    let first = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((first.lines, first.events, first.already_imported, first.finished), (20_000, 20_000, 0, true));
    let before = Kept::of(&log).await;
    assert_each_once(&before, LINES);

    let second = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((second.lines, second.events, second.already_imported, second.finished), (0, 0, 20_000, true));
    let after = Kept::of(&log).await;
    assert_each_once(&after, LINES);
    assert_eq!(before.positions, after.positions);
}

#[tokio::test]
async fn a_file_that_was_read_in_a_wrong_format_can_be_read_again() {
    let (log, file) = (log(), TestFile::new(json_lines(100)));
    let wrong = import(&log, &file, Format::Common).await.unwrap();
    assert_eq!((wrong.events, wrong.rejected), (0, 100));
    let right = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((right.events, right.rejected, right.already_imported), (100, 0, 0));
    let again = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((again.events, again.already_imported), (0, 100));
}

#[tokio::test]
async fn with_a_byte_order_mark_it_is_the_same_file() {
    let text = json_lines(LINES);
    let marked = ["\u{FEFF}", &text].concat();
    for (first, second) in [(&text, &marked), (&marked, &text)] {
        let (log, file) = (log(), TestFile::new(first));
        import(&log, &file, Format::Json).await.unwrap();
        assert_each_once(&Kept::of(&log).await, LINES);
        file.write(second);
        let again = import(&log, &file, Format::Json).await.unwrap();
        assert_eq!((again.events, again.already_imported), (0, LINES as u64));
        file.write(format!("{second}{}", json_lines(LINES + 1).lines().last().unwrap()));
        assert_eq!(import(&log, &file, Format::Json).await.unwrap().events, 1, "what is new");
    }
}

#[tokio::test]
async fn compressed_it_is_the_same_file() {
    let (log, text) = (log(), json_lines(LINES));
    let file = TestFile::new(&text);
    import(&log, &file, Format::Json).await.unwrap();
    file.write(zstd::encode_all(text.as_bytes(), 1).unwrap());
    let again = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((again.events, again.already_imported), (0, 20_000));
}

#[tokio::test]
async fn l2_a_killed_import_continues_where_its_last_step_ended() {
    for point in [CrashPoint::BeforeCommit, CrashPoint::AfterCommit] {
        let (log, file) = (log(), TestFile::new(json_lines(LINES)));
        let mut steps = 0;
        let mut progress = |so_far: &Summary| {
            steps += usize::from(so_far.lines > 0);
            if steps == 1 {
                log.faults().crash_at(point);
            }
        };
        let died =
            import_file(&Target::Log(log.clone()), &file.path, &options(Format::Json), &mut progress, &Shutdown::new())
                .await;
        assert!(died.is_err(), "{point:?}");
        let log = log.crash();
        let done = Kept::of(&log).await.last().lines as u64;
        assert!(done > 0 && done < LINES as u64, "{point:?}: {done}");
        let summary = import(&log, &file, Format::Json).await.unwrap();
        assert_eq!((summary.already_imported, summary.lines), (done, LINES as u64 - done), "{point:?}");
        assert_each_once(&Kept::of(&log).await, LINES);
    }
}

#[tokio::test]
async fn a_shutdown_ends_it_behind_a_step_and_it_continues() {
    let (log, file) = (log(), TestFile::new(json_lines(LINES)));
    let shutdown = Shutdown::new();
    let mut stop = |so_far: &Summary| {
        if so_far.lines > 0 {
            shutdown.cancel();
        }
    };
    let summary =
        import_file(&Target::Log(log.clone()), &file.path, &options(Format::Json), &mut stop, &shutdown).await.unwrap();
    assert!(!summary.finished && summary.lines > 0 && summary.lines < LINES as u64);
    assert_eq!(Kept::of(&log).await.last().lines as u64, summary.lines);
    assert!(import(&log, &file, Format::Json).await.unwrap().finished);
    assert_each_once(&Kept::of(&log).await, LINES);
}

#[tokio::test(start_paused = true)]
async fn l6_a_step_that_failed_or_is_in_doubt_is_in_the_log_once() {
    let (log, file) = (log(), TestFile::new(json_lines(LINES)));
    use CommitFault::{Aborted, InDoubtDone, InDoubtNot};
    let faults = [Aborted, InDoubtNot, InDoubtDone, Aborted, InDoubtNot, Aborted, InDoubtDone, InDoubtDone];
    log.faults().fail_atomic_publishes("import", faults);
    let summary = import(&log, &file, Format::Json).await.unwrap();
    assert_eq!((summary.lines, summary.events, summary.finished), (20_000, 20_000, true));
    assert_each_once(&Kept::of(&log).await, LINES);
}

#[tokio::test]
async fn l5_an_import_that_was_overtaken_commits_nothing_more() {
    let (log, file) = (log(), TestFile::new(json_lines(LINES)));
    let rival = log.sibling();
    let mut steps = 0;
    let other = TestFile::new(json_lines(1));
    let mut progress = |so_far: &Summary| {
        steps += usize::from(so_far.lines > 0);
        if steps == 1 {
            // Somebody else starts an import while this one runs.
            let (rival, path) = (rival.clone(), other.path.clone());
            let import_other = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let (options, stop) = (options(Format::Json), Shutdown::new());
                runtime.block_on(import_file(&Target::Log(rival), &path, &options, &mut |_| {}, &stop)).unwrap();
            };
            let thread = std::thread::Builder::new().name("rival".to_owned()).spawn(import_other).unwrap();
            thread.join().unwrap();
        }
    };
    let outcome =
        import_file(&Target::Log(log.clone()), &file.path, &options(Format::Json), &mut progress, &Shutdown::new())
            .await;
    assert!(matches!(outcome, Err(ImportError::TakenOver)), "{outcome:?}");
    let rival_file = TestFile::new(json_lines(LINES));
    assert!(import(&rival, &rival_file, Format::Json).await.unwrap().finished);
    let kept = Kept::of(&rival).await;
    assert_eq!(kept.events.len(), LINES + 1, "the line of the other file, and each of this one once");
}

#[tokio::test]
async fn the_shift_of_the_first_import_is_that_of_all() {
    let (log, text) = (log(), json_lines(10));
    let file = TestFile::new(&text);
    let to =
        |seconds: i64| Options { shift_to: Some(EventTime(1_800_000_000_000_000 + seconds)), ..options(Format::Json) };
    let first = import_with(&log, &file, &to(0)).await.unwrap();
    assert_ne!(first.shift, 0);
    file.write(json_lines(12));
    let second = import_with(&log, &file, &to(77)).await.unwrap();
    assert_eq!((second.events, second.shift), (2, first.shift));
    let kept = Kept::of(&log).await;
    assert_eq!(kept.events[9].time, EventTime(1_800_000_000_000_000), "the last event of the first import");
    let gaps: HashSet<i64> = kept.events.windows(2).map(|w| w[1].time.0 - w[0].time.0).collect();
    assert_eq!(gaps, HashSet::from([1_000]), "all are moved by as much");
    assert_eq!(kept.last().shift, first.shift);
}

#[tokio::test]
async fn with_several_partitions_all_of_it_is_found_again() {
    let partitions = [Topic::RequestEvents, Topic::DeadLetters, Topic::ImportPositions].map(|t| (t, 3));
    let log = MemoryLog::new(MemoryOptions { partitions: partitions.into(), ..MemoryOptions::default() });
    let files: Vec<TestFile> = (1..6).map(|n| TestFile::new(format!("{}\n", super::files::json(n * 100)))).collect();
    for (file, expected) in files.iter().map(|f| (f, 1)).chain(files.iter().map(|f| (f, 0))) {
        assert_eq!(import(&log, file, Format::Json).await.unwrap().events, expected);
    }
    assert_eq!(Kept::of(&log).await.events.len(), 5);
}
