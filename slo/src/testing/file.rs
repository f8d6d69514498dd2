//! Test files: YAML to drafts, in which names of SLOs, objectives and rules are still text.

use super::alerts::{self, AlertDraft};
use super::event::{Limit, Pattern, status};
use super::expect::{self, ExpectationDraft};
use super::sketch::{self, Line};
use super::span::{self, Time};
use crate::openslo::SourceFile;
use crate::openslo::fields::{Fields, Text, as_text, as_written};
use crate::openslo::report::{Place, Report};
use crate::openslo::source::place_in;
use crate::openslo::yaml::{self, Node, Value};

/// Midnight of a Monday.
const DEFAULT_START: i64 = 1_767_571_200;
/// Most tests of a file.
const MAX_TESTS: usize = 1_000;
/// Most lines of traffic, events, expectations or alerts of a test.
pub(super) const MAX_ITEMS: usize = 1_000;
/// Most events that the entries of a test's `events` stand for.
const MAX_COUNT: u64 = 100_000;
/// The same, of all tests of a file.
const MAX_ITEMS_OF_FILE: usize = 20_000;
/// Longest text of a sketch, bytes.
const MAX_SKETCH: usize = 1 << 14;
/// Longest test, seconds.
pub(super) const MAX_SPAN: i64 = 400 * 86_400;

/// A test file as it was read.
pub(super) struct Draft {
    /// Paths, relative to the file.
    pub definitions: Option<Vec<(String, Place)>>,
    pub tests: Vec<TestDraft>,
}

/// A test as it was read.
pub(super) struct TestDraft {
    pub name: String,
    pub place: Place,
    /// Unix seconds.
    pub start: i64,
    /// Seconds.
    pub lasts: Option<i64>,
    pub lines: Vec<Line>,
    pub events: Vec<EventDraft>,
    /// All of them could be read.
    pub whole: bool,
    pub expectations: Vec<ExpectationDraft>,
    /// None: alerts are not looked at.
    pub alerts: Option<Vec<AlertDraft>>,
}

/// An entry of `events`.
pub(super) struct EventDraft {
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

/// Reads the one document of a test file. None: it cannot be used at all.
pub(super) fn read(source: &SourceFile, report: &mut Report<'_>) -> Option<Draft> {
    let documents = yaml::read(0, &source.text, report);
    let [document] = documents.as_slice() else {
        if report.errors() == 0 {
            let message = format!("expected one document with `tests`, found {}", documents.len());
            report.error(Place::start(0), "not-one-document", message, None);
        }
        return None;
    };
    let mut fields = Fields::of(report, document, "the test file")?;
    fields.path = String::new();
    fields.check_ours(report, &["definitions", "start", "tests"]);
    let definitions = definitions(report, &fields);
    let start = start(report, &fields).unwrap_or(DEFAULT_START);
    fields.required(report, "tests")?;
    let items = bounded(fields.list(report, "tests")?, MAX_TESTS, "tests", report);
    let mut room = MAX_ITEMS_OF_FILE;
    let mut tests: Vec<TestDraft> = Vec::new();
    for (i, node) in items.iter().enumerate() {
        tests.extend(test(report, node, &format!("tests[{i}]"), start, &mut room));
        if room == 0 {
            let message = format!("a file holds at most {MAX_ITEMS_OF_FILE} lines, events, expectations and alerts");
            report.error(node.place, "too-many", message, Some("split it into several files".to_owned()));
            return None;
        }
    }
    for (i, test) in tests.iter().enumerate() {
        if tests[..i].iter().any(|earlier| earlier.name == test.name) {
            report.error(test.place, "duplicate-name", format!("a second test is called `{}`", test.name), None);
        }
    }
    Some(Draft { definitions, tests })
}

/// The first `most` of some items; more are an error.
fn bounded<'i, T>(items: &'i [T], most: usize, what: &str, report: &mut Report<'_>) -> &'i [T]
where
    T: AsRef<Node>,
{
    match items.get(most) {
        None => items,
        Some(beyond) => {
            let message = format!("{} {what}: expected at most {most}", items.len());
            report.error(beyond.as_ref().place, "too-many", message, None);
            &items[..most]
        }
    }
}

fn definitions(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<Vec<(String, Place)>> {
    let node = fields.get("definitions")?;
    let items: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().map(AsRef::as_ref).collect(),
        _ => vec![node],
    };
    let texts = items.into_iter().filter_map(|item| as_text(report, item, "definitions"));
    Some(texts.map(|text| (text.value.to_owned(), text.place)).collect())
}

fn start(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<i64> {
    let text = as_written(report, fields.get("start")?, &fields.path_of("start"))?;
    // The years that the folds' arithmetic is made for.
    let found = span::moment(text.value).filter(|second| (0..4_102_444_800).contains(second));
    if found.is_none() {
        let message = format!(
            "{}: expected a moment from 1970 to 2100 such as 2026-01-05T00:00:00Z, found `{}`",
            fields.path_of("start"),
            text.value
        );
        report.error(text.place, "invalid-time", message, None);
    }
    found
}

fn test(report: &mut Report<'_>, node: &Node, path: &str, start_of_file: i64, room: &mut usize) -> Option<TestDraft> {
    let fields = Fields::of(report, node, path)?;
    fields.check_ours(report, &["name", "start", "lasts", "given", "expect", "alerts"]);
    let start = start(report, &fields).unwrap_or(start_of_file);
    let name = fields.required_text(report, "name");
    let lasts = fields.get("lasts").and_then(|node| as_written(report, node, &fields.path_of("lasts")));
    let lasts = lasts.and_then(|text| time(report, text, start));
    let (mut lines, mut events) = (Vec::new(), Vec::new());
    let errors = report.errors();
    if fields.required(report, "given").is_some()
        && let Some(given) = fields.map(report, "given")
    {
        given.check_ours(report, &["traffic", "events"]);
        lines = traffic(report, &given, room);
        events = self::events(report, &given, start);
    }
    let whole = report.errors() == errors;
    let expectations = fields.list(report, "expect").unwrap_or_default();
    let expectations = bounded(expectations, MAX_ITEMS, "expectations", report).iter().enumerate();
    let expectations = expectations
        .filter_map(|(i, node)| expect::read(report, node, &format!("{}[{i}]", fields.path_of("expect")), start))
        .collect::<Vec<_>>();
    let alerts = fields.get("alerts").map(|node| alerts_of(report, node, &fields.path_of("alerts"), start));
    if expectations.is_empty() && alerts.is_none() && fields.get("expect").is_none() {
        let message = format!("{path}: expected `expect` or `alerts`: a test that expects nothing tells nothing");
        report.error(fields.place, "missing-field", message, None);
    }
    *room = room.saturating_sub(events.len() + expectations.len() + alerts.as_ref().map_or(0, Vec::len));
    let name = name?;
    let place = name.place;
    Some(TestDraft { name: name.value.to_owned(), place, start, lasts, lines, events, whole, expectations, alerts })
}

fn alerts_of(report: &mut Report<'_>, node: &Node, path: &str, start: i64) -> Vec<AlertDraft> {
    match &node.value {
        Value::Scalar(scalar) if scalar.text == "none" => Vec::new(),
        Value::List(items) => {
            let items = bounded(items, MAX_ITEMS, "alerts", report).iter().enumerate();
            items.filter_map(|(i, node)| alerts::read(report, node, &format!("{path}[{i}]"), start)).collect()
        }
        _ => {
            let message = format!("{path}: expected a list of transitions, or none");
            report.error(node.place, "wrong-type", message, None);
            Vec::new()
        }
    }
}

/// Seconds since the start of a time as written.
pub(super) fn time(report: &mut Report<'_>, text: Text<'_>, start: i64) -> Option<i64> {
    match Time::parse(text.value) {
        Ok(time) => within(report, time.since(start), text.place),
        Err(message) => {
            report.error(text.place, "invalid-time", message, None);
            None
        }
    }
}

/// A time that a test may name.
pub(super) fn within(report: &mut Report<'_>, since: i64, place: Place) -> Option<i64> {
    if (0..=MAX_SPAN).contains(&since) {
        return Some(since);
    }
    let message = if since < 0 {
        format!("{} before the start of the test", span::format(since.saturating_neg()))
    } else {
        format!("{} after the start: a test lasts at most {}", span::format(since), span::format(MAX_SPAN))
    };
    report.error(place, "invalid-time", message, None);
    None
}

/// Lines of traffic; each, right or wrong, takes one of `room`.
fn traffic(report: &mut Report<'_>, given: &Fields<'_>, room: &mut usize) -> Vec<Line> {
    let path = given.path_of("traffic");
    let Some(node) = given.get("traffic") else { return Vec::new() };
    let items: Vec<&Node> = match &node.value {
        Value::List(items) => bounded(items, MAX_ITEMS, "lines of traffic", report).iter().map(AsRef::as_ref).collect(),
        _ => vec![node],
    };
    let mut found = Vec::new();
    for item in items {
        let Some(text) = as_written(report, item, &path) else { continue };
        if text.value.len() > MAX_SKETCH {
            let message = format!("{path}: {} bytes in one text: expected at most {MAX_SKETCH}", text.value.len());
            report.error(text.place, "too-long", message, None);
            continue;
        }
        for (offset, line) in sketch::lines(text.value) {
            if found.len() > MAX_ITEMS || *room == 0 {
                break;
            }
            *room -= 1;
            let spaces = line.chars().take_while(|c| c.is_whitespace()).count();
            let whole = place_in(report, text, offset + spaces, line.trim().chars().count());
            match sketch::parse(line, whole) {
                Ok(line) => found.push(line),
                Err(mistake) => {
                    let place = place_in(report, text, offset + mistake.at, mistake.width);
                    report.error(place, "invalid-traffic", mistake.message, mistake.help);
                }
            }
        }
    }
    if let Some(beyond) = found.get(MAX_ITEMS) {
        let message = format!("{} lines of traffic: expected at most {MAX_ITEMS}", found.len());
        report.error(beyond.place, "too-many", message, None);
        found.truncate(MAX_ITEMS);
    }
    found
}

fn events(report: &mut Report<'_>, given: &Fields<'_>, start: i64) -> Vec<EventDraft> {
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
