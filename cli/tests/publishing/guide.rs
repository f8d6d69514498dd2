//! docs/publishing.md says what is so: its code is that of the examples, its events are events, its refusals are refused.

use std::path::Path;

use slipstream_schemas::decode::{Attributes, Provenance, decode};

const GUIDE: &str = include_str!("../../../docs/publishing.md");
const FROM: Provenance<'_> = Provenance { topic: "request-events", partition: 3, offset: 42 };

/// A fenced block: the line before it, its language, its text.
struct Block {
    above: &'static str,
    language: &'static str,
    text: String,
}

fn blocks() -> Vec<Block> {
    let lines: Vec<&str> = GUIDE.lines().collect();
    let fences: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].starts_with("```")).collect();
    let block = |pair: &[usize]| Block {
        above: lines[pair[0] - 1],
        language: lines[pair[0]].trim_start_matches('`'),
        text: lines[pair[0] + 1..pair[1]].join("\n"),
    };
    fences.chunks_exact(2).map(block).collect()
}

/// The one command in the guide that begins so.
pub fn command(beginning: &str) -> String {
    let mut found = GUIDE.lines().map(str::trim_start).filter(|line| line.starts_with(beginning));
    let command = found.next().unwrap_or_else(|| panic!("no {beginning} in the guide"));
    assert_eq!(found.next(), None, "{beginning} is there twice");
    command.to_owned()
}

/// The lines without what all of them are indented by.
fn dedented(text: &str) -> String {
    text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
}

#[test]
fn code_in_the_guide_is_code_of_the_examples() {
    let mut compared = 0;
    for block in blocks().iter().filter(|block| block.language != "json") {
        let file = block.above.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        let file = file.unwrap_or_else(|| panic!("which example is this from?\n{}", block.text));
        let example = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
        assert!(dedented(&example).contains(&dedented(&block.text)), "not in {file}:\n{}", block.text);
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} blocks were found");
}

#[test]
fn events_in_the_guide_are_events() {
    let events: Vec<Block> = blocks().into_iter().filter(|block| block.language == "json").collect();
    assert_eq!(events.len(), 2);
    for event in events {
        decode(event.text.as_bytes(), &FROM, Attributes::Read).unwrap_or_else(|e| panic!("{e}: {}", event.text));
    }
}

#[test]
fn what_the_guide_calls_refused_is_refused_as_it_says() {
    let table = GUIDE.lines().skip_while(|line| *line != "| value | class |").skip(2);
    let mut rows = 0;
    for row in table.take_while(|line| line.starts_with('|')) {
        let quoted: Vec<&str> = row.split('`').collect();
        let [_, value, _, class, _] = quoted[..] else { panic!("a value and a class, not {row}") };
        let error = decode(value.as_bytes(), &FROM, Attributes::Skip).unwrap_err();
        assert_eq!(error.class.name(), class, "{value}: {error}");
        rows += 1;
    }
    assert!(rows >= 8, "only {rows} rows were found");
}

#[test]
fn clients_that_place_keys_elsewhere_are_named_with_what_to_set() {
    for (client, settings) in [
        ("librdkafka", &["partitioner=murmur2_random"][..]),
        ("segmentio/kafka-go", &["kafka.Murmur2Balancer{}", "RequiredAcks: kafka.RequireAll"]),
    ] {
        let row = GUIDE.lines().find(|line| line.starts_with('|') && line.contains(client));
        let row = row.unwrap_or_else(|| panic!("no row for {client}"));
        for setting in settings {
            assert!(row.contains(setting), "no {setting} in {row}");
        }
    }
}
