//! Reading spans of the past once more, in which alerts were.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;
use slipstream_schemas::LogTime;

use super::Past;
use super::origin::readers;
use crate::engine::{KnownCopies, Progress};
use crate::error::ReplayError;
use crate::outcome::Clock;
use crate::requests::{Again, Firsts};
use crate::source::{Joined, Noted, Reader, Sorted, SortedReader, Span, read_as_one};

/// Spans that are planned at the same time.
const AT_ONCE: usize = 8;

/// Plans to read spans again, without any warm-up: only what counts in them, by whichever definitions. What lies between them may
/// come along. With the copies that are known nothing before the spans is read. Returns, too, where the readers note what the
/// sources have lost since the past was looked at.
///
/// # Errors
/// When a source cannot be read.
pub async fn again(
    past: &Past,
    clock: Clock,
    spans: impl Iterator<Item = Span>,
    copies: Option<&Arc<KnownCopies>>,
    progress: &Arc<Progress>,
) -> Result<(Again, Arc<Noted>), ReplayError> {
    let (window_ms, noted) = (past.window_ms, Arc::<Noted>::default());
    let copies = copies.filter(|_| clock == Clock::Log);
    let spans = read_as_one(spans, copies.is_none().then_some(window_ms));
    let everything = Span { from: LogTime(past.first.tick() * 1_000), to: past.known };
    let planned = match clock {
        Clock::Event if !spans.is_empty() => vec![everything],
        Clock::Event | Clock::Log => spans.clone(),
    };
    let plan = |span: Span| async move {
        let mut joined = past.joined(span, span.from).await?;
        if copies.is_some() {
            joined.log.iter_mut().for_each(|(part, _)| part.remember_from = part.count_from);
        }
        Ok::<_, ReplayError>((span, joined))
    };
    let joined: Vec<(Span, Joined)> = stream::iter(planned).map(plan).buffered(AT_ONCE).try_collect().await?;
    let part = |(span, joined): (Span, Joined)| readers(&joined, &noted, past.log(), (span, window_ms), progress);
    let readers: Vec<Box<dyn Reader>> = joined.into_iter().flat_map(part).map(|(_, reader)| reader).collect();
    // By event time everything is sorted once more.
    let (Clock::Event, Some(first), Some(last)) = (clock, spans.first(), spans.last()) else {
        let firsts = copies.map_or(Firsts::Remembered(window_ms), |copies| Firsts::Known(Arc::clone(copies)));
        return Ok((Again { readers, firsts }, noted));
    };
    let hull = Span { from: first.from, to: last.to };
    let stop = Arc::clone(progress);
    let gather = move || Sorted::gather(readers, window_ms, (hull, hull.from), &stop);
    let sorted = tokio::task::spawn_blocking(gather).await.map_err(|_| ReplayError::Thread("sorting"))??;
    let readers: Vec<Box<dyn Reader>> = vec![Box::new(SortedReader::new(sorted))];
    Ok((Again { readers, firsts: Firsts::Known(Arc::default()) }, noted))
}
