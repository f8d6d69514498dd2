//! What the inputs are given to, and what must hold then.

use std::borrow::Cow;
use std::sync::Arc;

use slipstream_definitions::definition::{Indicator, Objective, Ratio, Side, Slo, Window};
use slipstream_definitions::diagnostic::{Diagnostic, render};
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::filter::Filter;
use slipstream_definitions::openslo::{self, Loaded};
use slipstream_schemas::event::EventView;
use slipstream_schemas::time::EventTime;
use slipstream_slo::matcher::{Active, Matcher, Verdict};
use slipstream_slotest::{Suite, Wanted};

use crate::corpus;

/// Work of a test that is played.
const WORK: u64 = 20_000;

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

pub fn load(text: &str) -> Loaded {
    openslo::load(&[file("slos.yaml", text)])
}

/// A file of definitions is read or refused; what is taken is written and read back equal.
pub fn definitions(text: &str) {
    let loaded = load(text);
    shown(text, &loaded.diagnostics);
    assert_eq!(loaded.slos.len(), loaded.documents.len());
    for (slo, document) in loaded.slos.iter().zip(&loaded.documents) {
        let read =
            openslo::parse_document(&document.text).unwrap_or_else(|found| panic!("{found:#?}\n{}", document.text));
        assert_eq!(*slo, read, "{}", document.text);
    }
}

/// Each diagnostic has a place in the text, and all can be shown.
fn shown(text: &str, diagnostics: &[Diagnostic]) {
    // To YAML a carriage return ends a line, too; and what is missing at the end is missed in the line after.
    let lines = text.replace("\r\n", "\n").split(['\n', '\r']).count() + 1;
    for diagnostic in diagnostics {
        let place = (diagnostic.line, diagnostic.column, diagnostic.snippet.width);
        let right = (1..=lines).contains(&place.0) && place.1 >= 1 && place.2 >= 1;
        assert!(right || diagnostic.file != "slos.yaml", "{place:?} of {lines} lines: {diagnostic:?}");
        assert!(!diagnostic.message.is_empty());
    }
    let plain = render(diagnostics, false);
    assert!(!plain.contains('\u{1b}'), "an escape of the input reaches the terminal");
    render(diagnostics, true);
}

/// A filter is compiled or refused; what is compiled means the same to the matcher, and what is said of it holds.
pub fn filter(source: &str) {
    let length = source.chars().count();
    match Filter::checked(source) {
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.width >= 1 && error.start <= length, "{error:?}");
            }
        }
        Ok((filter, findings)) => {
            for finding in &findings {
                assert!(finding.width >= 1 && finding.start + finding.width <= length, "{finding:?}");
            }
            let whole = findings.iter().find(|finding| finding.start == 0 && finding.width == length);
            let mut matcher = Matcher::new(&[active(source)]);
            for event in events() {
                let value = filter.eval(&event);
                if let Some(whole) = whole {
                    assert_eq!(value == Some(true), whole.code == "always-true", "{whole:?} on {event:?}");
                }
                for _ in 0..2 {
                    assert_eq!(matched(&mut matcher, &event), value, "the matcher on {event:?}");
                }
            }
        }
    }
}

/// What the matcher makes of the filter as good and, twice, as total.
fn matched(matcher: &mut Matcher, event: &EventView<'_>) -> Option<bool> {
    let mut hits = Vec::new();
    matcher.apply(event, &mut |id, verdict| hits.push((id, verdict)));
    let of = |matcher: &Matcher, name: &str| {
        hits.iter()
            .find(|(id, _)| matcher.series(*id).objectives().any(|o| o.name == name))
            .map(|(_, verdict)| *verdict)
    };
    let as_good = match of(matcher, "good").expect("total is true") {
        Verdict::Good => Some(true),
        Verdict::Bad => Some(false),
        Verdict::Unknown => None,
    };
    let as_total = match of(matcher, "total") {
        Some(Verdict::Good) => Some(true),
        None => Some(false),
        Some(_) => None,
    };
    assert_eq!(as_good, as_total, "on {event:?}");
    as_good
}

fn active(source: &str) -> Active {
    let objective = |name: &str, total: &str, good: &str| {
        let indicator = Indicator { total: total.into(), side: Side::Good(good.into()) };
        Objective::new(name, indicator, Ratio { num: 99, den: 100 })
    };
    let slo = Slo {
        name: "fuzz".into(),
        display_name: String::new(),
        service: String::new(),
        description: String::new(),
        group_by: Vec::new(),
        window: Window::Rolling(86_400),
        objectives: vec![objective("good", "true", source), objective("total", source, "true")],
        composite: None,
        labels: Vec::new(),
        document: slipstream_definitions::definition::Document::Slo,
    };
    Active { slo: Arc::new(slo), generation: 0 }
}

fn events() -> [EventView<'static>; 4] {
    let event = |service, endpoint, method, status_code, latency_ms, tier: Option<&'static str>| EventView {
        event_id: Cow::Borrowed("e"),
        time: EventTime(0),
        service: Cow::Borrowed(service),
        environment: Cow::Borrowed(""),
        endpoint: Cow::Borrowed(endpoint),
        method: Cow::Borrowed(method),
        status_code,
        latency_ms,
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: tier.map(|tier| (Cow::Borrowed("tier"), Cow::Borrowed(tier))).into_iter().collect(),
    };
    [
        event("checkout", "/pay", "GET", 200, Some(120.5), Some("gold")),
        event("cart", "/cart/{id}", "POST", 503, Some(0.0), None),
        event("checkout", "/", "GET", 404, None, Some("3")),
        event("é", "/pay/refund", "get", 599, Some(86_400_000.0), Some("")),
    ]
}

pub fn read_tests(text: &str) -> Result<Suite, Vec<Diagnostic>> {
    let beside = corpus::rendered(&corpus::definitions());
    let mut find = |wanted: Wanted<'_>| match wanted {
        Wanted::Beside => Ok(vec![file("beside.yaml", &beside)]),
        Wanted::Path("slos.yaml") => Ok(vec![file("beside.yaml", &beside)]),
        Wanted::Path(other) => Err(format!("no such file: {other}")),
    };
    slipstream_slotest::read(&file("slos.yaml", text), &mut find)
}

/// A test file is read or refused; its tests pass, fail, or take too much work.
pub fn test_file(text: &str) {
    match read_tests(text) {
        Err(found) => {
            assert!(!found.is_empty());
            shown(text, &found);
        }
        Ok(suite) => suite.tests.iter().take(4).for_each(|test| {
            test.run_within(WORK);
        }),
    }
}
