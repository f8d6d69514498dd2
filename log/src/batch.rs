//! Records of one partition, packed into one buffer: reading a million of them allocates nothing per record.

use slipstream_schemas::LogTime;

use crate::place::{Offset, TopicPartition};

/// Records of one partition in offset order.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Where they came from.
    pub partition: TopicPartition,
    /// Offset at which to continue: after the last record, or further if the log has gaps (aborted, compacted).
    pub next: Offset,
    arena: Vec<u8>,
    index: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

const NONE: Span = Span { start: u32::MAX, len: 0 };

#[derive(Debug, Clone)]
struct Entry {
    offset: Offset,
    log_time: LogTime,
    key: Span,
    value: Span,
    headers: Option<Box<[(Span, Span)]>>,
}

/// A record inside a [`Batch`].
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    batch: &'a Batch,
    entry: &'a Entry,
}

impl Batch {
    /// An empty batch that continues at `next`.
    pub fn new(partition: TopicPartition, next: Offset) -> Self {
        Batch { partition, next, arena: Vec::new(), index: Vec::new() }
    }

    /// Makes room for so many bytes of records, and an eighth more.
    pub fn reserve(&mut self, bytes: usize, records: usize) {
        self.arena.reserve(bytes + bytes / 8);
        self.index.reserve(records + records / 8);
    }

    /// Adds a record; `next` moves behind it. The whole batch stays below 4 GiB.
    pub fn push<'h>(
        &mut self,
        offset: Offset,
        log_time: LogTime,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
    ) {
        let key = self.store(key);
        let value = self.store(value);
        let mut spans = Vec::new();
        for (name, value) in headers {
            spans.push((self.store(Some(name.as_bytes())), self.store(value)));
        }
        let headers = if spans.is_empty() { None } else { Some(spans.into_boxed_slice()) };
        self.index.push(Entry { offset, log_time, key, value, headers });
        self.next = offset + 1;
    }

    fn store(&mut self, bytes: Option<&[u8]>) -> Span {
        let Some(bytes) = bytes else { return NONE };
        let start = self.arena.len() as u32;
        self.arena.extend_from_slice(bytes);
        Span { start, len: bytes.len() as u32 }
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// The records in offset order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RecordRef<'_>> + Clone {
        self.index.iter().map(move |entry| RecordRef { batch: self, entry })
    }

    /// The i-th record.
    pub fn get(&self, i: usize) -> Option<RecordRef<'_>> {
        self.index.get(i).map(|entry| RecordRef { batch: self, entry })
    }
}

impl<'a> RecordRef<'a> {
    /// Its offset.
    pub fn offset(&self) -> Offset {
        self.entry.offset
    }

    /// Its log time, as a running maximum over the partition.
    pub fn log_time(&self) -> LogTime {
        self.entry.log_time
    }

    /// Its key.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.slice(self.entry.key)
    }

    /// Its value.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.slice(self.entry.value)
    }

    /// Its headers in order; `None` if a header has no value (Kafka tells that from an empty one). A name that is not UTF-8 has
    /// replacement characters in it, put there by the adapter.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> + use<'a> {
        let batch = self.batch;
        self.entry
            .headers
            .iter()
            .flat_map(|h| h.iter())
            .map(move |(name, value)| (std::str::from_utf8(batch.bytes_of(*name)).unwrap_or("?"), batch.part(*value)))
    }

    /// The value of the first header of a name; `None` if there is none, or it has no value.
    pub fn header(&self, wanted: &str) -> Option<&'a [u8]> {
        self.headers().find(|(name, _)| *name == wanted).and_then(|(_, value)| value)
    }

    fn slice(&self, span: Span) -> Option<&'a [u8]> {
        self.batch.part(span)
    }
}

impl Batch {
    fn part(&self, span: Span) -> Option<&[u8]> {
        (span.start != u32::MAX).then(|| self.bytes_of(span))
    }

    fn bytes_of(&self, span: Span) -> &[u8] {
        &self.arena[span.start as usize..(span.start + span.len) as usize]
    }
}
