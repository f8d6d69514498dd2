//! docs/filters.md says what is so: each of its examples has the answer that stands behind it.

use slipstream_definitions::filter::Filter;
use slipstream_schemas::event::EventView;

use crate::ours::view;

const GUIDE: &str = include_str!("../../../docs/filters.md");

/// The event of the guide.
fn guides_event() -> EventView<'static> {
    let text = GUIDE.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an event");
    view(&serde_json::from_str(text).unwrap())
}

/// Each example with its answer.
fn examples() -> Vec<(&'static str, &'static str)> {
    let lines = GUIDE.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(|line| line.rsplit_once(" // ").unwrap_or_else(|| panic!("no answer: {line}"))).collect()
}

#[test]
fn each_example_has_the_answer_that_stands_behind_it() {
    let event = guides_event();
    let examples = examples();
    assert!(examples.len() > 60, "{}", examples.len());
    for (filter, answer) in examples {
        let found = match Filter::compile(filter) {
            Err(_) => "refused",
            Ok(filter) => match filter.eval(&event) {
                Some(true) => "true",
                Some(false) => "false",
                None => "unknown",
            },
        };
        assert_eq!(found, answer, "{filter}");
    }
}

#[test]
fn what_the_guide_refuses_says_what_to_write_instead() {
    for (filter, _) in examples().into_iter().filter(|(_, answer)| *answer == "refused") {
        for error in Filter::compile(filter).expect_err(filter) {
            assert!(error.help.is_some(), "{filter}: {error:?}");
        }
    }
}

#[test]
fn every_function_is_in_the_guide() {
    // The help for an unknown function lists them all.
    let [error] = &Filter::compile("nothing(service) == service").unwrap_err()[..] else { panic!() };
    let help = error.help.as_deref().unwrap();
    let functions = help.trim_start_matches("the functions are ").split(", ");
    let mut count = 0;
    for function in functions {
        count += 1;
        assert!(GUIDE.contains(&format!("{function}(")), "{function}");
    }
    assert!(count >= 11, "{help}");
}
