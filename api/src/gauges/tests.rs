//! Metrics of SLOs whose states are given.

use std::collections::BTreeMap;
use std::time::Duration;

use slipstream_definitions::definition::{GroupKey, Indicator, Objective, Ratio, Side, Slo, Window};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_query::rules::Kept;
use slipstream_runtime::metrics::Value;
use slipstream_schemas::records::{BudgetUnit, BurnRates, Exemplar, TallyEntry, WindowRates};
use slipstream_slo::burn::{Taken, Watch};

use super::*;
use crate::live::Snapshot;

fn slo(name: &str, good: &str, group_by: Vec<GroupKey>) -> Slo {
    let indicator = Indicator { total: "true".into(), side: Side::Good(good.into()) };
    Slo {
        name: name.into(),
        display_name: name.into(),
        service: "shop".into(),
        description: String::new(),
        group_by,
        window: Window::Rolling(2_592_000),
        objectives: vec![Objective::new("most", indicator, Ratio { num: 995, den: 1000 })],
        composite: None,
        labels: Vec::new(),
        document: slipstream_definitions::definition::Document::Slo,
    }
}

fn state(slo: &str, group: &[&str]) -> BurnRates {
    let window = |seconds, burn| WindowRates { seconds, slot_seconds: 1, good: 90, total: 100, burn };
    BurnRates {
        slo: slo.into(),
        objective: "most".into(),
        group: group.iter().map(|g| (*g).to_owned()).collect(),
        generation: 1,
        tick: 99,
        revision: 1,
        complete: true,
        retired: false,
        windows: vec![window(300, 20.0), window(3_600, 20.0), window(2_592_000, 20.0)],
        sli: Some(0.9),
        budget_total: 0.5,
        budget_remaining: 0.25,
        exhaustion_at: Some(1_000),
        conditions: Vec::new(),
        unknown: 2,
        too_late: 3,
        covered_from: 10,
        sources_current: 1,
        sources: 1,
        exemplars: Vec::new(),
        unit: BudgetUnit::Events,
        target: None,
        period_start: None,
        previous: None,
    }
}

/// Known up to second 100, which is a while ago.
fn gauges(definitions: Vec<Slo>, states: Vec<BurnRates>, most: usize) -> Gauges {
    let live = Live::new(MemoryLog::new(MemoryOptions::default()));
    let now = jiff::Timestamp::now().as_second();
    live.knows(Snapshot::new(Some(now), definitions.into(), states, &Kept::default()));
    Gauges::new(live.clone(), most)
}

/// Each sample by its name and labels.
fn samples(families: &[Family]) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    for family in families {
        for sample in &family.samples {
            let own = sample.own.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            let labels: Vec<String> =
                sample.labels.iter().cloned().chain(own).map(|(name, value)| format!("{name}={value}")).collect();
            let Value::Number(value, _) = sample.value else { panic!("{}", family.name) };
            let before = samples.insert(format!("{}{{{}}}", family.name, labels.join(",")), value);
            assert_eq!(before, None, "{} {labels:?} is there twice", family.name);
        }
    }
    samples
}

#[tokio::test]
async fn standings_are_told_by_our_names() {
    let definitions = vec![slo("pay", "status_code < 500", vec![]), slo("quiet", "status_code < 500", vec![])];
    let mut spent = state("gone", &["/a"]);
    (spent.budget_remaining, spent.exhaustion_at, spent.sli) = (-0.5, None, None);
    let calm = BurnRates { exhaustion_at: None, ..state("pay", &[]) };
    let samples = samples(&gauges(definitions, vec![spent, calm], 10).families(&[]));
    let pay = "slo=pay,service=shop,objective=most";
    let quiet = "slo=quiet,service=shop,objective=most";
    for (name, expected) in [
        (format!("slipstream_slo_info{{{pay},window=30d,budgeting=occurrences}}"), Some(1.0)),
        (format!("slipstream_slo_objective_ratio{{{pay}}}"), Some(0.995)),
        (format!("slipstream_slo_sli_ratio{{{pay}}}"), Some(0.9)),
        (format!("slipstream_slo_burn_rate{{{pay},window=5m}}"), Some(20.0)),
        (format!("slipstream_slo_burn_rate{{{pay},window=30d}}"), Some(20.0)),
        (format!("slipstream_slo_error_budget_remaining_ratio{{{pay}}}"), Some(0.25)),
        (format!("slipstream_slo_error_budget_exhaustion_seconds{{{pay}}}"), Some(f64::INFINITY)),
        (format!("slipstream_slo_window_good{{{pay},unit=events}}"), Some(90.0)),
        (format!("slipstream_slo_window_bad{{{pay},unit=events}}"), Some(10.0)),
        (format!("slipstream_slo_complete{{{pay}}}"), Some(1.0)),
        (format!("slipstream_slo_window_covered{{{pay}}}"), Some(0.0)),
        (format!("slipstream_slo_events_total{{{pay},outcome=bad}}"), Some(0.0)),
        // Without traffic there is an objective, a whole budget, and nothing that was measured.
        (format!("slipstream_slo_objective_ratio{{{quiet}}}"), Some(0.995)),
        (format!("slipstream_slo_error_budget_remaining_ratio{{{quiet}}}"), Some(1.0)),
        (format!("slipstream_slo_sli_ratio{{{quiet}}}"), None),
        (format!("slipstream_slo_error_budget_exhaustion_seconds{{{quiet}}}"), None),
        (format!("slipstream_slo_events_total{{{quiet},outcome=bad}}"), None),
        (format!("slipstream_slo_complete{{{quiet}}}"), None),
        (format!("slipstream_slo_window_covered{{{quiet}}}"), None),
        // One whose definition was deleted a moment ago, and whose budget is spent.
        ("slipstream_slo_error_budget_exhaustion_seconds{slo=gone,objective=most,group_0=/a}".to_owned(), Some(0.0)),
        ("slipstream_slo_sli_ratio{slo=gone,objective=most,group_0=/a}".to_owned(), None),
        ("slipstream_slo_series{shown=true}".to_owned(), Some(3.0)),
        ("slipstream_slo_series{shown=false}".to_owned(), Some(0.0)),
    ] {
        assert_eq!(samples.get(&name).copied(), expected, "{name}: {samples:#?}");
    }
}

#[tokio::test]
async fn time_to_exhaustion_counts_from_the_newest_tick() {
    let samples = samples(&gauges(vec![slo("pay", "true", vec![])], vec![state("pay", &[])], 10).families(&[]));
    assert_eq!(samples["slipstream_slo_error_budget_exhaustion_seconds{slo=pay,service=shop,objective=most}"], 900.0);
}

#[tokio::test]
async fn every_objective_has_some_of_its_groups_before_any_has_all() {
    let by = || vec![GroupKey::Endpoint];
    let definitions = vec![slo("a-many", "true", by()), slo("b-few", "true", by()), slo("c-one", "true", vec![])];
    let many: Vec<String> = (0..100).map(|i| format!("/{i:03}")).collect();
    let states: Vec<BurnRates> = many
        .iter()
        .map(|endpoint| state("a-many", &[endpoint]))
        .chain(["/x", "/y"].map(|endpoint| state("b-few", &[endpoint])))
        .chain([state("c-one", &[])])
        .collect();
    for (most, of_many, of_few, of_one) in [(1, 1, 0, 0), (3, 1, 1, 1), (4, 2, 1, 1), (6, 3, 2, 1), (103, 100, 2, 1)] {
        let samples = samples(&gauges(definitions.clone(), states.clone(), most).families(&[]));
        let of = |slo: &str| {
            let name = format!("slipstream_slo_objective_ratio{{slo={slo},");
            samples.keys().filter(|sample| sample.starts_with(&name)).count()
        };
        assert_eq!((of("a-many"), of("b-few"), of("c-one")), (of_many, of_few, of_one), "at most {most}");
        assert_eq!(samples["slipstream_slo_series{shown=true}"], most as f64);
        assert_eq!(samples["slipstream_slo_series{shown=false}"], (103 - most) as f64);
    }
}

#[tokio::test]
async fn a_dimension_has_a_label_of_its_own() {
    let by = ["slo", "window", "http.route"].map(|key| GroupKey::Attribute(key.to_owned()));
    let by: Vec<GroupKey> = by.into_iter().chain([GroupKey::Service]).collect();
    let states = vec![state("pay", &["x", "y", "/pay", "pay-eu"]), state("pay", &["x", "y", "", "pay-eu"])];
    let samples = samples(&gauges(vec![slo("pay", "true", by)], states, 10).families(&[]));
    for labels in [
        "slo=pay,objective=most,group_slo=x,group_window=y,http_route=/pay,service=pay-eu",
        "slo=pay,objective=most,group_slo=x,group_window=y,service=pay-eu",
    ] {
        assert!(samples.contains_key(&format!("slipstream_slo_sli_ratio{{{labels}}}")), "{samples:#?}");
    }
}

#[tokio::test]
async fn sloth_s_names_are_those_of_its_rules() {
    let mut two = slo("two", "true", vec![GroupKey::Endpoint]);
    two.objectives.push(Objective { name: "other".to_owned(), ..two.objectives[0].clone() });
    let mut silent = state("pay", &[]);
    silent.windows[0] = WindowRates { good: 0, total: 0, burn: 0.0, ..silent.windows[0].clone() };
    // An SLO that has the name of an objective: one of both is told (`samples` finds any that is there twice).
    let definitions =
        vec![slo("pay", "status_code < 500", vec![]), two, slo("two-most", "true", vec![GroupKey::Endpoint])];
    let gauges = gauges(definitions, vec![silent, state("two", &["/a"]), state("two-most", &["/a"])], 10);
    assert!(!samples(&gauges.families(&[])).keys().any(|name| name.contains(':')), "only where it is asked for");
    let samples = samples(&gauges.families(&["sloth"]));
    let pay = "sloth_id=shop-pay,sloth_service=shop,sloth_slo=pay";
    let two = "sloth_id=shop-two-most-/a,sloth_service=shop,sloth_slo=two-most-/a,endpoint=/a";
    let version = env!("CARGO_PKG_VERSION");
    let info = format!(
        "sloth_slo_info{{{pay},sloth_mode=slipstream,sloth_objective=99.5,sloth_spec=openslo/v1,sloth_version={version}}}"
    );
    for (name, expected) in [
        (info, Some(1.0)),
        (format!("slo:objective:ratio{{{pay}}}"), Some(0.995)),
        (format!("slo:time_period:days{{{pay}}}"), Some(30.0)),
        (format!("slo:sli_error:ratio_rate1h{{{pay},sloth_window=1h}}"), Some(0.1)),
        (format!("slo:sli_error:ratio_rate30d{{{pay},sloth_window=30d}}"), Some(0.1)),
        // As sloth has nothing to show where nothing came in.
        (format!("slo:sli_error:ratio_rate5m{{{pay},sloth_window=5m}}"), None),
        (format!("slo:sli_error:ratio_rate5m{{{two},sloth_window=5m}}"), Some(0.1)),
        (format!("slo:current_burn_rate:ratio{{{pay}}}"), Some(0.0)),
        (format!("slo:period_burn_rate:ratio{{{pay}}}"), Some(20.0)),
        (format!("slo:period_error_budget_remaining:ratio{{{two}}}"), Some(0.25)),
    ] {
        let found = samples.get(&name).map(|value| (value * 1e9).round() / 1e9);
        assert_eq!(found, expected, "{name}: {samples:#?}");
    }
}

#[tokio::test]
async fn an_sli_is_one_of_latency_if_latency_has_a_part_in_it() {
    let definitions = vec![
        slo("answered", "status_code < 500", vec![]),
        slo("both", "status_code < 500 && latency_ms < 300.0", vec![]),
        slo("quick", "latency_ms < 300.0", vec![]),
    ];
    let states = ["answered", "both", "quick"].map(|slo| state(slo, &[])).to_vec();
    let samples = samples(&gauges(definitions, states, 10).families(&["sli"]));
    let sli: Vec<&String> = samples.keys().filter(|name| name.starts_with("sli:")).collect();
    let expected = [("availability", "answered"), ("latency", "both"), ("latency", "quick")]
        .map(|(kind, slo)| format!("sli:{kind}:ratio_rate5m{{slo={slo},service=shop,objective=most}}"));
    assert_eq!(sli, expected.iter().collect::<Vec<_>>());
    assert_eq!(samples[&expected[0]], 0.9);
}

#[tokio::test(start_paused = true)]
async fn what_is_old_is_not_told_as_if_it_were_now() {
    let gauges = gauges(vec![slo("pay", "true", vec![])], vec![state("pay", &[])], 10);
    let names = |gauges: &Gauges| gauges.families(&["sli"]).len();
    assert!(names(&gauges) > 2);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(names(&gauges) > 2, "a little later it still stands");
    tokio::time::advance(Duration::from_secs(3)).await;
    let left = gauges.families(&["sli"]);
    assert_eq!(
        left.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(),
        ["slipstream_slo_known_until_timestamp_seconds"]
    );
}

#[tokio::test]
async fn a_bad_event_is_the_exemplar_of_what_is_bad() {
    let event = |id: &str, trace: Option<&str>, time| Exemplar {
        event_id: id.to_owned(),
        trace_id: trace.map(str::to_owned),
        time,
    };
    let mut bad = state("pay", &[]);
    bad.exemplars = vec![event("e-1", Some("4bf9"), 1_000_000), event("e-2", None, 2_500_000)];
    let gauges = gauges(vec![slo("pay", "true", vec![])], vec![bad.clone()], 10);
    let exemplars = |gauges: &Gauges| {
        let families = gauges.families(&[]);
        let events = families.into_iter().find(|family| family.name == "slipstream_slo_events_total").unwrap();
        let of = |sample: &slipstream_runtime::metrics::Sample| match &sample.value {
            Value::Number(_, exemplar) => exemplar.clone().map(|exemplar| (exemplar.labels, exemplar.time)),
            Value::Spread { .. } => None,
        };
        events.samples.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(exemplars(&gauges), [None, None, None], "nothing bad was counted yet");
    let entry = TallyEntry {
        slo: "pay".to_owned(),
        generation: 1,
        objective: "most".to_owned(),
        group: Vec::new(),
        tick: 99,
        slot: 99,
        good: 0,
        total: 1,
        unknown: 0,
    };
    let (slo, objective, entries) = ("pay", "most", [entry]);
    gauges.live.counts().clone().taken(Taken { slo, generation: 1, objective, group: &[], entries: &entries });
    let found = exemplars(&gauges);
    let (labels, time) = found[1].clone().unwrap();
    assert_eq!(labels, [("event_id".to_owned(), "e-2".to_owned())], "the newest one");
    assert_eq!(time, std::time::UNIX_EPOCH + Duration::from_millis(2_500));
    assert_eq!((&found[0], &found[2]), (&None, &None));
}
