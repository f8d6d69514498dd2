//! What objectives counted, from the slots that the engine noted.

use std::collections::BTreeMap;

use slipstream_definitions::definition::{Budgeting, Document, Objective, Slo};
use slipstream_slo::revision::Revisions;

use super::super::Range;
use super::super::history::{History, Series, Slot};
use super::last;
use crate::engine::{Notes, Slotting};
use crate::source::Span;

/// The longest window that is suggested, seconds, and so what is kept of the warm-up.
const BEFORE: i64 = 21_600;
/// Length of a slot, seconds, where the range is not long.
pub(super) const FINEST: i64 = 10;
/// Up to so many seconds of range, slots have this length: at most 60,000 or so, so that a series takes a few megabytes.
const LENGTHS: [(i64, i64); 2] = [(2 * 86_400, FINEST), (40 * 86_400, 60)];
/// Where it is even longer.
const COARSEST: i64 = 300;

/// Slots for a range, and for as much of its warm-up as the windows look back.
pub(super) fn slotting(span: Span, (from, to): (slipstream_schemas::LogTime, slipstream_schemas::LogTime)) -> Slotting {
    let begin = (from.tick() - BEFORE).max(span.from.tick());
    let length = to.tick() - begin;
    let seconds = LENGTHS.into_iter().find(|(most, _)| length <= *most).map_or(COARSEST, |(_, seconds)| seconds);
    // The range begins with a slot.
    let slots = (from.tick() - begin) / seconds;
    Slotting { from: from.tick() - slots * seconds, seconds }
}

/// Whether there is something to suggest: an SLO with rules of its objectives.
fn promises(slo: &Slo) -> bool {
    slo.document == Document::Slo && slo.composite.is_none()
}

/// Of each objective over events that is in force at the range's end.
pub(super) fn histories(
    revisions: &Revisions,
    notes: &Notes,
    range: Range,
    slots: Slotting,
    documents: &BTreeMap<String, String>,
) -> Vec<History> {
    let slos = revisions.active_at(last(range), revisions.end());
    let single = slos.iter().map(|active| active.slo.as_ref()).filter(|slo| promises(slo));
    let objectives = single.flat_map(|slo| slo.objectives.iter().map(move |objective| (slo, objective)));
    let counted = objectives.filter(|(_, objective)| objective.budgeting == Budgeting::Occurrences);
    counted
        .map(|(slo, objective)| History {
            slo: slo.name.clone(),
            service: slo.service.clone(),
            objective: objective.name.clone(),
            target: objective.target,
            rules: objective.rules.clone(),
            period: slo.window.nominal_seconds(),
            from: slots.from,
            slot_seconds: slots.seconds,
            series: series(slo, objective, notes, slots),
            document: documents.get(&slo.name).cloned(),
        })
        .collect()
}

fn series(slo: &Slo, objective: &Objective, notes: &Notes, slots: Slotting) -> Vec<Series> {
    let labels = || slo.group_by.iter().map(|key| key.label().to_owned());
    let is_of = |name: &str, of: &str| name == slo.name && of == objective.name;
    let mine = notes.series.iter().filter(|(name, _)| is_of(&name.slo, &name.objective));
    mine.map(|(name, noted)| Series {
        group: labels().zip(name.group.iter().cloned()).collect(),
        slots: noted.slots.iter(slots).map(|(start, [good, total])| Slot { start, good, total }).collect(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::LogTime;

    use super::*;

    #[test]
    fn slots_begin_with_the_range_and_are_coarser_where_it_is_long() {
        const DAY: i64 = 86_400;
        // (beginning of reading, range, slots from, their length)
        let table = [
            (0, (0, DAY), 0, 10),
            (0, (DAY + 7, 2 * DAY), DAY + 7 - BEFORE, 10),
            (DAY, (DAY + 7, 2 * DAY), DAY + 7, 10),
            (0, (DAY, 8 * DAY), DAY - BEFORE, 60),
            (0, (DAY, 90 * DAY), DAY - BEFORE, 300),
        ];
        for (begin, (from, to), first, seconds) in table {
            let time = |second: i64| LogTime(second * 1_000);
            let found = slotting(Span { from: time(begin), to: time(to) }, (time(from), time(to)));
            assert_eq!(found, Slotting { from: first, seconds }, "{from} to {to}");
        }
    }
}
