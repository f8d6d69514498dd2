//! Filters that are right and can never matter: what is said, and that it is true.

use proptest::prelude::*;
use slipstream_definitions::filter::{Filter, Finding};
use slipstream_schemas::event::EventView;

use crate::documents::{CHECKOUT, load_texts};
use crate::filters::plain;
use slipstream_schemas::fixtures::any_event;

fn marked(source: &str, finding: &Finding) -> String {
    source.chars().skip(finding.start).take(finding.width).collect()
}

/// Code, the text that is marked, and message with help.
fn findings(source: &str) -> Vec<(&'static str, String, String)> {
    let (_, findings) = Filter::checked(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
    let help = |finding: &Finding| finding.help.clone().unwrap_or_default();
    let said = |finding: &Finding| format!("{} {}", finding.message, help(finding));
    findings.iter().map(|finding| (finding.code, marked(source, finding), said(finding))).collect()
}

#[test]
fn what_is_never_true_is_marked() {
    for (source, at, says) in [
        ("false", "false", "never true"),
        ("1 > 2", "1 > 2", "never true"),
        ("status_code == 700", "status_code == 700", "100 to 599"),
        ("service == \"a\" && status_code < 100", "status_code < 100", "100 to 599"),
        ("string(status_code).startsWith(\"6\")", "string(status_code).startsWith(\"6\")", "100 to 599"),
        ("status_code / 100 == 6", "status_code / 100 == 6", "100 to 599"),
        ("-7 / 2 == -2", "-7 / 2 == -2", "`-7 / 2 == -2` is never true"),
        ("latency_ms < 0", "latency_ms < 0", "0 to 86400000"),
        ("latency_ms in [-1, 1e12]", "latency_ms in [-1, 1e12]", "0 to 86400000"),
        ("service == \"\"", "service == \"\"", "never empty"),
        ("method in [\"\"]", "method in [\"\"]", "never empty"),
        ("method in []", "method in []", "never true"),
        ("service == \"a\" && service == \"b\"", "service == \"a\" && service == \"b\"", "to match either"),
        ("service == \"a\" && method == \"GET\" && service == \"b\"", "", "`service == \"a\"` and `service == \"b\"`"),
        ("service == \"a\" && service != \"a\"", "service == \"a\" && service != \"a\"", "never both true"),
        ("status_code >= 500 && status_code < 400", "status_code >= 500 && status_code < 400", "never both true"),
        ("status_code == 404 && !(status_code in [404, 410])", "", "never both true"),
        ("latency_ms > 300 && latency_ms <= 300.0", "latency_ms > 300 && latency_ms <= 300.0", "never both true"),
        ("latency_ms > 300 && latency_ms == null", "latency_ms > 300 && latency_ms == null", "never both true"),
        ("!has(attributes.a) && attributes.a == \"x\"", "", "never both true"),
        ("has(attributes.a) && !(\"a\" in attributes)", "", "never both true"),
        ("int(attributes.a) > 3 && int(attributes.a) < 3", "", "never both true"),
        ("size(endpoint) < 0", "size(endpoint) < 0", "never true"),
        ("endpoint == \"/pay\" && endpoint.startsWith(\"/cart\")", "", "never both true"),
        ("endpoint.startsWith(\"/pay\") && endpoint.startsWith(\"/cart\")", "", "never both true"),
        ("endpoint.startsWith(\"/pay/x\") && !endpoint.startsWith(\"/pay\")", "", "never both true"),
        ("endpoint.endsWith(\"/ok\") && !endpoint.contains(\"/\")", "", "never both true"),
        ("endpoint == \"/pay\" && endpoint.matches(\"^/cart\")", "", "never both true"),
        ("endpoint.matches(\"x\") && !endpoint.matches(\"x\")", "", "never both true"),
        ("method.lowerAscii() == \"GET\"", "method.lowerAscii() == \"GET\"", "never true"),
        ("method.lowerAscii() in [\"get\"] && method == \"POST\"", "", "never both true"),
        ("service == \"a\" ? status_code > 600 : false", "", "never true"),
        ("method == \"GET\" && (status_code == 200 || status_code == 2000)", "status_code == 2000", "never true"),
        ("(status_code == 600 || latency_ms < 0) && method == \"GET\"", "", "never true"),
    ] {
        let found = findings(source);
        let fits = |(code, mark, said): &(&str, String, String)| {
            *code == "never-true" && (at.is_empty() || mark == at) && said.contains(says)
        };
        assert!(found.len() == 1 && fits(&found[0]), "{source}: expected {at:?} and {says:?}, found {found:?}");
    }
}

#[test]
fn what_is_always_true_is_marked() {
    for (source, at, says) in [
        ("status_code >= 100", "status_code >= 100", "100 to 599"),
        ("service == \"a\" && endpoint != \"\"", "endpoint != \"\"", "never empty"),
        ("service != \"a\" || service != \"b\"", "service != \"a\" || service != \"b\"", "`&&`"),
        ("status_code < 500 || status_code >= 500", "status_code < 500 || status_code >= 500", "always true"),
        ("latency_ms == null || latency_ms >= 0", "latency_ms == null || latency_ms >= 0", "always true"),
        ("method == \"GET\" || true", "method == \"GET\" || true", "always true"),
        ("endpoint.startsWith(\"\")", "endpoint.startsWith(\"\")", "always true"),
        ("!has(attributes.a) || has(attributes.a)", "!has(attributes.a) || has(attributes.a)", "always true"),
    ] {
        let found = findings(source);
        let fits =
            |(code, mark, said): &(&str, String, String)| *code == "always-true" && mark == at && said.contains(says);
        assert!(found.len() == 1 && fits(&found[0]), "{source}: expected {at:?} and {says:?}, found {found:?}");
    }
}

#[test]
fn what_can_be_either_is_left_alone() {
    for source in [
        "true",
        "status_code < 500",
        "status_code < 500 && true",
        "latency_ms >= 0",
        "latency_ms != null && latency_ms <= 300",
        "attributes.a != \"x\" || attributes.a != \"y\"",
        "environment == \"\"",
        "method == \"get\"",
        "service in [\"a\", \"b\"] && service != \"a\"",
        "endpoint.startsWith(\"/pay\") && endpoint.startsWith(\"/pay/refund\") && !endpoint.startsWith(\"/pay/refunds\")",
        "endpoint.contains(\"a\") && !endpoint.contains(\"ab\")",
        "status_code >= 500 && !(status_code in [501, 505])",
        "int(attributes.retries) > 3 && int(attributes.retries) < 5",
        "(method == \"GET\" ? latency_ms : 0.0) < 300.0 && latency_ms == null",
        "service == environment && service == \"a\"",
        "(status_code < 400) == (latency_ms < 200)",
    ] {
        assert_eq!(findings(source), [], "{source}");
    }
}

#[test]
fn good_and_bad_are_seen_with_their_total() {
    for (total, side, good, expected) in [
        ("method == \"GET\"", "method == \"POST\"", true, Some(("never-true", "no event of total is good"))),
        ("status_code >= 500", "status_code < 500", false, Some(("never-true", "no event of total is bad"))),
        ("status_code < 400", "status_code < 500", true, Some(("always-true", "every event of total is good"))),
        ("true", "true", true, Some(("always-true", "every event of total is good"))),
        ("status_code >= 500", "status_code > 499", false, Some(("always-true", "every event of total is bad"))),
        ("latency_ms != null", "latency_ms >= 0.0", true, Some(("always-true", "every event of total is good"))),
        ("true", "latency_ms >= 0.0", true, None),
        ("true", "status_code < 500", true, None),
        ("status_code == 700", "status_code < 500", true, None),
        ("true", "status_code > 599", false, None),
        ("service == \"a\"", "service == \"a\" && status_code < 500", true, None),
    ] {
        let (total, side) = (Filter::compile(total).unwrap(), Filter::compile(side).unwrap());
        let found = side.within(&total, good).map(|finding| (finding.code, finding.message));
        match (&found, expected) {
            (Some((code, message)), Some((expected, says))) => assert!(*code == expected && message.contains(says)),
            (found, expected) => assert!(found.is_none() && expected.is_none(), "{side:?}: {found:?}"),
        }
    }
}

/// Events that a decoder lets through.
fn valid_event() -> impl Strategy<Value = EventView<'static>> {
    any_event().prop_map(|event| match event.service.is_empty() {
        true => EventView { service: "nameless".into(), ..event },
        false => event,
    })
}

proptest! {
    #[test]
    fn what_is_said_holds_on_every_event(
        filters in prop::collection::vec(plain(), 2),
        events in prop::collection::vec(valid_event(), 1..40),
    ) {
        let (total, side) = (filters[0].source(), filters[1].source());
        let (total, findings) = Filter::checked(&total).map(|(filter, findings)| (filter, (total, findings))).unwrap();
        for finding in &findings.1 {
            // A part may be marked without the brackets round it.
            let Ok(part) = Filter::compile(&marked(&findings.0, finding)) else { continue };
            for event in &events {
                let expected = finding.code == "always-true";
                prop_assert_eq!(part.eval(event) == Some(true), expected, "{:?} on {:?}", finding, event);
            }
        }
        let side = Filter::compile(&side).unwrap();
        if let Some(finding) = side.within(&total, true) {
            for event in events.iter().filter(|event| total.eval(event) == Some(true)) {
                let expected = finding.code == "always-true";
                prop_assert_eq!(side.eval(event) == Some(true), expected, "{:?} on {:?}", filters, event);
            }
        }
    }
}

#[test]
fn a_definition_that_can_never_matter_is_taken_with_a_warning() {
    for (written, instead, code, says) in [
        ("filter: status_code < 500", "filter: status_code > 700", "never-true", "filter: `status_code > 700`"),
        ("filter: status_code < 500", "filter: service == \"cart\"", "never-true", "no event of total is good"),
        ("filter: status_code < 500", "filter: service != \"cart\"", "always-true", "every event of total is good"),
    ] {
        let loaded = load_texts(&[&CHECKOUT.replace(written, instead)]);
        let [warning] = loaded.diagnostics.as_slice() else { panic!("{instead}: {:?}", loaded.diagnostics) };
        assert_eq!((warning.is_error(), warning.code, loaded.slos.len()), (false, code, 1), "{instead}");
        assert!(warning.message.contains(says), "{instead}: {}", warning.message);
        let marked: String =
            warning.snippet.text.chars().skip(warning.column - 1).take(warning.snippet.width).collect();
        assert!(instead.ends_with(&marked), "{instead}: {marked}");
    }
}
