//! Filters: each is compiled or refused at a place within it, and a compiled one has a result for any event.
#![no_main]

use std::borrow::Cow;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slipstream_definitions::filter::Filter;
use slipstream_schemas::{EventTime, EventView};

fuzz_target!(|source: &str| {
    let length = source.chars().count();
    match Filter::checked(source) {
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.width >= 1 && error.start <= length, "{error:?}");
            }
        }
        Ok((filter, findings)) => {
            for finding in &findings {
                assert!(finding.width >= 1 && finding.start + finding.width <= length, "{finding:?}");
            }
            let of_all = findings.iter().find(|finding| finding.start == 0 && finding.width == length);
            for event in EVENTS.iter() {
                let value = filter.eval(event);
                if let Some(finding) = of_all {
                    assert_eq!(value == Some(true), finding.code == "always-true", "{finding:?} on {event:?}");
                }
            }
        }
    }
});

static EVENTS: LazyLock<[EventView<'static>; 3]> = LazyLock::new(|| {
    let event = |service, endpoint, status_code, latency_ms, tier: Option<&'static str>| EventView {
        event_id: Cow::Borrowed("e"),
        time: EventTime(0),
        service: Cow::Borrowed(service),
        environment: Cow::Borrowed(""),
        endpoint: Cow::Borrowed(endpoint),
        method: Cow::Borrowed("GET"),
        status_code,
        latency_ms,
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: tier.map(|tier| (Cow::Borrowed("tier"), Cow::Borrowed(tier))).into_iter().collect(),
    };
    [
        event("payment", "/payments", 200, Some(120.5), Some("gold")),
        event("é", "/cart/{id}", 503, Some(86_400_000.0), Some("")),
        event("payment", "/", 404, None, None),
    ]
});
