//! OpenSLO documents: each is taken or refused with a reason, and what is taken is written back and read as the same SLO.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slipstream_definitions::diagnostic::render;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo;

fuzz_target!(|text: &str| {
    let loaded = openslo::load(&[SourceFile { path: "slos.yaml".to_owned(), text: text.to_owned() }]);
    let shown = render(&loaded.diagnostics, false);
    assert!(!shown.contains('\u{1b}'), "an escape of the input reaches the terminal");
    assert_eq!(loaded.slos.len(), loaded.documents.len());
    for (slo, document) in loaded.slos.iter().zip(&loaded.documents) {
        let read = openslo::parse_document(&document.text).unwrap_or_else(|e| panic!("{e:#?}\n{}", document.text));
        assert_eq!(*slo, read, "{}", document.text);
    }
});
