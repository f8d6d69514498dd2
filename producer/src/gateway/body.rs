//! From a stream of bytes to a body in memory, within every limit: as sent, decompressed, in time, and over all requests.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use tokio::time::timeout;

use super::budget::{Budget, Reservation};
use super::refusal::Refusal;

/// How the bytes are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Gzip,
}

/// The content encoding of a request; none when it is not ours.
pub(super) fn coding(header: Option<&str>) -> Option<Coding> {
    match header.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Some(Coding::Plain),
        "gzip" | "x-gzip" => Some(Coding::Gzip),
        _ => None,
    }
}

/// A body as it was sent, and the room it holds.
pub(super) struct Received {
    pub bytes: Vec<u8>,
    pub room: Reservation,
}

/// What a refused sender may still send before its connection is closed, so that it reads the answer instead of an error
/// of its transport.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 << 20;

/// Reads a body of at most `max` bytes. `length` is what the sender announced.
pub(super) async fn receive(
    body: Body,
    length: Option<u64>,
    max: usize,
    within: Duration,
    budget: &Budget,
) -> Result<Received, Refusal> {
    let mut stream = body.into_data_stream();
    let read = timeout(within, read(&mut stream, length, max, budget)).await;
    let refusal = match read {
        Ok(Ok(received)) => return Ok(received),
        // Whoever is too slow to send the body is too slow to be waited for.
        Err(_) => return Err(Refusal::TooSlow(within)),
        Ok(Err(refusal)) => refusal,
    };
    // Nobody to answer when the sender is gone, nothing left to read when it is done: both end this at once.
    let _ = timeout(LINGER, discard(&mut stream)).await;
    Err(refusal)
}

async fn read(
    stream: &mut BodyDataStream,
    length: Option<u64>,
    max: usize,
    budget: &Budget,
) -> Result<Received, Refusal> {
    if length.is_some_and(|length| length > max as u64) {
        return Err(Refusal::TooLarge { max });
    }
    let mut room = budget.open();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| Refusal::Broken(e.to_string()))?;
        if bytes.len() + chunk.len() > max {
            return Err(Refusal::TooLarge { max });
        }
        room.grow(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(Received { bytes, room })
}

async fn discard(stream: &mut BodyDataStream) {
    let mut read = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        read += chunk.len();
        if read > LINGER_BYTES {
            return;
        }
    }
}

impl Received {
    /// The body itself. What unpacks to more than `max` is not unpacked further: a bomb never lies in memory.
    pub(super) fn unpack(mut self, coding: Coding, max: usize) -> Result<Received, Refusal> {
        if coding == Coding::Plain {
            return Ok(self);
        }
        const STEP: u64 = 64 << 10;
        let mut unpacked = Vec::new();
        let mut decoder = MultiGzDecoder::new(self.bytes.as_slice());
        loop {
            let before = unpacked.len();
            self.room.grow(STEP as usize)?;
            let step = Read::by_ref(&mut decoder).take(STEP).read_to_end(&mut unpacked);
            step.map_err(|e| Refusal::NotGzip(e.to_string()))?;
            if unpacked.len() > max {
                return Err(Refusal::TooLargeUnpacked { max });
            }
            if unpacked.len() == before {
                return Ok(Received { bytes: unpacked, room: self.room });
            }
        }
    }
}
