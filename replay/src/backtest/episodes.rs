//! What was bad enough to be an incident, where nobody noted any down: stretches in which the budget went too fast, and a share
//! of it worth an alert was spent.

use slipstream_definitions::definition::Ratio;
use slipstream_slo::rule::burns_faster;

use super::history::{History, Series};
use super::incidents::Incident;
use super::sliding::Sums;

/// A slot is part of an episode while the budget goes too fast over so long a window, seconds; a shorter break ends none.
const SMOOTHED: i64 = 300;
const ONE: Ratio = Ratio { num: 1, den: 1 };

/// The episodes of all series up to `to`, by time. Each is from its first bad slot to the end of its last one; within, over
/// five minutes, more was bad than the target allows, and in all more than `least_share` of the period's budget. Their
/// service is the series' own.
pub fn episodes(history: &History, to: i64, target: Ratio, least_share: f64) -> Vec<Incident> {
    let of = |series: &Series| {
        let sums = Sums::of(&series.slots, history.from, to, history.slot_seconds);
        let budget = budget(&sums, history, to, target);
        let [_, service] = history.services(series);
        let spent = |(first, end): &(usize, usize)| sums.window(*end, end - first).bad() as f64 / budget;
        let episode = |run: (usize, usize)| Incident {
            from: sums.start(run.0),
            to: sums.second(run.1),
            service: service.to_owned(),
            what: format!("{:.1} % of the budget", spent(&run) * 100.0),
        };
        let large = |run: &(usize, usize)| spent(run) > least_share;
        runs(&sums, target).into_iter().filter(large).map(episode).collect::<Vec<_>>()
    };
    let mut all: Vec<Incident> = history.series.iter().flat_map(of).collect();
    all.sort();
    all
}

/// What may be bad in a period, if its traffic is like that of the history.
fn budget(sums: &Sums, history: &History, to: i64, target: Ratio) -> f64 {
    let total = sums.window(sums.slots(), sums.slots()).total as f64;
    let periods = (to - history.from).max(1) as f64 / history.period.max(1) as f64;
    (1.0 - target.as_f64()) * total / periods
}

/// Stretches in which the budget goes too fast, from the first bad slot, up to the last one; as slots, `to` exclusive.
fn runs(sums: &Sums, target: Ratio) -> Vec<(usize, usize)> {
    let is_bad = |slot: &usize| sums.window(slot + 1, 1).bad() > 0;
    let width = usize::try_from(SMOOTHED / sums.slot_seconds()).unwrap_or(1).max(1);
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for end in 1..=sums.slots() {
        if !burns_faster(sums.window(end, width), ONE, target) {
            continue;
        }
        let window = end.saturating_sub(width)..end;
        let (Some(first), Some(last)) = (window.clone().find(is_bad), window.rev().find(is_bad)) else { continue };
        match runs.last_mut() {
            // It goes on, or the break is shorter than the window.
            Some(run) if first <= run.1 + width => run.1 = last + 1,
            _ => runs.push((first, last + 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::history::Slot;
    use super::*;

    /// Minutes with so many bad of 100 each, for a period of 1,000 minutes.
    fn history(bad: &[i64]) -> History {
        let slot = |(index, bad): (usize, &i64)| Slot { start: index as i64 * 60, good: 100 - bad, total: 100 };
        let series = Series { slots: bad.iter().enumerate().map(slot).collect(), ..Series::default() };
        History {
            slo: "answers".to_owned(),
            service: "web".to_owned(),
            objective: "answered".to_owned(),
            target: Ratio { num: 99, den: 100 },
            rules: Vec::new(),
            period: 60_000,
            from: 0,
            slot_seconds: 60,
            series: vec![series],
            document: None,
        }
    }

    fn found(bad: &[i64], least_share: f64) -> Vec<(i64, i64, String)> {
        let history = history(bad);
        let found = episodes(&history, bad.len() as i64 * 60, history.target, least_share);
        found.into_iter().map(|incident| (incident.from / 60, (incident.to + 1) / 60, incident.what)).collect()
    }

    /// A hundred minutes, with the given ones bad.
    fn hour(bad: &[(usize, i64)]) -> Vec<i64> {
        let mut minutes = vec![0; 100];
        bad.iter().for_each(|(minute, count)| minutes[*minute] = *count);
        minutes
    }

    #[test]
    fn an_episode_is_from_the_first_bad_slot_to_the_last() {
        // The budget is 1 % of 100,000: 1,000.
        let bad = hour(&[(20, 60), (21, 0), (22, 90)]);
        assert_eq!(found(&bad, 0.1), [(20, 23, "15.0 % of the budget".to_owned())]);
        assert_eq!(found(&bad, 0.15), []);
    }

    #[test]
    fn what_the_target_allows_is_no_episode() {
        assert_eq!(found(&[1; 100], 0.0), []);
        assert_eq!(found(&[0; 100], 0.0), []);
        assert_eq!(found(&[], 0.0), []);
    }

    #[test]
    fn a_short_break_ends_no_episode_and_a_long_one_does() {
        let places = |bad: &[(usize, i64)]| {
            found(&hour(bad), 0.01).into_iter().map(|(from, to, _)| (from, to)).collect::<Vec<_>>()
        };
        assert_eq!(places(&[(20, 90), (25, 90)]), [(20, 26)]);
        assert_eq!(places(&[(20, 90), (35, 90)]), [(20, 21), (35, 36)]);
    }
}
