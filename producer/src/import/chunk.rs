//! Lines to one step of records: events, dead letters, and the position behind them.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use slipstream_log::Outgoing;
use slipstream_schemas::records::ImportPosition;
use slipstream_schemas::{EventTime, RequestEvent, Topic, codec, dead_letter};

use super::error::ImportError;
use super::lines::{Begun, Lines};
use super::notes::Seen;
use super::parse::{Reading, Rejection};
use super::{FIRST_REJECTED, Options, Rejected, position, source};

/// Maximum lines per step.
const CHUNK_LINES: usize = 8_192;

/// A step of an import.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Events and dead letters, and the position last.
    pub records: Vec<Outgoing>,
    /// The position after it.
    pub to: ImportPosition,
    /// The position before it.
    pub from: ImportPosition,
    /// The first of its lines that were rejected.
    pub rejected: Vec<Rejected>,
}

/// Splits a file into chunks, from a position to its end.
pub(super) struct Chunks {
    lines: Lines<source::Bytes>,
    reading: Reading,
    options: Options,
    path: PathBuf,
    /// The path, for headers.
    name: Bytes,
    at: ImportPosition,
    /// The start of a line that an earlier import read without its end; `None` once that is resolved.
    begun: Option<Begun>,
    seen: Seen,
    /// Bytes of a step, about: keys and values.
    step_bytes: usize,
    /// The file cannot be read further.
    broken: Option<io::Error>,
}

impl Chunks {
    /// Goes on with a file that was read up to its position.
    pub(super) fn resume(
        mut lines: Lines<source::Bytes>,
        path: &Path,
        mut at: ImportPosition,
        options: &Options,
        step_bytes: usize,
    ) -> Self {
        let begun = lines.begun();
        let reading = Reading::new(options, &at.file, at.shift);
        at.path = path.display().to_string();
        at.reading = Some(options.as_read());
        let name = Bytes::from(at.path.clone());
        let (options, path, seen) = (options.clone(), path.to_owned(), Seen::default());
        Chunks { lines, reading, options, path, name, at, begun, seen, step_bytes, broken: None }
    }

    /// Notes for people about what was read.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = self.seen.notes(self.options.format, self.options.service.as_deref());
        let garbage = source::garbage(self.lines.reader());
        if garbage > 0 {
            notes.push(format!("ignored {garbage} bytes after the end of the compressed data, as gzip and bzip2 do"));
        }
        notes
    }

    /// The next step; `None` when the log has everything.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>, ImportError> {
        if let Some(source) = self.broken.take() {
            return Err(ImportError::Read { path: self.path.clone(), line: self.at.lines as u64, source });
        }
        let from = self.at.clone();
        let mut step = Step::new(self.name.clone());
        self.at.finished = false;
        match self.fill(&mut step) {
            Ok(ended) => self.at.finished = ended,
            // What could be read is imported; the error comes after it.
            Err(error) => self.broken = Some(error),
        }
        self.at.hash = Some(self.lines.trail().hash());
        self.at.checks = self.lines.trail().checks().to_vec();
        let is_news = self.at.bytes > from.bytes || (self.at.finished && !from.finished && self.at.lines > 0);
        if !is_news {
            self.at = from;
            return if self.broken.is_some() { self.next() } else { Ok(None) };
        }
        let (mut records, rejected) = step.finish();
        records.push(position::record(&self.at));
        Ok(Some(Chunk { records, to: self.at.clone(), from, rejected }))
    }

    /// Takes lines in until the step is full or the file is at its end; whether it is.
    fn fill(&mut self, step: &mut Step) -> io::Result<bool> {
        if let Some(begun) = self.begun.take() {
            self.settle(&begun, step)?;
        }
        for _ in 0..CHUNK_LINES {
            if step.arena.len() >= self.step_bytes {
                return Ok(false);
            }
            let Some(line) = self.lines.next()? else { return Ok(true) };
            self.at.lines += 1;
            self.at.bytes += line.bytes as i64;
            let taken = take(&self.reading, step, &mut self.at, &mut self.seen, line.text);
            self.at.unfinished = if taken || line.is_ended { 0 } else { line.bytes as i64 };
        }
        Ok(false)
    }

    /// The rest of the line that an earlier import read without its end. If that was not an event, the whole line is read
    /// again; if it was, it is not counted again, and the rest is a dead letter.
    fn settle(&mut self, begun: &Begun, step: &mut Step) -> io::Result<()> {
        let rest = self.lines.rest_of(begun)?;
        self.at.bytes += rest.bytes as i64;
        let was_event = self.at.unfinished == 0;
        let mut taken = was_event;
        if !rest.text.is_empty() && was_event {
            step.reject(&mut self.at, rest.text, Rejection::continued());
        } else if !rest.text.is_empty() {
            taken = take(&self.reading, step, &mut self.at, &mut self.seen, rest.whole);
        }
        self.at.unfinished = if taken || rest.is_ended { 0 } else { rest.whole.len() as i64 };
        Ok(())
    }
}

/// Takes line number `at.lines` in; whether it is an event.
fn take(reading: &Reading, step: &mut Step, at: &mut ImportPosition, seen: &mut Seen, text: &[u8]) -> bool {
    match reading.event(text, at.lines, seen) {
        Ok(Some(event)) => {
            step.event(&event);
            at.events += 1;
            return true;
        }
        Ok(None) => {}
        Err(rejection) => step.reject(at, text, rejection),
    }
    false
}

/// The latest time of a file's events; `None` if it has no event.
pub(super) fn last_time(lines: &mut Lines<source::Bytes>, options: &Options) -> io::Result<Option<EventTime>> {
    let (reading, mut seen) = (Reading::new(options, "", 0), Seen::default());
    let (mut number, mut last) = (0, None);
    while let Some(line) = lines.next()? {
        number += 1;
        last = last.max(reading.event(line.text, number, &mut seen).ok().flatten().map(|event| event.time));
    }
    Ok(last)
}

/// Records under construction: their bytes are in one buffer.
struct Step {
    /// Of the file.
    name: Bytes,
    arena: Vec<u8>,
    made: Vec<Made>,
    rejected: Vec<Rejected>,
}

/// A record whose bytes end in the arena at `key` and `value`; they begin where those before end.
struct Made {
    key: usize,
    value: usize,
    /// Headers of a dead letter; an event has none.
    headers: Vec<(String, Option<Bytes>)>,
}

impl Step {
    fn new(name: Bytes) -> Self {
        Step { name, arena: Vec::with_capacity(1 << 20), made: Vec::with_capacity(1_024), rejected: Vec::new() }
    }

    fn event(&mut self, event: &RequestEvent) {
        self.arena.extend_from_slice(event.event_id.as_bytes());
        let key = self.arena.len();
        codec::encode_into(event, &mut self.arena);
        self.made.push(Made { key, value: self.arena.len(), headers: Vec::new() });
    }

    /// Adds a dead letter for line number `at.lines`, and counts it.
    fn reject(&mut self, at: &mut ImportPosition, text: &[u8], rejection: Rejection) {
        let key = self.arena.len();
        self.arena.extend_from_slice(text);
        let Rejection { class, message } = rejection;
        let header = |name: &str, value: Bytes| (name.to_owned(), Some(value));
        let headers = vec![
            header(dead_letter::FILE, self.name.clone()),
            header(dead_letter::LINE, Bytes::from(at.lines.to_string())),
            header(dead_letter::ERROR, Bytes::from_static(class.as_bytes())),
            header(dead_letter::MESSAGE, Bytes::from(message.clone())),
        ];
        self.made.push(Made { key, value: self.arena.len(), headers });
        if self.rejected.len() < FIRST_REJECTED {
            let is_malformed = matches!(class, "malformed-line" | "malformed-json" | "not-an-event");
            self.rejected.push(Rejected { line: at.lines as u64, message, is_malformed });
        }
        at.rejected += 1;
    }

    fn finish(self) -> (Vec<Outgoing>, Vec<Rejected>) {
        let arena = Bytes::from(self.arena);
        let mut begin = 0;
        let mut records = Vec::with_capacity(self.made.len() + 1);
        for Made { key, value, headers } in self.made {
            let is_event = headers.is_empty();
            records.push(Outgoing {
                topic: if is_event { Topic::RequestEvents } else { Topic::DeadLetters },
                partition: None,
                key: is_event.then(|| arena.slice(begin..key)),
                value: Some(arena.slice(key..value)),
                headers,
            });
            begin = value;
        }
        (records, self.rejected)
    }
}
