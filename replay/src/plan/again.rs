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
use crate::source::{Gap, Joined, Noted, Reader, Retained, Sorted, SortedReader, Span, read_as_one};

/// Spans that are planned at the same time.
const AT_ONCE: usize = 8;

/// Plans to read spans again, at least one, without any warm-up: only what counts in them, by whichever definitions. What lies between
/// them may come along. With the copies that are known nothing before the spans is read; by event time everything is read and
/// sorted once more. Returns, too, what of the spans the sources hold no more, and where the readers note what they lose.
///
/// # Errors
/// When a source cannot be read.
pub async fn again(
    past: &Past,
    clock: Clock,
    spans: Vec<Span>,
    copies: Option<&Arc<KnownCopies>>,
    progress: &Arc<Progress>,
) -> Result<(Again, Vec<Gap>, Arc<Noted>), ReplayError> {
    let (window_ms, noted) = (past.window_ms, Arc::<Noted>::default());
    let copies = copies.filter(|_| clock == Clock::Log);
    let hull = hull(&spans);
    let spans = match clock {
        Clock::Log => read_as_one(spans.into_iter(), copies.is_none().then_some(window_ms)),
        Clock::Event => vec![Span { from: LogTime(past.first.tick() * 1_000), to: past.known }],
    };
    // Reading may have taken long: copies among what is the beginning now may be of what is gone.
    let retained = &Retained::of(past.log().as_ref()).await?;
    let plan = |span: Span| async move {
        let mut joined = past.joined(retained, span, span.from).await?;
        if copies.is_some() {
            joined.log.iter_mut().for_each(|(part, _)| part.remember_from = part.count_from);
        }
        Ok::<_, ReplayError>((span, joined))
    };
    let joined: Vec<(Span, Joined)> = stream::iter(spans).map(plan).buffered(AT_ONCE).try_collect().await?;
    let missing = joined.iter().flat_map(|(_, joined)| joined.missing.clone()).collect();
    let part = |(span, joined): (Span, Joined)| readers(&joined, &noted, past.log(), (span, window_ms), progress);
    let readers: Vec<Box<dyn Reader>> = joined.into_iter().flat_map(part).map(|(_, reader)| reader).collect();
    if clock == Clock::Log {
        let firsts = copies.map_or(Firsts::Remembered(window_ms), |copies| Firsts::Known(Arc::clone(copies)));
        return Ok((Again { readers, firsts }, missing, noted));
    }
    let stop = Arc::clone(progress);
    let gather = move || Sorted::gather(readers, window_ms, (hull, hull.from), &stop);
    let sorted = tokio::task::spawn_blocking(gather).await.map_err(|_| ReplayError::Thread("sorting"))??;
    let readers: Vec<Box<dyn Reader>> = vec![Box::new(SortedReader::new(sorted))];
    Ok((Again { readers, firsts: Firsts::Known(Arc::default()) }, missing, noted))
}

/// The least span that holds all of these.
fn hull(spans: &[Span]) -> Span {
    let ends = |of: fn(&Span) -> LogTime| spans.iter().map(of);
    let (from, to) = (ends(|span| span.from).min(), ends(|span| span.to).max());
    Span { from: from.unwrap_or(LogTime(i64::MIN)), to: to.unwrap_or(LogTime(i64::MAX)) }
}
