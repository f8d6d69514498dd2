//! The bad requests: what they have in common, and the first of them.

use super::facts::Facts;
use super::markup::Markup;
use super::tables::{self, Cell};
use super::times::Times;
use super::{Told, facts, words};
use crate::outcome::{Contributor, Contributors, Request};

/// Of so many alerts or objectives.
const MOST: usize = 3;
/// So many of the first requests.
const MOST_REQUESTS: usize = 20;

/// Whose bad requests, and what made them up.
type Of<'a> = (String, &'a [Contributors]);

/// Both sections, each if there is anything.
pub fn write(m: &mut Markup, told: &Told<'_>, facts: &[Facts<'_>], times: Times) {
    contributors(m, &contributing(told, facts, times));
    let with_first: Vec<&Facts<'_>> =
        facts.iter().filter(|facts| !facts.alert.first_bad.is_empty()).take(MOST).collect();
    if with_first.is_empty() {
        return;
    }
    m.within("section", &[("aria-labelledby", "first")], |m| {
        m.leaf("h2", &[("id", "first")], "First bad requests");
        for facts in with_first {
            let rows: Vec<Vec<Cell>> =
                facts.alert.first_bad.iter().take(MOST_REQUESTS).map(|r| row(r, times)).collect();
            tables::write(m, &format!("First bad requests of {}", named(facts, times)), &HEADS, &rows);
        }
    });
}

/// Its name; with what was counted of it, where that is not all.
fn named(facts: &Facts<'_>, times: Times) -> String {
    facts.counted(times).map_or_else(|| facts.name.clone(), |counted| format!("{}, {counted}", facts.name))
}

/// Columns of [`row`].
pub const HEADS: [&str; 9] = ["Time", "Service", "Method", "Endpoint", "#Status", "#Latency", "User", "Trace", "Event"];

/// A request.
pub fn row(request: &Request, times: Times) -> Vec<Cell> {
    let name = |text: &Option<String>| text.clone().map_or(Cell::Text("–".to_owned()), Cell::Name);
    vec![
        Cell::Figure(times.exactly(&request.time)),
        Cell::Text(request.service.clone()),
        Cell::Text(request.method.clone()),
        Cell::Name(request.endpoint.clone()),
        Cell::Figure(request.status_code.to_string()),
        Cell::figure_or_dash(request.latency_ms.map(words::milliseconds)),
        name(&request.user_ref),
        name(&request.trace_id),
        Cell::Name(request.event_id.clone()),
    ]
}

/// Those of the worst alerts; without alerts, of the objectives with the most bad requests.
fn contributing<'a>(told: &Told<'a>, facts: &[Facts<'a>], times: Times) -> Vec<Of<'a>> {
    let has_any = |contributors: &[Contributors]| contributors.iter().any(|dimension| !dimension.values.is_empty());
    if !facts.is_empty() {
        let of_alerts = facts.iter().map(|facts| (named(facts, times), facts.alert.contributors.as_slice()));
        return of_alerts.filter(|(_, contributors)| has_any(contributors)).take(MOST).collect();
    }
    let mut slos: Vec<_> = told.outcome.slos.iter().filter(|slo| has_any(&slo.contributors)).collect();
    slos.sort_by_key(|slo| slo.range.good - slo.range.total);
    let name = |status: &slipstream_query::slos::SloStatus| {
        facts::name(told.outcome, &status.name, &status.objective, status.group.as_ref())
    };
    slos.into_iter().take(MOST).map(|slo| (name(&slo.status), slo.contributors.as_slice())).collect()
}

fn contributors(m: &mut Markup, all: &[Of<'_>]) {
    if all.is_empty() {
        return;
    }
    m.within("section", &[("aria-labelledby", "contributors")], |m| {
        m.leaf("h2", &[("id", "contributors")], "What the bad requests have in common");
        let note = "The upper bar is a value's share of the bad requests, the lower one its share of all requests. A value is \
                    telling where the upper one is much longer.";
        m.leaf("p", &[("class", "note")], note);
        for (name, contributors) in all {
            m.leaf("h3", &[], &format!("Bad requests of {name}"));
            m.within("div", &[("class", "columns")], |m| {
                contributors.iter().filter(|dimension| !dimension.values.is_empty()).for_each(|d| dimension(m, d));
            });
        }
    });
}

fn dimension(m: &mut Markup, dimension: &Contributors) {
    let rows: Vec<Vec<Cell>> = dimension.values.iter().map(value).collect();
    let more = match dimension.more {
        0 => String::new(),
        more => format!(" ({} more)", words::count(more as i64)),
    };
    let name = dimension_name(&dimension.dimension);
    tables::write(
        m,
        &format!("By {name}{more}"),
        &[&capital(name), "#Bad", "#Of\u{a0}bad", "#Of\u{a0}all", "Shares"],
        &rows,
    );
}

fn value(value: &Contributor) -> Vec<Cell> {
    let Contributor { value, bad, share_of_bad, share_of_all, .. } = value;
    vec![
        if value.is_empty() { Cell::Text("(none)".to_owned()) } else { Cell::Name(value.clone()) },
        Cell::Figure(words::count(*bad)),
        Cell::Figure(words::rough_percent(*share_of_bad)),
        Cell::Figure(words::rough_percent(*share_of_all)),
        Cell::Bars(*share_of_bad, *share_of_all),
    ]
}

fn dimension_name(dimension: &str) -> &str {
    if dimension == "status_code" { "status" } else { dimension.strip_prefix("attributes.").unwrap_or(dimension) }
}

fn capital(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
