//! Published OpenSLO files against two independent verdicts: what both authorities refuse is refused, for a reason of the
//! same kind; what either accepts is valid, or refused by name.
//!
//! Needs SLIPSTREAM_DATA, a folder with `openslo/verdicts.json` and the files that it judges.

#![allow(clippy::disallowed_methods, reason = "it reads files that are not of this repository")]
#![allow(clippy::print_stdout, reason = "it says what it judged")]

use std::path::PathBuf;

use serde_json::Value;
use slipstream_definitions::diagnostic::{Diagnostic, render};
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::{Loaded, load};

/// Words of the authorities, and the codes that say the same.
const REASONS: [(&str, &[&str]); 7] = [
    ("is required but was empty", &["missing-field"]),
    ("is a required property", &["missing-field"]),
    ("mutually exclusive", &["conflicting-fields"]),
    ("length must be", &["too-long", "invalid-value", "missing-field"]),
    ("unsupported openslo.Version", &["invalid-api-version"]),
    ("'openslo/v1' was expected", &["invalid-api-version"]),
    ("property is forbidden", &["no-meaning"]),
];

const OTHER_VERSION: &str = "unsupported-api-version";

/// The codes of which one must be among an error's, from what the authorities say. Empty: they say nothing that is known.
fn expected(judged: &Value) -> Vec<&'static str> {
    let texts = judged["schema_2024_errors"].as_array().into_iter().flatten().chain([&judged["go_sdk_error"]]);
    let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
    let said = |words: &str| texts.iter().any(|text| text.contains(words));
    REASONS.iter().filter(|(words, _)| said(words)).flat_map(|(_, codes)| codes.iter().copied()).collect()
}

/// What is wrong with our verdict, if anything.
fn disagreement(judged: &Value, loaded: &Loaded) -> Option<&'static str> {
    let accepted = [&judged["go_sdk_valid"], &judged["schema_2024_valid"]].iter().any(|v| v.as_bool() == Some(true));
    let errors: Vec<&Diagnostic> = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    let by_name = |diagnostic: &&Diagnostic| diagnostic.code.starts_with("unsupported-");
    if accepted {
        return (!errors.iter().all(by_name)).then_some("it is accepted elsewhere, and not refused by name");
    }
    if errors.is_empty() {
        return Some("both refuse it, and it is valid here");
    }
    // The schema knows one version alone.
    let other_version = judged["schema_2024_valid"].is_null() && errors.iter().all(|e| e.code == OTHER_VERSION);
    if other_version {
        return None;
    }
    let expected = expected(judged);
    let same_kind = errors.iter().any(|error| expected.contains(&error.code));
    (!expected.is_empty() && !same_kind).then_some("both refuse it, for another reason")
}

#[test]
fn published_files_are_judged_as_either_authority_does() {
    let folder: PathBuf = std::env::var_os("SLIPSTREAM_DATA").expect("SLIPSTREAM_DATA names the data folder").into();
    let folder = folder.join("openslo");
    let verdicts = std::fs::read_to_string(folder.join("verdicts.json")).expect("verdicts.json is readable");
    let verdicts: Value = serde_json::from_str(&verdicts).expect("verdicts.json is JSON");
    let files = verdicts["files"].as_array().expect("verdicts.json has files");
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for judged in files {
        let name = judged["file"].as_str().expect("a file has a name");
        let text = std::fs::read_to_string(folder.join(name)).expect(name);
        let loaded = load(&[SourceFile { path: name.to_owned(), text }]);
        let codes: Vec<&str> = loaded.diagnostics.iter().map(|d| d.code).collect();
        let disagreement = disagreement(judged, &loaded);
        println!("{} {name}: {codes:?}", if disagreement.is_none() { "ok   " } else { "WRONG" });
        if let Some(what) = disagreement {
            wrong.push(format!("{name}: {what}:\n{}", render(&loaded.diagnostics, false)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
