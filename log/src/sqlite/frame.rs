//! How records lie in a row: one after the other, lengths as varints, compressed where it helps.
//!
//! ```text
//! record = part(key) part(value) varint(headers) { varint(len) name varint(len) value }, where a header without a value has
//! the length [`NO_VALUE`]
//! part   = varint(0) when absent, else varint(len + 1) bytes
//! ```
//! Offset and log time are the row's: record i of a row has offset base + i.

use bytes::Bytes;
use slipstream_schemas::topics::Kept;
use slipstream_schemas::{LogTime, Topic};

use crate::batch::Batch;
use crate::port::{Fetch, Offset, Outgoing, TopicPartition};

/// Rows hold about this many bytes before compression: the least that is read to deliver one record.
pub(super) const ROW_BYTES: usize = 256 << 10;

/// Shorter ones are stored as they are.
const WORTH_COMPRESSING: usize = 128;

/// Consecutive records of one partition, encoded. On a compacted topic one record, with its key.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) place: TopicPartition,
    pub(super) count: u32,
    pub(super) key: Option<Bytes>,
    pub(super) tombstone: bool,
    pub(super) data: Vec<u8>,
}

/// The records of a write as frames, and the frame of each record.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) frames: Vec<Frame>,
    pub(super) frame_of: Vec<u32>,
}

impl Frames {
    /// Encodes records whose partition is chosen.
    pub(super) fn encode(records: &[Outgoing]) -> Frames {
        let mut all = Frames { frames: Vec::new(), frame_of: Vec::with_capacity(records.len()) };
        let mut open: Vec<(TopicPartition, u32)> = Vec::new();
        for record in records {
            let place = TopicPartition { topic: record.topic, partition: record.partition.unwrap_or(0) };
            let index =
                if compacted(record.topic) { all.begin(place, Some(record)) } else { all.frame(&mut open, place) };
            let frame = &mut all.frames[index as usize];
            put_record(&mut frame.data, record);
            frame.count += 1;
            all.frame_of.push(index);
        }
        all
    }

    /// Encoded size.
    pub(super) fn bytes(&self) -> usize {
        self.frames.iter().map(|f| f.data.len()).sum()
    }

    fn frame(&mut self, open: &mut Vec<(TopicPartition, u32)>, place: TopicPartition) -> u32 {
        let found = open.iter_mut().find(|(p, _)| *p == place);
        match found {
            Some((_, index)) if self.frames[*index as usize].data.len() < ROW_BYTES => *index,
            Some((_, index)) => {
                *index = self.begin(place, None);
                *index
            }
            None => {
                let index = self.begin(place, None);
                open.push((place, index));
                index
            }
        }
    }

    fn begin(&mut self, place: TopicPartition, keyed: Option<&Outgoing>) -> u32 {
        let key = keyed.and_then(|r| r.key.clone());
        let tombstone = keyed.is_some_and(|r| r.value.is_none());
        self.frames.push(Frame { place, count: 0, key, tombstone, data: Vec::new() });
        (self.frames.len() - 1) as u32
    }
}

/// Whether only the newest record of each key is kept.
pub(super) fn compacted(topic: Topic) -> bool {
    matches!(topic.spec().kept, Kept::Compacted { .. })
}

/// Length of a header that has no value. No value is that long, and files that older versions wrote have no such header.
const NO_VALUE: u64 = u32::MAX as u64;

fn put_record(out: &mut Vec<u8>, record: &Outgoing) {
    put_part(out, record.key.as_deref());
    put_part(out, record.value.as_deref());
    put_varint(out, record.headers.len() as u64);
    for (name, value) in &record.headers {
        put_varint(out, name.len() as u64);
        out.extend_from_slice(name.as_bytes());
        put_varint(out, value.as_ref().map_or(NO_VALUE, |value| value.len() as u64));
        out.extend_from_slice(value.as_deref().unwrap_or_default());
    }
}

fn put_part(out: &mut Vec<u8>, part: Option<&[u8]>) {
    match part {
        None => put_varint(out, 0),
        Some(bytes) => {
            put_varint(out, bytes.len() as u64 + 1);
            out.extend_from_slice(bytes);
        }
    }
}

fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A row's data as it is stored: compressed when that makes it smaller by a tenth. True: compressed.
pub(super) fn pack<'a>(data: &'a [u8], scratch: &'a mut Vec<u8>) -> (bool, &'a [u8]) {
    if data.len() < WORTH_COMPRESSING {
        return (false, data);
    }
    scratch.resize(lz4_flex::block::get_maximum_output_size(data.len()), 0);
    match lz4_flex::block::compress_into(data, scratch) {
        Ok(n) if n < data.len() - data.len() / 10 => (true, &scratch[..n]),
        _ => (false, data),
    }
}

/// A row as read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) base: Offset,
    pub(super) log_time: LogTime,
    pub(super) compressed: bool,
    /// Size of the data before compression.
    pub(super) raw: usize,
    pub(super) data: &'a [u8],
}

/// A row that does not say what a row must.
#[derive(Debug)]
pub(super) struct Damaged;

impl Row<'_> {
    /// Adds the row's records of `[from, to)` to a batch until it holds what `fetch` allows. False: it is full.
    pub(super) fn deliver(
        &self,
        batch: &mut Batch,
        (from, to): (Offset, Offset),
        fetch: Fetch,
        scratch: &mut Vec<u8>,
    ) -> Result<bool, Damaged> {
        let mut rest = self.unpack(scratch)?;
        let mut offset = self.base;
        let mut headers = Vec::new();
        while !rest.is_empty() && offset < to {
            if batch.len() >= fetch.records.max(1) || (!batch.is_empty() && batch.bytes() >= fetch.bytes) {
                return Ok(false);
            }
            let (key, value) = (take_part(&mut rest)?, take_part(&mut rest)?);
            take_headers(&mut rest, &mut headers)?;
            if offset >= from {
                batch.push(offset, self.log_time, key, value, headers.drain(..));
            }
            offset += 1;
        }
        Ok(true)
    }

    fn unpack<'s>(&'s self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], Damaged> {
        if !self.compressed {
            return Ok(self.data);
        }
        scratch.resize(self.raw, 0);
        let n = lz4_flex::block::decompress_into(self.data, scratch).map_err(|_| Damaged)?;
        if n == self.raw { Ok(&scratch[..n]) } else { Err(Damaged) }
    }
}

fn take<'a>(from: &mut &'a [u8], n: usize) -> Result<&'a [u8], Damaged> {
    let (taken, rest) = from.split_at_checked(n).ok_or(Damaged)?;
    *from = rest;
    Ok(taken)
}

fn take_varint(from: &mut &[u8]) -> Result<usize, Damaged> {
    let mut n = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(from, 1)?[0];
        n |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(n).map_err(|_| Damaged);
        }
    }
    Err(Damaged)
}

fn take_part<'a>(from: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Damaged> {
    match take_varint(from)? {
        0 => Ok(None),
        n => take(from, n - 1).map(Some),
    }
}

fn take_headers<'a>(from: &mut &'a [u8], out: &mut Vec<(&'a str, Option<&'a [u8]>)>) -> Result<(), Damaged> {
    out.clear();
    for _ in 0..take_varint(from)? {
        let len = take_varint(from)?;
        let name = std::str::from_utf8(take(from, len)?).map_err(|_| Damaged)?;
        let value = match take_varint(from)? {
            len if len as u64 == NO_VALUE => None,
            len => Some(take(from, len)?),
        };
        out.push((name, value));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Outgoing> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        let headers = prop::collection::vec(("[a-z]{0,4}", prop::option::of(bytes())), 0..3);
        (0u32..3, prop::option::of(bytes()), prop::option::of(bytes()), headers).prop_map(|(p, key, value, headers)| {
            Outgoing { topic: Topic::RequestEvents, partition: Some(p), key, value, headers }
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back_whole_and_in_ranges(
            records in prop::collection::vec(record(), 1..40), cut in 0usize..40, most in 1usize..50,
        ) {
            let all = Frames::encode(&records);
            for frame in &all.frames {
                let mine: Vec<_> = records.iter().filter(|r| r.partition == Some(frame.place.partition)).collect();
                prop_assert_eq!(mine.len(), frame.count as usize);
                let (mut packed, mut scratch) = (Vec::new(), Vec::new());
                let (compressed, data) = pack(&frame.data, &mut packed);
                let row = Row { base: 100, log_time: LogTime(5), compressed, raw: frame.data.len(), data };
                let from = 100 + cut.min(mine.len() - 1) as i64;
                let mut batch = Batch::new(frame.place, from);
                let fetch = Fetch { records: most, bytes: 1 << 20 };
                row.deliver(&mut batch, (from, i64::MAX), fetch, &mut scratch).unwrap();
                let want: Vec<_> = mine.iter().skip((from - 100) as usize).take(most).collect();
                prop_assert_eq!(batch.len(), want.len());
                for (i, (got, want)) in batch.iter().zip(want).enumerate() {
                    prop_assert_eq!(got.offset(), from + i as i64);
                    prop_assert_eq!(got.key(), want.key.as_deref());
                    prop_assert_eq!(got.value(), want.value.as_deref());
                    let headers: Vec<_> = got.headers().map(|(n, v)| (n.to_owned(), v.map(Bytes::copy_from_slice))).collect();
                    prop_assert_eq!(&headers, &want.headers);
                }
            }
        }

        #[test]
        fn damaged_rows_are_errors_not_panics(data in prop::collection::vec(any::<u8>(), 0..200), compressed: bool, raw in 0usize..500) {
            let row = Row { base: 0, log_time: LogTime(0), compressed, raw, data: &data };
            let place = TopicPartition { topic: Topic::RequestEvents, partition: 0 };
            let _ = row.deliver(&mut Batch::new(place, 0), (0, i64::MAX), Fetch::default(), &mut Vec::new());
        }
    }
}
