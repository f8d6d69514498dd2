//! What was read, as it is told.

use std::collections::BTreeMap;

use slipstream_definitions::definition::{BURN_RATE, Rule, Slo};
use slipstream_query::slos::standing;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_store::alerts::{AlertEpisode, AlertState};
use slipstream_store::text;

use crate::contributors::Makeups;
use crate::engine::{
    Case, EpisodeKey, Extremes, Notes, Read, SeriesName, SeriesNotes, StepNotes, Steps, Traffic, TrafficCell,
};
use crate::outcome::{
    AlertHistory, Clock, Contributors, Counted, MarkerShown, Missing, Outcome, Part, ServiceTraffic, SloHistory,
    SloStep, Threshold, TrafficStep, TransitionShown,
};
use crate::source::Gap;

/// Services whose traffic is told apart.
const SERVICES: usize = 50;

/// What a reading was of.
#[derive(Debug, Clone)]
pub struct About {
    /// The range, log time.
    pub from: LogTime,
    /// See `from`.
    pub to: LogTime,
    /// Where reading began.
    pub warm_up_from: LogTime,
    /// Whether it was stopped before the end that was asked for.
    pub stopped: bool,
    /// By which time events were ordered.
    pub clock: Clock,
    /// Its steps.
    pub steps: Steps,
    /// What was read.
    pub parts: Vec<Part>,
    /// What is gone, in log times.
    pub gaps: Vec<Gap>,
    /// Markers of the range.
    pub markers: Vec<MarkerShown>,
    /// Rules that are left out.
    pub left_out: Vec<String>,
}

/// A log time to people.
pub fn time(at: LogTime) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| format!("{} milliseconds since 1970", at.0), |at| at.to_string())
}

/// The outcome of each set of definitions.
pub fn outcomes(about: &About, cases: &[Case], read: Read) -> Vec<Outcome> {
    let Read { events, duplicates, invalid, notes, makeups, traffic, .. } = read;
    let traffic = traffic_of(&traffic, &about.steps);
    let of = |((case, notes), makeups): ((&Case, Notes), Makeups)| Outcome {
        from: time(about.from),
        to: time(about.to),
        stopped: about.stopped,
        clock: about.clock,
        warm_up_from: time(about.warm_up_from),
        events,
        duplicates,
        invalid,
        step_seconds: about.steps.length(),
        parts: about.parts.clone(),
        missing: about.gaps.iter().map(Missing::from).collect(),
        slos: slos(about, case, &notes, &makeups),
        alerts: alerts(about, case, notes.transitions, &notes.extremes),
        traffic: traffic.clone(),
        markers: about.markers.clone(),
        rules_left_out: about.left_out.clone(),
    };
    cases.iter().zip(notes).zip(makeups).map(of).collect()
}

fn slos(about: &About, case: &Case, notes: &Notes, makeups: &Makeups) -> Vec<SloHistory> {
    let of = |state: &BurnRates| {
        let name = SeriesName::of(state);
        let slo = slo_at(case, &state.slo, state.tick);
        let none = SeriesNotes::default();
        let noted = notes.series.get(&name).filter(|noted| noted.generation == state.generation).unwrap_or(&none);
        let contributors = makeups.told(&name, state.generation, noted.range[1]);
        SloHistory {
            status: standing(slo.as_ref(), state),
            range: Counted::default().and(&noted.range),
            timeline: timeline(noted, &about.steps),
            contributors,
        }
    };
    notes.states.iter().map(of).collect()
}

/// The definition in force at a tick.
pub fn slo_at(case: &Case, name: &str, tick: i64) -> Option<Slo> {
    let at = LogTime(tick * 1_000 + 999);
    let found = case.revisions.slo_at(name, at, case.revisions.end())?;
    Some(Slo::clone(&found.active.slo))
}

fn timeline(noted: &SeriesNotes, steps: &Steps) -> Vec<SloStep> {
    let of = |step: usize| {
        let StepNotes { counts, stood } = noted.steps.get(step)?;
        let stood = stood.as_ref()?;
        Some(SloStep {
            at: text::seconds(steps.begin(step)),
            counted: Counted::default().and(counts),
            sli: stood.sli,
            budget_remaining: stood.budget_remaining,
            burn_rates: stood.burn.iter().map(|(seconds, burn)| (text::length(*seconds), *burn)).collect(),
        })
    };
    (0..steps.count()).filter_map(of).collect()
}

/// Episodes that were open in the range, by their beginning.
fn alerts(
    about: &About,
    case: &Case,
    transitions: Vec<AlertTransition>,
    extremes: &BTreeMap<EpisodeKey, Extremes>,
) -> Vec<AlertHistory> {
    let (from, to) = (about.from.tick(), about.to.0.div_euclid(1_000));
    let mut episodes: BTreeMap<(i64, String), Vec<AlertTransition>> = BTreeMap::new();
    for open in case.open_before.iter().flatten() {
        episodes.entry((open.episode, open.alert_id.clone())).or_default().push(open.clone());
    }
    for transition in transitions.into_iter().filter(|t| t.tick < to) {
        episodes.entry((transition.episode, transition.alert_id.clone())).or_default().push(transition);
    }
    let in_range = |transitions: &Vec<AlertTransition>| {
        transitions.last().is_some_and(|last| last.tick >= from || AlertState::after(last.kind).is_open())
    };
    let told = |((episode, id), records): ((i64, String), _)| alert(from, case, records, extremes.get(&(id, episode)));
    episodes.into_iter().filter(|(_, records)| in_range(records)).map(told).collect()
}

fn alert(from: i64, case: &Case, records: Vec<AlertTransition>, extremes: Option<&Extremes>) -> AlertHistory {
    // There is one at least: an episode is made by its first.
    let episode = AlertEpisode::new(&records[records.len() - 1]);
    let shown = records.iter().filter(|t| t.tick >= from).map(shown).collect();
    let thresholds = thresholds(case, &records[records.len() - 1]);
    let is_its = |window: &String| thresholds.iter().any(|t| t.window == *window || t.short_window == *window);
    let burn = extremes.into_iter().flat_map(|found| &found.burn);
    let burn =
        burn.map(|(seconds, rate)| (text::length(*seconds), *rate)).filter(|(window, _)| is_its(window)).collect();
    AlertHistory {
        open_before: records[0].episode < from,
        transitions: shown,
        highest_burn_rates: burn,
        lowest_budget: extremes.and_then(|found| found.budget),
        thresholds,
        began_at: None,
        began_earlier: false,
        impact: None,
        contributors: Vec::<Contributors>::new(),
        first_bad: Vec::new(),
        episode,
        records,
    }
}

fn shown(transition: &AlertTransition) -> TransitionShown {
    TransitionShown {
        at: text::seconds(transition.tick),
        kind: transition.kind.name().to_owned(),
        severity: transition.severity.clone(),
        rule: transition.rule.clone(),
        rule_kind: transition.rule_kind.clone(),
        // Those of its end are of an earlier tick.
        value: AlertEpisode::new(transition).value.filter(|_| AlertState::after(transition.kind).is_open()),
    }
}

fn thresholds(case: &Case, last: &AlertTransition) -> Vec<Threshold> {
    let Some(slo) = slo_at(case, &last.slo, last.tick) else { return Vec::new() };
    // Beside burn rates: other kinds have thresholds of their own.
    let of_set = |rule: &&Rule| rule.rule_set == last.rule_set && rule.condition.kind == BURN_RATE;
    let rules = slo.rules_of(&last.objective).unwrap_or_default().iter().filter(of_set);
    rules
        .map(|rule| Threshold {
            rule: rule.name.clone(),
            severity: rule.severity.name.clone(),
            window: text::length(rule.condition.long),
            short_window: text::length(rule.condition.short),
            burn: rule.condition.threshold.as_f64(),
        })
        .collect()
}

fn traffic_of(traffic: &Traffic, steps: &Steps) -> Vec<ServiceTraffic> {
    let mut services: Vec<(&str, &[TrafficCell])> = traffic.services().collect();
    let requests = |cells: &[TrafficCell]| cells.iter().map(|cell| cell.requests).sum::<u64>();
    services.sort_by(|(a, cells), (b, others)| requests(others).cmp(&requests(cells)).then(a.cmp(b)));
    let rest = services.split_off(services.len().min(SERVICES));
    let mut other: Vec<TrafficCell> = Vec::new();
    for (_, cells) in &rest {
        other.resize_with(cells.len(), TrafficCell::default);
        for (sum, cell) in other.iter_mut().zip(*cells) {
            (sum.requests, sum.errors) = (sum.requests + cell.requests, sum.errors + cell.errors);
            sum.latencies.merge(&cell.latencies);
        }
    }
    if !rest.is_empty() {
        services.push(("other", &other));
    }
    let told = |(service, cells): (&str, &[TrafficCell])| ServiceTraffic {
        service: service.to_owned(),
        steps: cells.iter().enumerate().map(|(step, cell)| traffic_step(steps.begin(step), cell)).collect(),
    };
    services.into_iter().map(told).collect()
}

fn traffic_step(begin: i64, cell: &TrafficCell) -> TrafficStep {
    TrafficStep {
        at: text::seconds(begin),
        requests: cell.requests,
        errors: cell.errors,
        p50_ms: cell.latencies.quantile(0.5),
        p95_ms: cell.latencies.quantile(0.95),
        p99_ms: cell.latencies.quantile(0.99),
    }
}

impl Counted {
    /// With these added: good, good or bad, unknown.
    fn and(self, counts: &[i64; 3]) -> Counted {
        Counted { good: self.good + counts[0], total: self.total + counts[1], unknown: self.unknown + counts[2] }
    }
}
