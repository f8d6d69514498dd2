//! Looking on while a fold goes from tick to tick.

use slipstream_schemas::LogTime;
use slipstream_schemas::records::{BurnRates, TallyEntry};

use super::{Burn, BurnFault, head};
use crate::revision::Revisions;

/// What a series took in at a tick.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// The SLO.
    pub slo: &'a str,
    /// Its generation.
    pub generation: i64,
    /// The series' objective.
    pub objective: &'a str,
    /// The series' group: that of the entries, or `other` in every dimension if theirs came beyond the cap.
    pub group: &'a [String],
    /// They are of one tick, objective and group.
    pub entries: &'a [TallyEntry],
}

/// Somebody who looks on. A function is told of ticks only.
pub trait Watch {
    /// A series took entries in. What is dropped, because its generation or its objective has ended, does not come here.
    fn taken(&mut self, _taken: Taken<'_>) {}

    /// A tick was evaluated, and the state is as it is then. `rates` are the burn rates that were given and not taken yet: they
    /// may be taken here, for where a batch leads over years, they are many.
    ///
    /// # Errors
    /// Whatever ends the fold.
    fn evaluated(&mut self, burn: &Burn, tick: i64, rates: &mut Vec<BurnRates>) -> Result<(), BurnFault>;
}

impl<F: FnMut(&Burn, i64, &mut Vec<BurnRates>) -> Result<(), BurnFault>> Watch for F {
    fn evaluated(&mut self, burn: &Burn, tick: i64, rates: &mut Vec<BurnRates>) -> Result<(), BurnFault> {
        self(burn, tick, rates)
    }
}

/// Nobody looks on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Watch for Nobody {
    fn evaluated(&mut self, _: &Burn, _: i64, _: &mut Vec<BurnRates>) -> Result<(), BurnFault> {
        Ok(())
    }
}

impl Burn {
    /// Log time up to which all sources are known.
    pub fn known_until(&self) -> LogTime {
        head::frontier(&self.head, self.scale.lag_ms).time
    }

    /// Ends the fold within a tick: what came of the next one is taken in, by the definitions of the last one.
    pub fn take_rest(mut self, revisions: &Revisions, watch: &mut dyn Watch) {
        if let Some(next) = self.head.next_tick {
            let moment = self.moment(next, &head::frontier(&self.head, self.scale.lag_ms));
            self.take_in(&moment, revisions, watch);
        }
    }
}
