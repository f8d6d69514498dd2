//! Test files of definitions: each is parsed or refused with a reason, and its tests end, however large they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slipstream_definitions::diagnostic::render;
use slipstream_definitions::document::SourceFile;
use slipstream_slotest::{self as slotest, Wanted};

const DEFINITIONS: &str = include_str!("../../examples/availability/slos.yaml");
/// Maximum work of a test, far below the normal limit, because thousands are tried.
const WORK: u64 = 5_000;

fuzz_target!(|text: &str| {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let mut find = |wanted: Wanted<'_>| match wanted {
        Wanted::Beside | Wanted::Path("slos.yaml") => Ok(vec![file("slos.yaml", DEFINITIONS)]),
        Wanted::Path(other) => Err(format!("no such file: {other}")),
    };
    match slotest::read(&file("slos.test.yaml", text), &mut find) {
        Err(found) => {
            assert!(!found.is_empty());
            assert!(!render(&found, false).contains('\u{1b}'), "an escape of the input reaches the terminal");
        }
        Ok(suite) => {
            for test in suite.tests.iter().take(3) {
                test.run_within(WORK);
            }
        }
    }
});
