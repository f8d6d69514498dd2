//! Records of request-events, and JSON as the gateway and import have it: whatever the bytes are, there is an event or a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slipstream_schemas::RequestEvent;
use slipstream_schemas::codec;
use slipstream_schemas::decode::{self, Attributes, Defaults, Provenance};

const FROM: Provenance<'_> = Provenance { topic: "request-events", partition: 3, offset: 41 };

fuzz_target!(|value: &[u8]| {
    let read = decode::decode(value, &FROM, Attributes::Read);
    let skipped = decode::decode(value, &FROM, Attributes::Skip);
    match (read, skipped) {
        (Ok(read), Ok(mut skipped)) => {
            assert!(skipped.attributes.is_empty());
            skipped.attributes.clone_from(&read.attributes);
            assert_eq!(read, skipped, "tally and sink read the same event");
            let event = read.to_owned_event();
            decode::validate(&event).expect("what is decoded keeps every rule");
            let written = codec::encode(&event);
            let again = decode::decode(&written, &FROM, Attributes::Read).expect("what is written can be read");
            assert_eq!(event, again.to_owned_event());
            if value.starts_with(&codec::MARKER) {
                let general: RequestEvent = codec::decode(value).expect("the general reader takes it too");
                assert_eq!(event, general);
            }
        }
        (Err(read), Err(skipped)) => {
            assert_eq!(read, skipped, "tally and sink give the same reason");
            assert!(!read.to_string().is_empty());
        }
        (read, skipped) => panic!("with attributes {read:?}, without {skipped:?}"),
    }
    let defaults = Defaults { service: Some("web"), environment: "test" };
    if let Ok(json) = decode::from_json_with(value, &defaults, || "an-id".to_owned()) {
        decode::validate(&json.event).expect("what is read keeps every rule");
        assert!(!json.given || json.event.event_id == "an-id");
    }
});
