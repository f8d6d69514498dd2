//! Raw events on their way into the store, packed: a few flat buffers however many events there are.

mod stored;

use std::borrow::Cow;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use slipstream_schemas::{EventTime, EventView, LogTime, RequestEvent};

use crate::spread::Spread;
pub(crate) use stored::Stored;

/// The dimensions that few values of repeat over many events; stored once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dimensions {
    /// See [`RequestEvent::service`].
    pub service: String,
    /// See [`RequestEvent::environment`].
    pub environment: String,
    /// See [`RequestEvent::endpoint`].
    pub endpoint: String,
    /// See [`RequestEvent::method`].
    pub method: String,
}

/// Decoded events, each with the place it has in the log.
#[derive(Debug, Clone, Default)]
pub struct Events {
    rows: Vec<Row>,
    text: String,
    /// Rows by event time, once they are arranged.
    order: Vec<u32>,
    spread: Spread,
    dimensions: Vec<Dimensions>,
    known: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

const NONE: Span = Span { start: u32::MAX, len: 0 };

#[derive(Debug, Clone, Copy)]
struct Row {
    time: EventTime,
    log_time: LogTime,
    offset: i64,
    partition: u32,
    dimensions: u32,
    latency_ms: Option<f64>,
    weight: u32,
    status_code: u16,
    trace_id: Option<[u8; 16]>,
    event_id: Span,
    user_ref: Span,
    attributes: Span,
}

/// An event inside [`Events`].
#[derive(Debug, Clone, Copy)]
pub struct EventRef<'a> {
    events: &'a Events,
    row: &'a Row,
}

impl Events {
    /// Without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Without events, with room for as many as others have.
    pub fn as_large_as(others: &Events) -> Self {
        let (rows, text) = (Vec::with_capacity(others.rows.len()), String::with_capacity(others.text.len()));
        Events { rows, text, ..Self::default() }
    }

    /// Adds an event of request-events. All together stay below 4 GiB of text.
    pub fn push(&mut self, partition: u32, offset: i64, log_time: LogTime, event: &EventView<'_>) {
        let row = Row {
            time: event.time,
            log_time,
            offset,
            partition,
            dimensions: self.intern(&event.service, &event.environment, &event.endpoint, &event.method),
            latency_ms: event.latency_ms,
            weight: event.weight,
            status_code: event.status_code,
            trace_id: event.trace_id.as_deref().and_then(trace_bytes),
            event_id: self.keep(Some(&event.event_id)),
            user_ref: self.keep(event.user_ref.as_deref()),
            attributes: self.keep_attributes(event),
        };
        self.add(row);
    }

    fn add(&mut self, row: Row) {
        self.spread.count(row.time, row.log_time, row.partition);
        self.rows.push(row);
    }

    /// The selected ones, in the same order.
    pub fn only(&self, wanted: impl Fn(EventRef<'_>) -> bool) -> Events {
        let mut only = Events::new();
        for event in self.iter().filter(|event| wanted(*event)) {
            let Dimensions { service, environment, endpoint, method } = event.dimensions();
            let row = Row {
                dimensions: only.intern(service, environment, endpoint, method),
                event_id: only.keep(Some(event.event_id())),
                user_ref: only.keep(event.user_ref()),
                attributes: only.keep(event.attributes_json()),
                ..*event.row
            };
            only.add(row);
        }
        only
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.rows.len() * std::mem::size_of::<Row>()
    }

    /// The events in the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = EventRef<'_>> + Clone {
        self.rows.iter().map(move |row| EventRef { events: self, row })
    }

    /// The n-th that was added, from 0.
    pub fn get(&self, n: u32) -> Option<EventRef<'_>> {
        self.rows.get(n as usize).map(|row| EventRef { events: self, row })
    }

    /// Sorts them by event time, for [`Events::by_time`]: a growing batch is sorted while the one before it is written.
    pub fn arrange(&mut self) {
        self.order = self.sorted();
    }

    /// The events in the order of their times, in which an index takes them best.
    pub fn by_time(&self) -> impl Iterator<Item = EventRef<'_>> {
        let arranged = self.order.len() == self.rows.len();
        let order = if arranged { Cow::Borrowed(&self.order[..]) } else { Cow::Owned(self.sorted()) };
        let indices = (0..order.len()).map(move |i| order[i] as usize);
        indices.map(|i| EventRef { events: self, row: &self.rows[i] })
    }

    fn sorted(&self) -> Vec<u32> {
        let mut keys: Vec<(EventTime, u32)> = self.rows.iter().zip(0..).map(|(row, i)| (row.time, i)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, i)| i).collect()
    }

    /// Which minutes and days they fall into.
    pub fn spread(&self) -> &Spread {
        &self.spread
    }

    /// Every distinct tuple of dimensions; [`EventRef::dimensions_index`] points into it.
    pub fn dimensions(&self) -> &[Dimensions] {
        &self.dimensions
    }

    fn intern(&mut self, service: &str, environment: &str, endpoint: &str, method: &str) -> u32 {
        let hash = self.hasher.hash_one((service, environment, endpoint, method));
        let same = |d: &Dimensions| {
            d.endpoint == endpoint && d.service == service && d.method == method && d.environment == environment
        };
        if let Some(known) = self.known.find(hash, |i| same(&self.dimensions[*i as usize])) {
            return *known;
        }
        let index = self.dimensions.len() as u32;
        self.dimensions.push(Dimensions {
            service: service.to_owned(),
            environment: environment.to_owned(),
            endpoint: endpoint.to_owned(),
            method: method.to_owned(),
        });
        let (hasher, dimensions) = (&self.hasher, &self.dimensions);
        self.known.insert_unique(hash, index, |i| {
            let d = &dimensions[*i as usize];
            hasher.hash_one((d.service.as_str(), d.environment.as_str(), d.endpoint.as_str(), d.method.as_str()))
        });
        index
    }

    fn keep(&mut self, text: Option<&str>) -> Span {
        let Some(text) = text else { return NONE };
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span { start, len: text.len() as u32 }
    }

    /// Attributes as a JSON object, keys in the event's order; nothing when there are none.
    fn keep_attributes(&mut self, event: &EventView<'_>) -> Span {
        if event.attributes.is_empty() {
            return NONE;
        }
        let start = self.text.len();
        for (i, (key, value)) in event.attributes.iter().enumerate() {
            self.text.push(if i == 0 { '{' } else { ',' });
            push_json(&mut self.text, key);
            self.text.push(':');
            push_json(&mut self.text, value);
        }
        self.text.push('}');
        Span { start: start as u32, len: (self.text.len() - start) as u32 }
    }

    fn slice(&self, span: Span) -> Option<&str> {
        self.text.get(span.start as usize..span.start as usize + span.len as usize)
    }
}

/// A JSON string (RFC 8259): quotes, backslashes and control characters are escaped.
fn push_json(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (i, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..i]);
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            _ => out.push_str(&format!("\\u{byte:04x}")),
        }
        plain = i + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

impl<'a> EventRef<'a> {
    /// Partition of request-events.
    pub fn partition(&self) -> u32 {
        self.row.partition
    }

    /// Offset there.
    pub fn offset(&self) -> i64 {
        self.row.offset
    }

    /// When the log took it.
    pub fn log_time(&self) -> LogTime {
        self.row.log_time
    }

    /// When the request ended, by its producer.
    pub fn time(&self) -> EventTime {
        self.row.time
    }

    /// Index into [`Events::dimensions`].
    pub fn dimensions_index(&self) -> usize {
        self.row.dimensions as usize
    }

    /// Service, environment, endpoint, method.
    pub fn dimensions(&self) -> &'a Dimensions {
        &self.events.dimensions[self.row.dimensions as usize]
    }

    /// See [`RequestEvent::status_code`].
    pub fn status_code(&self) -> u16 {
        self.row.status_code
    }

    /// See [`RequestEvent::latency_ms`].
    pub fn latency_ms(&self) -> Option<f64> {
        self.row.latency_ms
    }

    /// See [`RequestEvent::weight`].
    pub fn weight(&self) -> u32 {
        self.row.weight
    }

    /// See [`RequestEvent::event_id`].
    pub fn event_id(&self) -> &'a str {
        self.events.slice(self.row.event_id).unwrap_or_default()
    }

    /// The bytes of [`RequestEvent::trace_id`].
    pub fn trace_id(&self) -> Option<[u8; 16]> {
        self.row.trace_id
    }

    /// See [`RequestEvent::user_ref`].
    pub fn user_ref(&self) -> Option<&'a str> {
        self.events.slice(self.row.user_ref)
    }

    /// See [`RequestEvent::attributes`], as a JSON object; `None` if there are none.
    pub fn attributes_json(&self) -> Option<&'a str> {
        self.events.slice(self.row.attributes)
    }

    /// An owned copy.
    pub fn to_event(&self) -> RequestEvent {
        let dimensions = self.dimensions();
        RequestEvent {
            event_id: self.event_id().to_owned(),
            time: self.time(),
            service: dimensions.service.clone(),
            environment: dimensions.environment.clone(),
            endpoint: dimensions.endpoint.clone(),
            method: dimensions.method.clone(),
            status_code: i32::from(self.status_code()),
            latency_ms: self.latency_ms(),
            weight: self.weight() as i32,
            trace_id: self.trace_id().map(|bytes| format!("{:032x}", u128::from_be_bytes(bytes))),
            user_ref: self.user_ref().map(str::to_owned),
            attributes: self.attributes_json().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default(),
        }
    }
}

/// 32 hex digits in half the space.
pub fn trace_bytes(hex: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != 16 || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(bytes)
}

fn digit(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'a'..=b'f' => Some(hex - b'a' + 10),
        _ => None,
    }
}
