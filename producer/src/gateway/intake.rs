//! From items to records of the log: decode, check, assign an id if there is none, encode. Pure except for the
//! identities and the time, which are arguments.

use bytes::Bytes;
use slipstream_log::Outgoing;
use slipstream_schemas::decode::{self, EVENT_BYTES, EventError, FromJson};
use slipstream_schemas::{EventTime, RequestEvent, Topic, codec};

use serde::Deserialize;

use super::budget::{Budget, Full, Reservation};
use super::held::Held;
use super::odd_times::OddTimes;
use crate::answer::{ERRORS, GivenId, ItemError};

/// A longer event_id is invalid, and does not belong in a response.
const SHOWN_ID_BYTES: usize = 128;

/// What an event's record may be longer than its JSON: key and value have its identity each, which may be one that it was
/// given; header and defaults.
const RECORD_OVERHEAD: usize = 512;

/// The memory of an assigned id: its text, its place.
const GIVEN_ID_BYTES: usize = size_of::<GivenId>() + 48;

/// The outcome of a request's items.
#[derive(Debug)]
pub(super) struct Intake {
    /// Valid events, encoded and keyed by event_id.
    pub records: Vec<Outgoing>,
    /// How many events are wrong.
    pub rejected: u64,
    /// What is wrong with the first of them.
    pub errors: Vec<ItemError>,
    /// Ids that were assigned.
    pub ids: Vec<GivenId>,
    /// Valid events whose time looks wrong.
    pub odd_times: OddTimes,
    /// The memory of `records` and `ids` in addition to the records' bytes.
    room: Reservation,
}

/// Where a record's key and value are in the one buffer that all records of a request share.
struct Span {
    key: usize,
    value: usize,
    end: usize,
}

/// Takes all items in.
pub(super) fn take(
    items: &[&[u8]],
    now: EventTime,
    budget: &Budget,
    mut new_id: impl FnMut() -> String,
) -> Result<Intake, Full> {
    let mut intake = Intake::new(now, budget);
    intake.room.grow(items.len() * (size_of::<Span>() + size_of::<Outgoing>()))?;
    let mut buffer = Held::new(budget, usize::MAX);
    let mut spans = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match decode::from_json(item, &mut new_id) {
            Ok(FromJson { event, given }) => {
                intake.odd_times.note(index, event.time);
                spans.push(encode(&event, item.len(), &mut buffer)?);
                if given {
                    intake.give(index, event.event_id)?;
                }
            }
            Err(error) => intake.reject(index, item, error),
        }
    }
    let buffer = buffer.into_bytes();
    let slice = |from, to| Some(buffer.slice(from..to));
    let records = spans.iter().map(|span| Outgoing {
        topic: Topic::RequestEvents,
        partition: None,
        key: slice(span.key, span.value),
        value: slice(span.value, span.end),
        headers: Vec::new(),
    });
    intake.records = records.collect();
    Ok(intake)
}

impl Intake {
    /// The records, and a part of the buffer that they lie in: whoever has it keeps the room, also when the log has dropped
    /// the records.
    pub(super) fn take_records(&mut self) -> (Vec<Outgoing>, Option<Bytes>) {
        let records = std::mem::take(&mut self.records);
        let buffer = records.first().and_then(|record| record.value.clone());
        (records, buffer)
    }

    fn new(now: EventTime, budget: &Budget) -> Self {
        Intake {
            records: Vec::new(),
            rejected: 0,
            errors: Vec::new(),
            ids: Vec::new(),
            odd_times: OddTimes::new(now),
            room: budget.open(),
        }
    }

    fn give(&mut self, index: usize, event_id: String) -> Result<(), Full> {
        if self.ids.len() == self.ids.capacity() {
            // As many as there are again, which is how a vector grows.
            self.room.grow(self.ids.len().max(4) * GIVEN_ID_BYTES)?;
        }
        self.ids.push(GivenId { index, event_id });
        Ok(())
    }

    fn reject(&mut self, index: usize, item: &[u8], error: EventError) {
        self.rejected += 1;
        if self.errors.len() < ERRORS {
            self.errors.push(ItemError {
                index,
                event_id: event_id_of(item),
                error: error.class.name().to_owned(),
                message: error.to_string(),
                field: error.field,
            });
        }
    }
}

/// The event_id of what is not a valid event, if it has one that a sender would recognise. What is too long to be an event is
/// not looked into: to parse it could take memory of twice its length.
fn event_id_of(item: &[u8]) -> Option<String> {
    if item.len() > EVENT_BYTES {
        return None;
    }
    #[derive(Deserialize)]
    struct Identity {
        event_id: Option<String>,
    }
    let identity: Identity = serde_json::from_slice(item).ok()?;
    identity.event_id.filter(|id| id.len() <= SHOWN_ID_BYTES)
}

fn encode(event: &RequestEvent, json_bytes: usize, buffer: &mut Held) -> Result<Span, Full> {
    let key = buffer.len();
    let value = key + event.event_id.len();
    buffer.append(json_bytes + RECORD_OVERHEAD, |buffer| {
        buffer.extend_from_slice(event.event_id.as_bytes());
        codec::encode_into(event, buffer);
    })?;
    Ok(Span { key, value, end: buffer.len() })
}
