//! The sizes of the folds: slots, cadences, cap, lag. [`Scale::REAL`] is the product; tests take smaller ones, so that
//! every boundary is near in a short history.

/// A ring of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingSize {
    /// Length of a slot, seconds.
    pub slot_seconds: i64,
    /// How many slots it has: it serves windows up to (slots - 1) x slot_seconds.
    pub slots: usize,
}

impl RingSize {
    /// The longest window that it serves, seconds.
    pub const fn reach(self) -> i64 {
        (self.slots as i64 - 1) * self.slot_seconds
    }

    /// The slot that holds a second.
    pub const fn slot_of(self, second: i64) -> i64 {
        second.div_euclid(self.slot_seconds)
    }

    /// The oldest slot still kept when `tick` is evaluated.
    pub const fn oldest_slot(self, tick: i64) -> i64 {
        self.slot_of(tick) - self.slots as i64 + 1
    }
}

/// Sizes of the folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// The rings, finest first.
    pub rings: &'static [RingSize],
    /// How many of them every series has; the others only where a window needs them.
    pub base_rings: usize,
    /// Of sliced time, events are counted for so many seconds: as late an event may be to flip its slice.
    pub slices_counted: i64,
    /// They are kept for so many seconds more, for sources that are behind: an event counts by how late it was at its own
    /// tick, also where its source was left out of the ticks since.
    pub slices_lag: i64,
    /// A series is evaluated at least every so many seconds.
    pub evaluate_every: i64,
    /// A series that was tallied is published at most about every so many seconds.
    pub publish_every: i64,
    /// Groups of an SLO; later ones are counted as `other`.
    pub groups: usize,
    /// A source that is further behind than this, milliseconds of log time, counts as missing.
    pub lag_ms: i64,
}

const fn ring(slot_seconds: i64, slots: usize) -> RingSize {
    RingSize { slot_seconds, slots }
}

impl Scale {
    /// What the product uses.
    pub const REAL: Scale = Scale {
        rings: &[
            ring(1, 301),
            ring(10, 361),
            ring(60, 361),
            ring(240, 361),
            ring(720, 361),
            ring(7_200, 361),
            ring(21_600, 361),
        ],
        base_rings: 6,
        slices_counted: 86_400,
        slices_lag: 3_600,
        evaluate_every: 60,
        publish_every: 10,
        groups: 1_000,
        lag_ms: 3_000,
    };

    /// The longest window that any ring serves, seconds.
    pub fn longest_window(&self) -> i64 {
        self.rings.iter().map(|ring| ring.reach()).max().unwrap_or(0)
    }

    /// How much of the past every series keeps, seconds.
    pub fn base_reach(&self) -> i64 {
        self.rings[..self.base_rings].last().map_or(0, |ring| ring.reach())
    }

    /// Index of the finest ring that reaches: n slots cover `window` and one slot more.
    pub fn ring_for(&self, window: i64) -> Option<usize> {
        self.rings.iter().position(|ring| ring.reach() >= window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_uses_the_finest_ring_that_reaches_it() {
        let slot = |window| Scale::REAL.ring_for(window).map(|i| Scale::REAL.rings[i].slot_seconds);
        let hour = 3_600;
        let table = [
            (300, Some(1)),
            (301, Some(10)),
            (hour, Some(10)),
            (6 * hour, Some(60)),
            (24 * hour, Some(240)),
            (72 * hour, Some(720)),
            (30 * 24 * hour, Some(7_200)),
            (90 * 24 * hour, Some(21_600)),
            (90 * 24 * hour + 1, None),
        ];
        for (window, expected) in table {
            assert_eq!(slot(window), expected, "window of {window} s");
        }
        assert_eq!(Scale::REAL.longest_window(), 90 * 24 * hour);
    }
}
