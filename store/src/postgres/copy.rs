//! Raw events in the binary format of COPY (PostgreSQL manual, COPY, "Binary Format"): a header, then per row the number
//! of columns and each column's length and bytes.
//!
//! Written by hand: a row costs no call per column and no buffer of its own, and travels in large pieces.

use bytes::{BufMut, Bytes, BytesMut};
use futures::SinkExt;
use tokio_postgres::{CopyInSink, Error};

use super::stamp::Stamp;
use crate::events::{EventRef, trace_bytes};

/// What the rows are for.
pub const STATEMENT: &str = "COPY events (\"time\", log_time, \"offset\", latency_ms, partition, dimensions, weight, \
                             status_code, trace_id, event_id, user_ref, attributes) FROM STDIN BINARY";
const COLUMNS: i16 = 12;
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const NULL: i32 = -1;
const END: i16 = -1;
/// Version of jsonb on the wire.
const JSONB: u8 = 1;
/// Bytes that travel at a time, about.
const PIECE: usize = 256 << 10;

/// Sends events, in the order given; `ids` by [`EventRef::dimensions_index`]. Nothing is there before the transaction ends.
pub async fn send(sink: CopyInSink<Bytes>, events: &[EventRef<'_>], ids: &[i32]) -> Result<u64, Error> {
    let mut sink = std::pin::pin!(sink);
    let mut buffer = BytesMut::with_capacity(PIECE + PIECE / 4);
    buffer.put_slice(HEADER);
    for event in events {
        row(&mut buffer, *event, ids[event.dimensions_index()]);
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
    out.put_i16(COLUMNS);
    long(out, Stamp::event(event.time()).wire());
    long(out, Stamp::log(event.log_time()).wire());
    long(out, event.offset());
    match event.latency_ms() {
        Some(latency) => long(out, latency.to_bits() as i64),
        None => out.put_i32(NULL),
    }
    int(out, event.partition() as i32);
    int(out, dimensions);
    int(out, event.weight() as i32);
    out.put_i32(2);
    out.put_i16(event.status_code() as i16);
    bytes(out, event.trace_id().and_then(trace_bytes).as_ref().map(<[u8; 16]>::as_slice));
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

fn long(out: &mut BytesMut, value: i64) {
    out.put_i32(8);
    out.put_i64(value);
}

fn int(out: &mut BytesMut, value: i32) {
    out.put_i32(4);
    out.put_i32(value);
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
