//! The matcher against the plain way: both filters of every definition on every event.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use slipstream_schemas::event::EventView;
use slipstream_slo::definition::{GroupKey, Indicator, Objective, Ratio, Side, Slo, Window};
use slipstream_slo::filter::Filter;
use slipstream_slo::matcher::{Active, Matcher, Verdict};

use crate::events::{any_event, event};

fn active(name: &str, total: &str, side: Side, group_by: Vec<GroupKey>) -> Active {
    let slo = Slo {
        name: name.into(),
        display_name: name.into(),
        service: String::new(),
        description: String::new(),
        group_by,
        window: Window::Rolling(2_592_000),
        objectives: vec![Objective::new("0", Indicator { total: total.into(), side }, Ratio { num: 99, den: 100 })],
        composite: None,
        labels: Vec::new(),
    };
    Active { slo: Arc::new(slo), generation: 7 }
}

/// (name, group, verdict) of every hit, in order.
fn hits(matcher: &mut Matcher, event: &EventView<'_>) -> Vec<(String, Vec<String>, Verdict)> {
    let mut ids = Vec::new();
    matcher.apply(event, &mut |id, verdict| ids.push((id, verdict)));
    ids.into_iter()
        .map(|(id, verdict)| {
            let key = matcher.series(id);
            assert_eq!(key.generation, 7);
            (key.slo.name.clone(), key.group.clone(), verdict)
        })
        .collect()
}

/// The same without cache or reduction.
fn plainly(definitions: &[Active], event: &EventView<'_>) -> Vec<(String, Vec<String>, Verdict)> {
    let eval = |source: &str| Filter::compile(source).unwrap().eval(event);
    let verdict = |slo: &Slo| match eval(&slo.objectives[0].indicator.total) {
        Some(false) => None,
        None => Some(Verdict::Unknown),
        Some(true) => {
            let good = match &slo.objectives[0].indicator.side {
                Side::Good(source) => eval(source),
                Side::Bad(source) => eval(source).map(|bad| !bad),
            };
            Some(match good {
                Some(true) => Verdict::Good,
                Some(false) => Verdict::Bad,
                None => Verdict::Unknown,
            })
        }
    };
    let value = |key: &GroupKey| match key {
        GroupKey::Service => event.service.to_string(),
        GroupKey::Environment => event.environment.to_string(),
        GroupKey::Endpoint => event.endpoint.to_string(),
        GroupKey::Method => event.method.to_string(),
        GroupKey::StatusCode => event.status_code.to_string(),
        GroupKey::Attribute(key) => event.attribute(key).unwrap_or_default().to_owned(),
    };
    let hit = |active: &Active| {
        let group = active.slo.group_by.iter().map(value).collect();
        Some((active.slo.name.clone(), group, verdict(&active.slo)?))
    };
    definitions.iter().filter_map(hit).collect()
}

const FILTERS: [&str; 16] = [
    "true",
    "false",
    "service == \"checkout\"",
    "service == \"cart\" && endpoint.startsWith(\"/pay\")",
    "status_code < 500",
    "status_code < 500 && latency_ms <= 300",
    "latency_ms <= 300",
    "300 < latency_ms",
    "latency_ms != null",
    "attributes.tier == \"gold\"",
    "has(attributes.tier) ? attributes.tier == \"gold\" : status_code == 200",
    "int(attributes.retries) > 1 || method == \"POST\"",
    "status_code / (status_code - 200) > 1 || environment == \"prod\"",
    "!(endpoint in [\"/pay\", \"/cart\"]) && !(latency_ms > 299.9)",
    "endpoint.matches(\"refund$\") || latency_ms in [300, 0]",
    "(method == \"GET\" ? latency_ms : 0.0) < 300.0 && environment + service != \"testcart\"",
];

fn definition() -> impl Strategy<Value = (&'static str, Side, Vec<GroupKey>)> {
    let filter = || prop::sample::select(FILTERS.as_slice());
    let side = (filter(), any::<bool>())
        .prop_map(|(filter, good)| if good { Side::Good(filter.into()) } else { Side::Bad(filter.into()) });
    let keys = vec![
        GroupKey::Service,
        GroupKey::Environment,
        GroupKey::Endpoint,
        GroupKey::Method,
        GroupKey::StatusCode,
        GroupKey::Attribute("tier".into()),
    ];
    (filter(), side, prop::sample::subsequence(keys, 0..=3))
}

proptest! {
    #[test]
    fn the_cache_changes_nothing(
        definitions in prop::collection::vec(definition(), 1..12),
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        let definitions: Vec<Active> = definitions
            .into_iter()
            .enumerate()
            .map(|(at, (total, side, group_by))| active(&format!("slo-{at}"), total, side, group_by))
            .collect();
        let mut matcher = Matcher::new(&definitions);
        let mut counts: BTreeMap<(String, Vec<String>), usize> = BTreeMap::new();
        for event in events.iter().chain(&events) {
            let found = hits(&mut matcher, event);
            prop_assert_eq!(&found, &plainly(&definitions, event), "{:?}", event);
            for (name, group, _) in found {
                *counts.entry((name, group)).or_default() += 1;
            }
        }
        // A series is there once, for every SLO without groupBy and for every group met.
        let ungrouped = definitions.iter().filter(|active| active.slo.group_by.is_empty());
        let expected = counts.keys().filter(|(_, group)| !group.is_empty()).count() + ungrouped.count();
        prop_assert_eq!(matcher.series_len(), expected);
    }
}

#[test]
fn an_ungrouped_series_is_there_before_any_event() {
    let matcher = Matcher::new(&[
        active("a", "true", Side::Good("true".into()), vec![]),
        active("b", "true", Side::Good("true".into()), vec![GroupKey::Endpoint]),
    ]);
    assert_eq!(matcher.series_len(), 1);
}

#[test]
fn attributes_are_needed_where_a_filter_or_a_group_reads_them() {
    let needs = |total: &str, group_by| {
        Matcher::new(&[active("a", total, Side::Good("status_code < 500".into()), group_by)]).needs_attributes()
    };
    assert!(!needs("service == \"x\"", vec![GroupKey::Endpoint]));
    assert!(needs("has(attributes.x)", vec![]));
    assert!(needs("true", vec![GroupKey::Attribute("x".into())]));
}

#[test]
fn raw_paths_as_endpoints_stay_within_bounds_and_right() {
    let definitions = [
        active("paid", "endpoint.startsWith(\"/pay/1\")", Side::Good("latency_ms <= 300".into()), vec![]),
        active("all", "true", Side::Bad("status_code >= 500".into()), vec![]),
    ];
    let mut matcher = Matcher::new(&definitions);
    let mut paid = 0;
    for number in 0..200_000 {
        let endpoint = format!("/pay/{number}");
        let event = EventView { endpoint: Cow::Borrowed(&endpoint), ..event() };
        let mut seen = 0;
        matcher.apply(&event, &mut |_, verdict| {
            assert_eq!(verdict, Verdict::Good);
            seen += 1;
        });
        paid += seen - 1;
    }
    assert_eq!(paid, (0..200_000).filter(|number: &u32| number.to_string().starts_with('1')).count());
    assert_eq!(matcher.series_len(), 2);
}

#[test]
fn a_filter_that_does_not_compile_is_unknown_for_every_event() {
    let mut matcher = Matcher::new(&[active("broken", "true", Side::Good("no such thing".into()), vec![])]);
    assert_eq!(hits(&mut matcher, &event()), [("broken".to_owned(), vec![], Verdict::Unknown)]);
}
