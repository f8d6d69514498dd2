//! Cutting a batch in two that say the same when they are written one after the other. Pure.

use slipstream_schemas::Topic;
use slipstream_store::{EventRef, Events, PositionMove, WriteBatch, rollup};

/// Two batches, the first to be written first; `None` if it has one event at most, and nothing else that it could do without.
pub fn split(batch: &WriteBatch) -> Option<(WriteBatch, WriteBatch)> {
    if batch.events.is_empty() {
        return None;
    }
    let (events, others): (Vec<PositionMove>, Vec<PositionMove>) =
        batch.positions.iter().partition(|m| m.topic == Topic::RequestEvents);
    if !others.is_empty() {
        let rest = WriteBatch { events: Events::new(), rollups: Vec::new(), positions: others, ..batch.clone() };
        return Some((of_events(batch.events.clone(), events), rest));
    }
    if let (first, [_, ..]) = events.split_at(events.len() / 2)
        && !first.is_empty()
    {
        let (first, second) = (first.to_vec(), events[first.len()..].to_vec());
        let within = |event: EventRef<'_>| first.iter().any(|m| m.partition == event.partition());
        let (left, right) = (batch.events.only(within), batch.events.only(|event| !within(event)));
        return Some((of_events(left, first), of_events(right, second)));
    }
    in_the_middle(&batch.events, *events.first()?)
}

/// Events of one partition, cut at the offset of the one in the middle.
fn in_the_middle(events: &Events, whole: PositionMove) -> Option<(WriteBatch, WriteBatch)> {
    let middle = events.len() / 2;
    let (last, first) = (events.iter().nth(middle.checked_sub(1)?)?, events.iter().nth(middle)?);
    let cut = first.offset();
    let before = PositionMove { to: cut, log_time: last.log_time(), ..whole };
    let after = PositionMove { from: Some(cut), ..whole };
    let (left, right) = (events.only(|event| event.offset() < cut), events.only(|event| event.offset() >= cut));
    Some((of_events(left, vec![before]), of_events(right, vec![after])))
}

fn of_events(events: Events, positions: Vec<PositionMove>) -> WriteBatch {
    WriteBatch { rollups: rollup::fold(&events), events, positions, ..WriteBatch::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipstream_schemas::LogTime;
    use slipstream_store::conformance::made::{self, Dice};

    /// A batch of events in partitions 0 and 1, and of burn rates.
    fn batch() -> WriteBatch {
        let events = made::events(&mut Dice(1), 9);
        let mut packed = Events::new();
        for (i, event) in events.iter().enumerate() {
            packed.push(i as u32 / 6, 100 + i as i64, LogTime(i as i64), &made::view(event));
        }
        let event_move =
            |partition, from, to| PositionMove { partition, ..made::moved(Topic::RequestEvents, from, to, 8) };
        let positions =
            vec![event_move(0, None, 106), event_move(1, Some(106), 120), made::moved(Topic::Alerts, None, 3, 1)];
        WriteBatch { rollups: rollup::fold(&packed), events: packed, positions, ..WriteBatch::default() }
    }

    /// Cuts until nothing can be cut.
    fn pieces(batch: WriteBatch) -> Vec<WriteBatch> {
        match split(&batch) {
            None => vec![batch],
            Some((first, second)) => [pieces(first), pieces(second)].concat(),
        }
    }

    #[test]
    fn the_pieces_follow_each_other_and_are_the_whole() {
        let whole = batch();
        let pieces = pieces(whole.clone());
        assert_eq!(pieces.len(), 9 + 1);
        assert!(pieces.iter().all(|piece| piece.events.len() <= 1));
        for m in &whole.positions {
            let moves = pieces.iter().flat_map(|piece| &piece.positions);
            let mut at = m.from;
            for piece in moves.filter(|piece| (piece.topic, piece.partition) == (m.topic, m.partition)) {
                assert_eq!(piece.from, at);
                at = Some(piece.to);
            }
            assert_eq!(at, Some(m.to));
        }
        let events: Vec<_> = pieces.iter().flat_map(|piece| piece.events.iter().map(|e| e.to_event())).collect();
        assert_eq!(events, whole.events.iter().map(|e| e.to_event()).collect::<Vec<_>>());
        let hits: u64 = pieces.iter().flat_map(|piece| &piece.rollups).map(|r| r.sums.hits).sum();
        assert_eq!(hits, whole.rollups.iter().map(|r| r.sums.hits).sum::<u64>());
    }
}
