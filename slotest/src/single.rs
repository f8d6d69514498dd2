//! Entries of `events`: single requests by the schema's names.

use crate::event::{Limit, Pattern, status};
use crate::file::{MAX_ITEMS, bounded, time, within};
use crate::span;
use slipstream_definitions::document::fields::{Fields, as_written};
use slipstream_definitions::document::report::{Place, Report};
use slipstream_definitions::document::yaml::Node;

/// Most events that the entries of a test's `events` stand for.
const MAX_COUNT: u64 = 100_000;

/// An entry of `events`.
pub(crate) struct EventDraft {
    pub place: Place,
    /// Seconds since the start.
    pub at: i64,
    pub request: Pattern,
    pub weight: u32,
    pub count: u32,
    /// All of them take so long, seconds.
    pub spread: i64,
    pub late: i64,
    pub id: Option<String>,
}

/// Reads the entries of `given`.
pub(crate) fn events(report: &mut Report<'_>, given: &Fields<'_>, start: i64) -> Vec<EventDraft> {
    let items = given.list(report, "events").unwrap_or_default();
    let items = bounded(items, MAX_ITEMS, "events", report).iter().enumerate();
    let found: Vec<EventDraft> = items
        .filter_map(|(i, node)| event(report, node, &format!("{}[{i}]", given.path_of("events")), start))
        .collect();
    let mut count = 0;
    for event in &found {
        count += u64::from(event.count);
        if count > MAX_COUNT {
            let message =
                format!("the events are more than {MAX_COUNT}: give them a weight, or sketch them as traffic");
            report.error(event.place, "too-many", message, None);
            break;
        }
    }
    found
}

const EVENT: [&str; 14] = [
    "at",
    "service",
    "environment",
    "endpoint",
    "method",
    "status_code",
    "latency_ms",
    "weight",
    "attributes",
    "event_id",
    "count",
    "every",
    "spread",
    "late",
];

fn event(report: &mut Report<'_>, node: &Node, path: &str, start: i64) -> Option<EventDraft> {
    let fields = Fields::of(report, node, path)?;
    fields.check_ours(report, &EVENT);
    let at = fields.required(report, "at").and_then(|node| as_written(report, node, &fields.path_of("at")));
    let at = at.and_then(|text| time(report, text, start));
    let request = request(report, &fields);
    let weight = whole(report, &fields, "weight", 1_000_000).unwrap_or(1);
    let count = whole(report, &fields, "count", MAX_COUNT as u32).unwrap_or(1);
    let (every, spread) = (duration(report, &fields, "every"), duration(report, &fields, "spread"));
    if let (Some(_), Some(_), Some(place)) = (every, spread, fields.place_of("spread")) {
        let message = format!("{path}: expected `every` or `spread`, found both");
        report.error(place, "invalid-value", message, None);
    }
    let spread = spread.or(every.map(|every| every.saturating_mul(i64::from(count)))).unwrap_or(0);
    let late = duration(report, &fields, "late").unwrap_or(0);
    let id = text(report, &fields, "event_id", Limit::ID);
    let at = at?;
    let last = at.saturating_add(spread).saturating_add(late);
    within(report, last, fields.place)?;
    Some(EventDraft { place: fields.place, at, request, weight, count, spread, late, id })
}

fn request(report: &mut Report<'_>, fields: &Fields<'_>) -> Pattern {
    let mut attributes = Vec::new();
    if let Some(map) = fields.map(report, "attributes") {
        for (key, node) in map.entries() {
            let Some(value) = as_written(report, node, &map.path_of(&key.text)) else { continue };
            match Limit::KEY.check(&key.text).and(Limit::VALUE.check(value.value)) {
                Ok(()) => attributes.push((key.text.clone(), value.value.to_owned())),
                Err(message) => {
                    report.error(value.place, "invalid-value", format!("{}: {message}", map.path_of(&key.text)), None);
                }
            }
        }
    }
    Pattern {
        service: text(report, fields, "service", Limit::NAME),
        environment: text(report, fields, "environment", Limit::ENVIRONMENT),
        endpoint: text(report, fields, "endpoint", Limit::ENDPOINT),
        method: text(report, fields, "method", Limit::NAME),
        status: checked(report, fields, "status_code", "a status code from 100 to 599", status),
        latency_ms: checked(report, fields, "latency_ms", "milliseconds, or none", |text| match text {
            "none" => Some(None),
            text => text.parse().ok().filter(|ms| (0.0..=86_400_000.0).contains(ms)).map(Some),
        }),
        attributes,
    }
}

fn text(report: &mut Report<'_>, fields: &Fields<'_>, name: &str, limit: Limit) -> Option<String> {
    let text = as_written(report, fields.get(name)?, &fields.path_of(name))?;
    match limit.check(text.value) {
        Ok(()) => Some(text.value.to_owned()),
        Err(message) => {
            report.error(text.place, "invalid-value", format!("{}: {message}", fields.path_of(name)), None);
            None
        }
    }
}

fn whole(report: &mut Report<'_>, fields: &Fields<'_>, name: &str, most: u32) -> Option<u32> {
    let expected = format!("a whole number from 1 to {most}");
    checked(report, fields, name, &expected, |text| text.parse().ok().filter(|number| (1..=most).contains(number)))
}

fn duration(report: &mut Report<'_>, fields: &Fields<'_>, name: &str) -> Option<i64> {
    checked(report, fields, name, "a duration such as 10s or 1h30m", span::parse)
}

/// A scalar that may be there, of which `read` makes something.
fn checked<T>(
    report: &mut Report<'_>,
    fields: &Fields<'_>,
    name: &str,
    expected: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text = as_written(report, fields.get(name)?, &fields.path_of(name))?;
    let found = read(text.value);
    if found.is_none() {
        let message = format!("{}: expected {expected}, found `{}`", fields.path_of(name), text.value);
        report.error(text.place, "invalid-value", message, None);
    }
    found
}
