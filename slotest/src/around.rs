//! The minute around a failure: a second run of the test that looks every ten seconds.

use serde::Serialize;
use slipstream_schemas::records::{BudgetUnit, BurnRates};

use crate::bind::SeriesName;
use crate::compare::{Found, worst_phase};
use crate::expect::{percent, phase_word};
use crate::run::{Arrived, Seen, Watch, name_of, run};
use crate::{Failure, Test, span};

/// Seconds between two rows.
const STEP: i64 = 10;
/// Rows before and after.
const ROWS: i64 = 3;
/// Columns of what came.
const COUNTS: [&str; 3] = ["good", "bad", "unknown"];
/// Failures that get a table: a run looks seven times for each.
const TABLES: usize = 20;

/// A small table: how a series stood in the minute around a failure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Around {
    /// Names of the columns.
    pub head: Vec<String>,
    /// As many cells as columns each.
    pub rows: Vec<Vec<String>>,
    /// Which row is the time of the failure.
    pub row: usize,
}

/// Makes failures of what was found, with the minute around each of the first.
pub(crate) fn add(found: Vec<Found>, test: &Test, most_work: u64) -> Vec<Failure> {
    if found.is_empty() {
        return Vec::new();
    }
    let plan = &test.bound.plan;
    let watched = found.iter().take(TABLES).flat_map(|found| moments(found.at, plan.end));
    let watch = Watch { looks: watched.collect(), arrivals: STEP };
    let seen = run(plan, &test.slos, &watch, most_work).ok();
    let table = |i: usize, found: &Found| {
        let (seen, series) = (seen.as_ref()?, found.series.as_ref()?);
        (i < TABLES).then(|| table(seen, series, found.at, plan.start, plan.end)).flatten()
    };
    let tables: Vec<Option<Around>> = found.iter().enumerate().map(|(i, found)| table(i, found)).collect();
    found.into_iter().zip(tables).map(|(found, around)| failure(found, around)).collect()
}

fn failure(found: Found, around: Option<Around>) -> Failure {
    Failure {
        line: found.place.line,
        column: found.place.column,
        series: found.series.map(|series| series.to_string()).unwrap_or_default(),
        what: found.what,
        at: span::format(found.at),
        expected: found.expected,
        got: found.got,
        around,
    }
}

fn moments(at: i64, end: i64) -> impl Iterator<Item = i64> {
    (-ROWS..=ROWS).map(move |row| at + row * STEP).filter(move |moment| (1..=end).contains(moment))
}

/// `None` if the series was not there.
fn table(seen: &Seen, series: &SeriesName, at: i64, start: i64, end: i64) -> Option<Around> {
    let state = |moment: i64| seen.looks.get(&moment)?.iter().find(|rates| name_of(rates) == *series);
    let any = state(at).or_else(|| moments(at, end).find_map(state))?;
    let windows: Vec<i64> = any.windows.iter().map(|window| window.seconds).collect();
    // A Rule that counts for itself promises nothing: it has shares instead of burn rates, and no budget.
    let promises = any.target.is_some();
    let windows = if promises { &windows[..windows.len().saturating_sub(1)] } else { &windows[..] };
    // A composite has no requests of its own.
    let counts: &[&str] = if any.unit == BudgetUnit::Share { &[] } else { &COUNTS };
    let what = if promises { "burn" } else { "bad" };
    let rates = windows.iter().map(|seconds| format!("{what} {}", span::format(*seconds)));
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let budget: &[&str] = if promises { &["budget left"] } else { &[] };
    let head = [own(&["at"]), own(counts), rates.collect(), own(budget), own(&["conditions", "alert"])].concat();
    let (mut rows, mut row_of_failure) = (Vec::new(), 0);
    for moment in moments(at, end) {
        if moment == at {
            row_of_failure = rows.len();
        }
        let mut row = vec![span::format(moment)];
        let Arrived { good, bad, unknown } = arrived(seen, series, moment);
        row.extend([good, bad, unknown].iter().take(counts.len()).map(i64::to_string));
        row.extend(standing(state(moment), windows, promises));
        row.push(phase_word(worst_phase(&seen.transitions, series, start, moment)).to_owned());
        rows.push(row);
    }
    Some(Around { head, rows, row: row_of_failure })
}

/// What came for a series in the ten seconds before a moment.
fn arrived(seen: &Seen, series: &SeriesName, moment: i64) -> Arrived {
    let mine = (moment - STEP + 1..=moment).filter_map(|second| seen.arrivals.get(&(series.clone(), second)));
    mine.fold(Arrived::default(), |sum, more| Arrived {
        good: sum.good + more.good,
        bad: sum.bad + more.bad,
        unknown: sum.unknown + more.unknown,
    })
}

/// Burn rates and budget, or shares, and the conditions that hold.
fn standing(rates: Option<&BurnRates>, windows: &[i64], promises: bool) -> Vec<String> {
    let Some(rates) = rates else { return vec![String::new(); windows.len() + 1 + usize::from(promises)] };
    let rounded = |share: f64| percent((share * 1e4).round() / 1e4);
    let figure = |seconds: &i64| {
        let window = rates.windows.iter().find(|w| w.seconds == *seconds);
        if promises {
            return format!("{:.2}", window.map_or(0.0, |w| w.burn));
        }
        let share = window.filter(|w| w.total > 0).map(|w| (w.total - w.good) as f64 / w.total as f64);
        share.map_or("-".to_owned(), rounded)
    };
    let holding = rates.conditions.iter().filter(|c| c.holds).map(|c| c.rule.as_str());
    let budget = promises.then(|| rounded(rates.budget_remaining));
    windows.iter().map(figure).chain(budget).chain([holding.collect::<Vec<_>>().join(" ")]).collect()
}
