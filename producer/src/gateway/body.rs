//! From a stream of bytes to a body in memory, within every limit: as sent, in time, and over all requests.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use futures::StreamExt;
use tokio::time::timeout;

use super::budget::Budget;
use super::held::Held;
use super::refusal::Refusal;
use super::request::{Wanted, expects};

/// What a refused sender may still send before its connection is closed, so that it reads the answer instead of an error
/// of its transport.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 << 20;

/// Reads a body of at most `max` bytes. Room is reserved for what has come, not for what was announced.
pub(super) async fn receive(
    body: Body,
    wanted: &Wanted,
    max: usize,
    within: Duration,
    budget: &Budget,
) -> Result<Held, Refusal> {
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
        // A client that is too slow to send the body is not lingered for.
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

/// The same for a request that is refused whatever its body is.
pub(super) async fn linger_over(request: Request) {
    let (head, body) = request.into_parts();
    linger(body, expects(&head)).await;
}

async fn read(stream: &mut BodyDataStream, max: usize, budget: &Budget) -> Result<Held, Refusal> {
    let mut received = Held::new(budget, max);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| Refusal::Broken(e.to_string()))?;
        if received.len() + chunk.len() > max {
            return Err(Refusal::TooLarge { max });
        }
        received.push(&chunk)?;
    }
    Ok(received)
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
