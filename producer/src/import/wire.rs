//! A step of an import on its way to a gateway: JSON lines. The first says which file and which part of it; each of the
//! others is an event, as `POST /v1/events` takes it, or a line that was rejected.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slipstream_log::Outgoing;
use slipstream_schemas::records::ImportPosition;
use slipstream_schemas::{RequestEvent, Topic, codec, dead_letter, decode};

use super::lines::LINE_BYTES;
use super::{position, standing, trail};

/// The first line: where the file stood before the step, and where it stands behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Range {
    pub from: ImportPosition,
    pub to: ImportPosition,
}

/// What a gateway answers to the head of a file: the positions of files that begin like it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub positions: Vec<ImportPosition>,
}

/// What a gateway answers to a step.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stands {
    /// Where the file stands now; `None` if it is not known.
    pub position: Option<ImportPosition>,
    /// Why the step was refused, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A line that could not be read.
#[derive(Debug, Serialize, Deserialize)]
struct Rejected {
    rejected: Line,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    line: String,
    class: String,
    message: String,
    /// The line's bytes, in hex.
    text: String,
}

/// A step as a body. The position among its records goes without saying.
pub(super) fn body(
    records: &[Outgoing],
    from: &ImportPosition,
    to: &ImportPosition,
) -> Result<Vec<u8>, codec::CodecError> {
    let mut body = Vec::with_capacity(64 << 10);
    append(&mut body, &Range { from: from.clone(), to: to.clone() });
    for record in records {
        let value = record.value.as_deref().unwrap_or_default();
        match record.topic {
            Topic::RequestEvents => append(&mut body, &codec::decode::<RequestEvent>(value)?),
            Topic::DeadLetters => append(&mut body, &Rejected { rejected: line(record, value) }),
            _ => {}
        }
    }
    Ok(body)
}

fn append(body: &mut Vec<u8>, line: &impl Serialize) {
    // Neither a vector nor these types can fail.
    let _ = serde_json::to_writer(&mut *body, line);
    body.push(b'\n');
}

fn line(record: &Outgoing, value: &[u8]) -> Line {
    let header = |name: &str| {
        let found = record.headers.iter().find(|(header, _)| header == name);
        let value = found.and_then(|(_, value)| value.as_deref()).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    };
    let text = value.iter().map(|byte| format!("{byte:02x}")).collect();
    Line {
        line: header(dead_letter::LINE),
        class: header(dead_letter::ERROR),
        message: header(dead_letter::MESSAGE),
        text,
    }
}

/// Bytes of the first line: two positions, each with its path and its checks.
const RANGE_BYTES: usize = 128 << 10;
/// Bytes of a path: what Linux allows.
const PATH_BYTES: usize = 4 << 10;
/// Bytes of a dead letter's text: a line, or the beginning of one and what came later.
const TEXT_BYTES: usize = 2 * LINE_BYTES;
/// Digits of a line's number.
const NUMBER_BYTES: usize = 20;
/// Bytes of the name of an error's class.
const CLASS_BYTES: usize = 64;
/// Bytes of a message: ours have up to 460 characters, each of which may be written as an escape.
const MESSAGE_BYTES: usize = 4 << 10;

/// Behind this begins a line that was rejected.
const REJECTED: &[u8] = br#"{"rejected":"#;

/// What the records of an event and of a rejected line hold at most, and a copy of them, which is made for each attempt to
/// commit: vectors, headers, and what allocations take besides their bytes.
const EVENT_COST: usize = 512;
const REJECTED_COST: usize = 1_280;

/// What a step takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Events and rejected lines.
    pub lines: usize,
    /// What [`step`] may allocate, and one copy of what it returns, in bytes.
    pub bytes: usize,
}

/// Looks over a body without taking any of it in.
pub(crate) fn cost(body: &[u8]) -> Cost {
    let mut cost = Cost { lines: 0, bytes: 2 * body.len() };
    for line in lines(body).skip(1) {
        cost.lines += 1;
        cost.bytes += if line.starts_with(REJECTED) { REJECTED_COST } else { EVENT_COST };
    }
    cost
}

fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// A body as a step: which part of which file, and its records with the position last. Checked as whatever comes from
/// elsewhere: events keep the rules, texts are no longer than ours, and there are as many lines as the positions say.
///
/// # Errors
/// Says which line is wrong, and why.
pub(crate) fn step(body: &[u8]) -> Result<(Range, Vec<Outgoing>), String> {
    let first = lines(body).next().ok_or("the body is empty")?;
    let range = range(first).map_err(|why| format!("line 1: not a file range: {why}"))?;
    let Range { from, to } = &range;
    let path = Bytes::copy_from_slice(to.path.as_bytes());
    let (mut records, mut events, mut rejected) = (Vec::with_capacity(lines(body).count()), 0, 0);
    for (index, line) in lines(body).enumerate().skip(1) {
        let record = match line.starts_with(REJECTED) {
            true => dead(line, &path).inspect(|_| rejected += 1),
            false => event(line).inspect(|_| events += 1),
        };
        records.push(record.map_err(|why| format!("line {}: {why}", index + 1))?);
    }
    let counts = (to.events.checked_sub(from.events), to.rejected.checked_sub(from.rejected));
    if counts != (Some(events), Some(rejected)) || to.bytes < from.bytes || to.lines < from.lines {
        return Err("line 1: not a file range: the range does not match the lines that follow".to_owned());
    }
    records.push(position::record(to));
    Ok((range, records))
}

fn range(line: &[u8]) -> Result<Range, String> {
    fits("it", line, RANGE_BYTES)?;
    let range: Range = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    let Range { from, to } = &range;
    if to.file != from.file || !standing::is_name(&to.file) {
        return Err("`file` must be a SHA-256 in hex, in both positions the same".to_owned());
    }
    for position in [from, to] {
        fits("`path`", position.path.as_bytes(), PATH_BYTES)?;
        fits("`checks`", &position.checks, trail::MOST_CHECKS)?;
        let ImportPosition { head, lines, bytes, events, rejected, unfinished, .. } = position;
        if [head, lines, bytes, events, rejected, unfinished].into_iter().any(|number| *number < 0) {
            return Err("a number is negative".to_owned());
        }
    }
    Ok(range)
}

fn fits<T>(what: &str, given: &[T], most: usize) -> Result<(), String> {
    match given.len() {
        length if length > most => Err(format!("{what} has a length of {length}, at most {most} are allowed")),
        _ => Ok(()),
    }
}

fn event(line: &[u8]) -> Result<Outgoing, String> {
    let decoded = decode::from_json(line, String::new).map_err(|e| e.to_string())?;
    let event = decoded.event;
    Ok(Outgoing {
        topic: Topic::RequestEvents,
        partition: None,
        key: Some(Bytes::copy_from_slice(event.event_id.as_bytes())),
        value: Some(Bytes::from(codec::encode(&event))),
        headers: Vec::new(),
    })
}

fn dead(line: &[u8], path: &Bytes) -> Result<Outgoing, String> {
    let Rejected { rejected } = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    let Line { line, class, message, text } = rejected;
    fits("`line`", line.as_bytes(), NUMBER_BYTES)?;
    fits("`class`", class.as_bytes(), CLASS_BYTES)?;
    fits("`message`", message.as_bytes(), MESSAGE_BYTES)?;
    fits("`text`", text.as_bytes(), 2 * TEXT_BYTES)?;
    let digits = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    let text: Vec<u8> = digits.collect::<Option<_>>().ok_or("`text`: not hex digits")?;
    let header = |name: &str, value: Bytes| (name.to_owned(), Some(value));
    Ok(Outgoing {
        topic: Topic::DeadLetters,
        partition: None,
        key: None,
        value: Some(Bytes::from(text)),
        headers: vec![
            header(dead_letter::FILE, path.clone()),
            header(dead_letter::LINE, Bytes::from(line)),
            header(dead_letter::ERROR, Bytes::from(class)),
            header(dead_letter::MESSAGE, Bytes::from(message)),
        ],
    })
}
