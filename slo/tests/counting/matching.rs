//! The matcher against the plain way: both filters of every objective on every event.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use slipstream_definitions::definition::{GroupKey, Indicator, Objective, Ratio, Side, Slo, Window};
use slipstream_definitions::filter::Filter;
use slipstream_schemas::event::EventView;
use slipstream_slo::matcher::{Active, Matcher, Verdict};

use slipstream_schemas::fixtures::{any_event, event};

/// A definition whose objectives, called `0`, `1`, ..., have these indicators.
pub fn active(name: &str, indicators: Vec<Indicator>, group_by: Vec<GroupKey>) -> Active {
    let objective =
        |(at, indicator): (usize, Indicator)| Objective::new(at.to_string(), indicator, Ratio { num: 99, den: 100 });
    let slo = Slo {
        name: name.into(),
        display_name: name.into(),
        service: String::new(),
        description: String::new(),
        group_by,
        window: Window::Rolling(2_592_000),
        objectives: indicators.into_iter().enumerate().map(objective).collect(),
        composite: None,
        labels: Vec::new(),
        document: slipstream_definitions::definition::Document::Slo,
    };
    Active { slo: Arc::new(slo), generation: 7 }
}

fn good(total: &str, good: &str) -> Indicator {
    Indicator { total: total.into(), side: Side::Good(good.into()) }
}

/// SLO, objective, group, verdict.
pub type Hit = (String, String, Vec<String>, Verdict);

/// Every hit, once for each objective that shares its series, and how many decisions that took.
fn hits(matcher: &mut Matcher, event: &EventView<'_>) -> (Vec<Hit>, usize) {
    let mut ids = Vec::new();
    matcher.apply(event, &mut |id, verdict| ids.push((id, verdict)));
    let mut hits = Vec::new();
    for (id, verdict) in &ids {
        let key = matcher.series(*id);
        assert_eq!(key.generation, 7);
        let hit = |objective: &Objective| (key.slo.name.clone(), objective.name.clone(), key.group.to_vec(), *verdict);
        hits.extend(key.objectives().map(hit));
    }
    (hits, ids.len())
}

/// The same without cache, reduction or sharing.
pub struct Plain<'d> {
    definitions: &'d [Active],
    filters: BTreeMap<&'d str, Filter>,
}

impl<'d> Plain<'d> {
    pub fn new(definitions: &'d [Active]) -> Plain<'d> {
        let indicators = definitions.iter().flat_map(|active| &active.slo.objectives).map(|o| &o.indicator);
        let sources = indicators.flat_map(|indicator| match &indicator.side {
            Side::Good(side) | Side::Bad(side) => [indicator.total.as_str(), side],
        });
        let filters = sources.map(|source| (source, Filter::compile(source).unwrap())).collect();
        Plain { definitions, filters }
    }

    pub fn hits(&self, event: &EventView<'_>) -> Vec<Hit> {
        let mut hits = Vec::new();
        for slo in self.definitions.iter().map(|active| &active.slo) {
            let group: Vec<String> = slo.group_by.iter().map(|key| group_value(key, event)).collect();
            for objective in &slo.objectives {
                let verdict = self.verdict(&objective.indicator, event);
                hits.extend(verdict.map(|verdict| (slo.name.clone(), objective.name.clone(), group.clone(), verdict)));
            }
        }
        hits
    }

    fn verdict(&self, indicator: &Indicator, event: &EventView<'_>) -> Option<Verdict> {
        let eval = |source: &str| self.filters[source].eval(event);
        match eval(&indicator.total) {
            Some(false) => return None,
            None => return Some(Verdict::Unknown),
            Some(true) => {}
        }
        let good = match &indicator.side {
            Side::Good(source) => eval(source),
            Side::Bad(source) => eval(source).map(|bad| !bad),
        };
        Some(match good {
            Some(true) => Verdict::Good,
            Some(false) => Verdict::Bad,
            None => Verdict::Unknown,
        })
    }
}

fn group_value(key: &GroupKey, event: &EventView<'_>) -> String {
    match key {
        GroupKey::Service => event.service.to_string(),
        GroupKey::Environment => event.environment.to_string(),
        GroupKey::Endpoint => event.endpoint.to_string(),
        GroupKey::Method => event.method.to_string(),
        GroupKey::StatusCode => event.status_code.to_string(),
        GroupKey::Attribute(key) => event.attribute(key).unwrap_or_default().to_owned(),
    }
}

/// How many indicators of the SLOs differ.
fn distinct(slo: &Slo) -> usize {
    let written = |objective: &Objective| format!("{:?}", objective.indicator);
    slo.objectives.iter().map(written).collect::<BTreeSet<_>>().len()
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

/// Indicators of one SLO: any filters, thresholds over one total, or the same one again.
fn indicators() -> impl Strategy<Value = Vec<Indicator>> {
    let filter = || prop::sample::select(FILTERS.as_slice());
    let some = (filter(), filter(), any::<bool>()).prop_map(|(total, side, is_good)| Indicator {
        total: total.into(),
        side: if is_good { Side::Good(side.into()) } else { Side::Bad(side.into()) },
    });
    let bound = prop::sample::select(vec!["0", "-0.0", "299.9", "300", "300.0", "1e4"]);
    let threshold = (prop::sample::select(vec!["<", "<=", ">", ">="]), bound, any::<bool>());
    let written = |(op, bound, bound_first): (&str, &str, bool)| match bound_first {
        true => format!("{bound} {op} latency_ms"),
        false => format!("latency_ms {op} {bound}"),
    };
    let thresholds = (filter(), prop::collection::vec(threshold.prop_map(written), 1..4))
        .prop_map(|(total, thresholds)| thresholds.iter().map(|side| good(total, side)).collect());
    let several = prop::collection::vec(some, 1..4);
    let again = |(mut indicators, again): (Vec<Indicator>, Vec<prop::sample::Index>)| {
        let repeats: Vec<Indicator> = again.iter().map(|at| at.get(&indicators).clone()).collect();
        indicators.extend(repeats);
        indicators
    };
    (prop_oneof![several, thresholds], prop::collection::vec(any::<prop::sample::Index>(), 0..3)).prop_map(again)
}

/// Some definitions `slo-0`, `slo-1`, ...
pub fn definitions() -> impl Strategy<Value = Vec<Active>> {
    let keys = vec![
        GroupKey::Service,
        GroupKey::Environment,
        GroupKey::Endpoint,
        GroupKey::Method,
        GroupKey::StatusCode,
        GroupKey::Attribute("tier".into()),
    ];
    let one = (indicators(), prop::sample::subsequence(keys, 0..=3));
    prop::collection::vec(one, 1..9).prop_map(|all| {
        let named = |(at, (indicators, group_by))| active(&format!("slo-{at}"), indicators, group_by);
        all.into_iter().enumerate().map(named).collect()
    })
}

proptest! {
    #[test]
    fn the_cache_changes_nothing(definitions in definitions(), events in prop::collection::vec(any_event(), 1..60)) {
        let plain = Plain::new(&definitions);
        let mut matcher = Matcher::new(&definitions);
        let mut met: BTreeMap<(String, Vec<String>), BTreeSet<String>> = BTreeMap::new();
        for event in events.iter().chain(&events) {
            let (mut found, decisions) = hits(&mut matcher, event);
            let at_most: usize = definitions.iter().map(|active| distinct(&active.slo)).sum();
            prop_assert!(decisions <= at_most);
            for (slo, objective, group, _) in &found {
                met.entry((slo.clone(), group.clone())).or_default().insert(objective.clone());
            }
            found.sort_by_key(|(slo, objective, ..)| (slo.clone(), objective.clone()));
            prop_assert_eq!(&found, &plain.hits(event), "{:?}", event);
        }
        prop_assert_eq!(matcher.series_len(), expected_series(&definitions, &met));
    }
}

/// A series is there once: for every indicator without groupBy, and for every group that counted for an indicator.
fn expected_series(definitions: &[Active], met: &BTreeMap<(String, Vec<String>), BTreeSet<String>>) -> usize {
    let of = |active: &Active| {
        let slo = &active.slo;
        if slo.group_by.is_empty() {
            return distinct(slo);
        }
        let groups = met.iter().filter(|((name, _), _)| *name == slo.name);
        let counted = |objectives: &BTreeSet<String>| {
            let counting = slo.objectives.iter().filter(|objective| objectives.contains(&objective.name));
            counting.map(|objective| format!("{:?}", objective.indicator)).collect::<BTreeSet<_>>().len()
        };
        groups.map(|(_, objectives)| counted(objectives)).sum()
    };
    definitions.iter().map(of).sum()
}

#[test]
fn objectives_that_count_the_same_cost_one_decision() {
    let fast = |bound: &str| good("true", &format!("latency_ms <= {bound}"));
    let definition = active("fast", vec![fast("300"), fast("100"), fast("300")], vec![GroupKey::Service]);
    let mut matcher = Matcher::new(&[definition]);
    let (found, decisions) = hits(&mut matcher, &event());
    let found: Vec<_> = found.iter().map(|(_, objective, _, verdict)| (objective.as_str(), *verdict)).collect();
    assert_eq!(found, [("0", Verdict::Good), ("2", Verdict::Good), ("1", Verdict::Bad)]);
    assert_eq!((decisions, matcher.series_len()), (2, 2));
}

#[test]
fn an_ungrouped_series_is_there_before_any_event() {
    let matcher = Matcher::new(&[
        active("a", vec![good("true", "true")], vec![]),
        active("b", vec![good("true", "true")], vec![GroupKey::Endpoint]),
    ]);
    assert_eq!(matcher.series_len(), 1);
}

#[test]
fn attributes_are_needed_where_a_filter_of_any_objective_or_a_group_reads_them() {
    let plain = || good("service == \"x\"", "status_code < 500");
    let needs = |indicators, group_by| Matcher::new(&[active("a", indicators, group_by)]).needs_attributes();
    assert!(!needs(vec![plain()], vec![GroupKey::Endpoint]));
    assert!(needs(vec![good("has(attributes.x)", "true")], vec![]));
    assert!(needs(vec![plain(), good("true", "attributes.x == \"1\"")], vec![]));
    assert!(needs(vec![plain()], vec![GroupKey::Attribute("x".into())]));
}

#[test]
fn raw_paths_as_endpoints_stay_within_bounds_and_right() {
    let definitions = [
        active("paid", vec![good("endpoint.startsWith(\"/pay/1\")", "latency_ms <= 300")], vec![]),
        active("all", vec![Indicator { total: "true".into(), side: Side::Bad("status_code >= 500".into()) }], vec![]),
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
    let mut matcher = Matcher::new(&[active("broken", vec![good("true", "no such thing")], vec![])]);
    let (found, _) = hits(&mut matcher, &event());
    assert_eq!(found, [("broken".to_owned(), "0".to_owned(), vec![], Verdict::Unknown)]);
}
