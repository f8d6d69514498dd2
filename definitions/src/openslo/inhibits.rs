//! `inhibits` of a Rule or of a condition: what its alert holds back.

use super::rule::{Draft, Written};
use crate::definition::Slo;
use crate::document::fields::{Fields, as_text};
use crate::document::report::Report;
use crate::inhibits::{Inhibits, severity};

pub(super) const FIELD: &str = "inhibits";
const SEVERITIES: &str = "severities";
const DEPENDANTS: &str = "dependants";

/// Whose alerts there are to hold back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Others {
    /// Those of an SLO.
    pub(super) of_slo: bool,
    /// Those of services that depend on one that is known.
    pub(super) of_service: bool,
}

/// What a Rule, or a condition, names; `None` if nothing, or if that has errors.
pub(super) fn read(report: &mut Report<'_>, fields: &Fields<'_>, others: Others) -> Option<Inhibits> {
    let errors = report.errors();
    let map = fields.map(report, FIELD)?;
    map.check_ours(report, &[SEVERITIES, DEPENDANTS]);
    let severities = severities(report, &map);
    let dependants = map.truth(report, DEPENDANTS).unwrap_or(false);
    if report.errors() > errors {
        return None;
    }
    if severities.is_empty() && !dependants {
        let message = format!("{}: nothing is held back", map.path);
        let help = "write `severities: [ticket]`, `dependants: true`, or both".to_owned();
        report.error(map.place, "missing-field", message, Some(help));
    }
    if !severities.is_empty() && !others.of_slo {
        let message = format!("{}: only an SLO has other alerts", map.path_of(SEVERITIES));
        let help = "write `slo:` with the name of one instead of an indicator".to_owned();
        report.error(map.place_of(SEVERITIES).unwrap_or(map.place), "needs-slo", message, Some(help));
    }
    if dependants && !others.of_service {
        let message = format!("{}: nothing depends on a Rule without a service", map.path_of(DEPENDANTS));
        let help = "write `service:` with its name".to_owned();
        report.error(map.place_of(DEPENDANTS).unwrap_or(map.place), "needs-service", message, Some(help));
    }
    (report.errors() == errors).then_some(Inhibits { severities, dependants })
}

fn severities(report: &mut Report<'_>, map: &Fields<'_>) -> Vec<String> {
    let path = map.path_of(SEVERITIES);
    let mut found = Vec::new();
    for (index, item) in map.list(report, SEVERITIES).unwrap_or_default().iter().enumerate() {
        let Some(text) = as_text(report, item, &format!("{path}[{index}]")) else { continue };
        match severity(text.value) {
            Ok(name) => found.push(name),
            Err(error) => report.error(text.place, "invalid-value", format!("{path}[{index}]: {error}"), None),
        }
    }
    found
}

/// Warns of severities that no alert of the SLO has: they may be misspelt.
pub(super) fn check_severities(report: &mut Report<'_>, slo: &Slo, draft: &Draft<'_>) {
    let known: Vec<String> = slo.rules().map(|rule| rule.severity.name.clone()).collect();
    let unknown = |name: &&String| !known.iter().any(|known| known.eq_ignore_ascii_case(name));
    for written in &draft.written {
        let named = written.inhibits.as_ref().map_or(&[][..], |inhibits| &inhibits.severities);
        for name in named.iter().filter(unknown) {
            warn(report, slo, written, name, &known);
        }
    }
}

fn warn(report: &mut Report<'_>, slo: &Slo, written: &Written, name: &str, known: &[String]) {
    let message = format!("condition `{}`: no alert of the SLO `{}` has the severity `{name}`", written.name, slo.name);
    let near = report.nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    let mut all: Vec<&str> = known.iter().map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    let help = near.unwrap_or_else(|| format!("they have {}", all.join(", ")));
    report.warning(written.place, "unknown-severity", message, Some(help));
}
