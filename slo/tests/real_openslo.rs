//! Published OpenSLO files against two independent verdicts: what both authorities refuse is refused; what either accepts
//! is valid, or refused by name.
//!
//! Needs SLIPSTREAM_DATA, a folder with `openslo/verdicts.json` and the files that it judges.

#![allow(clippy::disallowed_methods, reason = "it reads files that are not of this repository")]
#![allow(clippy::print_stdout, reason = "it says what it judged")]

use std::path::PathBuf;

use serde_json::Value;
use slipstream_slo::diagnostic::render;
use slipstream_slo::openslo::{SourceFile, load};

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
        let accepted =
            [&judged["go_sdk_valid"], &judged["schema_2024_valid"]].iter().any(|v| v.as_bool() == Some(true));
        let refused_by_name =
            loaded.diagnostics.iter().filter(|d| d.is_error()).all(|d| d.code.starts_with("unsupported-"));
        let agrees = if accepted { loaded.is_valid() || refused_by_name } else { !loaded.is_valid() };
        let codes: Vec<&str> = loaded.diagnostics.iter().map(|d| d.code).collect();
        println!("{} {name}: accepted elsewhere: {accepted}; {codes:?}", if agrees { "ok   " } else { "WRONG" });
        if !agrees {
            wrong.push(format!("{name}:\n{}", render(&loaded.diagnostics, false)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
