//! Test files: YAML to drafts, in which names of SLOs, objectives and rules are still text.

use crate::alerts::{self, AlertDraft};
use crate::expect::{self, ExpectationDraft};
use crate::single::{self, EventDraft};
use crate::sketch::{self, Line};
use crate::span::{self, Time};
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::document::fields::{Fields, Text, as_text, as_written};
use slipstream_definitions::document::place_in;
use slipstream_definitions::document::report::{Place, Report};
use slipstream_definitions::document::yaml::{self, Node, Value};

/// Midnight of a Monday.
const DEFAULT_START: i64 = 1_767_571_200;
/// Most tests of a file.
const MAX_TESTS: usize = 1_000;
/// Most lines of traffic, events, expectations or alerts of a test.
pub(crate) const MAX_ITEMS: usize = 1_000;
/// The same, of all tests of a file.
const MAX_ITEMS_OF_FILE: usize = 20_000;
/// Longest text of a sketch, bytes.
const MAX_SKETCH: usize = 1 << 14;
/// Longest test, seconds.
pub(crate) const MAX_SPAN: i64 = 400 * 86_400;

/// A test file as it was read.
pub(crate) struct Draft {
    /// Paths, relative to the file.
    pub definitions: Option<Vec<(String, Place)>>,
    pub tests: Vec<TestDraft>,
}

/// A test as it was read.
pub(crate) struct TestDraft {
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
    /// `None` if alerts are not checked.
    pub alerts: Option<Vec<AlertDraft>>,
}

/// Reads the one document of a test file. `None` if it cannot be used at all.
pub(crate) fn read(source: &SourceFile, report: &mut Report<'_>) -> Option<Draft> {
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
    if let Some(place) = fields.place_of("apiVersion") {
        let help = "its tests are in a file called NAME.test.yaml beside it".to_owned();
        report.error(place, "not-a-test-file", "this is a definition, not a test file".to_owned(), Some(help));
        return None;
    }
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
pub(crate) fn bounded<'i, T>(items: &'i [T], most: usize, what: &str, report: &mut Report<'_>) -> &'i [T]
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
        events = single::events(report, &given, start);
    }
    let whole = report.errors() == errors;
    let expectations = fields.list(report, "expect").unwrap_or_default();
    let expectations = bounded(expectations, MAX_ITEMS, "expectations", report).iter().enumerate();
    let expectations = expectations
        .filter_map(|(i, node)| expect::read(report, node, &format!("{}[{i}]", fields.path_of("expect")), start))
        .collect::<Vec<_>>();
    let alerts = fields.get("alerts").map(|node| alerts_of(report, node, &fields.path_of("alerts"), start));
    if expectations.is_empty() && alerts.is_none() && fields.get("expect").is_none() {
        let message = format!("{path}: expected `expect` or `alerts`: a test needs expectations");
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
pub(crate) fn time(report: &mut Report<'_>, text: Text<'_>, start: i64) -> Option<i64> {
    match Time::parse(text.value) {
        Ok(time) => within(report, time.since(start), text.place),
        Err(message) => {
            report.error(text.place, "invalid-time", message, None);
            None
        }
    }
}

/// A time that a test may name.
pub(crate) fn within(report: &mut Report<'_>, since: i64, place: Place) -> Option<i64> {
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
