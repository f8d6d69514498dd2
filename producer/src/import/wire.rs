//! A step of an import on its way to a gateway: JSON lines. The first says which file and which part of it; each of the
//! others is an event, as `POST /v1/events` takes it, or a line that was rejected.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slipstream_log::Outgoing;
use slipstream_schemas::records::ImportPosition;
use slipstream_schemas::{RequestEvent, Topic, codec, dead_letter, decode};

use super::position;

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
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    let text = value.iter().map(|byte| format!("{byte:02x}")).collect();
    Line {
        line: header(dead_letter::LINE),
        class: header(dead_letter::ERROR),
        message: header(dead_letter::MESSAGE),
        text,
    }
}

/// A body as a step: which part of which file, and its records with the position last. Checked as whatever comes from
/// elsewhere: events keep the rules, and there are as many as the positions say.
pub(crate) fn step(body: &[u8]) -> Result<(Range, Vec<Outgoing>), String> {
    let mut lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next().ok_or("the body is empty")?;
    let range: Range = serde_json::from_slice(first).map_err(|e| format!("line 1: no range of a file: {e}"))?;
    let Range { from, to } = &range;
    let (mut records, mut events, mut rejected) = (Vec::new(), 0, 0);
    for (index, line) in lines.enumerate() {
        let record = match line.starts_with(br#"{"rejected":"#) {
            true => dead(line, to).inspect(|_| rejected += 1),
            false => event(line).inspect(|_| events += 1),
        };
        records.push(record.map_err(|why| format!("line {}: {why}", index + 2))?);
    }
    let counts = (to.events - from.events, to.rejected - from.rejected);
    if counts != (events, rejected) || to.file != from.file || to.bytes < from.bytes || to.lines < from.lines {
        return Err("line 1: the range is not that of the lines behind it".to_owned());
    }
    records.push(position::record(to));
    Ok((range, records))
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

fn dead(line: &[u8], to: &ImportPosition) -> Result<Outgoing, String> {
    let Rejected { rejected } = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    let Line { line, class, message, text } = rejected;
    let digits = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    let text: Vec<u8> = digits.collect::<Option<_>>().ok_or("text: no hex digits")?;
    let header = |name: &str, value: String| (name.to_owned(), Bytes::from(value));
    Ok(Outgoing {
        topic: Topic::DeadLetters,
        partition: None,
        key: None,
        value: Some(Bytes::from(text)),
        headers: vec![
            header(dead_letter::FILE, to.path.clone()),
            header(dead_letter::LINE, line),
            header(dead_letter::ERROR, class),
            header(dead_letter::MESSAGE, message),
        ],
    })
}
