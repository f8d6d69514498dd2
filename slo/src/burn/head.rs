//! The head of the fold: per source how far it is known (P1), and the frontier that follows from it.

use slipstream_schemas::LogTime;
use slipstream_schemas::records::{BurnHead, TallyBatch};

use super::BurnFault;

/// The stamp, and the position, of a source of which nothing came.
const NONE: i64 = -1;

/// How far all current sources are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frontier {
    /// Log time.
    pub time: LogTime,
    /// Sources that were up to date.
    pub current: i32,
}

/// Before any batch.
pub(super) fn empty() -> BurnHead {
    BurnHead { low: LogTime(NONE), ..BurnHead::default() }
}

/// Takes note of a batch. P1: it begins where the last one of its source ended. A source's first batch may begin beyond
/// offset 0, for retention may have taken what was before; then the answer is from which second on it is whole.
pub(super) fn accept(
    head: &mut BurnHead,
    partition: i32,
    offset: i64,
    batch: &TallyBatch,
) -> Result<Option<i64>, BurnFault> {
    head.sources = head.sources.max(batch.sources);
    head.stamps.resize(head.sources as usize, LogTime(NONE));
    head.positions.resize(head.sources as usize, NONE);
    let source = batch.source as usize;
    let known = head.positions[source];
    let first = known == NONE;
    if (!first && known != batch.from) || batch.to < batch.from {
        let expected = known.max(0);
        return Err(BurnFault::Contiguity {
            partition,
            offset,
            input: batch.source,
            expected,
            from: batch.from,
            to: batch.to,
        });
    }
    head.positions[source] = batch.to;
    head.stamps[source] = head.stamps[source].max(batch.stamp);
    head.low = head.low.max(batch.low);
    head.revision = head.revision.max(batch.revision);
    Ok((first && batch.from > 0).then(|| batch.stamp.tick() + 1))
}

/// Takes over what a chunk's head knows about sources of which nothing came since.
pub(super) fn learn(head: &mut BurnHead, known: &BurnHead) {
    head.sources = head.sources.max(known.sources);
    head.stamps.resize(head.sources as usize, LogTime(NONE));
    head.positions.resize(head.sources as usize, NONE);
    for (source, position) in known.positions.iter().enumerate() {
        if head.positions[source] == NONE {
            head.positions[source] = *position;
            head.stamps[source] = known.stamps[source];
        }
    }
}

/// The least stamp, of the sources that are not more than `lag_ms` behind the newest low.
pub(super) fn frontier(head: &BurnHead, lag_ms: i64) -> Frontier {
    // Measured against the newest low, not the newest stamp: a process that is catching up has a low that lags behind,
    // so all wait for its slowest partition. Only a source without an owner is left out.
    let current = || head.stamps.iter().filter(|stamp| stamp.0 >= head.low.0 - lag_ms);
    Frontier { time: current().min().copied().unwrap_or(LogTime(NONE)), current: current().count() as i32 }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::records::Origin;

    use super::*;

    fn batch(source: i32, sources: i32, range: (i64, i64), stamp: i64, low: i64) -> TallyBatch {
        TallyBatch {
            source,
            sources,
            from: range.0,
            to: range.1,
            stamp: LogTime(stamp),
            low: LogTime(low),
            origin: Origin::Live,
            revision: 1,
            entries: Vec::new(),
            exemplars: Vec::new(),
        }
    }

    #[test]
    fn p1_a_gap_or_an_overlap_is_fatal_and_says_where() {
        let mut head = empty();
        accept(&mut head, 3, 0, &batch(1, 2, (0, 10), 1_000, 1_000)).unwrap();
        for from in [9, 11] {
            let fault = accept(&mut head.clone(), 3, 7, &batch(1, 2, (from, 20), 2_000, 2_000)).unwrap_err();
            let text = fault.to_string();
            assert!(text.contains("sli-tallies/3 at offset 7") && text.contains("request-events/1"), "{text}");
            assert!(text.contains(&format!("[{from}, 20) where 10 is next")), "{text}");
        }
        accept(&mut head, 3, 7, &batch(1, 2, (10, 10), 2_000, 2_000)).unwrap();
        accept(&mut head, 3, 8, &batch(0, 2, (0, 5), 2_000, 2_000)).unwrap();
    }

    #[test]
    fn the_frontier_waits_for_a_source_until_it_is_too_far_behind() {
        let mut head = empty();
        accept(&mut head, 0, 0, &batch(0, 2, (0, 1), 900, 900)).unwrap();
        assert_eq!(frontier(&head, 3_000).time, LogTime(NONE), "source 1 is not known yet");
        accept(&mut head, 0, 1, &batch(1, 2, (0, 1), 5_000, 5_000)).unwrap();
        let found = frontier(&head, 3_000);
        assert_eq!((found.time, found.current), (LogTime(5_000), 1));
        // A process that holds a lagging source says so by its low, and all wait.
        let mut paced = empty();
        accept(&mut paced, 0, 0, &batch(0, 2, (0, 1), 900, 900)).unwrap();
        accept(&mut paced, 0, 1, &batch(1, 2, (0, 1), 5_000, 900)).unwrap();
        let found = frontier(&paced, 3_000);
        assert_eq!((found.time, found.current), (LogTime(900), 2));
    }

    #[test]
    fn a_source_whose_past_is_gone_says_from_when_it_is_whole() {
        let mut head = empty();
        assert_eq!(accept(&mut head, 0, 0, &batch(0, 2, (0, 1), 900, 900)).unwrap(), None);
        assert_eq!(accept(&mut head, 0, 1, &batch(1, 2, (70, 80), 5_900, 900)).unwrap(), Some(6));
        assert_eq!(accept(&mut head, 0, 2, &batch(1, 2, (80, 90), 6_900, 900)).unwrap(), None);
    }
}
