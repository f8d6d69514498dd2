//! What the names of a test file mean: its drafts, held against the definitions, become tests that can run.

use slipstream_schemas::records::{AlertTransition, BudgetUnit};

use crate::alerts::{self, AlertDraft};
use crate::event::Shape;
use crate::expect::{self, Check, Expectation, ExpectationDraft};
use crate::file::TestDraft;
use crate::plan::{self, TrafficPlan};
use crate::span;
use slipstream_definitions::definition::{Promise, Rule, Slo};
use slipstream_definitions::document::fields::{Fields, Text, as_written};
use slipstream_definitions::document::report::{Place, Report};

/// Of which SLO, objective and group an entry speaks, as written.
pub(crate) struct Subject {
    slo: Option<(String, Place)>,
    objective: Option<(String, Place)>,
    group: Option<(Vec<(String, String)>, Place)>,
}

/// A series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeriesName {
    pub slo: String,
    pub objective: String,
    pub group: Vec<String>,
}

/// Some series: what is left out is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SubjectName {
    slo: Option<String>,
    objective: Option<String>,
    /// Values of groupBy.
    group: Option<Vec<String>>,
}

impl SubjectName {
    /// Whether a transition is about it.
    pub(crate) fn is_of(&self, transition: &AlertTransition) -> bool {
        self.slo.as_ref().is_none_or(|slo| *slo == transition.slo)
            && self.objective.as_ref().is_none_or(|objective| *objective == transition.objective)
            && self
                .group
                .as_ref()
                .is_none_or(|group| transition.group.iter().map(|label| &label.value).eq(group.iter()))
    }
}

impl SubjectName {
    /// The one series that it names, if it names one whole.
    pub(crate) fn series(&self) -> Option<SeriesName> {
        let (slo, objective) = (self.slo.clone()?, self.objective.clone()?);
        Some(SeriesName { slo, objective, group: self.group.clone().unwrap_or_default() })
    }
}

impl std::fmt::Display for SeriesName {
    /// `slo objective {a, b}`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.slo, self.objective)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, " {{{}}}", self.group.join(", ")) }
    }
}

impl Subject {
    /// Reads `slo`, `objective` and `group`.
    pub(crate) fn read(report: &mut Report<'_>, fields: &Fields<'_>) -> Subject {
        let own = |text: Text<'_>| (text.value.to_owned(), text.place);
        let slo = fields.text(report, "slo").map(own);
        let objective = fields.get("objective");
        let objective = objective.and_then(|node| as_written(report, node, &fields.path_of("objective"))).map(own);
        let group = fields.map(report, "group").map(|map| {
            let mut pairs = Vec::new();
            for (key, node) in map.entries() {
                if let Some(value) = as_written(report, node, &map.path_of(&key.text)) {
                    pairs.push((key.text.clone(), value.value.to_owned()));
                }
            }
            (pairs, map.place)
        });
        Subject { slo, objective, group }
    }

    /// The one SLO and objective that it names, or that there are.
    fn objective<'d>(&self, report: &mut Report<'_>, slos: &'d [Slo], place: Place) -> Option<(&'d Slo, Promise<'d>)> {
        let slo = match &self.slo {
            Some((name, at)) => named(report, "SLO", name, *at, slos, |slo| &slo.name)?,
            None => only(report, "slo", "SLO", slos, place, |slo| &slo.name)?,
        };
        let all = promises(slo);
        let found = match &self.objective {
            Some((name, at)) => *named(report, "objective", name, *at, &all, |promise| promise.name)?,
            None => match all.iter().find(|promise| promise.unit == BudgetUnit::Share) {
                Some(composite) => *composite,
                None => *only(report, "objective", "objective", &all, place, |promise| promise.name)?,
            },
        };
        Some((slo, found))
    }

    /// The values of groupBy, in its order.
    fn group(&self, report: &mut Report<'_>, slo: &Slo, place: Place) -> Option<Vec<String>> {
        let labels: Vec<&str> = slo.group_by.iter().map(|key| key.label()).collect();
        let none = (Vec::new(), place);
        let (pairs, at) = self.group.as_ref().unwrap_or(&none);
        if let Some((label, _)) = pairs.iter().find(|(label, _)| !labels.contains(&label.as_str())) {
            let help = report.nearest(label, labels.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            report.error(*at, "unknown-name", format!("`{}` is not grouped by `{label}`", slo.name), help);
            return None;
        }
        let value = |label: &&str| pairs.iter().find(|(known, _)| known == label).map(|(_, value)| value.clone());
        let values: Option<Vec<String>> = labels.iter().map(value).collect();
        if values.is_none() {
            let message = format!("`{}` has a series for each {}: say which", slo.name, labels.join(" and "));
            let help = Some(format!("such as `group: {{{}: ...}}`", labels.join(": ..., ")));
            report.error(*at, "missing-field", message, help);
        }
        values
    }
}

fn promises(slo: &Slo) -> Vec<Promise<'_>> {
    slo.promises().collect()
}

fn named<'d, T>(
    report: &mut Report<'_>,
    what: &str,
    name: &str,
    place: Place,
    known: &'d [T],
    of: impl Fn(&'d T) -> &'d str,
) -> Option<&'d T> {
    let found = known.iter().find(|item| of(item) == name);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(of).collect();
        let help = match report.nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there {}", list(&names)),
        };
        report.error(place, "unknown-name", format!("no {what} is called `{name}`"), Some(help));
    }
    found
}

fn only<'d, T>(
    report: &mut Report<'_>,
    field: &str,
    what: &str,
    known: &'d [T],
    place: Place,
    of: impl Fn(&'d T) -> &'d str,
) -> Option<&'d T> {
    match known {
        [one] => Some(one),
        _ => {
            let names: Vec<&str> = known.iter().map(of).collect();
            let message = format!("expected `{field}`, for there is more than one {what}");
            report.error(place, "missing-field", message, Some(format!("there {}", list(&names))));
            None
        }
    }
}

fn list(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    match names {
        [] => "is none".to_owned(),
        [one] => format!("is {one}"),
        many if many.len() > SHOWN => format!("are {}, and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
        many => format!("are {}", many.join(", ")),
    }
}

/// A test that can run, but for its definitions.
pub(crate) struct Bound {
    pub name: String,
    /// Line of its name.
    pub place: Place,
    pub plan: TrafficPlan,
    pub expectations: Vec<Expectation>,
    pub alerts: Option<Vec<alerts::Expected>>,
}

/// Binds a draft. What is wrong is reported, and binding goes on: None only where nothing could run.
pub(crate) fn bind(report: &mut Report<'_>, draft: TestDraft, slos: &[Slo]) -> Option<Bound> {
    let expectations: Vec<Expectation> =
        draft.expectations.into_iter().filter_map(|entry| expectation(report, entry, slos)).collect();
    let alerts = draft.alerts.map(|entries| {
        entries.into_iter().filter_map(|entry| alert(report, entry, slos)).collect::<Vec<alerts::Expected>>()
    });
    let named = expectations.iter().map(|entry| entry.at);
    let named = named.chain(alerts.iter().flatten().map(|entry| entry.when.last)).max();
    let sketch = plan::Sketch {
        place: draft.place,
        start: draft.start,
        lasts: draft.lasts,
        named: named.unwrap_or(0),
        lines: draft.lines,
        events: draft.events,
        whole: draft.whole,
        basis: basis(slos),
    };
    let plan = plan::compile(report, sketch)?;
    Some(Bound { name: draft.name, place: draft.place, plan, expectations, alerts })
}

/// What requests are like where a test does not say: of the service that all SLOs are of.
fn basis(slos: &[Slo]) -> Option<Shape> {
    let first = slos.first().filter(|first| !first.service.is_empty())?;
    slos.iter().all(|slo| slo.service == first.service).then(|| Shape::of(&first.service))
}

fn expectation(report: &mut Report<'_>, draft: ExpectationDraft, slos: &[Slo]) -> Option<Expectation> {
    let ExpectationDraft { place, at, subject, checks } = draft;
    let (slo, promise) = subject.objective(report, slos, place)?;
    let group = subject.group(report, slo, place);
    for check in &checks {
        fitting(report, check, slo, promise);
    }
    let series = SeriesName { slo: slo.name.clone(), objective: promise.name.to_owned(), group: group? };
    Some(Expectation { at, series, unit: promise.unit, checks })
}

/// Says where a check asks for what the objective does not have.
fn fitting(report: &mut Report<'_>, check: &Check, slo: &Slo, promise: Promise<'_>) {
    let Promise { name, rules, unit, .. } = promise;
    match &check.what {
        expect::What::Burn(Some(seconds), _) => {
            let known = slo.windows(rules);
            if !known.contains(seconds) {
                let windows: Vec<String> = known.iter().map(|seconds| span::format(*seconds)).collect();
                let message = format!("no rule of `{name}` looks at {}", span::format(*seconds));
                let help = format!("its windows are {}, and budget", windows.join(", "));
                report.error(check.place, "unknown-window", message, Some(help));
            }
        }
        expect::What::Condition(rule, _) => rule_of(report, rule, check.place, rules, name),
        expect::What::Quantity(quantity, expected) if quantity.in_unit() => {
            let written = matches!(expected, crate::value::Expected::Within(range) if range.span);
            let (message, help) = match (unit, written) {
                (BudgetUnit::Events, true) => ("is counted in events", "write a number"),
                (BudgetUnit::Share, _) => ("is composite and has only shares", "use sli, budget_remaining or burn"),
                (BudgetUnit::Events | BudgetUnit::Seconds, _) => return,
            };
            let message = format!("{}: the budget of `{name}` {message}", quantity.name());
            report.error(check.place, "invalid-value", message, Some(help.to_owned()));
        }
        expect::What::Quantity(..) | expect::What::Burn(None, _) | expect::What::Alert(_) => {}
    }
}

fn rule_of(report: &mut Report<'_>, rule: &str, place: Place, rules: &[Rule], objective: &str) {
    if rules.iter().any(|known| known.name == rule) {
        return;
    }
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    let help = match report.nearest(rule, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there {}", list(&names)),
    };
    report.error(place, "unknown-name", format!("`{objective}` has no rule `{rule}`"), Some(help));
}

fn alert(report: &mut Report<'_>, draft: AlertDraft, slos: &[Slo]) -> Option<alerts::Expected> {
    let AlertDraft { place, subject, when, kind, rule, severity } = draft;
    // Where there is one SLO only, it is meant.
    let names_none = subject.slo.is_none() && subject.objective.is_none() && subject.group.is_none() && rule.is_none();
    let needs_slo = slos.len() == 1 || !names_none;
    let mut name = SubjectName::default();
    if needs_slo {
        let (slo, promise) = subject.objective_if_any(report, slos, place)?;
        name.slo = Some(slo.name.clone());
        name.objective = promise.map(|promise| promise.name.to_owned());
        if subject.group.is_some() {
            name.group = Some(subject.group(report, slo, place)?);
        }
        if let Some((rule, at)) = &rule {
            match promise {
                Some(promise) => rule_of(report, rule, *at, promise.rules, promise.name),
                None => rule_of_any(report, rule, *at, slo),
            }
        }
    }
    let rule = rule.map(|(rule, _)| rule);
    Some(alerts::Expected { place, subject: name, when, kind, rule, severity })
}

fn rule_of_any(report: &mut Report<'_>, rule: &str, place: Place, slo: &Slo) {
    let all = promises(slo);
    if !all.iter().any(|promise| promise.rules.iter().any(|known| known.name == rule)) {
        let first: &[Rule] = all.first().map_or(&[], |promise| promise.rules);
        rule_of(report, rule, place, first, &slo.name);
    }
}

impl Subject {
    /// As [`Subject::objective`], where no objective stands for any: none, unless there is only one.
    fn objective_if_any<'d>(
        &self,
        report: &mut Report<'_>,
        slos: &'d [Slo],
        place: Place,
    ) -> Option<(&'d Slo, Option<Promise<'d>>)> {
        if self.objective.is_some() {
            return self.objective(report, slos, place).map(|(slo, promise)| (slo, Some(promise)));
        }
        let slo = match &self.slo {
            Some((name, at)) => named(report, "SLO", name, *at, slos, |slo| &slo.name)?,
            None => only(report, "slo", "SLO", slos, place, |slo| &slo.name)?,
        };
        let only = <[Promise<'_>; 1]>::try_from(promises(slo)).ok().map(|[one]| one);
        Some((slo, only))
    }
}
