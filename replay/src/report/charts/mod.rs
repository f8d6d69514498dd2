//! Which charts a report has: traffic of the services that matter, burn rates and budgets of their objectives.

mod objectives;
mod services;

use super::chart::{Band, BandKind, Line, Mark};
use super::facts::Facts;
use super::markup::Markup;
use super::times::{self, Micros, Times};
use super::{Told, markers, series, words};
use crate::outcome::{Clock, Outcome};

/// The section, if there is anything to draw.
pub fn write(m: &mut Markup, told: &Told<'_>, facts: &[Facts<'_>], times: Times) {
    let services = services::chosen(told.outcome, facts);
    let objectives = objectives::chosen(told.outcome, facts);
    if services.is_empty() && objectives.is_empty() {
        return;
    }
    m.within("section", &[("aria-labelledby", "charts")], |m| {
        m.leaf("h2", &[("id", "charts")], "Charts");
        m.leaf("p", &[("class", "note")], &how_to_read(told.outcome));
        for (i, traffic) in services.iter().enumerate() {
            services::write(m, &format!("service-{}", i + 1), told.outcome, traffic, facts, times);
        }
        for (i, objective) in objectives.iter().enumerate() {
            objectives::write(m, &format!("objective-{}", i + 1), told.outcome, objective, facts, times);
        }
    });
}

fn how_to_read(outcome: &Outcome) -> String {
    let per_point = series::steps_per_point(outcome);
    let length = words::span(per_point * outcome.step_seconds);
    let merged = if per_point > 1 {
        format!(" (of {}; latency and burn rates are the highest of them)", words::plural(per_point, "step"))
    } else {
        String::new()
    };
    format!(
        "Times are UTC. Each point covers {length}{merged}. A shaded band is an alert: pending under a thin edge, firing under \
         a thick one. Upright dashed lines are deploys, changes, incidents and notes: the timeline has all of them. A line is \
         broken where nothing was measured."
    )
}

/// Alerts that `is_shown` as bands, and what is missing of the history.
fn bands(outcome: &Outcome, facts: &[Facts<'_>], is_shown: impl Fn(&Facts<'_>) -> bool) -> Vec<Band> {
    // Those are log times: by the other clock they have no place here.
    let missing = outcome.missing.iter().filter(|_| outcome.clock == Clock::Log).filter_map(|missing| {
        let (from, to) = (times::parse(&missing.from)?, times::parse(&missing.to)?);
        Some(Band { from, to, kind: BandKind::Missing, label: "events missing".to_owned() })
    });
    let range = Times::new(&outcome.from, &outcome.to);
    let within = |band: &Band| band.to > range.from && band.from < range.to;
    missing.chain(facts.iter().filter(|facts| is_shown(facts)).flat_map(of_alert)).filter(within).collect()
}

fn of_alert(facts: &Facts<'_>) -> Vec<Band> {
    let episode = &facts.alert.episode;
    let time = |text: &str| times::parse(text);
    let (pending, fired) = (time(&episode.pending_at), episode.fired_at.as_deref().and_then(time));
    let label = |kind: &str| format!("{kind}: {}", facts.name);
    let until_fired = pending.map(|from| Band {
        from,
        to: fired.unwrap_or(facts.end),
        kind: BandKind::Pending,
        label: if fired.is_none() { label("pending") } else { String::new() },
    });
    let firing =
        fired.map(|from| Band { from, to: facts.end, kind: BandKind::Firing, label: label(facts.alert.worst().0) });
    until_fired.filter(|band| band.to > band.from).into_iter().chain(firing).collect()
}

/// Markers that concern a service: what may be the cause first, so that it has a label where there is no room for all.
fn marks(outcome: &Outcome, service: &str) -> Vec<Mark> {
    let range = Times::new(&outcome.from, &outcome.to);
    let mut shown: Vec<_> = outcome.markers.iter().filter(|marker| markers::concerns(marker, service)).collect();
    shown.sort_by_key(|marker| (!markers::is_change(marker), marker.kind != "incident"));
    shown
        .iter()
        .filter_map(|marker| Some(Mark { at: times::parse(&marker.time)?, label: markers::label(marker) }))
        .filter(|mark| (range.from..=range.to).contains(&mark.at))
        .collect()
}

/// The highest value of each line and when, in words.
fn peaks(lines: &[Line], figure: fn(f64) -> String, times: Times) -> Vec<String> {
    let highest = lines.iter().filter_map(|line| highest(&line.points).map(|(at, value)| (line, at, value)));
    let in_words = |(line, at, value): (&Line, Micros, f64)| {
        let which = if lines.len() > 1 { format!("{} ", line.label) } else { String::new() };
        format!("highest {which}{} at {}", figure(value), times.at(at))
    };
    highest.map(in_words).collect()
}

/// The highest value of a line and when.
fn highest(points: &[(Micros, Option<f64>)]) -> Option<(Micros, f64)> {
    let values = points.iter().filter_map(|(at, value)| Some((*at, (*value)?)));
    values.reduce(|best, next| if next.1 > best.1 { next } else { best })
}
