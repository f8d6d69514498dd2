//! What filters make of one type of number from another.

use slipstream_definitions::filter::Filter;
use slipstream_schemas::event::EventView;
use slipstream_schemas::fixtures::event;

fn eval(source: &str, latency_ms: f64) -> Option<bool> {
    let event = EventView { latency_ms: Some(latency_ms), ..event() };
    Filter::compile(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}")).eval(&event)
}

#[test]
fn a_double_is_rounded_toward_zero() {
    for (source, latency) in [
        ("int(latency_ms) == 0", 0.999),
        ("int(latency_ms) == 120", 120.999),
        ("int(-latency_ms) == -120", 120.999),
        ("int(latency_ms) == 9007199254740992", 9_007_199_254_740_992.0),
    ] {
        assert_eq!(eval(source, latency), Some(true), "{source} of {latency}");
    }
}

#[test]
fn a_double_that_no_integer_holds_is_unknown() {
    let bound = 9_223_372_036_854_775_808.0;
    for (source, latency, expected) in [
        ("int(latency_ms) > 0", bound, None),
        // As cel-go has it: the least integer itself is refused, too.
        ("int(-latency_ms) < 0", bound, None),
        ("int(latency_ms) > 0", bound - 1024.0, Some(true)),
        ("int(-latency_ms) < 0", bound - 1024.0, Some(true)),
        ("int(latency_ms / 0.0) > 0", 1.0, None),
    ] {
        assert_eq!(eval(source, latency), expected, "{source} of {latency}");
    }
}
