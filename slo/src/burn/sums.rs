//! Sums of the windows of a series at one tick, exact: of events, of slices of time, or of the shares of a composite's
//! objectives.

use super::periods::Spans;
use super::plan::EvaluationPlan;
use super::pool::{Series, State};
use crate::counts::Counts;
use crate::scale::Scale;
use crate::slices::{WHOLE, share_of_bad};
use slipstream_definitions::calendar::Period;
use slipstream_definitions::definition::Ratio;

/// Of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Row {
    /// In whole numbers: events, slices, or parts.
    pub counts: Counts,
    /// Events; of slices only where a rule asks.
    pub events: i64,
    /// By how much the window may be longer; 0: exact.
    pub slot_seconds: i64,
}

/// Of the periods of a calendar.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeriodRow {
    pub span: Period,
    pub row: Row,
    /// The period before.
    pub before: (Period, Row),
}

/// An objective of a composite.
#[derive(Debug)]
pub(super) struct Member {
    pub weight: Ratio,
    /// Its sums, what it could not decide, and what came too late; `None` if nothing is known of it.
    pub told: Option<(Sums, i64, i64)>,
}

/// Sums of the windows of a plan, in its order.
#[derive(Debug)]
pub(super) struct Sums {
    pub windows: Vec<Row>,
    /// `None` if the budget's window rolls: then it is the last one.
    pub period: Option<PeriodRow>,
    /// Of a composite: what its members could not decide, and what came too late for them.
    pub of_members: Option<(i64, i64)>,
}

impl Sums {
    /// Of a series that counts, over these windows and its period.
    pub(super) fn of_series(
        plan: &EvaluationPlan,
        windows: &[(i64, usize)],
        series: &Series,
        tick: i64,
        scale: &Scale,
    ) -> Sums {
        let windows = windows.iter().map(|window| row(plan, series, *window, tick, scale)).collect();
        let period = plan.clock.as_ref().map(|clock| of_periods(series, &clock.at(tick), tick));
        Sums { windows, period, of_members: None }
    }

    /// Of a composite, over so many windows of its members: the mean of their shares, by weight. One that has no traffic has no
    /// bad either.
    pub(super) fn of_composite(plan: &EvaluationPlan, windows: usize, members: &[Member], tick: i64) -> Sums {
        let weights = Weights::of(members.iter().map(|member| member.weight));
        let mean = |of: &dyn Fn(&Sums) -> Option<Row>| {
            let row = |member: &Member| member.told.as_ref().and_then(|(sums, _, _)| of(sums)).unwrap_or_default();
            let rows: Vec<Row> = members.iter().map(row).collect();
            Row {
                counts: weights.mean(&rows),
                events: rows.iter().map(|row| row.events).sum(),
                slot_seconds: rows.iter().map(|row| row.slot_seconds).max().unwrap_or(0),
            }
        };
        // Members have the windows of their composite.
        let window = |i: usize| mean(&|sums| sums.windows.get(i).copied());
        let period = plan.clock.as_ref().map(|clock| {
            let Spans { present, previous } = clock.at(tick);
            let row = mean(&|sums| sums.period.map(|p| p.row));
            let before = mean(&|sums| sums.period.map(|p| p.before.1));
            PeriodRow { span: present, row, before: (previous, before) }
        });
        let told = || members.iter().filter_map(|member| member.told.as_ref());
        let of_members = (told().map(|(_, unknown, _)| unknown).sum(), told().map(|(_, _, late)| late).sum());
        Sums { windows: (0..windows).map(window).collect(), period, of_members: Some(of_members) }
    }

    /// Of the window that the budget is for.
    pub(super) fn budget(&self) -> Row {
        let rolling = || self.windows.last().copied();
        self.period.map(|period| period.row).or_else(rolling).unwrap_or_default()
    }

    /// Of a rolling window.
    pub(super) fn of(&self, plan: &EvaluationPlan, seconds: i64) -> Row {
        let found = plan.windows.iter().position(|(window, _)| *window == seconds);
        found.and_then(|i| self.windows.get(i)).copied().unwrap_or_default()
    }
}

/// Of one window of a series that counts, and the ring that serves it.
pub(super) fn row(
    plan: &EvaluationPlan,
    series: &Series,
    (seconds, ring): (i64, usize),
    tick: i64,
    scale: &Scale,
) -> Row {
    match &series.state {
        State::Rings(rings) => {
            let counts = rings.get(ring).map_or(Counts::default(), |ring| ring.window(tick, seconds));
            Row { counts, events: counts.total, slot_seconds: scale.rings[ring].slot_seconds }
        }
        State::Slices(slices) => Row {
            counts: slices.window(tick, seconds),
            events: if plan.asks_events { slices.events(tick, seconds) } else { 0 },
            slot_seconds: slices.seconds(),
        },
        State::Composite => Row::default(),
    }
}

/// Of the present period up to now, and of the one before. A slice belongs to the period in which it begins.
fn of_periods(series: &Series, spans: &Spans, tick: i64) -> PeriodRow {
    let Spans { present, previous } = *spans;
    let sums = series.periods.unwrap_or_default().at(spans);
    let of = |bad: i64, total: i64, from: i64, to: i64| {
        let counts = match &series.state {
            State::Slices(slices) => slices.counts_of(slices.beginning_in(from, to), bad),
            State::Rings(_) | State::Composite => Counts { good: total - bad, total },
        };
        Row { counts, events: total, slot_seconds: 0 }
    };
    let row = of(sums.present.bad, sums.present.total, present.start, tick + 1);
    let before = of(sums.previous.bad, sums.previous.total, previous.start, previous.end);
    PeriodRow { span: present, row, before: (previous, before) }
}

/// Weights of a composite's members as whole numbers.
struct Weights(Vec<u64>);

impl Weights {
    /// Brought to one denominator. Numbers too long for that lose their last digits.
    fn of(ratios: impl Iterator<Item = Ratio>) -> Weights {
        let ratios: Vec<Ratio> = ratios.collect();
        let common = ratios.iter().try_fold(1u64, |all, ratio| least_common_multiple(all, ratio.den));
        let whole = |ratio: &Ratio| match common {
            Some(common) => u128::from(ratio.num) * u128::from(common / ratio.den),
            None => (u128::from(ratio.num) << 64) / u128::from(ratio.den),
        };
        let mut weights: Vec<u128> = ratios.iter().map(whole).collect();
        // Sums of so many weights times WHOLE stay below 2^128.
        while weights.iter().any(|weight| *weight >> 63 != 0) {
            weights.iter_mut().for_each(|weight| *weight >>= 1);
        }
        Weights(weights.into_iter().map(|weight| weight as u64).collect())
    }

    /// sum(weight x share) / sum(weight) in parts of [`WHOLE`], rounded half up; nothing where no row has traffic.
    fn mean(&self, rows: &[Row]) -> Counts {
        let sum: u128 = self.0.iter().map(|weight| u128::from(*weight)).sum();
        if sum == 0 || rows.iter().all(|row| row.counts.total <= 0) {
            return Counts::default();
        }
        let share = |row: &Row| share_of_bad(row.counts).unsigned_abs();
        let bad: u128 = self.0.iter().zip(rows).map(|(w, row)| u128::from(*w) * u128::from(share(row))).sum();
        // A mean of numbers up to WHOLE.
        let parts = ((2 * bad + sum) / (2 * sum)) as i64;
        Counts { good: WHOLE - parts, total: WHOLE }
    }
}

fn least_common_multiple(a: u64, b: u64) -> Option<u64> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a.checked_mul(b / x.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member's weight as a fraction, and what was bad of how much.
    type Of = ((u64, u64), (i64, i64));

    fn mean(members: &[Of]) -> (i64, i64) {
        let weights = Weights::of(members.iter().map(|((num, den), _)| Ratio { num: *num, den: *den }));
        let row = |(bad, total): (i64, i64)| Row { counts: Counts { good: total - bad, total }, ..Row::default() };
        let counts = weights.mean(&members.iter().map(|(_, counts)| row(*counts)).collect::<Vec<_>>());
        (counts.bad(), counts.total)
    }

    #[test]
    fn a_composite_is_the_mean_of_shares_by_weight() {
        assert_eq!(mean(&[((1, 1), (1, 10)), ((1, 1), (0, 1_000))]), (50_000_000, WHOLE));
        assert_eq!(mean(&[((7, 10), (1, 10)), ((3, 10), (1, 2))]), (220_000_000, WHOLE));
        assert_eq!(mean(&[((1, 1), (1, 3)), ((2, 1), (0, 0))]), (111_111_111, WHOLE), "no traffic, no bad");
        assert_eq!(mean(&[((1, 1), (0, 0)), ((2, 1), (0, 0))]), (0, 0));
        assert_eq!(mean(&[((u64::MAX, 1), (1, 1)), ((u64::MAX, 3), (1, 1))]), (WHOLE, WHOLE));
        assert_eq!(mean(&[((1, u64::MAX), (1, 1)), ((1, u64::MAX - 1), (1, 1))]), (WHOLE, WHOLE));
        // Exactly half a part is rounded up: weights with a common denominator lose nothing.
        let (one, half) = ((1, WHOLE), (0, WHOLE));
        assert_eq!(mean(&[((1, 1_000_000), one), ((1, 1_000_000), one), ((1, 500_000), half)]), (1, WHOLE));
    }
}
