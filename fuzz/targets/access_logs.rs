//! Lines of access logs: each is a request or has a reason, and a request has the parts that an event is made of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slipstream_producer::import::access_log::parse;

fuzz_target!(|line: &[u8]| {
    let common = parse(line, false);
    let combined = parse(line, true);
    if let Ok(request) = &common {
        assert!(!request.method.is_empty() && !request.path.is_empty());
        assert!(!request.path.contains(['?', '#']), "query and fragment may name a person: {}", request.path);
        assert!((0..=999).contains(&request.status));
        assert!(request.bytes.is_none_or(|bytes| bytes.bytes().all(|digit| digit.is_ascii_digit())));
        assert!(request.protocol.is_none_or(|protocol| protocol.starts_with("HTTP/")));
    }
    match (common, combined) {
        (Ok(common), Ok(combined)) => assert_eq!(common, combined, "combined has more, not other things"),
        (Err(reason), Ok(_)) => panic!("combined, but not common: {reason}"),
        (_, Err(reason)) => assert!(!reason.is_empty()),
    }
});
