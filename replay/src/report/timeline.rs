//! What happened, in order: steps of alerts, first bad requests, markers, missing events.

use slipstream_definitions::definition::BURN_RATE;
use slipstream_slo::rule::Kinds;

use super::facts::Facts;
use super::markup::Markup;
use super::tables::{self, Cell};
use super::times::{self, Micros, Times};
use super::{Told, markers, words};
use crate::outcome::{Clock, MarkerShown, Outcome, Request, TransitionShown};

/// At most this many rows.
const MOST: usize = 300;

/// An entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: Micros,
    /// `alert`, `request`, `deploy` and so on.
    pub kind: String,
    /// Whose.
    pub of: String,
    /// What.
    pub text: String,
    /// Where more is to be read.
    pub link: Option<String>,
}

/// All entries, by time.
pub fn entries(outcome: &Outcome, facts: &[Facts<'_>], times: Times) -> Vec<Entry> {
    // Those are log times: by the other clock they have no place here.
    let missing = outcome.missing.iter().filter(|_| outcome.clock == Clock::Log).filter_map(|missing| {
        let text = format!(
            "Events of partition {} are missing up to {}: {}",
            missing.partition,
            times.at_text(&missing.to),
            missing.reason
        );
        Some(Entry {
            at: times::parse(&missing.from)?,
            kind: "missing".to_owned(),
            of: String::new(),
            text,
            link: None,
        })
    });
    let mut entries: Vec<Entry> =
        missing.chain(outcome.markers.iter().flat_map(of_marker)).chain(facts.iter().flat_map(of_alert)).collect();
    // Stable: what has one time stays in the order of its source.
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// The section.
pub fn write(m: &mut Markup, told: &Told<'_>, facts: &[Facts<'_>], times: Times) {
    let entries = entries(told.outcome, facts, times);
    if entries.is_empty() {
        return;
    }
    m.within("section", &[("aria-labelledby", "timeline")], |m| {
        m.leaf("h2", &[("id", "timeline")], "Timeline");
        let rows: Vec<Vec<Cell>> = entries.iter().take(MOST).map(|entry| row(entry, times)).collect();
        tables::write(m, "What happened, by time (UTC)", &["Time", "Kind", "Of", "What"], &rows);
        if let Some(more) = entries.len().checked_sub(MOST).filter(|more| *more > 0) {
            m.leaf("p", &[("class", "note")], &format!("{} more are not shown.", words::count(more as i64)));
        }
    });
}

fn row(entry: &Entry, times: Times) -> Vec<Cell> {
    let what = match &entry.link {
        Some(link) => Cell::Link(entry.text.clone(), link.clone()),
        None => Cell::Text(entry.text.clone()),
    };
    vec![Cell::Figure(times.at(entry.at)), Cell::Text(entry.kind.clone()), Cell::or_dash(Some(entry.of.clone())), what]
}

fn of_marker(marker: &MarkerShown) -> Vec<Entry> {
    let between = if marker.text.is_empty() { "" } else { ": " };
    let version = marker.version.as_ref().map(|version| format!("{version}{between}")).unwrap_or_default();
    let service = if marker.service.is_empty() { "all services" } else { &marker.service };
    let of = match marker.environment.as_str() {
        "" => service.to_owned(),
        environment => format!("{service} in {environment}"),
    };
    let entry = |at, text| Entry { at, kind: markers::kind(marker).to_owned(), of: of.to_owned(), text, link: None };
    let text = format!("{version}{}", marker.text);
    let begin = times::parse(&marker.time).map(|at| Entry { link: marker.link.clone(), ..entry(at, text.clone()) });
    let end = marker.until.as_deref().and_then(times::parse).map(|at| entry(at, format!("End of: {text}")));
    begin.into_iter().chain(end).collect()
}

fn of_alert(facts: &Facts<'_>) -> Vec<Entry> {
    let entry = |at, kind: &str, text| Entry { at, kind: kind.to_owned(), of: facts.name.clone(), text, link: None };
    let first = facts.alert.first_bad.first().and_then(|request| {
        let seen = if facts.alert.began_earlier { "First bad request of those looked at" } else { "First bad request" };
        let own = if request.time == request.sli_time { "" } else { "; by its own clock it was later" };
        Some(entry(times::parse(&request.sli_time)?, "request", format!("{seen}: {}{own}", named(request))))
    });
    let steps = facts.alert.transitions.iter();
    let steps = steps.filter_map(|step| Some(entry(times::parse(&step.at)?, "alert", step_in_words(step))));
    first.into_iter().chain(steps).collect()
}

/// `POST /pay, status 503`.
pub fn named(request: &Request) -> String {
    format!("{} {}, status {}", request.method, request.endpoint, request.status_code)
}

fn step_in_words(step: &TransitionShown) -> String {
    let TransitionShown { kind, severity, rule, rule_kind, value, .. } = step;
    let what = match kind.as_str() {
        "pending" => "Pending".to_owned(),
        "inactive" => "Over before it fired".to_owned(),
        "firing" => format!("Fires ({severity})"),
        "keeping" => "Its condition ended; kept firing for a while".to_owned(),
        "resumed" => "Its condition holds again; still firing".to_owned(),
        "severity" => format!("Its severity is now {severity}"),
        "resolved" => "Resolved".to_owned(),
        other => other.to_owned(),
    };
    let rule = if rule.is_empty() { String::new() } else { format!("; rule {rule}") };
    let value = value.map(|value| match rule_kind.as_str() {
        BURN_RATE => format!(", burn rate {}", words::rate(value)),
        other => format!(", {}", Kinds::default().named(other).figure(value, None)),
    });
    let value = value.unwrap_or_default();
    format!("{what}{rule}{}", if rule.is_empty() { value.replacen(',', ";", 1) } else { value })
}
