//! Decisions over the records of a partition, and the decisions of a turn as one step.

use bytes::Bytes;
use slipstream_log::{Advance, Batch, Outgoing, Position, RecordRef, Step, TopicPartition};
use slipstream_role::dead_letters::dead_letter;
use slipstream_schemas::decode::{Attributes, EventError, decode};
use slipstream_schemas::event::EventView;
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_slo::redelivery::{TOGETHER, id_hash};
use slipstream_slo::revision::Revisions;
use slipstream_slo::tally::{Decided, Pushed, StepBuilder, Tally};

use crate::ProcessorError;

/// Maximum sums of a partition in a step, which bounds the size of its batches.
const STEP_CELLS: usize = 8_000;

/// Records that were fetched, and how many of them were decided.
pub(super) struct Pending {
    batch: Batch,
    done: usize,
}

impl Pending {
    pub(super) fn new(batch: Batch) -> Pending {
        Pending { batch, done: 0 }
    }

    /// Whether every record was decided.
    pub(super) fn is_done(&self) -> bool {
        self.done == self.batch.len()
    }

    /// The first record that was not decided.
    pub(super) fn next(&self) -> Option<RecordRef<'_>> {
        self.batch.get(self.done)
    }
}

/// What was decided of a partition: a value, committed as it is or not at all (L6).
pub(super) struct Made {
    pub partition: TopicPartition,
    pub decided: Decided<EventError>,
    pub dead: Vec<Outgoing>,
}

impl Made {
    /// The position of the partition once it is committed.
    pub(super) fn to(&self) -> Position {
        Position { offset: self.decided.to, log_time: self.decided.stamp }
    }
}

/// One step of all decisions, each from the position of its partition.
pub(super) fn step_of<'a>(parts: impl IntoIterator<Item = (&'a Made, Position)>) -> Step {
    let mut step = Step::default();
    for (made, from) in parts {
        step.outputs.extend(made.decided.batches.iter().map(|(target, batch)| Outgoing {
            topic: Topic::SliTallies,
            // Explicit: all sums of an SLO must be in one partition, whatever the client's partitioner does.
            partition: Some(*target),
            key: None,
            value: Some(Bytes::from(codec::encode(batch))),
            headers: Vec::new(),
        }));
        step.outputs.extend(made.dead.iter().cloned());
        step.positions.push(Advance { partition: made.partition, from, to: made.to() });
    }
    step
}

/// Decides over the pending records, as far as the limits allow. `None` if there is nothing to commit.
pub(super) fn decide(
    tally: &mut Tally,
    pending: &mut Pending,
    revisions: &Revisions,
    limit: LogTime,
    low: Option<LogTime>,
) -> Result<Option<Made>, ProcessorError> {
    let partition = pending.batch.partition;
    let last = pending.batch.len().checked_sub(1).and_then(|i| pending.batch.get(i)).map_or(limit, |r| r.log_time());
    let attributes = match tally.needs_attributes(last, revisions) {
        true => Attributes::Read,
        false => Attributes::Skip,
    };
    let mut step = tally.begin(revisions, limit);
    let mut dead = Vec::new();
    let (mut events, mut ids) = (Vec::with_capacity(TOGETHER), Vec::with_capacity(TOGETHER));
    let mut going_on = true;
    while going_on && !pending.is_done() {
        decode_some(&pending.batch, pending.done, attributes, &mut events, &mut ids);
        step.foresee(&ids);
        let taken = push_some(&mut step, &pending.batch, pending.done, &events, &mut dead)?;
        going_on = taken == events.len() && step.cells() < STEP_CELLS;
        pending.done += taken;
        events.clear();
        ids.clear();
    }
    if pending.is_done() {
        // A batch may end with offsets that hold no record (transaction markers): the step covers them too (P1).
        step.reached(pending.batch.next);
    }
    Ok(step.finish(low).map(|decided| Made { partition, decided, dead }))
}

/// A decoded event with the hash of its id, or its error.
type Read<'a> = Result<(EventView<'a>, u64), EventError>;

/// Decodes the next records, and collects the ids of valid events.
fn decode_some<'a>(
    batch: &'a Batch,
    from: usize,
    attributes: Attributes,
    events: &mut Vec<Read<'a>>,
    ids: &mut Vec<u64>,
) {
    for record in (from..batch.len()).take(TOGETHER).filter_map(|i| batch.get(i)) {
        let place = batch.partition.provenance(record.offset());
        let event = decode(record.value().unwrap_or_default(), &place, attributes).map(|event| {
            let id = id_hash(&event.event_id);
            ids.push(id);
            (event, id)
        });
        events.push(event.map_err(|error| error.by_headers(record.headers().map(|(name, _)| name))));
    }
}

/// Gives decoded records to the step. Returns how many it took.
fn push_some(
    step: &mut StepBuilder<'_, EventError>,
    batch: &Batch,
    from: usize,
    events: &[Read<'_>],
    dead: &mut Vec<Outgoing>,
) -> Result<usize, ProcessorError> {
    for (i, event) in events.iter().enumerate() {
        let Some(record) = batch.get(from + i) else { return Ok(i) };
        let pushed = step.push_hashed(
            record.offset(),
            record.log_time(),
            event.as_ref().map(|(event, id)| (event, *id)).map_err(Clone::clone),
        )?;
        match (pushed, event) {
            (Pushed::Beyond, _) => return Ok(i),
            (Pushed::Dead, Err(error)) => dead.push(dead_letter(&record, batch.partition, error)),
            _ => {}
        }
    }
    Ok(events.len())
}
