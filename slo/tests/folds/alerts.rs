//! The alert machine as stories: what holds at which tick, and what comes of it.

use slipstream_definitions::definition::{
    Condition, GroupKey, Indicator, Objective, Ratio, Rule, Severity, Side, Slo, Window,
};
use slipstream_schemas::records::{AlertTransition, BudgetUnit, BurnRates, ConditionSince, WindowRates};
use slipstream_slo::alerts::{AlertState, Phase, alert_id, end, rule_sets, step};
use slipstream_slo::rule::Kinds;

const TARGET: Ratio = Ratio { num: 999, den: 1_000 };

fn rule(name: &str, severity: &str, wait: i64, keep: i64) -> Rule {
    Rule {
        name: name.into(),
        rule_set: "burn".into(),
        condition: Condition::burn_rate(3_600, 300, Ratio { num: 72, den: 5 }, 0),
        severity: Severity::named(severity),
        wait,
        keep,
        labels: vec![("team".into(), format!("{name}-team"))],
        annotations: vec![("runbook_url".into(), format!("https://run/{name}"))],
    }
}

fn slo(rules: Vec<Rule>) -> Slo {
    let indicator = Indicator { total: "true".into(), side: Side::Good("true".into()) };
    Slo {
        name: "checkout".into(),
        display_name: "Checkout".into(),
        service: "shop".into(),
        description: String::new(),
        group_by: vec![GroupKey::Attribute("tenant".into())],
        window: Window::Rolling(86_400),
        objectives: vec![Objective { rules, ..Objective::new("fast", indicator, TARGET) }],
        composite: None,
        labels: vec![("team".into(), "shop-team".into()), ("tier".into(), "1".into())],
        document: slipstream_definitions::definition::Document::Slo,
    }
}

/// Rates of one tick: which rules hold, since when.
fn rates(tick: i64, complete: bool, since: &[(&str, i64)]) -> BurnRates {
    let condition =
        |(rule, since): &(&str, i64)| ConditionSince { rule: (*rule).into(), holds: true, since: Some(*since) };
    BurnRates {
        slo: "checkout".into(),
        objective: "fast".into(),
        group: vec!["acme".into()],
        generation: 1,
        tick,
        revision: 1,
        complete,
        retired: false,
        windows: [300, 3_600]
            .map(|seconds| WindowRates { seconds, slot_seconds: 1, good: 1, total: 2, burn: seconds as f64 / 100.0 })
            .into(),
        sli: None,
        budget_total: 0.0,
        budget_remaining: 1.0,
        exhaustion_at: None,
        conditions: since.iter().map(condition).collect(),
        unknown: 0,
        too_late: 0,
        covered_from: 0,
        sources_current: 1,
        sources: 1,
        exemplars: Vec::new(),
        unit: BudgetUnit::Events,
        target: None,
        period_start: None,
        previous: None,
    }
}

/// (tick, whether it is complete, what holds since when)
type Story<'a> = &'a [(i64, bool, &'a [(&'a str, i64)])];

/// One step of the alert of the burn-rate rules.
fn stepped(state: &AlertState, rates: &BurnRates, slo: &Slo) -> (AlertState, Vec<AlertTransition>) {
    step(state, rates, (slo, &slo.objectives[0].rules), "burn", Kinds::default())
}

fn tell(rules: &[Rule], story: Story<'_>) -> Vec<AlertTransition> {
    let slo = slo(rules.to_vec());
    let mut state = AlertState::default();
    let mut all = Vec::new();
    for (tick, complete, since) in story {
        let (after, made) = stepped(&state, &rates(*tick, *complete, since), &slo);
        assert_eq!(after.last(), made.last().or(state.last()), "the state is the last transition");
        state = after;
        all.extend(made);
    }
    all
}

fn outline(transitions: &[AlertTransition]) -> Vec<String> {
    let kind = |t: &AlertTransition| format!("{:?}", t.kind).to_lowercase();
    transitions
        .iter()
        .map(|t| format!("{} {} {}/{} {}", kind(t), t.tick, t.episode, t.seq, t.severity).trim_end().to_owned())
        .collect()
}

#[test]
fn a_transition_says_since_when_the_condition_of_its_rule_holds() {
    let rules = [rule("ticket", "ticket", 0, 10), rule("page", "page", 5, 10)];
    let told = tell(
        &rules,
        &[
            (1, true, &[("ticket", 1)]),
            (20, true, &[("ticket", 1), ("page", 15)]),
            (30, true, &[("ticket", 1)]),
            (40, true, &[]),
            (45, true, &[("ticket", 44)]),
            (50, true, &[]),
            (60, true, &[]),
        ],
    );
    let said: Vec<(String, Option<i64>)> =
        told.iter().map(|t| (format!("{:?} {}", t.kind, t.rule), t.holds_since)).collect();
    let want = [
        ("Pending ticket", Some(1)),
        ("Firing ticket", Some(1)),
        ("Severity page", Some(15)),
        ("Severity ticket", Some(1)),
        ("Keeping ticket", None),
        ("Resumed ticket", Some(44)),
        ("Keeping ticket", None),
        ("Resolved ticket", None),
    ];
    assert_eq!(said, want.map(|(what, since)| (what.to_owned(), since)));
}

#[test]
fn stories() {
    let page = || rule("page", "page", 0, 0);
    let patient = || rule("patient", "page", 5, 0);
    let kept = || rule("kept", "page", 0, 10);
    let ticket = || rule("ticket", "ticket", 0, 0);
    let table: &[(&str, Vec<Rule>, Story<'_>, &[&str])] = &[
        ("nothing happens", vec![page()], &[(1, true, &[]), (2, true, &[])], &[]),
        (
            "it fires at once and resolves at once",
            vec![page()],
            &[(1, true, &[("page", 1)]), (2, true, &[("page", 1)]), (3, true, &[])],
            &["pending 1 1/1", "firing 1 1/2 page", "resolved 3 1/3 page"],
        ),
        (
            "`for` is not reached",
            vec![patient()],
            &[(1, true, &[("patient", 1)]), (5, true, &[("patient", 1)]), (6, true, &[])],
            &["pending 1 1/1", "inactive 6 1/2"],
        ),
        (
            "`for` is reached, and counts from since",
            vec![patient()],
            &[(4, true, &[("patient", 1)]), (6, true, &[("patient", 1)])],
            &["pending 4 4/1", "firing 6 4/2 page"],
        ),
        (
            "keep_firing_for bridges a gap",
            vec![kept()],
            &[
                (1, true, &[("kept", 1)]),
                (2, true, &[]),
                (11, true, &[]),
                (11, true, &[("kept", 11)]),
                (13, true, &[]),
                (23, true, &[]),
            ],
            &[
                "pending 1 1/1",
                "firing 1 1/2 page",
                "keeping 2 1/3 page",
                "resumed 11 1/4 page",
                "keeping 13 1/5 page",
                "resolved 23 1/6 page",
            ],
        ),
        (
            "the worst ripe rule gives the severity",
            vec![page(), ticket()],
            &[
                (1, true, &[("ticket", 1)]),
                (2, true, &[("ticket", 1), ("page", 2)]),
                (3, true, &[("ticket", 1)]),
                (4, true, &[]),
            ],
            &[
                "pending 1 1/1",
                "firing 1 1/2 ticket",
                "severity 2 1/3 page",
                "severity 3 1/4 ticket",
                "resolved 4 1/5 ticket",
            ],
        ),
        (
            "on incomplete data nothing ends and nothing gets better",
            vec![page(), ticket()],
            &[
                (1, false, &[("ticket", 1), ("page", 1)]),
                (2, false, &[("ticket", 1)]),
                (3, false, &[]),
                (4, true, &[("ticket", 1)]),
                (5, false, &[("ticket", 1), ("page", 5)]),
                (6, true, &[]),
            ],
            &[
                "pending 1 1/1",
                "firing 1 1/2 page",
                "severity 4 1/3 ticket",
                "severity 5 1/4 page",
                "resolved 6 1/5 page",
            ],
        ),
        (
            "a second episode begins again",
            vec![page()],
            &[(1, true, &[("page", 1)]), (2, true, &[]), (9, true, &[("page", 9)])],
            &["pending 1 1/1", "firing 1 1/2 page", "resolved 2 1/3 page", "pending 9 9/1", "firing 9 9/2 page"],
        ),
    ];
    for (title, rules, story, expected) in table {
        assert_eq!(outline(&tell(rules, story)), *expected, "{title}");
    }
}

#[test]
fn a_transition_says_what_receivers_need() {
    let made = tell(&[rule("page", "page", 0, 0)], &[(7, true, &[("page", 7)]), (9, true, &[])]);
    let firing = &made[1];
    assert_eq!(firing.alert_id, alert_id("checkout", "fast", &["acme".into()], "burn"));
    assert_eq!(firing.alert_id.len(), 16);
    let labels: Vec<(&str, &str)> = firing.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
    assert_eq!(labels, [("team", "page-team"), ("tier", "1")], "the rule's label wins");
    assert_eq!(firing.annotations[0].value, "https://run/page");
    assert_eq!((firing.group[0].name.as_str(), firing.group[0].value.as_str()), ("tenant", "acme"));
    assert_eq!((firing.service.as_str(), firing.objective.as_str(), firing.rule.as_str()), ("shop", "fast", "page"));
    let values: Vec<(i64, f64, f64)> = firing.values.iter().map(|v| (v.window_seconds, v.burn, v.threshold)).collect();
    assert_eq!(values, [(3_600, 36.0, 14.4), (300, 3.0, 14.4)]);
    assert_eq!((made[0].fired_at, firing.fired_at), (None, Some(7)));
    let resolved = &made[2];
    assert_eq!((resolved.fired_at, &resolved.values, &resolved.labels), (Some(7), &firing.values, &firing.labels));
    assert_eq!(resolved.rule, "page");
}

#[test]
fn a2_what_is_gone_ends_its_alert_at_once_whatever_the_completeness() {
    let with_rule = slo(vec![rule("page", "page", 0, 600), rule("patient", "page", 5, 0)]);
    let without = slo(Vec::new());
    let open = |rule: &str| stepped(&AlertState::default(), &rates(1, true, &[(rule, 1)]), &with_rule).0;
    let retired = BurnRates { retired: true, ..rates(5, false, &[]) };
    let ends = |state: &AlertState, rates: &BurnRates, slo: &Slo| {
        let (state, made) = stepped(state, rates, slo);
        assert_eq!(state.phase(), Phase::Inactive);
        outline(&made)
    };
    assert_eq!(ends(&open("page"), &retired, &with_rule), ["resolved 5 1/3 page"]);
    assert_eq!(ends(&open("patient"), &retired, &with_rule), ["inactive 5 1/2"]);
    assert_eq!(ends(&open("page"), &rates(5, false, &[]), &without), ["resolved 5 1/3 page"]);
    assert_eq!(ends(&AlertState::default(), &retired, &with_rule), Vec::<String>::new());
    let (_, again) = end(&end(&open("page"), &retired).0, &retired);
    assert_eq!(again, [], "an alert ends once");
}

#[test]
fn severities_of_one_rank_are_told_apart_by_name() {
    let rules = [rule("a", "critical", 0, 0), rule("b", "page", 0, 0)];
    let story: Story<'_> = &[(1, true, &[("a", 1)]), (2, true, &[("a", 1), ("b", 2)])];
    assert_eq!(outline(&tell(&rules, story)), ["pending 1 1/1", "firing 1 1/2 critical", "severity 2 1/3 page"]);
    assert_eq!(rule_sets(&slo(rules.to_vec()).objectives[0].rules).into_iter().collect::<Vec<_>>(), ["burn"]);
}

#[test]
fn a_transition_says_whether_its_own_tick_was_complete() {
    let story: Story<'_> =
        &[(1, false, &[("kept", 1)]), (2, true, &[]), (3, false, &[("kept", 3)]), (4, true, &[]), (20, true, &[])];
    let made = tell(&[rule("kept", "page", 0, 10)], story);
    let found: Vec<(i64, bool)> = made.iter().map(|t| (t.tick, t.complete)).collect();
    assert_eq!(found, [(1, false), (1, false), (2, true), (3, false), (4, true), (20, true)]);
}
