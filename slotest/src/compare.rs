//! What a run showed, held against what its test expects.

use slipstream_schemas::records::AlertTransition;

use crate::alerts;
use crate::bind::{Bound, SeriesName};
use crate::run::{Seen, name_of, phase_after};
use slipstream_definitions::document::report::Place;
use slipstream_slo::alerts::Phase;

/// Something that is not as expected.
pub(crate) struct Found {
    pub place: Place,
    /// The series that it is about, where it is about one.
    pub series: Option<SeriesName>,
    pub what: String,
    /// Seconds since the start.
    pub at: i64,
    pub expected: String,
    pub got: String,
}

/// Expectations that do not hold.
pub(crate) fn expectations(bound: &Bound, seen: &Seen) -> Vec<Found> {
    let mut all = Vec::new();
    for entry in &bound.expectations {
        let at = entry.at.max(1);
        let states = seen.looks.get(&at).map_or(&[][..], Vec::as_slice);
        let Some(rates) = states.iter().find(|rates| name_of(rates) == entry.series) else {
            all.push(no_series(entry.series.clone(), entry.checks.first().map(|check| check.place), at, seen));
            continue;
        };
        let phase = worst_phase(&seen.transitions, &entry.series, bound.plan.start, at);
        all.extend(entry.wrong(rates, phase).into_iter().map(|wrong| Found {
            place: wrong.place,
            series: Some(entry.series.clone()),
            what: wrong.what,
            at,
            expected: wrong.expected,
            got: wrong.got,
        }));
    }
    all
}

fn no_series(series: SeriesName, place: Option<Place>, at: i64, seen: &Seen) -> Found {
    const SHOWN: usize = 8;
    let states = seen.looks.get(&at).map_or(&[][..], Vec::as_slice);
    let alike = states.iter().filter(|rates| rates.slo == series.slo && rates.objective == series.objective);
    let groups: Vec<String> = alike.map(|rates| format!("{{{}}}", rates.group.join(", "))).collect();
    let got = match groups.len() {
        0 => "no request counted for this SLO yet".to_owned(),
        n if n > SHOWN => format!("{}, and {} more", groups[..SHOWN].join(", "), n - SHOWN),
        _ => groups.join(", "),
    };
    Found {
        place: place.unwrap_or(Place::start(0)),
        expected: format!("a series {{{}}}", series.group.join(", ")),
        series: Some(series),
        what: "group".to_owned(),
        at,
        got,
    }
}

/// The worst phase of the alerts of a series when so many seconds have passed.
pub(crate) fn worst_phase(transitions: &[AlertTransition], series: &SeriesName, start: i64, at: i64) -> Phase {
    let mine = transitions.iter().filter(|t| is_of(t, series) && alerts::since(t, start) <= at);
    let mut last: Vec<&AlertTransition> = Vec::new();
    for transition in mine {
        last.retain(|known| known.alert_id != transition.alert_id);
        last.push(transition);
    }
    let rank = |phase: &Phase| match phase {
        Phase::Inactive => 0,
        Phase::Pending => 1,
        Phase::Keeping => 2,
        Phase::Firing => 3,
    };
    last.into_iter().map(phase_after).max_by_key(rank).unwrap_or(Phase::Inactive)
}

/// Whether a transition is of a series.
pub(crate) fn is_of(transition: &AlertTransition, series: &SeriesName) -> bool {
    transition.slo == series.slo && transition.objective == series.objective && group_of(transition) == series.group
}

fn group_of(transition: &AlertTransition) -> Vec<String> {
    transition.group.iter().map(|label| label.value.clone()).collect()
}

/// Entries of the timeline of alerts that found no transition, and transitions that were not expected.
pub(crate) fn alerts(bound: &Bound, seen: &Seen) -> Vec<Found> {
    let Some(expected) = &bound.alerts else { return Vec::new() };
    let start = bound.plan.start;
    let matched = alerts::matched(expected, &seen.transitions, start);
    let mut all = Vec::new();
    for (entry, nearest) in matched.missing {
        let series = nearest.or(seen.transitions.iter().find(|t| entry.subject.is_of(t))).map(series_of);
        all.push(Found {
            place: entry.place,
            series: series.or(entry.subject.series()),
            what: "alert".to_owned(),
            at: entry.when.first + (entry.when.last - entry.when.first) / 2,
            expected: entry.words(),
            got: nearest.map_or_else(|| "none".to_owned(), |t| alerts::words(t, start)),
        });
    }
    for transition in matched.unexpected {
        all.push(Found {
            place: bound.place,
            series: Some(series_of(transition)),
            what: "alert".to_owned(),
            at: alerts::since(transition, start),
            expected: "none that `alerts` does not name".to_owned(),
            got: alerts::words(transition, start),
        });
    }
    all
}

fn series_of(transition: &AlertTransition) -> SeriesName {
    SeriesName { slo: transition.slo.clone(), objective: transition.objective.clone(), group: group_of(transition) }
}
