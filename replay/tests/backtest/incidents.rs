//! Incidents as people write them down, right and wrong.

use slipstream_definitions::diagnostic::{Diagnostic, render};
use slipstream_definitions::document::SourceFile;
use slipstream_replay::backtest::incidents::{Format, Incident, Read, read};

fn reads(text: &str, format: Format) -> Read {
    let path = if format == Format::Csv { "incidents.csv" } else { "incidents.yaml" };
    read(&SourceFile { path: path.to_owned(), text: text.to_owned() }, format)
}

/// What is wrong: line, column, code, message.
fn found(text: &str, format: Format) -> Vec<(usize, usize, &'static str, String)> {
    let place = |d: Diagnostic| (d.line, d.column, d.code, d.message);
    reads(text, format).diagnostics.into_iter().map(place).collect()
}

fn incident(from: i64, to: i64, service: &str, what: &str) -> Incident {
    Incident { from, to, service: service.to_owned(), what: what.to_owned() }
}

#[test]
fn csv_has_columns_in_any_order_and_quotes() {
    let text = "\u{FEFF}What, service ,to,from\r\n\
        \"disk full, \"\"again\"\"\r\nand again\",payment,2023-01-29T08:50:00Z,2023-01-29T08:43:04.75Z\r\n\
        \r\n\
        deploy,,,2023-01-29T09:43:04+01:00\r\n";
    let read = reads(text, Format::Csv);
    assert_eq!(read.diagnostics, []);
    let first = 1_674_981_784;
    assert_eq!(
        read.incidents,
        [
            incident(first, first, "", "deploy"),
            incident(first, first + 416, "payment", "disk full, \"again\"\nand again"),
        ]
    );
}

#[test]
fn csv_needs_only_from_and_no_end_of_the_last_line() {
    assert_eq!(reads("from\n1970-01-01T00:00:09Z", Format::Csv).incidents, [incident(9, 9, "", "")]);
    let none = reads("from,to,service,what\n", Format::Csv);
    assert!(none.is_valid() && none.incidents.is_empty());
}

#[test]
fn every_error_of_a_csv_file_is_reported_with_its_place() {
    let text = "from,to,service,what\n\
        2023-01-29 8:43,,a,\n\
        2023-01-29T08:43:04,2023-01-29T08:50:00Z,a,\n\
        ,2023-01-29T08:50:00Z,a,\n\
        2023-01-29T08:43:04Z,2023-01-29T08:40:00Z,a,\n\
        2023-01-29T08:43:04Z,,a\n\
        2023-01-29T08:43:04Z,,a,disk, full\n\
        2023-01-29T08:43:04Z,,a,the \"disk\"\n\
        2023-01-29T08:43:04Z,,a,\"the\" disk\n\
        1674953044,,a,\n\
        2023-01-29T08:43:04Z,,a,good\n";
    let places: Vec<_> =
        found(text, Format::Csv).into_iter().map(|(line, column, code, _)| (line, column, code)).collect();
    assert_eq!(
        places,
        [
            (2, 1, "invalid-time"),
            (3, 1, "invalid-time"),
            (4, 1, "missing-field"),
            (5, 22, "ends-before-it-begins"),
            (6, 1, "wrong-number-of-fields"),
            (7, 30, "wrong-number-of-fields"),
            (8, 29, "csv-syntax"),
            (9, 30, "csv-syntax"),
            (10, 1, "invalid-time"),
        ]
    );
    assert_eq!(reads(text, Format::Csv).incidents.len(), 1);
}

#[test]
fn messages_say_what_was_expected_and_what_was_meant() {
    let text = "from,to\n2023-01-29T08:43:04,1674953044\n\"2023-01-29T08:43:04Z,\n";
    let shown = render(&reads(text, Format::Csv).diagnostics, false);
    let expected = "\
error[invalid-time]: line 2: from: expected a moment from 1970 to 2100 such as 2026-01-05T09:30:00Z, found `2023-01-29T08:43:04`
 --> incidents.csv:2:1
  |
2 | 2023-01-29T08:43:04,1674953044
  | ^^^^^^^^^^^^^^^^^^^
  = help: the time zone is missing: `Z` at the end is UTC, `+01:00` an hour ahead of it

error[invalid-time]: line 2: to: expected a moment from 1970 to 2100 such as 2026-01-05T09:30:00Z, found `1674953044`
 --> incidents.csv:2:21
  |
2 | 2023-01-29T08:43:04,1674953044
  |                     ^^^^^^^^^^
  = help: write Unix seconds as `2023-01-29T00:44:04Z`

error[csv-syntax]: not CSV: this quote is not closed
 --> incidents.csv:3:1
  |
3 | \"2023-01-29T08:43:04Z,
  | ^

";
    assert_eq!(shown, expected);
}

#[test]
fn a_header_must_name_its_columns() {
    for (text, want) in [
        ("", vec![(1, 1, "empty-file")]),
        ("\n \n", vec![(1, 1, "empty-file")]),
        ("2023-01-29T08:43:04Z,,a,\n", vec![(1, 1, "missing-field"), (1, 1, "unknown-field")]),
        ("from;to;service\n", vec![(1, 1, "missing-field"), (1, 1, "unknown-field")]),
        ("from,from,id\n", vec![(1, 6, "duplicate-name"), (1, 11, "unknown-field")]),
        ("from,servce\n", vec![(1, 6, "unknown-field")]),
    ] {
        let found: Vec<_> =
            found(text, Format::Csv).into_iter().map(|(line, column, code, _)| (line, column, code)).collect();
        assert!(want.iter().all(|place| found.contains(place)), "{text:?}: {found:?}");
    }
    // A column of somebody else's does no harm; one that is nearly ours does.
    assert!(reads("from,id\n2023-01-29T08:43:04Z,7\n", Format::Csv).is_valid());
    assert!(!reads("from,servce\n2023-01-29T08:43:04Z,a\n", Format::Csv).is_valid());
}

#[test]
fn yaml_is_a_list_bare_or_under_its_name() {
    let bare = "- {from: 1970-01-01T00:00:09Z, service: 7, what: 'disk: full'}\n- from: '1970-01-01T00:00:01Z'\n  to: 1970-01-01T00:00:03Z\n";
    let wanted = [incident(1, 3, "", ""), incident(9, 9, "7", "disk: full")];
    let named = format!("incidents:\n{bare}");
    let json = r#"[{"from": "1970-01-01T00:00:09Z", "to": null, "service": "7", "what": "disk: full"}, {"from": "1970-01-01T00:00:01Z", "to": "1970-01-01T00:00:03Z"}]"#;
    for text in [bare, &named, json] {
        let read = reads(text, Format::Yaml);
        assert_eq!((read.incidents.as_slice(), read.diagnostics.as_slice()), (&wanted[..], &[][..]), "{text}");
    }
    assert!(reads("[]", Format::Yaml).is_valid());
}

#[test]
fn every_error_of_a_yaml_file_is_reported_with_its_item() {
    let text = "- {from: yesterday, to: [1], service: a}\n- {frm: 1970-01-01T00:00:09Z}\n- a text\n- {to: 1970-01-01T00:00:09Z}\n";
    let found = found(text, Format::Yaml);
    let expected = [
        (1, "incidents[0]: from: expected a moment from 1970 to 2100 such as 2026-01-05T09:30:00Z, found `yesterday`"),
        (1, "incidents[0].to: expected a string, found a list"),
        (2, "incidents[1]: from is required"),
        (2, "incidents[1].frm is not known"),
        (3, "incidents[2]: expected a map, found a string `a text`"),
        (4, "incidents[3]: from is required"),
    ];
    for (line, message) in expected {
        assert!(found.iter().any(|(at, _, _, text)| (*at, text.as_str()) == (line, message)), "{message}: {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn yaml_that_is_no_list_of_incidents_is_refused() {
    for (text, code) in [
        ("", "not-one-document"),
        ("---\n", "empty-file"),
        ("incidents:\n", "missing-field"),
        ("incident: []\n", "unknown-field"),
        ("text", "wrong-type"),
        ("- {from: 1970-01-01T00:00:09Z}\n---\n[]\n", "not-one-document"),
        ("- {from: [\n", "yaml-syntax"),
    ] {
        assert!(found(text, Format::Yaml).iter().any(|(_, _, found, _)| *found == code), "{text:?}: {code}");
    }
}

#[test]
fn the_end_of_a_name_says_the_format() {
    for (path, format) in [
        ("a/incidents.csv", Some(Format::Csv)),
        ("INCIDENTS.CSV", Some(Format::Csv)),
        ("a.yml", Some(Format::Yaml)),
        ("a.json", Some(Format::Yaml)),
        ("incidents", None),
        ("a.txt", None),
    ] {
        assert_eq!(Format::of(path), format, "{path}");
    }
}
