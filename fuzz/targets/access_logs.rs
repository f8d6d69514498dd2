//! Lines of access logs: each is a request or has a reason, and a request has the parts that an event is made of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slipstream_producer::import::access_log::parse;

fuzz_target!(|line: &[u8]| {
    match parse(line) {
        Ok(request) => {
            assert!(!request.method.is_empty() && !request.path.is_empty());
            assert!(!request.path.contains(['?', '#']), "query and fragment may name a person: {}", request.path);
            assert!(request.path.len() <= 1_024 && !request.path.chars().any(char::is_control), "{:?}", request.path);
            assert!(request.status == 101 || (200..=999).contains(&request.status));
            assert!(request.bytes.is_none_or(|bytes| bytes.bytes().all(|digit| digit.is_ascii_digit())));
            assert!(request.protocol.is_none_or(|protocol| protocol.contains('/')));
            // Fields after the response are dropped: whatever they are, the request is the same.
            let kept = &line[..line.len() - request.fields.len()];
            let again = parse(kept).expect("what was read is still there");
            assert_eq!((again.status, again.path), (request.status, request.path));
        }
        Err(reason) => assert!(!reason.is_empty()),
    }
});
