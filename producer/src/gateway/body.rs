//! From a stream of bytes to a body in memory, within every limit: as sent, decompressed, in time, and over all requests.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use tokio::time::timeout;

use super::budget::{Budget, Reservation};
use super::refusal::Refusal;
use super::request::{Coding, Wanted};

/// A body as it was sent, and the room it holds.
pub(super) struct Received {
    pub bytes: Vec<u8>,
    pub room: Reservation,
}

/// What a refused sender may still send before its connection is closed, so that it reads the answer instead of an error
/// of its transport.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 << 20;

/// Reads a body of at most `max` bytes.
pub(super) async fn receive(
    body: Body,
    wanted: &Wanted,
    max: usize,
    within: Duration,
    budget: &Budget,
) -> Result<Received, Refusal> {
    if wanted.length.is_some_and(|length| length > max as u64) {
        linger(body, wanted.expects).await;
        return Err(Refusal::TooLarge { max });
    }
    let mut stream = body.into_data_stream();
    match timeout(within, read(&mut stream, max, budget)).await {
        Ok(Ok(received)) => Ok(received),
        Ok(Err(refusal)) => {
            discard(&mut stream).await;
            Err(refusal)
        }
        // Whoever is too slow to send the body is too slow to be lingered for.
        Err(_) => Err(Refusal::TooSlow(within)),
    }
}

/// Lets the sender of a refused body finish, within bounds. One that `expects` to be told to go on has sent nothing yet,
/// and to read would tell it so.
pub(super) async fn linger(body: Body, expects: bool) {
    if !expects {
        discard(&mut body.into_data_stream()).await;
    }
}

async fn read(stream: &mut BodyDataStream, max: usize, budget: &Budget) -> Result<Received, Refusal> {
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
    let to_the_end = async {
        let mut read = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            read += chunk.len();
            if read > LINGER_BYTES {
                return;
            }
        }
    };
    // Whether it ended or not: the answer is due.
    let _ = timeout(LINGER, to_the_end).await;
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
