//! What the Avro libraries of other languages write is understood: `foreign/messages.tsv` has a message of each library for
//! each event of `foreign/events.json`; `foreign/record` made it by running them.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use slipstream_schemas::RequestEvent;
use slipstream_schemas::decode::{Attributes, Provenance, decode};

const EVENTS: &str = include_str!("foreign/events.json");
const MESSAGES: &str = include_str!("foreign/messages.tsv");
const PUBLISHING: &str = include_str!("../../docs/publishing.md");
const FROM: Provenance<'_> = Provenance { topic: "request-events", partition: 0, offset: 0 };

/// One recorded message.
struct Message {
    library: &'static str,
    version: &'static str,
    event: usize,
    bytes: Vec<u8>,
}

impl Message {
    fn fingerprint(&self) -> String {
        self.bytes[2..10].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn messages() -> impl Iterator<Item = Message> {
    MESSAGES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [library, version, event, hex] = columns[..] else { panic!("four columns, not {line}") };
        Message { library, version, event: event.parse().unwrap(), bytes: unhex(hex) }
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn what_each_library_writes_is_the_event_it_was_given() {
    let events: Vec<RequestEvent> = serde_json::from_str(EVENTS).unwrap();
    for message in messages() {
        let Message { library, version, event, .. } = &message;
        let view = decode(&message.bytes, &FROM, Attributes::Read)
            .unwrap_or_else(|e| panic!("{library} {version}, event {event}: {e}"));
        assert_eq!(view.to_owned_event(), events[*event], "{library} {version}");
    }
}

#[test]
fn every_library_wrote_every_event() {
    let libraries: BTreeSet<(&str, &str)> = messages().map(|m| (m.library, m.version)).collect();
    let names: BTreeSet<&str> = libraries.iter().map(|(library, _)| *library).collect();
    let expected = [
        "apache-avro (Rust)",
        "avro (Python)",
        "avsc (npm)",
        "fastavro (Python)",
        "github.com/hamba/avro/v2 (Go)",
        "github.com/linkedin/goavro/v2 (Go)",
        "github.com/twmb/avro (Go)",
        "org.apache.avro (Java)",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    let events: Vec<RequestEvent> = serde_json::from_str(EVENTS).unwrap();
    assert_eq!(messages().count(), libraries.len() * events.len());
}

#[test]
fn the_guide_names_the_fingerprint_of_every_library() {
    for message in messages() {
        let library = message.library;
        let name = library.split_once(" (").map_or(library, |(name, _)| name);
        let row = PUBLISHING.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        // A library whose versions differ has them in one row.
        let row = row.unwrap_or_else(|| panic!("docs/publishing.md has no row for {library}"));
        assert!(row.contains(&message.fingerprint()), "{library} {}: {}", message.version, message.fingerprint());
    }
}
