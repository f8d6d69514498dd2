//! Two sets of definitions over one reading: what differs.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::definition::Severity;

use crate::outcome::{AlertChange, AlertHistory, Change, Outcome, SloChange, SloHistory};

/// An SLO's objective and group.
type Name = (String, String, Option<BTreeMap<String, String>>);

/// The objectives and groups whose numbers differ, by name.
pub fn slos(before: &Outcome, after: &Outcome) -> Vec<SloChange> {
    let by_name = |outcome: &Outcome| -> BTreeMap<Name, SloHistory> {
        outcome.slos.iter().map(|slo| (name(slo), slo.clone())).collect()
    };
    let (before, after) = (by_name(before), by_name(after));
    let names: BTreeSet<&Name> = before.keys().chain(after.keys()).collect();
    let changes = names.into_iter().map(|name| slo(name, before.get(name), after.get(name)));
    changes.filter(differs).collect()
}

fn name(slo: &SloHistory) -> Name {
    (slo.status.name.clone(), slo.status.objective.clone(), slo.status.group.clone())
}

fn slo((slo, objective, group): &Name, before: Option<&SloHistory>, after: Option<&SloHistory>) -> SloChange {
    SloChange {
        slo: slo.clone(),
        objective: objective.clone(),
        group: group.clone(),
        sli_before: before.and_then(|slo| slo.status.sli),
        sli_after: after.and_then(|slo| slo.status.sli),
        budget_remaining_before: before.map(|slo| slo.status.budget_remaining),
        budget_remaining_after: after.map(|slo| slo.status.budget_remaining),
        range_before: before.map(|slo| slo.range),
        range_after: after.map(|slo| slo.range),
    }
}

fn differs(change: &SloChange) -> bool {
    change.sli_before != change.sli_after
        || change.budget_remaining_before != change.budget_remaining_after
        || change.range_before != change.range_after
}

/// An episode's place: index among the alerts of an outcome.
pub type Place = usize;

/// The episodes that belong together: by the definitions of then, by the given ones. Those that never fired in either are
/// left out.
pub fn pairs(before: &[AlertHistory], after: &[AlertHistory]) -> Vec<(Option<Place>, Option<Place>)> {
    let fired = |alerts: &[AlertHistory]| -> Vec<Place> {
        (0..alerts.len()).filter(|at| alerts[*at].episode.fired_at.is_some()).collect()
    };
    let (mut lost, mut gained) = (fired(before), fired(after));
    let mut pairs = Vec::new();
    // First the same alert; then, because an edited policy may have another name, the same series.
    let same_alert = |a: &AlertHistory, b: &AlertHistory| a.episode.id == b.episode.id;
    pair(&mut pairs, (before, &mut lost), (after, &mut gained), same_alert);
    pair(&mut pairs, (before, &mut lost), (after, &mut gained), same_series);
    pairs.extend(lost.into_iter().map(|at| (Some(at), None)));
    pairs.extend(gained.into_iter().map(|at| (None, Some(at))));
    pairs.sort_by_key(|(b, a)| {
        let began = |alerts: &[AlertHistory], at: &Option<Place>| at.map(|at| alerts[at].episode.episode);
        (began(before, b).into_iter().chain(began(after, a)).min(), *b, *a)
    });
    pairs
}

fn pair(
    pairs: &mut Vec<(Option<Place>, Option<Place>)>,
    (before, lost): (&[AlertHistory], &mut Vec<Place>),
    (after, gained): (&[AlertHistory], &mut Vec<Place>),
    same: impl Fn(&AlertHistory, &AlertHistory) -> bool,
) {
    lost.retain(|b| {
        let fits = |a: &Place| same(&before[*b], &after[*a]) && overlap(&before[*b], &after[*a]);
        let Some(at) = gained.iter().position(fits) else { return true };
        pairs.push((Some(*b), Some(gained.remove(at))));
        false
    });
}

fn same_series(a: &AlertHistory, b: &AlertHistory) -> bool {
    (&a.episode.slo, &a.episode.objective, &a.episode.group) == (&b.episode.slo, &b.episode.objective, &b.episode.group)
}

fn overlap(a: &AlertHistory, b: &AlertHistory) -> bool {
    let (a, b) = (times(a), times(b));
    a.0 <= b.1 && b.0 <= a.1
}

/// First and last second of an episode.
pub fn times(alert: &AlertHistory) -> (i64, i64) {
    let end = alert.episode.resolved_at.as_ref().and_then(|_| alert.records.last()).map_or(i64::MAX, |last| last.tick);
    (alert.episode.episode, end)
}

/// What became of an episode; the requests that made the difference are still to be found.
pub fn change(before: Option<&AlertHistory>, after: Option<&AlertHistory>) -> Option<AlertChange> {
    let either = after.or(before)?;
    let (was, is) = (before.and_then(fired), after.and_then(fired));
    let by = was.zip(is).map(|(was, is)| is - was);
    let resolved = |alert: Option<&AlertHistory>| alert.and_then(|alert| alert.episode.resolved_at.clone());
    let change = match (was, is, by) {
        (Some(_), None, _) => Change::Lost,
        (None, Some(_), _) => Change::Gained,
        (_, _, Some(by)) if by < 0 => Change::Earlier,
        (_, _, Some(by)) if by > 0 => Change::Later,
        _ if before.map(severities).unwrap_or_default() != after.map(severities).unwrap_or_default() => {
            Change::Severity
        }
        _ if resolved(before) != resolved(after) => Change::Resolved,
        _ => Change::Same,
    };
    let of = |alert: Option<&AlertHistory>, what: fn(&AlertHistory) -> String| alert.map(what);
    let (severity_before, severity_after) = (of(before, worst), of(after, worst));
    let group = Some(either.episode.group.clone()).filter(|group| !group.is_empty());
    Some(AlertChange {
        change,
        by_seconds: by.filter(|by| *by != 0),
        id: either.episode.id.clone(),
        id_before: of(before, |alert| alert.episode.id.clone()),
        id_after: of(after, |alert| alert.episode.id.clone()),
        slo: either.episode.slo.clone(),
        objective: either.episode.objective.clone(),
        group,
        severity: worse(severity_before.iter().chain(&severity_after)),
        severity_before,
        severity_after,
        episode_before: before.map(|alert| alert.episode.episode),
        episode_after: after.map(|alert| alert.episode.episode),
        fired_before: before.and_then(|alert| alert.episode.fired_at.clone()),
        fired_after: after.and_then(|alert| alert.episode.fired_at.clone()),
        resolved_before: resolved(before),
        resolved_after: resolved(after),
        within: None,
        looked_from: None,
        looked_to: None,
        requests: Vec::new(),
        changed_requests: None,
    })
}

/// When another alert of the same series fired that was firing already when this one did.
pub fn within(alert: &AlertHistory, others: &[AlertHistory]) -> Option<String> {
    let at = fired(alert)?;
    let is_firing = |other: &&AlertHistory| fired(other).is_some_and(|fired| fired <= at) && times(other).1 > at;
    let mut of_it = others.iter().filter(|other| same_series(other, alert)).filter(is_firing);
    of_it.next().and_then(|other| other.episode.fired_at.clone())
}

/// The second from which on an episode is not the same any more; `None` if it always is.
pub fn parting(before: Option<&AlertHistory>, after: Option<&AlertHistory>) -> Option<i64> {
    let (was, is) = (before.and_then(fired), after.and_then(fired));
    if was != is {
        return was.into_iter().chain(is).min();
    }
    let (before, after) = before.zip(after)?;
    let (had, has) = (severities(before), severities(after));
    let place = (0..had.len().max(has.len())).find(|place| had.get(*place) != has.get(*place));
    let of_severity = place.and_then(|place| [had.get(place), has.get(place)].into_iter().flatten().map(|s| s.0).min());
    let ends = [before, after].map(|alert| times(alert).1);
    of_severity.or_else(|| (ends[0] != ends[1]).then_some(ends[0].min(ends[1])))
}

fn fired(alert: &AlertHistory) -> Option<i64> {
    alert.records.last().and_then(|last| last.fired_at)
}

/// Each severity that an alert had while it fired, and since when.
fn severities(alert: &AlertHistory) -> Vec<(i64, &str)> {
    let mut had: Vec<(i64, &str)> = Vec::new();
    for record in alert.records.iter().filter(|record| record.fired_at.is_some()) {
        if had.last().is_none_or(|(_, severity)| *severity != record.severity) {
            had.push((record.tick, &record.severity));
        }
    }
    had
}

/// The worst severity that an alert had.
fn worst(alert: &AlertHistory) -> String {
    worse(alert.records.iter().map(|record| &record.severity).chain([&alert.episode.severity]))
}

fn worse<'a>(severities: impl Iterator<Item = &'a String>) -> String {
    let named = severities.filter(|severity| !severity.is_empty()).map(|severity| Severity::named(severity));
    named.max_by_key(|severity| severity.rank).map(|severity| severity.name).unwrap_or_default()
}

impl AlertChange {
    /// How the alert changed: `2 min earlier, page instead of ticket, ends 5 min later`. `span` writes seconds.
    pub fn in_words(&self, span: fn(i64) -> String) -> String {
        let first = match (self.change, self.by_seconds) {
            (Change::Same, _) => return "same".to_owned(),
            (Change::Gained | Change::Lost, _) => {
                let word = if self.change == Change::Gained { "gained" } else { "lost" };
                let part = self.within.as_ref().map(|at| format!(": part of what fired at {at}"));
                return word.to_owned() + &part.unwrap_or_default();
            }
            (Change::Earlier, by) => Some(format!("{} earlier", by.map(|by| span(by.abs())).unwrap_or_default())),
            (Change::Later, by) => Some(format!("{} later", by.map(|by| span(by.abs())).unwrap_or_default())),
            (Change::Severity | Change::Resolved, _) => None,
        };
        let parts = first.into_iter().chain(self.severity_in_words()).chain(self.end_in_words(span));
        parts.collect::<Vec<_>>().join(", ")
    }

    fn severity_in_words(&self) -> Option<String> {
        match (&self.severity_before, &self.severity_after) {
            (Some(was), Some(is)) if was != is => Some(format!("{is} instead of {was}")),
            _ => (self.change == Change::Severity).then(|| "has its severities at other times".to_owned()),
        }
    }

    fn end_in_words(&self, span: fn(i64) -> String) -> Option<String> {
        let seconds = |text: &String| text.parse::<jiff::Timestamp>().ok().map(|at| at.as_second());
        match (&self.resolved_before, &self.resolved_after) {
            (Some(was), Some(is)) => match seconds(is)? - seconds(was)? {
                0 => None,
                by if by < 0 => Some(format!("ends {} earlier", span(-by))),
                by => Some(format!("ends {} later", span(by))),
            },
            (Some(_), None) => Some("is still firing at the end".to_owned()),
            (None, Some(_)) => Some("ends".to_owned()),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests;
