//! Quiet stretches, in which many seconds may be fed at once without changing any result.
//!
//! Requests that all count as good, while nothing bad is in reach of any rule and no alert is open, move no condition:
//! burn rates are 0 whatever the totals. (A kind of rule that may hold without anything bad says so: then nothing is fed at
//! once.) Their totals stay in the rings, though, and are looked at later. A ring tells
//! apart the seconds of two slots, and forgets a slot after so many; so a lump of seconds may be fed as one where it lies
//! in one slot of every ring that will still know it when anything is looked at, or goes wrong, again. Of time slices a
//! lump may not hold more than one, of a calendar's periods neither.

use slipstream_definitions::definition::{BUDGET_EXHAUSTED, BUDGET_REMAINING, Calendar, Slo, Window};
use slipstream_slo::rule::Kinds;
use slipstream_slo::scale::Scale;

/// How much may be fed at once. Times are Unix seconds.
pub(crate) struct Lumps {
    /// Sizes, largest first, each with the seconds after which every finer ring has forgotten it.
    sizes: Vec<(i64, i64)>,
    slices: Vec<i64>,
    calendars: Vec<Calendar>,
    /// How far back any rule can see.
    reach: i64,
}

/// What is known of a moment.
pub(crate) struct Moment {
    pub now: i64,
    /// Up to here nothing changes, and nothing is looked at.
    pub same_until: i64,
    /// From here on something may be looked at, or be other than good.
    pub next: i64,
    /// The last second that was other than good, or learned late.
    pub last_bad: Option<i64>,
}

impl Lumps {
    /// For these definitions.
    pub(crate) fn new(slos: &[Slo], scale: &Scale) -> Lumps {
        let mut sizes = Vec::new();
        let mut forgotten = 0;
        for ring in scale.rings {
            if ring.slot_seconds > 1 {
                sizes.insert(0, (ring.slot_seconds, forgotten));
            }
            forgotten = forgotten.max(ring.slots as i64 * ring.slot_seconds);
        }
        let sliced = slos.iter().flat_map(|slo| &slo.objectives).filter_map(|o| o.budgeting.slice());
        let slices: Vec<i64> = sliced.collect();
        let calendars = slos.iter().filter_map(|slo| match &slo.window {
            Window::Calendar(calendar) => Some(calendar.clone()),
            Window::Rolling(_) => None,
        });
        let rules = || slos.iter().flat_map(Slo::rules);
        let kinds = Kinds::default();
        let all_need_bad = rules().all(|rule| kinds.needs_bad(&rule.condition));
        // A budget changes with all that is in its period.
        let of_budgets = slos
            .iter()
            .filter(|slo| slo.rules().any(|rule| [BUDGET_REMAINING, BUDGET_EXHAUSTED].contains(&rule.condition.kind)));
        let periods = of_budgets.map(|slo| slo.window.nominal_seconds());
        let longest = rules()
            .flat_map(|rule| kinds.of(&rule.condition).windows(&rule.condition))
            .chain(periods)
            .max()
            .unwrap_or(0);
        let slot = scale.ring_for(longest).map_or(longest, |ring| scale.rings[ring].slot_seconds);
        let slice = slices.iter().copied().max().unwrap_or(0);
        // A rule that may hold without anything bad looks at every second.
        let sizes = if all_need_bad { sizes } else { Vec::new() };
        Lumps { sizes, reach: longest + slot + 2 * slice, slices, calendars: calendars.collect() }
    }

    /// How many seconds from `now` on may be fed at once.
    pub(crate) fn size(&self, moment: &Moment) -> i64 {
        let Moment { now, same_until, next, last_bad } = *moment;
        if last_bad.is_some_and(|bad| now - bad <= self.reach) {
            return 1;
        }
        let fits = |(size, forgotten): &&(i64, i64)| {
            now.rem_euclid(*size) == 0
                && now + size <= same_until
                && now + size + forgotten <= next
                && self.slices.iter().all(|slice| slice % size == 0)
                && self.calendars.iter().all(|calendar| calendar.period_at(now).end >= now + size)
        };
        self.sizes.iter().find(fits).map_or(1, |(size, _)| *size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lumps() -> Lumps {
        Lumps::new(&[], &Scale::REAL)
    }

    fn size(now: i64, same_until: i64, next: i64, last_bad: Option<i64>) -> i64 {
        lumps().size(&Moment { now, same_until, next, last_bad })
    }

    #[test]
    fn a_lump_is_what_every_finer_ring_forgets_in_time() {
        let far = 100 * 86_400;
        assert_eq!(size(0, far, far, None), 21_600);
        assert_eq!(size(7_200, far, far, None), 7_200, "not aligned to 6 h");
        assert_eq!(size(60, far, far, None), 60);
        assert_eq!(size(1, far, far, None), 1);
        assert_eq!(size(0, 100, far, None), 60, "something changes");
        assert_eq!(size(0, far, 10 + 301, None), 10);
        assert_eq!(size(0, far, 10 + 300, None), 1, "the seconds are still known");
        assert_eq!(size(0, far, 60 + 3_610, None), 60);
        assert_eq!(size(0, far, far, Some(0)), 1, "something was bad just now");
    }

    #[test]
    fn slices_and_periods_are_not_crossed() {
        let mut with = lumps();
        with.slices = vec![300];
        let far = Moment { now: 0, same_until: i64::MAX / 2, next: i64::MAX / 2, last_bad: None };
        assert_eq!(with.size(&far), 60);
        let mut with = lumps();
        let start = "1970-01-01T00:30:00".parse().expect("a civil time");
        with.calendars =
            Calendar::new(1, slipstream_definitions::calendar::Unit::Hour, start, "UTC").into_iter().collect();
        assert_eq!(with.size(&far), 720);
    }
}
