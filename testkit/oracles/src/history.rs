//! Histories: what producers send, what authors revise, and in which order a pipeline happens to work on it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use proptest::prelude::*;
use slipstream_definitions::definition::{
    BUDGET_EXHAUSTED, BUDGET_REMAINING, Budgeting, Calendar, Composite, Condition, Document, ERROR_RATIO, GroupKey,
    Indicator, LATENCY_QUANTILE, NO_TRAFFIC, NoData, Objective, RATIO_BELOW, Ratio, Rule, Severity, Side, Slo, Unit,
    Window,
};
use slipstream_schemas::{EventTime, EventView, LogTime};
use slipstream_slo::rule::Kinds;
use slipstream_slo::scale::{RingSize, Scale};

/// Log time at which a history begins, ms. Events have even log times, revisions odd ones.
pub const BEGIN: i64 = 100_000;
/// The redelivery window of these histories, ms.
pub const REDELIVERY_MS: i64 = 4_000;
/// How late a log reports its horizon, ms.
pub const HORIZON_MS: i64 = 500;

/// Sizes that make every boundary near in a short history.
pub const SMALL: Scale = Scale {
    rings: &[
        RingSize { slot_seconds: 1, slots: 7 },
        RingSize { slot_seconds: 3, slots: 5 },
        RingSize { slot_seconds: 6, slots: 6 },
    ],
    base_rings: 2,
    slices_counted: 12,
    slices_lag: 48,
    evaluate_every: 6,
    publish_every: 3,
    groups: 2,
    lag_ms: 3_000,
};

#[derive(Debug, Clone)]
pub struct Event {
    pub id: String,
    /// Event time, ms.
    pub time: i64,
    pub service: &'static str,
    pub endpoint: &'static str,
    pub status: u16,
    pub latency: Option<f64>,
    pub weight: u32,
}

impl Event {
    pub fn view(&self) -> EventView<'_> {
        EventView {
            event_id: Cow::Borrowed(&self.id),
            time: EventTime(self.time * 1_000),
            service: Cow::Borrowed(self.service),
            environment: Cow::Borrowed(""),
            endpoint: Cow::Borrowed(self.endpoint),
            method: Cow::Borrowed("GET"),
            status_code: self.status,
            latency_ms: self.latency,
            weight: self.weight,
            trace_id: None,
            user_ref: None,
            attributes: Vec::new(),
        }
    }
}

/// A record of request-events; no event: a dead letter.
pub type Record = (LogTime, Option<Event>);
/// A record of slo-definitions: log time, name, definition; `None` if it was deleted.
pub type Revision = (LogTime, &'static str, Option<Slo>);

#[derive(Debug, Clone)]
pub struct History {
    pub sources: Vec<Vec<Record>>,
    pub revisions: Vec<Revision>,
    pub targets: u32,
    pub cut_delay_ms: i64,
    pub end: i64,
}

impl History {
    /// The rules of which what they say at a tick remembers earlier ones, incomplete ones too (P3b).
    pub fn remembering(&self) -> BTreeSet<&str> {
        let definitions = self.revisions.iter().filter_map(|(_, _, slo)| slo.as_ref());
        let remembers = |rule: &&Rule| Kinds::default().remembers(&rule.condition);
        definitions.flat_map(Slo::rules).filter(remembers).map(|rule| rule.name.as_str()).collect()
    }
}

/// One thing that happens to a pipeline.
#[derive(Debug, Clone)]
pub enum Op {
    Advance(i64),
    /// The owner of a source decides a step of at most this many records, unless one waits to be committed.
    Step(usize, usize),
    Idle(usize),
    /// A decided step is committed; or aborted, so that the same value is sent again later.
    Commit(usize, bool),
    /// A process looks for new definitions.
    Look(usize),
    /// A source gets another owner; what the old one had decided and not committed is lost.
    Move(usize, usize),
    /// Burn applies this many batches of a partition and commits; perhaps with a snapshot of a chunk.
    Burn(usize, usize, Option<i32>),
    /// Burn applies this many batches, crashes before it commits, and is restored; perhaps one chunk is lost.
    BurnCrash(usize, usize, Option<i32>),
}

#[derive(Debug, Clone)]
pub struct Schedule {
    pub owners: usize,
    pub ops: Vec<Op>,
    /// Whether all roles also finish their work whenever time advances.
    pub healthy: bool,
}

fn rule(name: &str, windows: (i64, i64), factor: Ratio, severity: &str, wait: i64, keep: i64) -> Rule {
    Rule {
        name: name.into(),
        rule_set: "burn".into(),
        condition: Condition::burn_rate(windows.0, windows.1, factor, 0),
        severity: Severity::named(severity),
        wait,
        keep,
        labels: Vec::new(),
        annotations: Vec::new(),
    }
}

fn slo(name: &str, total: &str, side: Side, group_by: Vec<GroupKey>, period: i64, objectives: Vec<Guarded>) -> Slo {
    let indicator = Indicator { total: total.into(), side };
    let of = |(name, target, rules): Guarded| Objective { rules, ..Objective::new(name, indicator.clone(), target) };
    Slo {
        name: name.into(),
        display_name: name.into(),
        service: "shop".into(),
        description: String::new(),
        group_by,
        window: Window::Rolling(period),
        objectives: objectives.into_iter().map(of).collect(),
        composite: None,
        labels: Vec::new(),
        document: Document::Slo,
    }
}

/// Name, target and rules of an objective.
type Guarded = (&'static str, Ratio, Vec<Rule>);

fn objective(name: &'static str, target: Ratio, rules: Vec<Rule>) -> Guarded {
    (name, target, rules)
}

const fn tenths(num: u64) -> Ratio {
    Ratio { num, den: 10 }
}

fn rules() -> Vec<Rule> {
    let three_halves = Ratio { num: 3, den: 2 };
    vec![
        rule("page", (10, 4), Ratio { num: 3, den: 1 }, "page", 0, 2),
        rule("ticket", (30, 10), three_halves, "ticket", 2, 2),
    ]
}

/// Rules of the other kinds, each in a rule set of its own.
fn other_kinds() -> Vec<Rule> {
    let of = |kind, window, threshold| Condition::of(kind, window, threshold);
    let conditions = [
        ("errors", of(ERROR_RATIO, 4, tenths(3))),
        ("errors-or-nothing", Condition { no_data: NoData::Alert, least_bad: 2, ..of(ERROR_RATIO, 10, tenths(5)) }),
        ("conversion", Condition { no_data: NoData::Keep, least: 2, ..of(RATIO_BELOW, 10, tenths(6)) }),
        ("slow", Condition { least: 3, limit_ms: Some(tenths(5_000)), ..of(LATENCY_QUANTILE, 10, tenths(7)) }),
        ("quiet", of(NO_TRAFFIC, 4, tenths(0))),
        ("little-left", of(BUDGET_REMAINING, 0, tenths(5))),
        ("soon-gone", Condition { no_data: NoData::Alert, ..of(BUDGET_EXHAUSTED, 10, Ratio { num: 20, den: 1 }) }),
    ];
    let rule = |(name, condition): (&str, Condition)| Rule {
        rule_set: name.to_owned(),
        condition,
        ..rule(name, (1, 1), tenths(10), "ticket", 1, 1)
    };
    conditions.map(rule).into()
}

/// Availability of one service, by two objectives.
fn availability(target: Ratio, rules: Vec<Rule>) -> Slo {
    let objectives = vec![objective("high", target, rules), objective("low", tenths(5), Vec::new())];
    slo("a", r#"service == "s""#, Side::Good("status_code < 500".into()), Vec::new(), 30, objectives)
}

/// The same name with another meaning, three-valued where latency is null.
fn speed() -> Slo {
    let side = Side::Bad("latency_ms > 500.0".into());
    slo("a", r#"service == "s""#, side, Vec::new(), 30, vec![objective("high", tenths(8), rules())])
}

/// Per endpoint, with a shorter period, so with one ring less.
fn per_endpoint() -> Slo {
    let short = vec![rule("page", (10, 4), Ratio { num: 2, den: 1 }, "page", 1, 0)];
    let side = Side::Good("latency_ms <= 500.0".into());
    slo("b", "true", side, vec![GroupKey::Endpoint], 12, vec![objective("0", tenths(7), short)])
}

/// How an SLO counts: a change of it is a change of meaning.
#[derive(Debug, Clone)]
struct Manner {
    budgeting: Budgeting,
    /// `None` if the window rolls.
    calendar: Option<Calendar>,
    indicators: usize,
    grouped: bool,
}

/// What may change in place.
#[derive(Debug, Clone)]
struct Terms {
    period: i64,
    target: Ratio,
    /// Of a composite, and the weight of its first objective in tenths.
    composite: Option<u64>,
    least: i64,
    /// Rules of other kinds beside those on burn rates.
    others: Vec<Rule>,
}

fn manner() -> impl Strategy<Value = Manner> {
    let half = tenths(5);
    let budgeting = prop::sample::select(vec![
        Budgeting::Occurrences,
        Budgeting::Timeslices { seconds: 4, target: tenths(9) },
        Budgeting::Timeslices { seconds: 7, target: half },
        Budgeting::RatioTimeslices { seconds: 3 },
        Budgeting::RatioTimeslices { seconds: 5 },
    ]);
    let minutes = Calendar::new(1, Unit::Minute, "1970-01-01T00:00:00".parse().unwrap(), "UTC");
    let off = Calendar::new(1, Unit::Minute, "2026-10-25T02:30:07".parse().unwrap(), "Europe/Zurich");
    // Until 1972 Monrovia was 44 min 30 s behind UTC: these days begin 112 s after midnight there.
    let days = Calendar::new(1, Unit::Day, "1969-12-31T23:17:22".parse().unwrap(), "Africa/Monrovia");
    assert!(minutes.is_some() && off.is_some() && days.is_some());
    let calendar = prop::sample::select(vec![None, None, minutes, off, days]);
    (budgeting, calendar, 0..3usize, prop::bool::ANY).prop_map(|(budgeting, calendar, indicators, grouped)| Manner {
        budgeting,
        calendar,
        indicators,
        grouped,
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let period = prop::sample::select(vec![12i64, 30, 30]);
    let target = prop::sample::select(vec![tenths(5), tenths(8)]);
    let composite = prop::option::of(prop::sample::select(vec![5u64, 7]));
    let others = prop::sample::subsequence(other_kinds(), 0..=3);
    (period, target, composite, prop::sample::select(vec![0i64, 2, 11]), others)
        .prop_map(|(period, target, composite, least, others)| Terms { period, target, composite, least, others })
}

/// One objective or two, by events or by slices, over a window that rolls or a calendar, perhaps a composite of both.
fn any_kind(name: &str, manner: &Manner, terms: &Terms) -> Slo {
    let indicator = |total: &str, side| Indicator { total: total.into(), side };
    let fast = |limit: &str| Side::Good(format!("latency_ms <= {limit}"));
    let available = Side::Good("status_code < 500".into());
    let indicators = match manner.indicators {
        0 => vec![indicator("true", available)],
        1 => vec![indicator("true", fast("500.0")), indicator("true", fast("50.0"))],
        _ => vec![indicator(r#"service == "s""#, available), indicator("true", Side::Bad("latency_ms > 500.0".into()))],
    };
    let mut rules = rules();
    if manner.calendar.is_none() && terms.period < 30 {
        rules.pop();
    }
    let Condition { least, threshold: factor, .. } = &mut rules[0].condition;
    (*least, *factor) = (terms.least, Ratio { num: 3, den: 2 });
    // The second objective has one rule on burn rates, and those of other kinds.
    let with_others = |burn: &[Rule]| burn.iter().chain(&terms.others).cloned().collect::<Vec<_>>();
    let composite = terms.composite.map(|_| Composite { target: terms.target, rules: with_others(&rules) });
    let objective = |(i, indicator): (usize, Indicator)| Objective {
        budgeting: manner.budgeting,
        weight: tenths(if i == 0 { terms.composite.unwrap_or(10) } else { 3 }),
        rules: if composite.is_some() { Vec::new() } else { with_others(if i == 0 { &rules } else { &rules[..1] }) },
        ..Objective::new(["x", "y"][i], indicator, terms.target)
    };
    let objectives = indicators.into_iter().enumerate().map(objective).collect();
    let group_by = if manner.grouped { vec![GroupKey::Endpoint] } else { Vec::new() };
    let window = manner.calendar.clone().map_or(Window::Rolling(terms.period), Window::Calendar);
    Slo { objectives, composite, window, ..slo(name, "", Side::Good(String::new()), group_by, 1, Vec::new()) }
}

/// Revisions of one SLO: mostly in place.
fn kinds(span: i64) -> impl Strategy<Value = Vec<(i64, Option<Slo>)>> {
    let later = (0..span / 2, prop::option::weighted(0.3, manner()), prop::option::weighted(0.9, terms()));
    (1_000..9_000i64, manner(), terms(), prop::collection::vec(later, 0..3)).prop_map(
        |(first, manner, terms, later)| {
            let mut revisions = vec![(BEGIN - 2 * (first / 2) - 1, Some(any_kind("c", &manner, &terms)))];
            let mut manner = manner;
            for (at, other, terms) in later {
                manner = other.unwrap_or(manner);
                revisions.push((BEGIN + 2 * at + 1, terms.map(|terms| any_kind("c", &manner, &terms))));
            }
            revisions
        },
    )
}

fn revised() -> impl Strategy<Value = (&'static str, Option<Slo>)> {
    let renamed = vec![rule("urgent", (10, 4), Ratio { num: 3, den: 1 }, "critical", 0, 0)];
    prop_oneof![
        Just(("a", Some(availability(tenths(8), rules())))),
        Just(("a", Some(availability(tenths(5), rules())))),
        Just(("a", Some(availability(tenths(8), renamed)))),
        Just(("a", Some(speed()))),
        Just(("a", None)),
        Just(("b", Some(per_endpoint()))),
        Just(("b", None)),
    ]
}

#[derive(Debug, Clone)]
struct Sent {
    at: i64,
    source: usize,
    off: i64,
    fault: bool,
    service: &'static str,
    endpoint: &'static str,
    latency: Option<f64>,
    weight: u32,
    copies: Vec<i64>,
    valid: bool,
}

fn sent(span: i64) -> impl Strategy<Value = Sent> {
    let late = prop_oneof![
        4 => Just(0i64), 1 => Just(-300), 1 => Just(-2_500), 1 => Just(-9_000), 1 => -42_000i64..-25_000, 1 => Just(60_000)
    ];
    let copies = prop::collection::vec(prop::sample::select(vec![2i64, 500, 3_000, 5_000, 9_000]), 0..3);
    let what = (
        prop::sample::select(vec!["s", "s", "t"]),
        prop::sample::select(vec!["w", "x", "y", "z"]),
        prop::sample::select(vec![None, Some(20.0), Some(100.0), Some(900.0)]),
        prop::sample::select(vec![1u32, 1, 10]),
    );
    (0..span / 2, 0..3usize, late, prop::bool::weighted(0.8), what, copies, prop::bool::weighted(0.95)).prop_map(
        |(at, source, off, fault, (service, endpoint, latency, weight), copies, valid)| Sent {
            at: 2 * at,
            source,
            off,
            fault,
            service,
            endpoint,
            latency,
            weight,
            copies,
            valid,
        },
    )
}

/// A history: events in and out of order, copies, an incident, definitions that are added, changed and removed.
pub fn history() -> impl Strategy<Value = History> {
    let sizes = (prop::sample::select(vec![6_000i64, 15_000, 30_000]), 1..4usize, 1..4u32, prop::bool::ANY);
    sizes.prop_flat_map(|(span, sources, targets, embedded)| {
        let incident = (0..span, 1_000..12_000i64);
        let first = (1_000..9_000i64, 1_000..9_000i64);
        let revisions = prop::collection::vec((0..span / 2, revised()), 0..4);
        (prop::collection::vec(sent(span), 1..80), incident, first, revisions, kinds(span)).prop_map(
            move |(sends, (bad_from, bad_for), first, revisions, kinds)| {
                let bad = bad_from..bad_from + bad_for;
                let cut_delay_ms = if embedded { 0 } else { 5_000 };
                let mut all = vec![
                    (LogTime(BEGIN - 2 * (first.0 / 2) - 1), "a", Some(availability(tenths(8), rules()))),
                    (LogTime(BEGIN - 2 * (first.1 / 2) - 1), "b", Some(per_endpoint())),
                ];
                all.extend(revisions.into_iter().map(|(at, (name, slo))| (LogTime(BEGIN + 2 * at + 1), name, slo)));
                all.extend(kinds.into_iter().map(|(at, slo)| (LogTime(at), "c", slo)));
                all.sort_by_key(|(at, _, _)| *at);
                History {
                    sources: logs(&sends, sources, &bad),
                    revisions: all,
                    targets,
                    cut_delay_ms,
                    end: BEGIN + span + 12_000,
                }
            },
        )
    })
}

fn logs(sends: &[Sent], sources: usize, bad: &std::ops::Range<i64>) -> Vec<Vec<Record>> {
    let mut logs = vec![Vec::new(); sources];
    for (i, s) in sends.iter().enumerate() {
        let failing = s.fault && bad.contains(&s.at);
        let event = Event {
            id: format!("e{i}"),
            time: BEGIN + s.at + s.off,
            service: s.service,
            endpoint: s.endpoint,
            status: if failing { 500 } else { 200 },
            latency: if failing { Some(900.0) } else { s.latency },
            weight: s.weight,
        };
        let mut at = BEGIN + s.at;
        let log = &mut logs[s.source % sources];
        log.push((LogTime(at), s.valid.then(|| event.clone())));
        for later in &s.copies {
            at += later;
            log.push((LogTime(at), Some(event.clone())));
        }
    }
    for log in &mut logs {
        log.sort_by_key(|(at, _)| *at);
    }
    logs
}

fn op() -> impl Strategy<Value = Op> {
    let any = 0..6usize;
    let few = prop::sample::select(vec![1usize, 2, 5, 100]);
    let chunk = prop::option::of(0..2i32);
    prop_oneof![
        6 => prop::sample::select(vec![10i64, 100, 400, 1_500]).prop_map(Op::Advance),
        8 => (any.clone(), few.clone()).prop_map(|(s, n)| Op::Step(s, n)),
        8 => (any.clone(), prop::bool::weighted(0.8)).prop_map(|(s, ok)| Op::Commit(s, ok)),
        3 => any.clone().prop_map(Op::Idle),
        4 => any.clone().prop_map(Op::Look),
        2 => (any.clone(), any.clone()).prop_map(|(s, p)| Op::Move(s, p)),
        8 => (any.clone(), few.clone(), chunk.clone()).prop_map(|(t, n, c)| Op::Burn(t, n, c)),
        1 => (any, few, chunk).prop_map(|(t, n, c)| Op::BurnCrash(t, n, c)),
    ]
}

/// A schedule of random work.
pub fn schedule() -> impl Strategy<Value = Schedule> {
    (1..4usize, prop::collection::vec(op(), 20..250), prop::bool::ANY).prop_map(|(owners, ops, healthy)| Schedule {
        owners,
        ops,
        healthy,
    })
}
