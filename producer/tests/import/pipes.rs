//! What can be read only once: pipes, opened once and imported whole, with every option that a file may have.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_producer::import::{Format, Options, Summary, Target, import_file};
use slipstream_runtime::Shutdown;
use slipstream_schemas::EventTime;

use super::files::{Kept, json_lines, options};

/// A pipe with a writer behind it.
struct Pipe {
    path: PathBuf,
    _reader: std::io::PipeReader,
    writer: JoinHandle<()>,
}

impl Pipe {
    fn of(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let path = format!("/dev/fd/{}", reader.as_raw_fd()).into();
        // Whoever reads may leave before the end.
        let write = move || drop(writer.write_all(&bytes));
        let writer = std::thread::Builder::new().name("pipe".to_owned()).spawn(write).unwrap();
        Pipe { path, _reader: reader, writer }
    }

    async fn import(self, log: &Arc<MemoryLog>, options: &Options) -> Summary {
        let summary =
            import_file(&Target::Log(log.clone()), &self.path, options, &mut |_| {}, &Shutdown::new()).await.unwrap();
        self.writer.join().unwrap();
        summary
    }
}

fn log() -> Arc<MemoryLog> {
    MemoryLog::new(MemoryOptions::default())
}

const LINES: usize = 5_000;
const NOW: EventTime = EventTime(1_900_000_000_000_000);

#[tokio::test]
async fn a_pipe_is_imported_whole_and_shifted_whole() {
    let packed = zstd::encode_all(json_lines(LINES).as_bytes(), 1).unwrap();
    for bytes in [json_lines(LINES).into_bytes(), packed] {
        for shift_to in [None, Some(NOW)] {
            let log = log();
            let options = Options { shift_to, ..options(Format::Json) };
            let summary = Pipe::of(bytes.clone()).import(&log, &options).await;
            assert_eq!((summary.events, summary.rejected, summary.finished), (LINES as u64, 0, true));
            let kept = Kept::of(&log).await;
            let (first, last) = (kept.events[0].time, kept.events[LINES - 1].time);
            assert_eq!(last.0 - first.0, (LINES as i64 - 1) * 1_000, "all are moved by as much");
            assert!(shift_to.is_none_or(|now| now == last), "the last is now");
        }
    }
}

#[tokio::test]
async fn a_pipe_with_what_was_imported_adds_what_is_new() {
    let log = log();
    for (lines, new) in [(LINES, LINES), (LINES, 0), (LINES + 1, 1)] {
        let summary = Pipe::of(json_lines(lines)).import(&log, &options(Format::Json)).await;
        assert_eq!(summary.events, new as u64, "{lines}");
    }
    // One that differs further on begins again, though a pipe does not.
    let other = json_lines(LINES).replace("/2500\"", "/other\"");
    let shifted = Options { shift_to: Some(NOW), ..options(Format::Json) };
    let summary = Pipe::of(other).import(&log, &shifted).await;
    assert_eq!((summary.events, summary.already_imported), (LINES as u64, 0));
    assert_eq!(Kept::of(&log).await.events.last().unwrap().time, NOW);
}

#[tokio::test]
async fn an_empty_pipe_and_a_line_without_an_end_are_what_they_are() {
    let log = log();
    let shifted = Options { shift_to: Some(NOW), ..options(Format::Json) };
    assert_eq!(Pipe::of("").import(&log, &shifted).await.lines, 0);
    assert_eq!(Pipe::of(json_lines(1).trim_end()).import(&log, &shifted).await.events, 1);
    assert_eq!(Kept::of(&log).await.events[0].time, NOW);
}

/// A named pipe with a process that writes into it, as `mkfifo` and `cat` make one.
#[tokio::test]
async fn a_named_pipe_is_one_too() {
    let dir = tempfile::tempdir().unwrap();
    let (fifo, text) = (dir.path().join("fifo"), dir.path().join("text"));
    std::fs::write(&text, json_lines(LINES)).unwrap();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let script = format!("cat '{}' > '{}'", text.display(), fifo.display());
    let mut writer: Child = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap();
    let log = log();
    let options = Options { shift_to: Some(NOW), ..options(Format::Json) };
    let summary = import_file(&Target::Log(log.clone()), &fifo, &options, &mut |_| {}, &Shutdown::new()).await.unwrap();
    assert!(writer.wait().unwrap().success());
    assert_eq!((summary.events, summary.finished), (LINES as u64, true));
    assert_eq!(Kept::of(&log).await.events.last().unwrap().time, NOW);
}
