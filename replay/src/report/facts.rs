//! What is to be said about an episode of an alert, read off the outcome.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use slipstream_definitions::definition::Severity;
use slipstream_store::alerts::AlertState;

use super::times::{self, Micros, SECOND, Times};
use super::{Told, markers, words};
use crate::outcome::{AlertHistory, CHANGE_BEFORE_MS, Contributor, Contributors, MarkerShown, Outcome, SloHistory};

/// A value stands out if it has at least this share of the bad events, ...
const MUCH: f64 = 0.3;
/// ... and this many times its share of the good ones.
const FAR_ABOVE: f64 = 1.5;
/// So many of them are told.
const MOST_TOLD: usize = 3;

/// An episode and what surrounds it.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The episode.
    pub alert: &'a AlertHistory,
    /// Its objective; `None` if the outcome has no history of it.
    pub slo: Option<&'a SloHistory>,
    /// What it is called.
    pub name: String,
    /// Since when the budget burned too fast; where that is not known, when it became pending, or the range's beginning after it.
    pub begin: Micros,
    /// The same, before the range, too.
    pub since: Micros,
    /// When it was over; the range's end if it was still open.
    pub end: Micros,
    /// Seconds from that beginning to firing; at least so many if `began_earlier`.
    pub detection: Option<i64>,
    /// Highest burn rate in a window of its rules, and that window, such as `5m`: of each second, or, where it was open for none that
    /// was evaluated, of the ends of steps.
    pub peak: Option<(f64, &'a str)>,
    /// Budget left before, if known, and after.
    pub budget: Option<(Option<f64>, f64)>,
    /// The last deploy or change of configuration before it began, and by how many seconds.
    pub change: Option<(&'a MarkerShown, i64)>,
}

/// All episodes: that which the replay was around first, then the worst.
pub fn of<'a>(told: &Told<'a>, times: Times) -> Vec<Facts<'a>> {
    let mut facts: Vec<Facts<'a>> =
        told.outcome.alerts.iter().map(|alert| of_alert(told.outcome, alert, times)).collect();
    facts.sort_by_key(|facts| {
        let AlertHistory { episode, impact, .. } = facts.alert;
        let is_in_focus = told.focus.is_some_and(|focus| is_meant(facts.alert, focus));
        let rank = Severity::named(facts.alert.worst().0).rank;
        (
            !is_in_focus,
            episode.fired_at.is_none(),
            Reverse(rank),
            Reverse(impact.as_ref().map(|impact| impact.bad)),
            facts.begin,
        )
    });
    facts
}

impl Facts<'_> {
    /// How long it took to fire: `40 s`, `at least 6 h`.
    pub fn detection_in_words(&self) -> Option<String> {
        let at_least = if self.alert.began_earlier { "at least " } else { "" };
        self.detection.map(|seconds| format!("{at_least}{}", words::span(seconds)))
    }

    /// From when to when its requests were counted, where that is not all of it.
    pub fn counted(&self, times: Times) -> Option<String> {
        let impact = self.alert.impact.as_ref().filter(|impact| !impact.whole)?;
        let without = if impact.missing { ", without what is missing" } else { "" };
        Some(format!("from {} to {}{without}", times.at_text(&impact.from), times.at_text(&impact.to)))
    }
}

/// Whether `focus`, an id or id/episode, means this alert.
pub fn is_meant(alert: &AlertHistory, focus: &str) -> bool {
    let (id, episode) = focus.split_once('/').map_or((focus, None), |(id, episode)| (id, Some(episode)));
    alert.episode.id == id && episode.is_none_or(|episode| episode == alert.episode.episode.to_string())
}

/// Whether bad requests were of an environment. Where requests were of one only, that is the one of the first bad request.
fn is_hit(alert: &AlertHistory, environment: &str) -> bool {
    let told = alert.contributors.iter().find(|contributors| contributors.dimension == "environment");
    let of = |told: &Contributors| told.more > 0 || told.values.iter().any(|value| value.value == environment);
    let of_first = || alert.first_bad.first().is_none_or(|request| request.environment == environment);
    environment.is_empty() || told.map_or_else(of_first, of)
}

/// The SLO; with its objective if it has several, and its group if it is grouped.
pub fn name(outcome: &Outcome, slo: &str, objective: &str, group: Option<&BTreeMap<String, String>>) -> String {
    let is_another = |history: &SloHistory| history.status.name == slo && history.status.objective != objective;
    let mut name = slo.to_owned();
    if outcome.slos.iter().any(is_another) {
        name.push_str(&format!(" / {objective}"));
    }
    let labels: Vec<String> = group.into_iter().flatten().map(|(label, value)| format!("{label}={value}")).collect();
    if labels.is_empty() { name } else { format!("{name} ({})", labels.join(", ")) }
}

/// The objective, or its group, that an alert watches.
pub fn history<'a>(outcome: &'a Outcome, alert: &AlertHistory) -> Option<&'a SloHistory> {
    let episode = &alert.episode;
    outcome.slos.iter().find(|SloHistory { status, .. }| {
        let group = status.group.clone().unwrap_or_default();
        (&status.name, &status.objective, &group) == (&episode.slo, &episode.objective, &episode.group)
    })
}

fn of_alert<'a>(outcome: &'a Outcome, alert: &'a AlertHistory, times: Times) -> Facts<'a> {
    let episode = &alert.episode;
    let time = |text: &Option<String>| text.as_deref().and_then(times::parse);
    let began = time(&alert.began_at);
    let fired = time(&episode.fired_at);
    let is_over = matches!(episode.state, AlertState::Resolved | AlertState::Inactive);
    let over = time(&episode.resolved_at).or_else(|| times::parse(&episode.at));
    let since = began.or_else(|| times::parse(&episode.pending_at)).unwrap_or(times.from);
    let begin = began.unwrap_or(since.max(times.from));
    let end = over.filter(|_| is_over).unwrap_or(times.to).max(begin);
    let slo = history(outcome, alert);
    let step = outcome.step_seconds.max(1) * SECOND;
    Facts {
        alert,
        slo,
        name: name(outcome, &episode.slo, &episode.objective, Some(&episode.group)),
        begin,
        since,
        end,
        detection: began.zip(fired).map(|(began, fired)| (fired - began) / SECOND).filter(|s| *s >= 0),
        peak: highest(alert).or_else(|| slo.and_then(|slo| peak(alert, slo, (begin, end), step))),
        budget: slo.and_then(|slo| budget(slo, (began.is_some(), begin), end, step)),
        change: change_before(outcome, alert, since),
    }
}

fn highest(alert: &AlertHistory) -> Option<(f64, &str)> {
    let rates = alert.highest_burn_rates.iter().map(|(window, rate)| (*rate, window.as_str()));
    rates.max_by(|a, b| a.0.total_cmp(&b.0))
}

fn peak<'a>(
    alert: &AlertHistory,
    slo: &'a SloHistory,
    (begin, end): (Micros, Micros),
    step: Micros,
) -> Option<(f64, &'a str)> {
    let is_read = |window: &str| alert.thresholds.iter().any(|t| t.window == window || t.short_window == window);
    let within = slo.timeline.iter().filter(|s| times::parse(&s.at).is_some_and(|at| at + step > begin && at < end));
    let rates = within.flat_map(|s| &s.burn_rates).filter(|(window, _)| is_read(window));
    rates.map(|(window, rate)| (*rate, window.as_str())).max_by(|a, b| a.0.total_cmp(&b.0))
}

fn budget(
    slo: &SloHistory,
    (is_begin_known, begin): (bool, Micros),
    end: Micros,
    step: Micros,
) -> Option<(Option<f64>, f64)> {
    let ends = || slo.timeline.iter().filter_map(|s| Some((times::parse(&s.at)? + step, s.budget_remaining)));
    let before = ends().take_while(|(at, _)| *at <= begin);
    // Where it is not known when it began, that was before it became pending: what was left is the most of the hour before.
    let is_near = |(at, _): &(Micros, f64)| *at > begin - CHANGE_BEFORE_MS * 1_000;
    let before = match is_begin_known {
        true => before.last().map(|(_, left)| left),
        false => before.filter(is_near).map(|(_, left)| left).max_by(f64::total_cmp),
    };
    let after = ends().find(|(at, _)| *at >= end).or_else(|| ends().next_back())?;
    Some((before, after.1))
}

fn change_before<'a>(outcome: &'a Outcome, alert: &AlertHistory, begin: Micros) -> Option<(&'a MarkerShown, i64)> {
    let concerns =
        |marker: &MarkerShown| markers::concerns(marker, &alert.episode.service) && is_hit(alert, &marker.environment);
    let changes = outcome.markers.iter().filter(|marker| markers::is_change(marker) && concerns(marker));
    let timed = changes.filter_map(|marker| Some((marker, begin - times::parse(&marker.time)?)));
    let (marker, before) = timed
        .filter(|(_, before)| (0..=CHANGE_BEFORE_MS * 1_000).contains(before))
        .min_by_key(|(_, before)| *before)?;
    Some((marker, before / SECOND))
}

/// A value's share of the good events: where most are bad, its share of all says little.
fn share_of_good(value: &Contributor) -> f64 {
    let [bad, all] = [(value.bad, value.share_of_bad), (value.total, value.share_of_all)]
        .map(|(count, share)| if share > 0.0 { count as f64 / share } else { 0.0 });
    let good = all - bad;
    if good > 0.5 { (value.total - value.bad) as f64 / good } else { value.share_of_all }
}

/// Values with far more of the bad events than of the good ones: one of each dimension, the most telling first.
pub fn telling(contributors: &[Contributors]) -> Vec<(&str, &Contributor)> {
    let lift = |value: &Contributor| value.share_of_bad - value.share_of_all;
    let stands_out =
        |value: &&Contributor| value.share_of_bad >= MUCH && value.share_of_bad >= FAR_ABOVE * share_of_good(value);
    let mut told: Vec<(&str, &Contributor)> = contributors
        .iter()
        .filter_map(|dimension| {
            let values = dimension.values.iter().filter(stands_out);
            values.max_by(|a, b| lift(a).total_cmp(&lift(b))).map(|value| (dimension.dimension.as_str(), value))
        })
        .collect();
    told.sort_by(|a, b| lift(b.1).total_cmp(&lift(a.1)));
    told.truncate(MOST_TOLD);
    // The status comes last: it is often what makes a request bad, and says little by itself.
    told.sort_by_key(|(dimension, _)| *dimension == "status_code");
    told
}
