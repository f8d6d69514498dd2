//! The table: filters.tsv, whose verdicts record/ asked of cel-go.

use std::fmt::Write as _;
use std::path::Path;

use slipstream_definitions::filter::reduce::{Known, reduce};
use slipstream_definitions::filter::{Filter, FilterError};

use crate::ours::{Events, Ours, events};

const TABLE: &str = include_str!("filters.tsv");
const GUIDE: &str = include_str!("../../../docs/filters.md");

/// The headings of docs/filters.md under which we differ from cel-go on purpose.
const DIFFERENCES: [&str; 4] =
    ["whole-and-decimal-numbers", "a-latency-that-was-not-measured", "ascii-letter-case", "scripts-with-an-underscore"];

struct Line {
    event: &'static str,
    reference: &'static str,
    ours: &'static str,
    expression: String,
}

fn lines() -> impl Iterator<Item = Line> {
    TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let mut columns = line.splitn(4, '\t');
        let mut column = || columns.next().unwrap_or_else(|| panic!("not a line of the table: {line}"));
        let (event, reference, ours) = (column(), column(), column());
        Line { event, reference, ours, expression: column().replace('⏎', "\n") }
    })
}

/// What belongs into the column: an error if it is neither the same, nor refused with a reason, nor different on purpose.
fn judged(line: &Line, ours: &Ours) -> Result<String, String> {
    match (line.reference, ours) {
        (reference, ours) if ours.answer() == Some(reference) => Ok("same".to_owned()),
        ("refused" | "error", Ours::Answer(_)) => {
            let answer = ours.answer().unwrap_or_default();
            let kind = line.ours.split_once(' ').map_or("?", |(_, kind)| kind);
            // Go refuses a pattern when it is evaluated.
            let known = DIFFERENCES.contains(&kind) && (line.reference == "error") == (kind == DIFFERENCES[3]);
            let wrong = || format!("cel-go says {}, we say {answer}", line.reference);
            if known { Ok(format!("{answer} {kind}")) } else { Err(wrong()) }
        }
        (reference, Ours::Refused(error)) => explained(reference, error).map(|()| format!("refused {}", error.code)),
        (reference, _) => Err(format!("cel-go says {reference}, we say {}", ours.answer().unwrap_or_default())),
    }
}

/// What cel-go takes must be refused as something that filters leave out, and say what to write instead.
fn explained(reference: &str, error: &FilterError) -> Result<(), String> {
    let left_out = ["unsupported-cel", "filter-type", "filter-regex", "filter-unknown-name"].contains(&error.code);
    if reference != "refused" && !(left_out && error.help.is_some()) {
        return Err(format!("cel-go says {reference}, and we do not say what to write instead: {error:?}"));
    }
    Ok(())
}

#[test]
fn every_expression_has_the_answer_of_cel_go_or_a_reason() {
    let events = events();
    let (mut wrong, mut actual) = (String::new(), String::new());
    for line in lines() {
        let ours = Ours::of(&line.expression, &events[line.event].1);
        let column = judged(&line, &ours).unwrap_or_else(|error| format!("WRONG: {error}"));
        if column != line.ours {
            let _ = writeln!(wrong, "{}: `{}`: {column}, not {}", line.event, line.expression, line.ours);
        }
        let expression = line.expression.replace('\n', "⏎");
        let _ = writeln!(actual, "{}\t{}\t{column}\t{expression}", line.event, line.reference);
    }
    if !wrong.is_empty() {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("filters.tsv");
        std::fs::write(&file, actual).unwrap();
        panic!("{wrong}\nThe lines as they are now: {}", file.display());
    }
}

#[test]
fn the_table_is_wide_enough_to_mean_something() {
    let count = |wanted: fn(&Line) -> bool| lines().filter(wanted).count();
    let answered = count(|line| line.ours == "same");
    let different = count(|line| DIFFERENCES.iter().any(|kind| line.ours.ends_with(kind)));
    assert!(lines().count() >= 1_200 && answered >= 700 && different >= 20, "{answered} same, {different} different");
}

#[test]
fn differences_have_a_heading_in_the_guide() {
    let slug = |heading: &str| heading.to_lowercase().replace(' ', "-").replace(['`', ','], "");
    let headings: Vec<String> = GUIDE.lines().filter_map(|line| line.strip_prefix("### ")).map(slug).collect();
    for kind in DIFFERENCES {
        assert!(headings.iter().any(|heading| heading == kind), "{kind} is none of {headings:?}");
    }
}

#[test]
fn what_is_left_when_dimensions_are_known_has_the_same_answer() {
    let events = events();
    lines().for_each(|line| check_reduced(&line.expression, &events));
}

pub fn check_reduced(expression: &str, events: &Events) {
    let Ok(filter) = Filter::compile(expression) else { return };
    let whole = filter.into_expression();
    for (name, (_, event)) in events {
        for endpoint in [None, Some(&*event.endpoint)] {
            let (service, environment, method) = (&*event.service, &*event.environment, &*event.method);
            let known = Known { service, environment, method, status_code: event.status_code, endpoint };
            let rest = reduce(&whole, &known);
            assert_eq!(rest.truth(event), whole.truth(event), "`{expression}` on {name}: {rest:?}");
        }
    }
}

#[test]
fn what_is_said_of_a_filter_holds_on_every_event() {
    let events = events();
    let said: usize = lines().map(|line| check_findings(&line.expression, &events)).sum();
    assert!(said > 100, "{said}");
}

/// How many warnings concern the whole of a filter, each of which must hold on every event.
pub fn check_findings(expression: &str, events: &Events) -> usize {
    let Ok((filter, findings)) = Filter::checked(expression) else { return 0 };
    let whole = expression.chars().count();
    let of_all: Vec<_> = findings.iter().filter(|finding| finding.start == 0 && finding.width == whole).collect();
    for finding in &of_all {
        for (event, (_, seen)) in events {
            let holds = filter.eval(seen) == Some(true);
            assert_eq!(holds, finding.code == "always-true", "{event}: `{expression}`: {finding:?}");
        }
    }
    of_all.len()
}
