//! Rules, on an SLO or with an indicator of their own: whether their condition holds, since when, and what they look at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipstream_definitions::definition::{Document, Rule, Slo};
use slipstream_definitions::policy::BURN_RULE_SET;
use slipstream_log::{Log, RecordRef};
use slipstream_role::reading::{ReadError, Reader, decoded};
use slipstream_schemas::records::{AlertTransition, BurnRates, TransitionKind};
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_slo::alerts::alert_id;
use slipstream_slo::rule::Kinds;
use slipstream_store::text;

/// An alert is kept open for so long beyond `keepFiringFor` at most, while sources are missing, seconds.
const BEYOND: i64 = 3_600;

/// Where a Rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// Its condition has held for long enough.
    Firing,
    /// Its condition does not hold any more; `keepFiringFor` runs.
    Keeping,
    /// Its condition holds, and `for` runs.
    Pending,
    /// Its condition does not hold.
    Inactive,
}

impl RuleState {
    /// Its name in JSON and in tables.
    pub fn name(self) -> &'static str {
        match self {
            RuleState::Firing => "firing",
            RuleState::Keeping => "keeping",
            RuleState::Pending => "pending",
            RuleState::Inactive => "inactive",
        }
    }
}

/// A Rule, or one group of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// The SLO whose promise it looks at; null of one with an indicator of its own.
    pub slo: Option<String>,
    /// Which objective of that.
    pub objective: Option<String>,
    /// The service that it is about.
    pub service: String,
    /// How bad it is.
    pub severity: String,
    /// The id of its alert.
    pub alert_id: String,
    /// Where it stands.
    pub state: RuleState,
    /// Since when its condition holds, RFC 3339; while it is kept, since when no more; null while it is inactive.
    pub since: Option<String>,
    /// Its kind, such as `errorratio`.
    pub rule_kind: String,
    /// The condition in short.
    pub condition: String,
    /// What its kind compares with the threshold now; null where there is none.
    pub value: Option<f64>,
    /// The threshold; null before it was evaluated.
    pub threshold: Option<f64>,
    /// What was good in its window.
    pub good: Option<i64>,
    /// Good and bad in its window.
    pub total: Option<i64>,
    /// End of the tick evaluated last, RFC 3339; null if never evaluated.
    pub as_of: Option<String>,
    /// False if a source was missing at that tick, or it was never evaluated.
    pub complete: bool,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<BTreeMap<String, String>>,
}

/// Every Rule, by its SLO, objective and name, then group. One that has no series yet is inactive.
pub fn status(definitions: &[Slo], states: &[BurnRates]) -> Vec<RuleStatus> {
    let mut series: BTreeMap<(&str, &str), Vec<&BurnRates>> = BTreeMap::new();
    for state in states {
        series.entry((&state.slo, &state.objective)).or_default().push(state);
    }
    series.values_mut().for_each(|all| all.sort_by(|a, b| a.group.cmp(&b.group)));
    let mut all = Vec::new();
    for (slo, objective, rule) in rules(definitions) {
        match series.get(&(slo.name.as_str(), objective)) {
            None => all.push(not_evaluated(slo, objective, rule)),
            Some(series) => all.extend(series.iter().map(|state| evaluated(slo, rule, state))),
        }
    }
    all
}

/// The Rules among the rules of all definitions; the others are those of burn rates, which SLOs have by their policies.
fn rules(definitions: &[Slo]) -> impl Iterator<Item = (&Slo, &str, &Rule)> {
    let of = |slo: &'_ Slo, rule: &Rule| slo.document == Document::Rule || rule.rule_set != BURN_RULE_SET;
    let all = definitions.iter().flat_map(|slo| slo.promises().map(move |promise| (slo, promise)));
    let all = all.flat_map(|(slo, promise)| promise.rules.iter().map(move |rule| (slo, promise.name, rule)));
    all.filter(move |(slo, _, rule)| of(slo, rule))
}

fn not_evaluated(slo: &Slo, objective: &str, rule: &Rule) -> RuleStatus {
    let counts_for_itself = slo.document == Document::Rule;
    RuleStatus {
        name: rule.rule_set.clone(),
        slo: (!counts_for_itself).then(|| slo.name.clone()),
        objective: (!counts_for_itself).then(|| objective.to_owned()),
        service: slo.service.clone(),
        severity: rule.severity.name.clone(),
        alert_id: alert_id(&slo.name, objective, &[], &rule.rule_set),
        state: RuleState::Inactive,
        since: None,
        rule_kind: rule.condition.kind.to_owned(),
        condition: Kinds::default().of(&rule.condition).words(&rule.condition),
        value: None,
        threshold: None,
        good: None,
        total: None,
        as_of: None,
        complete: false,
        group: None,
    }
}

fn evaluated(slo: &Slo, rule: &Rule, state: &BurnRates) -> RuleStatus {
    let since = state.conditions.iter().find(|condition| condition.rule == rule.name).and_then(|found| found.since);
    let values = Kinds::default().of(&rule.condition).values(rule, state);
    let told = values.iter().find(|value| value.window_seconds == rule.condition.long).or(values.first());
    let labels = slo.group_by.iter().zip(&state.group);
    let group: BTreeMap<String, String> = labels.map(|(key, value)| (key.label().to_owned(), value.clone())).collect();
    RuleStatus {
        alert_id: alert_id(&state.slo, &state.objective, &state.group, &rule.rule_set),
        state: match since {
            Some(since) if state.tick - since >= rule.wait => RuleState::Firing,
            Some(_) => RuleState::Pending,
            None => RuleState::Inactive,
        },
        since: since.map(text::seconds),
        value: told.and_then(|value| value.value),
        threshold: told.map(|value| value.threshold),
        good: told.and_then(|value| value.good),
        total: told.and_then(|value| value.total),
        as_of: Some(text::seconds(state.tick + 1)),
        complete: state.complete,
        group: (!group.is_empty()).then_some(group),
        ..not_evaluated(slo, &state.objective, rule)
    }
}

/// Looks up which of the inactive ones are kept firing at `tick`, the last that was evaluated: only the log of alerts knows that.
///
/// # Errors
/// When the log cannot be read, or holds what this version does not support.
pub async fn find_kept(
    log: &dyn Log,
    definitions: &[Slo],
    tick: i64,
    rules: &mut [RuleStatus],
) -> Result<(), ReadError> {
    Kept::read(log, definitions, tick).await?.tell(rules);
    Ok(())
}

/// How long Rules keep their alerts firing at most, seconds; `None` if none does.
pub(crate) fn longest_kept(definitions: &[Slo]) -> Option<i64> {
    rules(definitions).map(|(.., rule)| rule.keep).max().filter(|keep| *keep > 0)
}

/// The alerts that are kept firing, and since when.
#[derive(Debug, Default)]
pub struct Kept(BTreeMap<String, i64>);

impl Kept {
    /// Those of the log, where Rules keep alerts at all: what can be open at `tick`.
    ///
    /// # Errors
    /// When the log cannot be read, or holds what this version does not support.
    pub async fn read(log: &dyn Log, definitions: &[Slo], tick: i64) -> Result<Kept, ReadError> {
        match longest_kept(definitions) {
            Some(longest) => kept_since(log, LogTime((tick - longest - BEYOND).saturating_mul(1_000))).await,
            None => Ok(Kept::default()),
        }
    }

    /// The next transition of an alert.
    pub fn note(&mut self, transition: &AlertTransition) {
        if transition.kind == TransitionKind::Keeping {
            self.0.insert(transition.alert_id.clone(), transition.tick);
        } else {
            self.0.remove(&transition.alert_id);
        }
    }

    /// Tells of Rules that are inactive which of them are kept.
    pub fn tell(&self, rules: &mut [RuleStatus]) {
        for rule in rules.iter_mut().filter(|rule| rule.state == RuleState::Inactive) {
            if let Some(tick) = self.0.get(&rule.alert_id) {
                (rule.state, rule.since) = (RuleState::Keeping, Some(text::seconds(*tick)));
            }
        }
    }
}

async fn kept_since(log: &dyn Log, time: LogTime) -> Result<Kept, ReadError> {
    let reader = Reader { log, role: "rules" };
    let mut kept = Kept::default();
    for partition in reader.partitions(Topic::Alerts).await? {
        let (first, end) = reader.bounds(partition).await?;
        let from = log.offset_at(partition, time).await;
        let from = from.map_err(|cause| ReadError::Log { doing: "looking up alerts by time", cause })?;
        let take = |record: RecordRef<'_>| {
            let transition: AlertTransition = decoded(partition, record, codec::decode)?;
            kept.note(&transition);
            Ok::<_, ReadError>(())
        };
        reader.each(partition, from.max(first), end, take).await?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use slipstream_definitions::definition::{
        Condition, GroupKey, Indicator, OF_RULE, Objective, Ratio, Severity, Side, Window,
    };
    use slipstream_log::Outgoing;
    use slipstream_log::memory::{MemoryLog, MemoryOptions};
    use slipstream_schemas::records::{BudgetUnit, ConditionSince, WindowRates};

    use super::*;
    use crate::fixtures::transition;

    /// A Rule whose burn rate over an hour has to be above 14.4 for a minute, by endpoint.
    fn rule(name: &str, keep: i64) -> Slo {
        let rule = Rule {
            name: name.to_owned(),
            rule_set: name.to_owned(),
            condition: Condition::burn_rate(3_600, 300, Ratio { num: 144, den: 10 }, 0),
            severity: Severity::named("page"),
            wait: 60,
            keep,
            labels: Vec::new(),
            annotations: Vec::new(),
        };
        let indicator = Indicator { total: "true".to_owned(), side: Side::Good("status_code < 500".to_owned()) };
        let objective = Objective::new(OF_RULE, indicator, Ratio { num: 99, den: 100 });
        Slo {
            name: name.to_owned(),
            display_name: name.to_owned(),
            service: "payment".to_owned(),
            description: String::new(),
            group_by: vec![GroupKey::Endpoint],
            window: Window::Rolling(3_600),
            objectives: vec![Objective { rules: vec![rule], ..objective }],
            composite: None,
            labels: Vec::new(),
            document: Document::Rule,
        }
    }

    fn state(of: &str, endpoint: &str, since: Option<i64>) -> BurnRates {
        let window = |seconds, burn| WindowRates { seconds, slot_seconds: 1, good: 70, total: 100, burn };
        BurnRates {
            slo: of.to_owned(),
            objective: OF_RULE.to_owned(),
            group: vec![endpoint.to_owned()],
            generation: 1,
            tick: 999,
            revision: 1,
            complete: true,
            retired: false,
            windows: vec![window(300, 20.0), window(3_600, 15.0)],
            sli: Some(0.7),
            budget_total: 0.0,
            budget_remaining: 1.0,
            exhaustion_at: None,
            conditions: vec![ConditionSince { rule: of.to_owned(), holds: since.is_some(), since }],
            unknown: 0,
            too_late: 0,
            covered_from: 0,
            sources_current: 1,
            sources: 1,
            exemplars: Vec::new(),
            unit: BudgetUnit::Events,
            target: None,
            period_start: None,
            previous: None,
        }
    }

    #[test]
    fn a_rule_stands_where_its_condition_does() {
        let states =
            [state("Burns", "/pay", Some(939)), state("Burns", "/cart", Some(940)), state("Burns", "/a", None)];
        let found = status(&[rule("Burns", 0), rule("Quiet", 0)], &states);
        let said: Vec<_> = found
            .iter()
            .map(|rule| {
                let endpoint = rule.group.as_ref().map_or("-", |group| group["endpoint"].as_str());
                (rule.name.as_str(), endpoint, rule.state.name(), rule.since.as_deref(), rule.value)
            })
            .collect();
        assert_eq!(
            said,
            [
                ("Burns", "/a", "inactive", None, Some(15.0)),
                ("Burns", "/cart", "pending", Some("1970-01-01T00:15:40Z"), Some(15.0)),
                ("Burns", "/pay", "firing", Some("1970-01-01T00:15:39Z"), Some(15.0)),
                ("Quiet", "-", "inactive", None, None),
            ]
        );
        assert_eq!((found[2].threshold, found[2].good, found[2].total), (Some(14.4), Some(70), Some(100)));
        assert_eq!((found[2].as_of.as_deref(), found[3].as_of.as_deref()), (Some("1970-01-01T00:16:40Z"), None));
    }

    #[test]
    fn a_rule_on_an_slo_is_told_with_it_and_its_policies_are_not() {
        let mut slo = Slo { name: "payment".to_owned(), document: Document::Slo, ..rule("HighErrorRate", 0) };
        let mut policy = slo.objectives[0].rules[0].clone();
        (policy.name, policy.rule_set) = ("1h/5m".to_owned(), BURN_RULE_SET.to_owned());
        slo.objectives[0].rules.push(policy);
        let state = BurnRates { slo: "payment".to_owned(), ..state("HighErrorRate", "/pay", Some(900)) };
        let found = status(&[slo], &[state]);
        let [told] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (told.name.as_str(), told.slo.as_deref(), told.state),
            ("HighErrorRate", Some("payment"), RuleState::Firing)
        );
    }

    #[tokio::test]
    async fn one_that_is_kept_firing_is_found_in_the_log_of_alerts() {
        let definitions = [rule("Kept", 300)];
        let states = [state("Kept", "/pay", None), state("Kept", "/cart", None)];
        let mut found = status(&definitions, &states);
        let log = MemoryLog::new(MemoryOptions { partitions: [(Topic::Alerts, 2)].into(), ..MemoryOptions::default() });
        let (cart, pay) = (found[0].alert_id.clone(), found[1].alert_id.clone());
        for (id, kind, tick) in [
            (&pay, TransitionKind::Firing, 800),
            (&pay, TransitionKind::Keeping, 900),
            (&cart, TransitionKind::Keeping, 700),
            (&cart, TransitionKind::Resolved, 950),
        ] {
            let transition = AlertTransition { alert_id: id.clone(), kind, tick, ..transition() };
            let (key, value) = (Bytes::copy_from_slice(id.as_bytes()), Bytes::from(codec::encode(&transition)));
            let (key, value) = (Some(key), Some(value));
            let record = Outgoing { topic: Topic::Alerts, partition: None, key, value, headers: Vec::new() };
            log.publish(vec![record]).await.unwrap();
        }
        find_kept(log.as_ref(), &definitions, 999, &mut found).await.unwrap();
        let said: Vec<_> = found.iter().map(|rule| (rule.state, rule.since.as_deref())).collect();
        assert_eq!(said, [(RuleState::Inactive, None), (RuleState::Keeping, Some("1970-01-01T00:15:00Z"))]);
    }
}
