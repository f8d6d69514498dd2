//! Which target an objective has kept: a proposal that would not have been broken in 95 % of past windows.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};
use slipstream_definitions::definition::Ratio;
use slipstream_slo::counts::Counts;

use super::history::History;
use super::sliding::Sums;

/// What is proposed, highest first: one or two digits behind the nines, as people agree on targets.
const TARGETS: [&str; 17] = [
    "0.99999", "0.99995", "0.9999", "0.9995", "0.999", "0.9975", "0.995", "0.99", "0.98", "0.97", "0.95", "0.9",
    "0.85", "0.8", "0.7", "0.6", "0.5",
];
/// A window must fit so often into the history, end to end, to say what is usual.
const LEAST_WINDOWS: i64 = 4;
/// Lengths that are tried where the period does not fit, seconds: 28 d, 7 d, 3 d, 1 d, 12 h, 6 h, 3 h, 1 h, 30 min, 15 min, 5 min.
const LENGTHS: [i64; 11] = [2_419_200, 604_800, 259_200, 86_400, 43_200, 21_600, 10_800, 3_600, 1_800, 900, 300];
/// A window moves on by this part of itself.
const STEPS: usize = 12;
/// Of 20 windows, one may be worse.
const ONE_IN: usize = 20;

/// What was kept, and the target that follows from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetProposal {
    /// The target to agree on; null if even half was not kept, or there were too few events for any.
    #[serde(serialize_with = "as_number")]
    pub target: Option<Ratio>,
    /// Share of good events that 95 % of the windows had at least.
    pub kept: f64,
    /// Length of the windows: the period if it fits four times, else the longest of a ladder that does.
    pub window_seconds: i64,
    /// The period of the budget.
    pub period_seconds: i64,
    /// How many windows with traffic were looked at; they overlap.
    pub windows: u64,
    /// Events in a period, if they are as many as in the middle one of the windows. A target is proposed only if it allows
    /// one of them at least to be bad.
    pub events_in_a_period: u64,
}

/// The decimal as a number, or null.
fn as_number<S: Serializer>(ratio: &Option<Ratio>, serializer: S) -> Result<S::Ok, S::Error> {
    ratio.map(Ratio::as_f64).serialize(serializer)
}

/// The target that was kept up to `to`, over the windows of all series. `None` if there was no traffic, or if the history is
/// shorter than four windows of five minutes.
pub fn propose(history: &History, to: i64) -> Option<TargetProposal> {
    let window_seconds = length(history.period, to - history.from)?;
    let mut windows: Vec<Counts> = Vec::new();
    for series in &history.series {
        let sums = Sums::of(&series.slots, history.from, to, history.slot_seconds);
        let width = usize::try_from(window_seconds / sums.slot_seconds()).ok()?.max(1);
        let ends = (width..=sums.slots()).step_by((width / STEPS).max(1));
        windows.extend(ends.map(|end| sums.window(end, width)).filter(|counts| counts.total > 0));
    }
    windows.sort_by(|a, b| by_share(*a, *b));
    let kept = *windows.get(windows.len() / ONE_IN)?;
    let mut totals: Vec<i64> = windows.iter().map(|counts| counts.total).collect();
    totals.sort_unstable();
    let middle = totals[totals.len() / 2].unsigned_abs();
    let in_a_period = u128::from(middle) * u128::from(history.period.unsigned_abs());
    let events = u64::try_from(in_a_period / u128::from(window_seconds.unsigned_abs())).unwrap_or(u64::MAX);
    Some(TargetProposal {
        target: highest(kept, events),
        kept: kept.good as f64 / kept.total as f64,
        window_seconds,
        period_seconds: history.period,
        windows: windows.len() as u64,
        events_in_a_period: events,
    })
}

/// The length of windows for a history of so many seconds.
fn length(period: i64, covered: i64) -> Option<i64> {
    let fits = |length: &i64| *length > 0 && length.saturating_mul(LEAST_WINDOWS) <= covered;
    let shorter = LENGTHS.into_iter().filter(|length| *length < period);
    Some(period).filter(fits).or_else(|| shorter.filter(fits).max())
}

/// By the share of good events, exactly.
fn by_share(a: Counts, b: Counts) -> Ordering {
    (i128::from(a.good) * i128::from(b.total)).cmp(&(i128::from(b.good) * i128::from(a.total)))
}

/// The highest target that was kept and whose budget, of so many events, is one at least.
fn highest(kept: Counts, events: u64) -> Option<Ratio> {
    let is_kept = |target: &Ratio| {
        let target =
            Counts { good: target.num.try_into().unwrap_or(i64::MAX), total: target.den.try_into().unwrap_or(1) };
        by_share(target, kept).is_le()
    };
    let allows_one =
        |target: &Ratio| u128::from(target.den - target.num) * u128::from(events) >= u128::from(target.den);
    TARGETS.iter().filter_map(|text| Ratio::parse(text).ok()).find(|target| is_kept(target) && allows_one(target))
}

#[cfg(test)]
mod tests {
    use super::super::history::{Series, Slot};
    use super::*;

    const DAY: i64 = 86_400;

    /// Hours with so many bad of 1,000 each, for a period of so many days.
    fn history(bad: &[i64], days: i64) -> (History, i64) {
        let slot = |(index, bad): (usize, &i64)| Slot { start: index as i64 * 3_600, good: 1_000 - bad, total: 1_000 };
        let history = History {
            slo: "answers".to_owned(),
            service: "web".to_owned(),
            objective: "answered".to_owned(),
            target: Ratio { num: 99, den: 100 },
            rules: Vec::new(),
            period: days * DAY,
            from: 0,
            slot_seconds: 3_600,
            series: vec![Series { slots: bad.iter().enumerate().map(slot).collect(), ..Series::default() }],
            document: None,
        };
        (history, bad.len() as i64 * 3_600)
    }

    fn proposed(bad: &[i64], days: i64) -> Option<(Option<String>, i64)> {
        let (history, to) = history(bad, days);
        let proposal = propose(&history, to)?;
        Some((proposal.target.and_then(Ratio::to_decimal), proposal.window_seconds))
    }

    #[test]
    fn the_target_is_at_most_what_was_kept() {
        let ten_days = |bad: i64| vec![bad; 240];
        for (bad, target) in
            [(0, "0.99995"), (1, "0.999"), (2, "0.9975"), (3, "0.995"), (5, "0.995"), (6, "0.99"), (400, "0.6")]
        {
            assert_eq!(proposed(&ten_days(bad), 1), Some((Some(target.to_owned()), DAY)), "{bad} of 1,000");
        }
        assert_eq!(proposed(&ten_days(501), 1), Some((None, DAY)));
    }

    #[test]
    fn one_window_in_twenty_may_be_worse() {
        // 400 h, so windows of an hour each, of which these are bad.
        let with = |bad: usize| (0..400).map(|hour| if hour < bad { 100 } else { 1 }).collect::<Vec<_>>();
        let (mut history, to) = history(&with(20), 1);
        history.period = 3_600;
        assert_eq!(propose(&history, to).unwrap().kept, 0.999);
        history.series[0].slots[20].good = 900;
        assert_eq!(propose(&history, to).unwrap().kept, 0.9);
    }

    #[test]
    fn a_history_that_is_short_for_the_period_is_read_in_shorter_windows() {
        for (hours, days, window) in [(96, 1, DAY), (95, 1, DAY / 2), (240, 30, DAY), (24 * 120, 30, 30 * DAY)] {
            assert_eq!(proposed(&vec![1; hours], days).map(|(_, window)| window), Some(window), "{hours} h");
        }
        assert_eq!(length(DAY, 4 * 300), Some(300));
        assert_eq!(length(DAY, 4 * 300 - 1), None);
        assert_eq!(length(60, 240), Some(60));
    }

    #[test]
    fn a_target_allows_a_bad_event_at_least() {
        let (mut history, to) = history(&[0; 240], 1);
        for slot in &mut history.series[0].slots {
            (slot.good, slot.total) = (5, 5);
        }
        // 120 events a day: 99 % of them may leave one, 99.5 % not.
        let proposal = propose(&history, to).unwrap();
        assert_eq!((proposal.events_in_a_period, proposal.target), (120, Ratio::parse("0.99").ok()));
        assert_eq!(propose(&History { series: Vec::new(), ..history }, to), None);
    }
}
