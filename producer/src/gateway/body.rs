//! From a stream of bytes to a body in memory, within every limit: as sent, in time, and over all requests.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::budget::Budget;
use super::held::Held;
use super::refusal::Refusal;
use super::request::expects;

/// What a refused sender may still send before its connection is closed, so that it reads the response instead of an
/// error of its transport.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 << 20;

/// Once a body holds more than this, each span of [`PACE_SPAN`] has to bring [`PACE`]: room that others wait for is not held
/// by who has stopped sending. A slow client that holds no more has all the time there is.
const PACED: usize = 64 << 10;
const PACE_SPAN: Duration = Duration::from_secs(3);
/// Bytes a second.
const PACE: usize = 64 << 10;

/// Reads a body of at most `max` bytes, of which `announced` were announced; `expects`: the sender waits to be told to
/// continue. Memory is reserved for what has arrived, not for what was announced.
pub(super) async fn receive(
    body: Body,
    announced: Option<u64>,
    expects: bool,
    max: usize,
    within: Duration,
    budget: &Budget,
) -> Result<Held, Refusal> {
    if announced.is_some_and(|length| length > max as u64) {
        linger(body, expects).await;
        return Err(Refusal::TooLarge { max });
    }
    let mut stream = body.into_data_stream();
    match timeout(within, read(&mut stream, max, budget)).await {
        Ok(Ok(received)) => Ok(received),
        // A client that is too slow to send the body is not lingered for.
        Ok(Err(refusal @ Refusal::TooSlowly { .. })) => Err(refusal),
        Ok(Err(refusal)) => {
            discard(&mut stream).await;
            Err(refusal)
        }
        Err(_) => Err(Refusal::TooSlow(within)),
    }
}

/// Lets the sender of a refused body finish, within bounds. One that `expects` 100-continue has sent nothing yet,
/// and reading would make it start.
pub(super) async fn linger(body: Body, expects: bool) {
    if !expects {
        discard(&mut body.into_data_stream()).await;
    }
}

/// The same for a request that is refused whatever its body is.
pub(super) async fn linger_over(request: Request) {
    let (head, body) = request.into_parts();
    let expects = expects(&head);
    drop(head);
    linger(body, expects).await;
}

async fn read(stream: &mut BodyDataStream, max: usize, budget: &Budget) -> Result<Held, Refusal> {
    let mut received = Held::new(budget, max);
    let mut pace = Pace { until: Instant::now() + PACE_SPAN, least: 0 };
    loop {
        let next = match timeout_at(pace.until, stream.next()).await {
            Ok(None) => return Ok(received),
            Ok(Some(chunk)) => Some(chunk.map_err(|e| Refusal::Broken(e.to_string()))?),
            Err(_) => None,
        };
        pace.keep(received.len() + next.as_ref().map_or(0, Bytes::len))?;
        let Some(chunk) = next else { continue };
        if received.len() + chunk.len() > max {
            return Err(Refusal::TooLarge { max });
        }
        received.push(&chunk)?;
    }
}

/// How fast a body comes.
struct Pace {
    /// The end of the present span.
    until: Instant,
    /// Bytes that must have come by then.
    least: usize,
}

impl Pace {
    /// So much has come by now.
    fn keep(&mut self, received: usize) -> Result<(), Refusal> {
        let now = Instant::now();
        if now < self.until {
            return Ok(());
        }
        if received > PACED && received < self.least {
            return Err(Refusal::TooSlowly { per_second: PACE });
        }
        (self.until, self.least) = (now + PACE_SPAN, received + PACE * PACE_SPAN.as_secs() as usize);
        Ok(())
    }
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
    // Whether it ended or not: the response is due.
    let _ = timeout(LINGER, to_the_end).await;
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use futures::stream;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// What becomes of a body that comes in parts of so many bytes, each after so long, and then stops; and when.
    async fn received(parts: &[(usize, u64)], ends: bool) -> (Result<usize, String>, u64) {
        let begun = Instant::now();
        let parts: Vec<(usize, u64)> = parts.to_vec();
        let parts = stream::iter(parts).then(|(bytes, millis)| async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; bytes]))
        });
        let tail = stream::once(async move {
            if !ends {
                std::future::pending::<()>().await;
            }
            Ok(Bytes::new())
        });
        let budget = Budget::new(64 << 20, 1);
        let body = Body::from_stream(parts.chain(tail));
        let received = receive(body, None, false, 16 << 20, PATIENCE, &budget).await;
        (received.map(|held| held.len()).map_err(|e| e.code().to_owned()), begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_stops_coming_is_not_waited_for() {
        const MIB: usize = 1 << 20;
        let slow = || Err("body-too-slow".to_owned());
        assert_eq!(received(&[(15 * MIB, 0)], false).await, (slow(), 6), "however fast it began");
        assert_eq!(received(&[(MIB, 100), (1, 2_500), (1, 2_500), (1, 2_500)], true).await.0, slow());
        assert_eq!(received(&[(60 << 10, 0)], false).await, (slow(), 60), "a small one has all the time there is");
        let steady = [(128 << 10, 1_000); 20];
        assert_eq!(received(&steady, true).await, (Ok(20 * (128 << 10)), 20));
        let small = [(1 << 10, 1_000); 20];
        assert_eq!(received(&small, true).await, (Ok(20 << 10), 20));
    }
}
