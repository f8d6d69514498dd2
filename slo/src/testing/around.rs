//! The minute around a failure: a second run of the test that looks every ten seconds.

use serde::Serialize;
use slipstream_schemas::records::BurnRates;

use super::bind::SeriesName;
use super::compare::{Found, worst_phase};
use super::expect::{percent, phase_word};
use super::run::{Arrived, Seen, Watch, name_of, run};
use super::{Failure, Test, span};

/// Seconds between two rows.
const STEP: i64 = 10;
/// Rows before and after.
const ROWS: i64 = 3;
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
pub(super) fn add(found: Vec<Found>, test: &Test, most_work: u64) -> Vec<Failure> {
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

/// None: the series was not there.
fn table(seen: &Seen, series: &SeriesName, at: i64, start: i64, end: i64) -> Option<Around> {
    let state = |moment: i64| seen.looks.get(&moment)?.iter().find(|rates| name_of(rates) == *series);
    let windows: Vec<i64> =
        state(at).or_else(|| moments(at, end).find_map(state))?.windows.iter().map(|w| w.seconds).collect();
    let last = windows.len().saturating_sub(1);
    let name = |(i, seconds): (usize, &i64)| {
        if i == last { "budget left".to_owned() } else { format!("burn {}", span::format(*seconds)) }
    };
    let fixed = ["at", "good", "bad", "unknown"].map(str::to_owned);
    let tail = ["conditions", "alert"].map(str::to_owned);
    let head = fixed.into_iter().chain(windows.iter().enumerate().map(name)).chain(tail).collect();
    let (mut rows, mut row_of_failure) = (Vec::new(), 0);
    for moment in moments(at, end) {
        if moment == at {
            row_of_failure = rows.len();
        }
        let phase = worst_phase(&seen.transitions, series, start, moment);
        let arrived = arrived(seen, series, moment);
        rows.push(row(moment, arrived, state(moment), &windows[..last], phase_word(phase)));
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

fn row(moment: i64, arrived: Arrived, rates: Option<&BurnRates>, windows: &[i64], alert: &str) -> Vec<String> {
    let mut row = vec![span::format(moment)];
    row.extend([arrived.good, arrived.bad, arrived.unknown].map(|n| n.to_string()));
    let Some(rates) = rates else {
        row.extend(windows.iter().map(|_| String::new()));
        row.extend([String::new(), String::new(), alert.to_owned()]);
        return row;
    };
    let burn = |seconds: &i64| rates.windows.iter().find(|w| w.seconds == *seconds).map_or(0.0, |w| w.burn);
    row.extend(windows.iter().map(|seconds| format!("{:.2}", burn(seconds))));
    row.push(percent((rates.budget_remaining * 1e4).round() / 1e4));
    let holding = rates.conditions.iter().filter(|c| c.holds).map(|c| c.rule.as_str());
    row.extend([holding.collect::<Vec<_>>().join(" "), alert.to_owned()]);
    row
}
