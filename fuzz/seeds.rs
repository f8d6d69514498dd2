//! The seeds of fuzzing: `seeds FOLDER` writes FOLDER/TARGET/*, and FOLDER/TARGET.dict with the words that occur.
//! Definitions and test files are those of examples/, filters are the ones in them, events and lines are generated
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use slipstream_definitions::definition::Side;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo;
use slipstream_schemas::codec;
use slipstream_schemas::{EventTime, RequestEvent};

// Never called, but it links the runtime to which instrumented code reports its coverage.
fuzz_target!(|_nothing: &[u8]| {});

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let to = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: seeds FOLDER")?);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let definitions = files(&examples, "slos.yaml")?;
    write(&to, "filters", &filters(&definitions)?)?;
    write(&to, "definitions", &definitions)?;
    write(&to, "test-files", &files(&examples, "slos.test.yaml")?)?;
    write(&to, "events", &events())?;
    write(&to, "access-logs", &LINES.map(|line| line.as_bytes().to_vec()))
}

/// The files of that name in the folders of a folder.
fn files(examples: &Path, name: &str) -> Outcome<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for folder in fs::read_dir(examples)? {
        let file = folder?.path().join(name);
        if file.is_file() {
            found.push(fs::read(file)?);
        }
    }
    if found.is_empty() { Err(format!("no {name} under {}", examples.display()).into()) } else { Ok(found) }
}

/// Each filter of the definitions.
fn filters(definitions: &[Vec<u8>]) -> Outcome<Vec<Vec<u8>>> {
    let mut found = BTreeSet::new();
    for bytes in definitions {
        let text = String::from_utf8(bytes.clone())?;
        let loaded = openslo::load(&[SourceFile { path: "slos.yaml".to_owned(), text }]);
        for indicator in loaded.slos.iter().flat_map(|slo| &slo.objectives).map(|objective| &objective.indicator) {
            let (Side::Good(side) | Side::Bad(side)) = &indicator.side;
            found.extend([indicator.total.clone().into_bytes(), side.clone().into_bytes()]);
        }
    }
    Ok(found.into_iter().collect())
}

/// Events with much and with little in them, in both encodings.
fn events() -> Vec<Vec<u8>> {
    let least = RequestEvent {
        event_id: "01a1fb21-f56c-72d5-8e9d-e49fa1347594".to_owned(),
        time: EventTime(1_800_000_000_000_000),
        service: "payment".to_owned(),
        environment: String::new(),
        endpoint: "/payments".to_owned(),
        method: "POST".to_owned(),
        status_code: 503,
        latency_ms: None,
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: BTreeMap::new(),
    };
    let most = RequestEvent {
        environment: "production".to_owned(),
        latency_ms: Some(12.5),
        weight: 1_000,
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        user_ref: Some("u-4711".to_owned()),
        attributes: [("region", "eu-central"), ("outcome", "declined")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..least.clone()
    };
    let short =
        br#"{"time":"2026-01-31T09:30:00Z","service":"s","endpoint":"/","method":"GET","status_code":200}"#.to_vec();
    let both = |event: &RequestEvent| [codec::encode(event), serde_json::to_vec(event).unwrap_or_default()];
    [&least, &most].into_iter().flat_map(both).chain([short]).collect()
}

const LINES: [&str; 5] = [
    r#"10.0.0.7 - frank [01/Aug/1995:02:00:00 -0400] "GET /a?user=frank HTTP/1.0" 200 17 "http://r" "agent""#,
    r#"::1 - - [31/Dec/2026:23:59:60 +0000] "POST http://shop.example/pay#top HTTP/1.1" 503 - "-" "curl/8.0""#,
    r#"host ident some body [29/Feb/2024:12:00:00 +0530] "GET /with blank" 404 0"#,
    r#"host - - [01/Jan/1970:00:00:00 +0000] "GET /\"quoted\" HTTP/2.0" 304 12 "a \" b" "c" "more""#,
    "not a line of an access log",
];

/// Writes the inputs, and the words in them.
fn write(to: &Path, target: &str, inputs: &[Vec<u8>]) -> Outcome<()> {
    let folder = to.join(target);
    fs::create_dir_all(&folder)?;
    let mut words = BTreeSet::new();
    for (number, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), input)?;
        let word = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b'_');
        words.extend(input.split(word).filter(|word| (3..=24).contains(&word.len())));
    }
    let words = words.into_iter().map(|word| format!("\"{}\"\n", String::from_utf8_lossy(word))).collect::<String>();
    fs::write(to.join(format!("{target}.dict")), words)?;
    Ok(())
}
