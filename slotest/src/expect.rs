//! Expectations about the state of a series at a time.

use slipstream_schemas::records::{BudgetUnit, BurnRates};

use crate::bind::{SeriesName, Subject};
use crate::value::{self, Expected, Kind};
use crate::{file, span};
use slipstream_definitions::document::fields::{Fields, as_written};
use slipstream_definitions::document::report::{Place, Report};
use slipstream_definitions::document::yaml::Node;
use slipstream_slo::alerts::Phase;

/// An entry of `expect` as it was read.
pub(crate) struct ExpectationDraft {
    pub place: Place,
    /// Seconds since the start.
    pub at: i64,
    pub subject: Subject,
    pub checks: Vec<Check>,
}

/// What is expected of a series at a time.
pub(crate) struct Expectation {
    pub at: i64,
    pub series: SeriesName,
    pub unit: BudgetUnit,
    /// Seconds of the budget's window where it rolls.
    pub checks: Vec<Check>,
}

/// One of the things that are expected.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub place: Place,
    /// As written.
    pub text: String,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Quantity(Quantity, Expected),
    /// Of a window in seconds; `None` for the budget's.
    Burn(Option<i64>, Expected),
    Condition(String, bool),
    Alert(Phase),
}

/// Numbers that a series has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    Sli,
    Good,
    Bad,
    Total,
    Unknown,
    TooLate,
    BudgetTotal,
    BudgetSpent,
    BudgetLeft,
    BudgetRemaining,
    ExhaustedIn,
}

const QUANTITIES: [(&str, Quantity, Kind); 11] = [
    ("sli", Quantity::Sli, Kind::Number),
    ("good", Quantity::Good, Kind::Amount),
    ("bad", Quantity::Bad, Kind::Amount),
    ("total", Quantity::Total, Kind::Amount),
    ("unknown", Quantity::Unknown, Kind::Number),
    ("too_late", Quantity::TooLate, Kind::Number),
    ("budget_total", Quantity::BudgetTotal, Kind::Amount),
    ("budget_spent", Quantity::BudgetSpent, Kind::Amount),
    ("budget_left", Quantity::BudgetLeft, Kind::Amount),
    ("budget_remaining", Quantity::BudgetRemaining, Kind::Number),
    ("exhausted_in", Quantity::ExhaustedIn, Kind::Span),
];

const PHASES: [(&str, Phase); 4] =
    [("none", Phase::Inactive), ("pending", Phase::Pending), ("firing", Phase::Firing), ("keeping", Phase::Keeping)];

/// The word for a phase.
pub(crate) fn phase_word(phase: Phase) -> &'static str {
    PHASES.iter().find(|(_, known)| *known == phase).map_or("", |(word, _)| word)
}

impl Quantity {
    /// Its field's name.
    pub(crate) fn name(self) -> &'static str {
        QUANTITIES.iter().find(|(_, known, _)| *known == self).map_or("", |(name, _, _)| name)
    }

    /// Whether it is counted in the unit of the objective's budget.
    pub(crate) fn in_unit(self) -> bool {
        use Quantity::{Bad, BudgetLeft, BudgetSpent, BudgetTotal, Good, Total};
        matches!(self, Good | Bad | Total | BudgetTotal | BudgetSpent | BudgetLeft)
    }

    fn of(self, rates: &BurnRates) -> Option<f64> {
        let budget = rates.windows.last();
        let count = |of: fn(i64, i64) -> i64| budget.map_or(0.0, |w| of(w.good, w.total) as f64);
        Some(match self {
            Quantity::Sli => return rates.sli,
            Quantity::Good => count(|good, _| good),
            Quantity::Bad => count(|good, total| total - good),
            Quantity::Total => count(|_, total| total),
            Quantity::Unknown => rates.unknown as f64,
            Quantity::TooLate => rates.too_late as f64,
            Quantity::BudgetTotal => rates.budget_total,
            Quantity::BudgetSpent => rates.budget_total * (1.0 - rates.budget_remaining),
            Quantity::BudgetLeft => rates.budget_total * rates.budget_remaining,
            Quantity::BudgetRemaining => rates.budget_remaining,
            Quantity::ExhaustedIn => return rates.exhaustion_at.map(|at| (at - rates.tick - 1) as f64),
        })
    }
}

/// Reads an entry.
pub(crate) fn read(report: &mut Report<'_>, node: &Node, path: &str, start: i64) -> Option<ExpectationDraft> {
    let fields = Fields::of(report, node, path)?;
    let known = ["at", "slo", "objective", "group", "burn", "conditions", "alert"];
    let known: Vec<&str> = known.into_iter().chain(QUANTITIES.iter().map(|(name, _, _)| *name)).collect();
    fields.check_ours(report, &known);
    let at = fields.required(report, "at").and_then(|node| as_written(report, node, &fields.path_of("at")));
    let at = at.and_then(|text| file::time(report, text, start));
    let subject = Subject::read(report, &fields);
    let errors = report.errors();
    let mut checks: Vec<Check> =
        QUANTITIES.iter().filter_map(|(name, what, kind)| quantity(report, &fields, name, *what, *kind)).collect();
    checks.extend(burns(report, &fields));
    checks.extend(conditions(report, &fields));
    checks.extend(alert(report, &fields));
    if checks.is_empty() && report.errors() == errors {
        let help = Some(format!("the fields are {}", known[4..].join(", ")));
        report.error(fields.place, "missing-field", format!("{path}: nothing is expected here"), help);
    }
    Some(ExpectationDraft { place: fields.place, at: at?, subject, checks })
}

fn quantity(report: &mut Report<'_>, fields: &Fields<'_>, name: &str, what: Quantity, kind: Kind) -> Option<Check> {
    let path = fields.path_of(name);
    let text = as_written(report, fields.get(name)?, &path)?;
    let expected = expected(report, text.value, kind, text.place, &path)?;
    let may_be_none = matches!(what, Quantity::Sli | Quantity::ExhaustedIn);
    if expected == Expected::None && !may_be_none {
        report.error(text.place, "invalid-value", format!("{path}: expected a number, found `none`"), None);
        return None;
    }
    Some(Check { place: text.place, text: text.value.to_owned(), what: What::Quantity(what, expected) })
}

fn expected(report: &mut Report<'_>, text: &str, kind: Kind, place: Place, path: &str) -> Option<Expected> {
    let read = value::parse(text, kind).map_err(|message| {
        report.error(place, "invalid-value", format!("{path}: {message}"), None);
    });
    read.ok()
}

fn burns(report: &mut Report<'_>, fields: &Fields<'_>) -> Vec<Check> {
    let Some(map) = fields.map(report, "burn") else { return Vec::new() };
    let mut found = Vec::new();
    for (key, node) in map.entries() {
        let path = map.path_of(&key.text);
        let window = match key.text.as_str() {
            "budget" => None,
            text => match span::parse(text) {
                Some(seconds) => Some(seconds),
                None => {
                    let message = format!("{path}: expected a window such as 1h, or budget, found `{text}`");
                    report.error(key.place, "invalid-value", message, None);
                    continue;
                }
            },
        };
        let Some(text) = as_written(report, node, &path) else { continue };
        let Some(expected) = expected(report, text.value, Kind::Number, text.place, &path) else { continue };
        if expected == Expected::None {
            report.error(text.place, "invalid-value", format!("{path}: expected a number, found `none`"), None);
            continue;
        }
        found.push(Check { place: text.place, text: text.value.to_owned(), what: What::Burn(window, expected) });
    }
    found
}

fn conditions(report: &mut Report<'_>, fields: &Fields<'_>) -> Vec<Check> {
    let Some(map) = fields.map(report, "conditions") else { return Vec::new() };
    let mut found = Vec::new();
    for (key, _) in map.entries() {
        if let Some(holds) = map.truth(report, &key.text) {
            let text = if holds { "holds" } else { "does not hold" };
            let what = What::Condition(key.text.clone(), holds);
            found.push(Check { place: key.place, text: text.to_owned(), what });
        }
    }
    found
}

fn alert(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<Check> {
    let words = PHASES.map(|(word, _)| word);
    let text = fields.word(report, "alert", &words)?;
    let (word, phase) = PHASES.iter().find(|(word, _)| *word == text.value)?;
    Some(Check { place: text.place, text: (*word).to_owned(), what: What::Alert(*phase) })
}

/// A check that does not hold: what, expected, got.
pub(crate) struct Wrong {
    pub place: Place,
    pub what: String,
    pub expected: String,
    pub got: String,
}

impl Expectation {
    /// What is not as expected. `rates`: where the series stands; `phase`: the worst of its alerts.
    pub(crate) fn wrong(&self, rates: &BurnRates, phase: Phase) -> Vec<Wrong> {
        self.checks.iter().filter_map(|check| check.wrong(rates, phase, self.unit)).collect()
    }
}

impl Check {
    fn wrong(&self, rates: &BurnRates, phase: Phase, unit: BudgetUnit) -> Option<Wrong> {
        let (what, right, got) = match &self.what {
            What::Quantity(quantity, expected) => {
                let got = quantity.of(rates);
                (quantity.name().to_owned(), fits(expected, got), shown(*quantity, got, unit))
            }
            What::Burn(window, expected) => {
                let row = match window {
                    Some(seconds) => rates.windows.iter().find(|row| row.seconds == *seconds),
                    None => rates.windows.last(),
                };
                let got = row.map(|row| row.burn);
                let name = window.map_or_else(|| "budget".to_owned(), span::format);
                let shown = got.map_or_else(|| "no such window".to_owned(), number);
                (format!("burn {name}"), fits(expected, got), shown)
            }
            What::Condition(rule, holds) => {
                let got = rates.conditions.iter().any(|c| c.rule == *rule && c.holds);
                let shown = if got { "holds" } else { "does not hold" };
                (format!("condition {rule}"), got == *holds, shown.to_owned())
            }
            What::Alert(expected) => ("alert".to_owned(), phase == *expected, phase_word(phase).to_owned()),
        };
        (!right).then(|| Wrong { place: self.place, what, expected: self.text.clone(), got })
    }
}

fn fits(expected: &Expected, got: Option<f64>) -> bool {
    match (expected, got) {
        (Expected::None, None) => true,
        (Expected::Within(range), Some(number)) => range.holds(number),
        _ => false,
    }
}

fn shown(quantity: Quantity, got: Option<f64>, unit: BudgetUnit) -> String {
    let Some(got) = got else { return "none".to_owned() };
    match quantity {
        Quantity::Sli | Quantity::BudgetRemaining => percent(got),
        Quantity::ExhaustedIn => span::format(got as i64),
        quantity if quantity.in_unit() && unit == BudgetUnit::Seconds => span::format(got.round() as i64),
        _ => number(got),
    }
}

/// At most six digits after the point, none that say nothing.
pub(crate) fn number(number: f64) -> String {
    digits(number, 6)
}

fn digits(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A share as a percentage, with more digits where it would look like all or nothing without being it.
pub(crate) fn percent(share: f64) -> String {
    let alike = |text: &str| (text == "100" && share != 1.0) || (text == "0" && share != 0.0);
    let written = |decimals: usize| digits(share * 100.0, decimals);
    let text = (6..15).map(written).find(|text| !alike(text));
    format!("{} %", text.unwrap_or_else(|| written(15)))
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn nearly_all_does_not_look_like_all() {
        for (share, text) in [
            (1.0, "100 %"),
            (0.0, "0 %"),
            (0.995, "99.5 %"),
            (0.999_999_999_6, "99.99999996 %"),
            (1e-11, "0.000000001 %"),
        ] {
            assert_eq!(percent(share), text);
        }
    }
}
