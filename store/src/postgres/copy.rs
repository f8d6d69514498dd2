//! Raw events in the binary format of COPY (PostgreSQL manual, COPY, "Binary Format"): a header, then per row the number
//! of columns and each column's length and bytes.
//!
//! Written by hand: a row needs no separate buffer, and is sent in large pieces.

use bytes::{BufMut, Bytes, BytesMut};
use futures::SinkExt;
use tokio_postgres::{CopyInSink, Error};

use super::stamp::Stamp;
use crate::events::{EventRef, Events};

/// What the rows are for.
pub const STATEMENT: &str = "COPY events (\"time\", log_time, \"offset\", latency_ms, partition, dimensions, weight, \
                             status_code, trace_id, event_id, user_ref, attributes, epoch) FROM STDIN BINARY";
const COLUMNS: i16 = 13;
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const NULL: i32 = -1;
const END: i16 = -1;
/// Version of jsonb on the wire.
const JSONB: u8 = 1;
/// Bytes that travel at a time, about.
const PIECE: usize = 256 << 10;

/// Sends events in the order of the index: neighbours land on the same page. `ids` by [`EventRef::dimensions_index`].
/// `epoch` is that of their topic. Nothing is there before the transaction ends.
pub async fn send(sink: CopyInSink<Bytes>, events: &Events, ids: &[i32], epoch: i32) -> Result<u64, Error> {
    let mut sink = std::pin::pin!(sink);
    let mut buffer = BytesMut::with_capacity(PIECE + PIECE / 4);
    buffer.put_slice(HEADER);
    for event in events.by_time() {
        row(&mut buffer, event, ids[event.dimensions_index()]);
        // Of the first topic, which is almost always the only one, it takes no room.
        bytes(&mut buffer, (epoch > 0).then_some(epoch.to_be_bytes().as_slice()));
        if buffer.len() >= PIECE {
            sink.send(buffer.split().freeze()).await?;
            buffer.reserve(PIECE + PIECE / 4);
        }
    }
    buffer.put_i16(END);
    sink.send(buffer.freeze()).await?;
    sink.as_mut().finish().await
}

fn row(out: &mut BytesMut, event: EventRef<'_>, dimensions: i32) {
    let mut head = Head { bytes: [0; HEAD], len: 0 };
    head.put(COLUMNS.to_be_bytes());
    head.long(Stamp::event(event.time()).wire());
    head.long(Stamp::log(event.log_time()).wire());
    head.long(event.offset());
    match event.latency_ms() {
        Some(latency) => head.long(latency.to_bits() as i64),
        None => head.put(NULL.to_be_bytes()),
    }
    head.int(event.partition() as i32);
    head.int(dimensions);
    head.int(event.weight() as i32);
    head.put(2i32.to_be_bytes());
    head.put((event.status_code() as i16).to_be_bytes());
    match event.trace_id() {
        Some(trace) => {
            head.put(16i32.to_be_bytes());
            head.put(trace);
        }
        None => head.put(NULL.to_be_bytes()),
    }
    out.put_slice(&head.bytes[..head.len]);
    bytes(out, Some(event.event_id().as_bytes()));
    bytes(out, event.user_ref().map(str::as_bytes));
    match event.attributes_json() {
        Some(json) => {
            out.put_i32(json.len() as i32 + 1);
            out.put_u8(JSONB);
            out.put_slice(json.as_bytes());
        }
        None => out.put_i32(NULL),
    }
}

/// Bytes of the columns that have a fixed length, with their lengths: four of eight bytes, three of four, one of two, one of
/// sixteen.
const HEAD: usize = 2 + 4 * 12 + 3 * 8 + 6 + 20;

/// The fixed part of a row: assembled here, because a growing buffer would check its capacity for each column.
struct Head {
    bytes: [u8; HEAD],
    len: usize,
}

impl Head {
    fn put<const N: usize>(&mut self, value: [u8; N]) {
        self.bytes[self.len..self.len + N].copy_from_slice(&value);
        self.len += N;
    }

    fn long(&mut self, value: i64) {
        self.put(8i32.to_be_bytes());
        self.put(value.to_be_bytes());
    }

    fn int(&mut self, value: i32) {
        self.put(4i32.to_be_bytes());
        self.put(value.to_be_bytes());
    }
}

fn bytes(out: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        Some(value) => {
            out.put_i32(value.len() as i32);
            out.put_slice(value);
        }
        None => out.put_i32(NULL),
    }
}
