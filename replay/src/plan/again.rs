//! Reading spans of the past once more, in which alerts were.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;
use slipstream_schemas::LogTime;

use super::Past;
use super::origin::readers;
use crate::engine::Progress;
use crate::error::ReplayError;
use crate::outcome::Clock;
use crate::source::{Joined, Noted, Reader, Sorted, SortedReader, Span, read_as_one};

/// Spans that are planned at the same time.
const AT_ONCE: usize = 8;

/// What brings the events of spans once more.
pub struct Again {
    /// One for each part.
    pub readers: Vec<Box<dyn Reader>>,
    /// See [`Plan::window_ms`](super::Plan::window_ms).
    pub window_ms: i64,
    /// What they find out.
    pub noted: Arc<Noted>,
}

/// Plans to read spans again, without any warm-up: only what counts in them, by whichever definitions. What lies between them may
/// come along. What the sources have lost since the past was looked at is noted by the readers.
///
/// # Errors
/// When a source cannot be read.
pub async fn again(
    past: &Past,
    clock: Clock,
    spans: impl Iterator<Item = Span>,
    progress: &Arc<Progress>,
) -> Result<Again, ReplayError> {
    let (window_ms, noted) = (past.window_ms, Arc::<Noted>::default());
    let spans = read_as_one(spans, window_ms);
    let everything = Span { from: LogTime(past.first.tick() * 1_000), to: past.known };
    let planned = match clock {
        Clock::Event if !spans.is_empty() => vec![everything],
        Clock::Event | Clock::Log => spans.clone(),
    };
    let plan = |span: Span| async move { Ok::<_, ReplayError>((span, past.joined(span, span.from).await?)) };
    let joined: Vec<(Span, Joined)> = stream::iter(planned).map(plan).buffered(AT_ONCE).try_collect().await?;
    let part = |(span, joined): (Span, Joined)| readers(&joined, &noted, past.log(), (span, window_ms), progress);
    let readers: Vec<Box<dyn Reader>> = joined.into_iter().flat_map(part).map(|(_, reader)| reader).collect();
    // By event time everything is sorted once more.
    let (Clock::Event, Some(first), Some(last)) = (clock, spans.first(), spans.last()) else {
        return Ok(Again { readers, window_ms, noted });
    };
    let hull = Span { from: first.from, to: last.to };
    let stop = Arc::clone(progress);
    let gather = move || Sorted::gather(readers, window_ms, (hull, hull.from), &stop);
    let sorted = tokio::task::spawn_blocking(gather).await.map_err(|_| ReplayError::Thread("sorting"))??;
    Ok(Again { readers: vec![Box::new(SortedReader::new(sorted))], window_ms, noted })
}
