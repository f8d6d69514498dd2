//! Another kind of rule is one file (`rush.rs`) and one line (the table below): nothing else of tally, burn and the
//! alert machine has to know it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod rush;

use std::borrow::Cow;

use rush::Rush;
use slipstream_definitions::definition::{
    Condition, Document, Indicator, Objective, Ratio, Rule, Severity, Side, Slo, Window,
};
use slipstream_schemas::LogTime;
use slipstream_schemas::event::EventView;
use slipstream_schemas::fixtures::event;
use slipstream_schemas::records::{AlertTransition, Settings, TransitionKind};
use slipstream_slo::alerts::OpenAlerts;
use slipstream_slo::burn::Burn;
use slipstream_slo::redelivery::Memory;
use slipstream_slo::revision::{RevisionError, Revisions};
use slipstream_slo::rule::{BurnRate, Kind, Kinds};
use slipstream_slo::scale::Scale;
use slipstream_slo::tally::Tally;

const KINDS: Kinds = Kinds::of_table(&[
    &BurnRate, &Rush, // The line.
]);

/// The first second.
const START: i64 = 1_000_000;

fn rule(name: &str, rule_set: &str, condition: Condition) -> Rule {
    Rule {
        name: name.to_owned(),
        rule_set: rule_set.to_owned(),
        condition,
        severity: Severity::named("page"),
        wait: 0,
        keep: 0,
        labels: Vec::new(),
        annotations: Vec::new(),
    }
}

/// An SLO with a rule of each kind.
fn slo() -> Slo {
    let indicator = Indicator { total: "true".to_owned(), side: Side::Good("status_code < 500".to_owned()) };
    let rush = Condition::of(Rush.name(), 120, Ratio { num: 200, den: 1 });
    let rules = vec![
        rule("1h/5m", "burn", Condition::burn_rate(3_600, 300, Ratio { num: 144, den: 10 }, 0)),
        rule("busy", "rush", rush),
    ];
    Slo {
        name: "shop".to_owned(),
        display_name: "shop".to_owned(),
        service: "checkout".to_owned(),
        description: String::new(),
        group_by: Vec::new(),
        window: Window::Rolling(30 * 86_400),
        objectives: vec![Objective { rules, ..Objective::new("availability", indicator, Ratio { num: 99, den: 100 }) }],
        composite: None,
        labels: Vec::new(),
        document: Document::Slo,
    }
}

fn revisions(kinds: Kinds) -> Result<Revisions, RevisionError> {
    let mut revisions = Revisions::with_kinds(kinds);
    revisions.apply_settings(0, Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 })?;
    revisions.apply_slo(1, LogTime(START * 1_000), "shop", Some(slo()))?;
    Ok(revisions)
}

/// The transitions of `seconds`, with as many requests in each second as there are statuses for it.
fn transitions(seconds: i64, statuses: impl Fn(i64) -> Vec<u16>) -> Vec<AlertTransition> {
    let revisions = revisions(KINDS).unwrap();
    let mut tally = Tally::new(0, 1, 1, 0, LogTime(START * 1_000), Memory::new(120_000));
    let mut burn = Burn::new(0, 1, 1, Scale::REAL);
    let mut open = OpenAlerts::default();
    let (mut offset, mut batches, mut all) = (0, 0, Vec::new());
    for second in 0..seconds {
        let mut step = tally.begin::<()>(&revisions, LogTime(i64::MAX));
        for status_code in statuses(second) {
            let id = format!("e{offset}");
            let time = slipstream_schemas::EventTime((START + second) * 1_000_000);
            let event = EventView { event_id: Cow::Borrowed(&id), time, status_code, ..event() };
            step.push(offset, LogTime((START + second) * 1_000), Ok(&event)).unwrap();
            offset += 1;
        }
        let live = step.finish(None);
        let known = LogTime((START + second + 1) * 1_000);
        let idle = tally.idle(&revisions, offset, known, LogTime(i64::MAX), None);
        for (_, batch) in [live, idle].into_iter().flatten().flat_map(|decided| decided.batches) {
            let rates = burn.apply(batches, &batch, &revisions).unwrap();
            batches += 1;
            all.extend(rates.iter().flat_map(|rates| open.decide(rates, &revisions)));
        }
    }
    all
}

fn story(transitions: &[AlertTransition]) -> Vec<(&str, TransitionKind)> {
    transitions.iter().map(|t| (t.rule.as_str(), t.kind)).collect()
}

#[test]
fn it_fires_and_resolves_like_the_first() {
    use TransitionKind::{Firing, Pending, Resolved};
    // One request a second, for two minutes two, then one again.
    let made = transitions(900, |second| vec![200; if (300..420).contains(&second) { 2 } else { 1 }]);
    assert_eq!(story(&made), [("busy", Pending), ("busy", Firing), ("busy", Resolved)]);
    let (fired, resolved) = (&made[1], &made[2]);
    // A window of two minutes has 201 once it holds 81 seconds with two, and one of them more or less (its slot is 1 s).
    assert!((378..=382).contains(&(fired.tick - START)), "{fired:?}");
    assert!((457..=461).contains(&(resolved.tick - START)), "{resolved:?}");
    assert_eq!((fired.values[0].window_seconds, fired.values[0].value), (120, Some(201.0)));
    assert_eq!(KINDS.named(&fired.rule_kind).why(&fired.rule, &fired.values).summary, "gets too many requests");
}

#[test]
fn the_first_kind_goes_on_beside_it() {
    use TransitionKind::{Firing, Pending};
    let made = transitions(400, |second| vec![if second < 100 { 200 } else { 503 }]);
    assert_eq!(story(&made), [("1h/5m", Pending), ("1h/5m", Firing)]);
    let why = KINDS.named(&made[1].rule_kind).why(&made[1].rule, &made[1].values);
    assert!(why.description.starts_with("Burn rate "), "{why:?}");
}

#[test]
fn each_says_itself_in_words() {
    let words: Vec<String> = slo().rules().map(|rule| KINDS.of(&rule.condition).words(&rule.condition)).collect();
    assert_eq!(words, [">14.4x 1h/5m", ">200 requests 2m"]);
}

#[test]
fn a_kind_that_is_not_known_is_refused_by_name() {
    let error = revisions(Kinds::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "slo-definitions, offset 1: SLO shop cannot be read: rule busy is of the kind rush, which this \
         version does not support; upgrade this role if a newer version wrote it"
    );
}
