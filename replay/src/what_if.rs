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
    let same_series = |a: &AlertHistory, b: &AlertHistory| {
        (&a.episode.slo, &a.episode.objective, &a.episode.group)
            == (&b.episode.slo, &b.episode.objective, &b.episode.group)
    };
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
    let fired = |alert: Option<&AlertHistory>| alert.and_then(|alert| alert.records.last()?.fired_at);
    let (was, is) = (fired(before), fired(after));
    let by = was.zip(is).map(|(was, is)| is - was);
    let change = match (was, is, by) {
        (Some(_), None, _) => Change::Lost,
        (None, Some(_), _) => Change::Gained,
        (_, _, Some(by)) if by < 0 => Change::Earlier,
        (_, _, Some(by)) if by > 0 => Change::Later,
        _ => Change::Same,
    };
    let severities = [before, after].into_iter().flatten().map(|alert| Severity::named(&alert.episode.severity));
    Some(AlertChange {
        change,
        by_seconds: by.filter(|by| *by != 0),
        id: either.episode.id.clone(),
        slo: either.episode.slo.clone(),
        objective: either.episode.objective.clone(),
        severity: severities.max_by_key(|severity| severity.rank).map(|severity| severity.name).unwrap_or_default(),
        episode_before: before.map(|alert| alert.episode.episode),
        episode_after: after.map(|alert| alert.episode.episode),
        fired_before: before.and_then(|alert| alert.episode.fired_at.clone()),
        fired_after: after.and_then(|alert| alert.episode.fired_at.clone()),
        requests: Vec::new(),
        changed_requests: 0,
    })
}
