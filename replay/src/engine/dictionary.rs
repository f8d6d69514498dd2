//! Numbers for tuples of service, environment, endpoint, method and status code.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slipstream_schemas::EventTime;
use slipstream_schemas::event::EventView;

/// Tuples that are numbered before it begins anew: raw paths may be endpoints, and memory is bounded.
const CAPACITY: usize = 1 << 16;

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
    fn of(event: &EventView<'_>) -> Tuple {
        Tuple {
            service: event.service.as_ref().into(),
            environment: event.environment.as_ref().into(),
            endpoint: event.endpoint.as_ref().into(),
            method: event.method.as_ref().into(),
            status_code: event.status_code,
        }
    }

    fn is_of(&self, event: &EventView<'_>) -> bool {
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
}

impl Dictionary {
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
        self.tuples.len() >= CAPACITY
    }

    /// Begins anew; returns what was numbered.
    pub fn take(&mut self) -> Vec<Tuple> {
        let Dictionary { tuples, .. } = std::mem::take(self);
        tuples
    }
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
