//! From items to records of the log: decode, check, give an identity where there is none, encode. Pure but for the
//! identities, which are an argument.

use bytes::Bytes;
use serde::Deserialize;
use slipstream_log::Outgoing;
use slipstream_schemas::decode::{self, FromJson};
use slipstream_schemas::{RequestEvent, Topic, codec};

use crate::answer::{GivenId, ItemError};

/// A longer event_id is against the rules, and an answer is no place for it.
const SHOWN_ID_BYTES: usize = 128;

/// What became of a request's items.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Intake {
    /// Valid events, encoded and keyed by event_id.
    pub records: Vec<Outgoing>,
    /// The others.
    pub errors: Vec<ItemError>,
    /// Identities that were given.
    pub ids: Vec<GivenId>,
}

/// Where a record's key and value lie in the one buffer that all records of a request share.
struct Span {
    key: usize,
    value: usize,
    end: usize,
}

/// Takes all items in.
pub(super) fn take(items: &[&[u8]], mut new_id: impl FnMut() -> String) -> Intake {
    let mut intake = Intake::default();
    let mut buffer = Vec::with_capacity(items.iter().map(|i| i.len()).sum());
    let mut spans = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match decode::from_json(item, &mut new_id) {
            Ok(FromJson { event, given }) => {
                spans.push(encode(&event, &mut buffer));
                if given {
                    intake.ids.push(GivenId { index, event_id: event.event_id });
                }
            }
            Err(error) => intake.errors.push(ItemError {
                index,
                event_id: event_id_of(item),
                error: error.class.name().to_owned(),
                message: error.to_string(),
                field: error.field,
            }),
        }
    }
    let buffer = Bytes::from(buffer);
    intake.records = spans.iter().map(|span| record(&buffer, span)).collect();
    intake
}

/// The event_id of what is no valid event, if it has one that a sender would recognise.
fn event_id_of(item: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Identity {
        event_id: Option<String>,
    }
    let identity: Identity = serde_json::from_slice(item).ok()?;
    identity.event_id.filter(|id| id.len() <= SHOWN_ID_BYTES)
}

fn encode(event: &RequestEvent, buffer: &mut Vec<u8>) -> Span {
    let key = buffer.len();
    buffer.extend_from_slice(event.event_id.as_bytes());
    let value = buffer.len();
    codec::encode_into(event, buffer);
    Span { key, value, end: buffer.len() }
}

fn record(buffer: &Bytes, span: &Span) -> Outgoing {
    Outgoing {
        topic: Topic::RequestEvents,
        partition: None,
        key: Some(buffer.slice(span.key..span.value)),
        value: Some(buffer.slice(span.value..span.end)),
        headers: Vec::new(),
    }
}
