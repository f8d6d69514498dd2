//! How the rings of an SLO changed between the tick of an entry and the tick at which it is taken in.
//!
//! They differ where a source was behind: other sources went on without it, and its entries are taken in at a later tick
//! than their own. What such an entry counts for must not depend on that (P3b), so a definition that changed the windows
//! meanwhile is applied to it as if it had been there.

use slipstream_schemas::LogTime;

use super::plan::Needs;
use crate::revision::Revisions;
use crate::scale::{RingSize, Scale};

/// The rings at an earlier tick, and what later ones were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Since {
    /// The coarsest ring at the entry's own tick.
    coarsest: RingSize,
    growths: Vec<Growth>,
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
    /// What happened to the rings of `slo` after the tick `own`, up to `tick`, by the revisions below the offset `upto`.
    /// `None` if no revision of it applies in between.
    pub(super) fn of(
        slo: &str,
        (own, tick): (i64, i64),
        (revisions, upto): (&Revisions, i64),
        scale: &Scale,
    ) -> Option<Since> {
        let in_force = |tick: i64| revisions.in_force(end_of(tick), upto);
        let (before, now) = (in_force(own), in_force(tick));
        let rings_of = |count: usize| Some(Needs::of(&revisions.fold(slo, count)?, scale).ok()?.rings);
        let mut changes = revisions.ticks_of(slo, before, now).peekable();
        changes.peek()?;
        let mut rings = rings_of(before)?;
        let mut since = Since { coarsest: *scale.rings.get(rings.checked_sub(1)?)?, growths: Vec::new() };
        for changed in changes {
            let needed = rings_of(in_force(changed))?;
            if needed > rings {
                let coarsest = scale.rings.get(rings.checked_sub(1)?)?;
                let knows = coarsest.oldest_slot(changed - 1) * coarsest.slot_seconds;
                since.growths.push(Growth { made: rings, knows });
            }
            rings = needed;
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
}

/// The last millisecond of a tick: a revision applies from the tick that holds its cut.
pub(super) fn end_of(tick: i64) -> LogTime {
    LogTime(tick * 1_000 + 999)
}
