//! Numbers for tuples of service, environment, endpoint, method and status code.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slipstream_schemas::EventTime;
use slipstream_schemas::event::EventView;

/// Tuples that are numbered before it begins anew: raw paths may be endpoints, and memory is bounded.
const CAPACITY: usize = 1 << 16;
/// Likewise the bytes of their encodings.
const BYTES: usize = 8 << 20;

/// What few values of repeat over many events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// See [`EventView::service`].
    pub service: Box<str>,
    /// See [`EventView::environment`].
    pub environment: Box<str>,
    /// See [`EventView::endpoint`].
    pub endpoint: Box<str>,
    /// See [`EventView::method`].
    pub method: Box<str>,
    /// See [`EventView::status_code`].
    pub status_code: u16,
}

impl Tuple {
    /// That of an event.
    pub fn of(event: &EventView<'_>) -> Tuple {
        Tuple {
            service: event.service.as_ref().into(),
            environment: event.environment.as_ref().into(),
            endpoint: event.endpoint.as_ref().into(),
            method: event.method.as_ref().into(),
            status_code: event.status_code,
        }
    }

    /// Whether it is that of an event.
    pub fn is_of(&self, event: &EventView<'_>) -> bool {
        self.status_code == event.status_code
            && *self.endpoint == *event.endpoint
            && *self.service == *event.service
            && *self.method == *event.method
            && *self.environment == *event.environment
    }

    /// An event of it that says nothing else.
    pub fn event(&self) -> EventView<'_> {
        EventView {
            event_id: Cow::Borrowed(""),
            time: EventTime(0),
            service: Cow::Borrowed(&self.service),
            environment: Cow::Borrowed(&self.environment),
            endpoint: Cow::Borrowed(&self.endpoint),
            method: Cow::Borrowed(&self.method),
            status_code: self.status_code,
            latency_ms: None,
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes: Vec::new(),
        }
    }
}

/// Tuples by number, dense from 0.
#[derive(Debug, Default)]
pub struct Dictionary {
    tuples: Vec<Tuple>,
    hashes: Vec<u64>,
    index: HashTable<u32>,
    encoded: Encoded,
}

/// Tuples as events have them encoded: a tuple has one encoding, unless somebody's encoder is unusual.
#[derive(Debug, Default)]
struct Encoded {
    bytes: Vec<u8>,
    index: HashTable<Place>,
}

/// Where the bytes of a tuple are, and its number.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    start: u32,
    end: u32,
    number: u32,
}

impl Encoded {
    fn bytes(&self, place: &Place) -> &[u8] {
        &self.bytes[place.start as usize..place.end as usize]
    }

    fn find(&self, dimensions: &[u8]) -> Option<u32> {
        let found = self.index.find(hash_of(dimensions), |place| self.bytes(place) == dimensions);
        found.map(|place| place.number)
    }

    fn insert(&mut self, dimensions: &[u8], number: u32) {
        let (hash, start) = (hash_of(dimensions), self.bytes.len() as u32);
        self.bytes.extend_from_slice(dimensions);
        let place = Place { hash, start, end: self.bytes.len() as u32, number };
        self.index.insert_unique(hash, place, |place| place.hash);
    }
}

impl Dictionary {
    /// The number of the tuple of an event that was given as `dimensions` to [`Dictionary::remember`].
    pub fn known(&self, dimensions: &[u8]) -> Option<u32> {
        self.encoded.find(dimensions)
    }

    /// The number of a valid event's tuple, of which these are the dimensions as they are encoded. They are not known yet.
    pub fn remember(&mut self, dimensions: &[u8], event: &EventView<'_>) -> u32 {
        let number = self.number(event);
        self.encoded.insert(dimensions, number);
        number
    }

    /// The number of an event's tuple. Finding one allocates nothing.
    pub fn number(&mut self, event: &EventView<'_>) -> u32 {
        let hash = hash(event);
        if let Some(at) = self.index.find(hash, |at| self.tuples[*at as usize].is_of(event)) {
            return *at;
        }
        let at = self.tuples.len() as u32;
        self.tuples.push(Tuple::of(event));
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.index.insert_unique(hash, at, |at| hashes[*at as usize]);
        at
    }

    /// A tuple by its number.
    pub fn tuple(&self, number: u32) -> &Tuple {
        &self.tuples[number as usize]
    }

    /// Whether it is time to begin anew.
    pub fn is_full(&self) -> bool {
        self.tuples.len().max(self.encoded.index.len()) >= CAPACITY || self.encoded.bytes.len() >= BYTES
    }
}

fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

fn hash(event: &EventView<'_>) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    for part in [&event.service, &event.environment, &event.endpoint, &event.method] {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xFF);
    }
    hasher.write_u16(event.status_code);
    hasher.finish()
}
