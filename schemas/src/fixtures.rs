//! Request events for the tests of other crates, and how many cases their property tests try.

use std::borrow::Cow;

use proptest::prelude::*;

use crate::event::EventView;
use crate::time::EventTime;

/// How many cases a property test tries that has a number of its own. `PROPTEST_CASES` scales it as it does proptest's
/// default of 256: with `PROPTEST_CASES=64` all property tests try a quarter.
pub fn cases(usual: u32) -> u32 {
    let scaled = u64::from(usual) * u64::from(ProptestConfig::default().cases) / 256;
    u32::try_from(scaled.max(1)).unwrap_or(u32::MAX)
}

/// A good GET of the checkout.
pub fn event() -> EventView<'static> {
    EventView {
        event_id: Cow::Borrowed("e1"),
        time: EventTime(0),
        service: Cow::Borrowed("checkout"),
        environment: Cow::Borrowed("prod"),
        endpoint: Cow::Borrowed("/pay/{id}"),
        method: Cow::Borrowed("GET"),
        status_code: 200,
        latency_ms: Some(120.5),
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: vec![
            (Cow::Borrowed("tier"), Cow::Borrowed("gold")),
            (Cow::Borrowed("retries"), Cow::Borrowed("2")),
        ],
    }
}

/// Events over a few values of each field, with latency and attributes there or not.
pub fn any_event() -> impl Strategy<Value = EventView<'static>> {
    let text = |values: &'static [&'static str]| prop::sample::select(values).prop_map(Cow::Borrowed);
    let attribute = |key: &'static str, values: &'static [&'static str]| {
        prop::option::of(text(values)).prop_map(move |value| value.map(|value| (Cow::Borrowed(key), value)))
    };
    (
        text(&["checkout", "cart", ""]),
        text(&["prod", "", "test"]),
        text(&["/pay", "/pay/refund", "/cart", "/"]),
        text(&["GET", "POST"]),
        prop::sample::select(vec![200u16, 404, 500, 503]),
        prop::option::of(prop::sample::select(vec![0.0, 299.9, 300.0, 300.1, 5_000.0])),
        attribute("tier", &["gold", "free"]),
        attribute("retries", &["0", "3", "many"]),
    )
        .prop_map(|(service, environment, endpoint, method, status_code, latency_ms, tier, retries)| EventView {
            service,
            environment,
            endpoint,
            method,
            status_code,
            latency_ms,
            attributes: tier.into_iter().chain(retries).collect(),
            ..event()
        })
}
