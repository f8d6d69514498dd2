//! What became of an SLO between the tick of an entry and the tick at which it is taken in.
//!
//! They differ where a source was behind: other sources went on without it, and its entries are taken in at a later tick
//! than their own. What such an entry counts for must not depend on that (P3b), so a definition that changed windows or
//! objectives meanwhile is applied to it as if it had been there.

use std::collections::HashMap;

use slipstream_schemas::LogTime;

use super::plan::Needs;
use crate::revision::{InForce, Revisions};
use crate::scale::{RingSize, Scale};

/// The rings at an earlier tick, what later ones were made of, and which objectives went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Since {
    /// The coarsest ring at the entry's own tick.
    coarsest: RingSize,
    growths: Vec<Growth>,
    /// Objectives that were not there all the time: with their series, what they had counted went.
    gone: Vec<String>,
}

/// A definition that needed coarser rings: they were made of the coarsest one there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Growth {
    /// The first ring that was made.
    made: usize,
    /// The first second that they know of.
    knows: i64,
}

impl Since {
    /// What became of `slo` by the revisions numbered `before..now` of those below the offset `upto`. `None` if none of
    /// them is about it.
    fn of(
        slo: &str,
        (before, now): (usize, usize),
        (revisions, upto): (&Revisions, i64),
        scale: &Scale,
    ) -> Option<Since> {
        let mut changes = revisions.ticks_of(slo, before, now).peekable();
        changes.peek()?;
        let rings_of = |found: &InForce| Some(Needs::of(found, scale).ok()?.rings);
        let at_own = revisions.fold(slo, before)?;
        let mut rings = rings_of(&at_own)?;
        let mut since = Since { coarsest: coarsest(rings, scale)?, growths: Vec::new(), gone: Vec::new() };
        for tick in changes {
            let found = revisions.fold(slo, revisions.in_force(end_of(tick), upto))?;
            let needed = rings_of(&found)?;
            if needed > rings {
                let coarsest = coarsest(rings, scale)?;
                let knows = coarsest.oldest_slot(tick - 1) * coarsest.slot_seconds;
                since.growths.push(Growth { made: rings, knows });
            }
            rings = needed;
            let stays = |name: &str| found.active.slo.objectives.iter().any(|o| o.name == name);
            let gone = at_own.active.slo.objectives.iter().filter(|o| !stays(&o.name));
            since.gone.extend(gone.map(|o| o.name.clone()));
        }
        Some(since)
    }

    /// Whether a ring reached a second at the entry's own tick.
    pub(super) fn reached(&self, own: i64, second: i64) -> bool {
        self.coarsest.slot_of(second) >= self.coarsest.oldest_slot(own)
    }

    /// Whether a second is in a ring, as far as it was there when the ring was made.
    pub(super) fn is_in(&self, ring: usize, second: i64) -> bool {
        !self.growths.iter().any(|growth| ring >= growth.made && second < growth.knows)
    }

    /// Whether an objective was there all the time.
    pub(super) fn has(&self, objective: &str) -> bool {
        !self.gone.iter().any(|gone| gone == objective)
    }
}

fn coarsest(rings: usize, scale: &Scale) -> Option<RingSize> {
    scale.rings.get(rings.checked_sub(1)?).copied()
}

/// What became of the SLOs of which something is taken in at a tick. Many entries of a source that was behind for long
/// have the same answer.
pub(super) struct Meanwhile<'a> {
    revisions: &'a Revisions,
    upto: i64,
    scale: &'a Scale,
    now: usize,
    /// The latest answer of each SLO, and since which number of revisions it holds.
    known: HashMap<String, (usize, Option<Since>)>,
}

impl<'a> Meanwhile<'a> {
    /// Up to `tick`, by the revisions below the offset `upto`.
    pub(super) fn new(tick: i64, (revisions, upto): (&'a Revisions, i64), scale: &'a Scale) -> Meanwhile<'a> {
        let now = revisions.in_force(end_of(tick), upto);
        Meanwhile { revisions, upto, scale, now, known: HashMap::new() }
    }

    /// What became of `slo` since the tick `own`; `None` if nothing did.
    pub(super) fn since(&mut self, slo: &str, own: i64) -> Option<&Since> {
        let before = self.revisions.in_force(end_of(own), self.upto);
        if before == self.now {
            return None;
        }
        if self.known.get(slo).is_none_or(|(known, _)| *known != before) {
            let since = Since::of(slo, (before, self.now), (self.revisions, self.upto), self.scale);
            self.known.insert(slo.to_owned(), (before, since));
        }
        self.known.get(slo)?.1.as_ref()
    }
}

/// The last millisecond of a tick: a revision applies from the tick that holds its cut.
pub(super) fn end_of(tick: i64) -> LogTime {
    LogTime(tick * 1_000 + 999)
}
