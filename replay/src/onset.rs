//! When it began: from when on bad requests came faster than the budget allows.
//!
//! The rule: from the firing back, the stretch in which the burn rate over a window stayed above 1, the pace that spends the budget
//! in its period; and within the window that first was above it, from where on the bad requests outnumber what is allowed the most.
//! So an outage begins with its first bad request, and a background failure that the requests after it make up for is none of it.

use slipstream_definitions::definition::{
    BURN_RATE, Budgeting, Condition, ERROR_RATIO, LATENCY_QUANTILE, NO_TRAFFIC, Objective, RATIO_BELOW, Rule,
};

/// Of the short window so much is looked at, seconds: one of six hours would not tell an outage from the hours before it.
const LONGEST_WINDOW: i64 = 3_600;
/// What is looked at where the rule has no window, seconds.
const OF_BUDGETS: i64 = 300;

/// What is above the pace: more than `num` bad ones of `den`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    num: i128,
    den: i128,
    /// Over a window of so many seconds.
    window: usize,
}

/// Where a stretch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Onset {
    /// The second with its first bad requests.
    pub at: i64,
    /// Its window reaches to before what was counted.
    pub reaches_back: bool,
}

impl Pace {
    /// What a rule of an objective looks at: its short window, an hour at most, and a burn rate of 1, or its threshold where that is
    /// lower. Of a budget of timeslices it is the share of bad requests that makes a slice bad; of a rule on a share, that share.
    /// `None` where no bad request makes it hold.
    pub fn of(objective: &Objective, rule: &Rule) -> Option<Pace> {
        let Condition { kind, short, threshold, .. } = rule.condition;
        let share = match kind {
            NO_TRAFFIC => return None,
            ERROR_RATIO => Some(threshold),
            RATIO_BELOW | LATENCY_QUANTILE => Some(threshold.complement()?),
            _ => None,
        };
        // A budget has no window of its own.
        let window = if short > 0 { short } else { OF_BUDGETS }.clamp(1, LONGEST_WINDOW) as usize;
        // Of slices of time a share is one of slices; what makes a slice bad is below.
        if let Some(share) = share.filter(|_| objective.budgeting.slice().is_none()) {
            return Some(Pace { num: i128::from(share.num), den: i128::from(share.den), window });
        }
        let target = match objective.budgeting {
            Budgeting::Timeslices { target, .. } => target,
            Budgeting::Occurrences | Budgeting::RatioTimeslices { .. } => objective.target,
        };
        let (num, den) = (i128::from(target.den) - i128::from(target.num), i128::from(target.den));
        let (num, den) = if kind == BURN_RATE && threshold.num < threshold.den {
            (num * i128::from(threshold.num), den * i128::from(threshold.den))
        } else {
            (num, den)
        };
        Some(Pace { num, den, window })
    }

    /// Where the stretch begins that lasts until the end. `counts`: bad, and good or bad, of each second from `first` on; the last
    /// is that of the firing. `None` if the end is not above the pace.
    pub fn onset(self, first: i64, counts: &[[i64; 2]]) -> Option<Onset> {
        // How many bad ones there were beyond those that are allowed, times `den`: up to each second, from the first on.
        let mut beyond = Vec::with_capacity(counts.len() + 1);
        beyond.push(0_i128);
        for [bad, total] in counts {
            let more = i128::from(*bad) * self.den - i128::from(*total) * self.num;
            beyond.push(beyond[beyond.len() - 1] + more);
        }
        let begin = |second: usize| (second + 1).saturating_sub(self.window);
        let is_above = |second: &usize| beyond[second + 1] > beyond[begin(*second)];
        // Late requests may have made the very second of the firing look better.
        let last = (0..counts.len()).rev().take(self.window).find(is_above)?;
        let since = (0..=last).rev().take_while(is_above).last()?;
        // Of equals the last: seconds without a bad request are no part of it.
        let at = (begin(since)..=since).rev().min_by_key(|second| beyond[*second])?;
        Some(Onset { at: first + at as i64, reaches_back: since + 1 < self.window })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One bad request of a hundred is allowed, over five minutes.
    const PACE: Pace = Pace { num: 1, den: 100, window: 300 };
    const FIRST: i64 = 1_000_000;

    /// An hour with ten requests a second; so many are bad in these seconds.
    fn onset(bad: &[(std::ops::Range<usize>, i64)]) -> Option<(i64, bool)> {
        let mut counts = vec![[0, 10]; 3_600];
        for (seconds, bad) in bad {
            counts[seconds.clone()].iter_mut().for_each(|count| count[0] = *bad);
        }
        PACE.onset(FIRST, &counts).map(|onset| (onset.at - FIRST, onset.reaches_back))
    }

    /// What it is, from when to when how many of ten a second are bad, and what is found.
    type Row<'a> = (&'a str, &'a [(std::ops::Range<usize>, i64)], Option<(i64, bool)>);

    #[test]
    fn a_stretch_begins_where_bad_requests_outnumber_what_is_allowed() {
        let rows: [Row<'_>; 8] = [
            ("an outage up to the firing", &[(3_540..3_600, 10)], Some((3_540, false))),
            ("one failure long before it", &[(1_000..1_001, 1), (3_540..3_600, 10)], Some((3_540, false))),
            ("and one within its window", &[(3_400..3_401, 1), (3_540..3_600, 10)], Some((3_540, false))),
            ("a slow burn, longer than the window by far", &[(1_800..3_600, 1)], Some((1_800, false))),
            (
                "an earlier outage, over for longer than the window",
                &[(900..1_200, 10), (3_500..3_600, 10)],
                Some((3_500, false)),
            ),
            ("a slow burn that was there before", &[(0..3_600, 1)], Some((0, true))),
            ("as many as are allowed", &[(0..360, 0), (3_599..3_600, 10)], None),
            ("nothing", &[], None),
        ];
        for (what, bad, expected) in rows {
            assert_eq!(onset(bad), expected, "{what}");
        }
    }

    #[test]
    fn seconds_without_requests_are_no_part_of_it() {
        let mut counts = vec![[0, 0]; 600];
        counts[500] = [1, 1];
        assert_eq!(PACE.onset(FIRST, &counts), Some(Onset { at: FIRST + 500, reaches_back: false }));
        assert_eq!(PACE.onset(FIRST, &counts[..500]), None);
        assert_eq!(PACE.onset(FIRST, &[]), None);
    }
}
