//! Figures that others have published, through the real fold.

use slipstream_definitions::definition::{
    Budgeting, Calendar, Composite, Indicator, Objective, Ratio, Side, Slo, Unit, Window,
};
use slipstream_definitions::policy;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{BudgetUnit, BurnRates, Origin, Settings, TallyBatch, TallyEntry};
use slipstream_slo::burn::Burn;
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::Scale;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

fn ratio(text: &str) -> Ratio {
    Ratio::parse(text).unwrap()
}

fn slo(window: Window, target: &str, budgeting: Budgeting) -> Slo {
    let indicator = Indicator { total: "true".into(), side: Side::Good("true".into()) };
    let objective = Objective { budgeting, ..Objective::new("0", indicator, ratio(target)) };
    Slo {
        name: "a".into(),
        display_name: "a".into(),
        service: String::new(),
        description: String::new(),
        group_by: Vec::new(),
        window,
        objectives: vec![objective],
        composite: None,
        labels: Vec::new(),
        document: slipstream_definitions::definition::Document::Slo,
    }
}

/// A fold of one SLO that is defined at a second, told what happens second by second.
struct Fold {
    burn: Burn,
    revisions: Revisions,
    since: i64,
    offset: i64,
    entries: Vec<TallyEntry>,
}

impl Fold {
    fn new(since: i64, slo: Slo) -> Fold {
        let mut revisions = Revisions::new();
        revisions.apply_settings(0, Settings { redelivery_window_ms: 1_000, cut_delay_ms: 0 }).unwrap();
        revisions.apply_slo(1, LogTime(since * 1_000), "a", Some(slo)).unwrap();
        Fold { burn: Burn::new(0, 1, 1, Scale::REAL), revisions, since, offset: 0, entries: Vec::new() }
    }

    /// Of an objective, at a second, so many bad of so many events; known when they happen, or later.
    fn count(&mut self, objective: &str, second: i64, known: i64, bad: i64, total: i64) {
        self.entries.push(TallyEntry {
            slo: "a".into(),
            generation: self.since * 1_000,
            objective: objective.into(),
            group: Vec::new(),
            tick: known,
            slot: second,
            good: total - bad,
            total,
            unknown: 0,
        });
    }

    /// Everything up to a second is known.
    fn up_to(&mut self, second: i64) -> Vec<BurnRates> {
        let batch = TallyBatch {
            source: 0,
            sources: 1,
            from: 0,
            to: 0,
            stamp: LogTime(second * 1_000),
            low: LogTime(second * 1_000),
            origin: Origin::Idle,
            revision: self.revisions.end(),
            entries: std::mem::take(&mut self.entries),
            exemplars: Vec::new(),
        };
        self.offset += 1;
        self.burn.apply(self.offset - 1, &batch, &self.revisions).unwrap()
    }

    /// Where the objective stands when everything up to a second is known.
    fn at(&mut self, second: i64, objective: &str) -> BurnRates {
        self.up_to(second);
        let states = self.burn.clone().states(&self.revisions).unwrap();
        states.into_iter().find(|rates| rates.objective == objective).unwrap()
    }
}

/// SRE workbook, chapter 5, table 5-8 and its text: of a full outage, 14.4x over 1 h of 99.9 % over 30 d is seen within
/// a minute; 0.0144 x 3,600 s are 51.84 s.
#[test]
fn a_full_outage_pages_after_52_seconds() {
    let mut slo = slo(Window::Rolling(30 * DAY), "0.999", Budgeting::Occurrences);
    slo.objectives[0].rules = policy::defaults(30 * DAY, ratio("0.999")).rules;
    let mut told = Fold::new(0, slo);
    let outage = 10 * 3_600;
    (0..outage + 300).for_each(|second| told.count("0", second, second, if second < outage { 0 } else { 10 }, 10));
    let rates = told.up_to(outage + 300);
    let pages = |r: &&BurnRates| r.conditions.iter().any(|c| c.rule == "1h/5m" && c.holds);
    let first = rates.iter().find(pages).expect("an outage pages");
    assert_eq!(first.tick + 1 - outage, 52);
}

/// OpenSLO's examples/budgeting-method: two weeks, 24,000 requests a day of which 99 % succeed, objective 95 %, slices of
/// a minute, and an attack during which 1 % succeed. (16,632 failed requests are theirs for Occurrences: 99 % of the
/// 16,800 that the budget allows, of the 336,000 requests of two weeks.)
#[test]
fn openslo_budgeting_methods() {
    const WEEKS: i64 = 14 * DAY;
    let two_weeks = |budgeting| slo(Window::Rolling(WEEKS), "0.95", budgeting);

    let mut told = Fold::new(0, two_weeks(Budgeting::Occurrences));
    (0..14).for_each(|day| told.count("0", day * DAY + 9, day * DAY + 9, 1_188, 24_000));
    let stands = told.at(WEEKS, "0");
    assert_eq!((stands.unit, stands.windows.last().unwrap().total), (BudgetUnit::Events, 336_000));
    assert!((stands.budget_total - 16_800.0).abs() < 1e-6);
    assert!((stands.budget_remaining - 0.01).abs() < 1e-9, "16,632 of 16,800 are spent");

    // An attack of so many minutes at the end of the two weeks.
    let remaining = |budgeting, minutes: i64| {
        let mut told = Fold::new(0, two_weeks(budgeting));
        for minute in 0..WEEKS / MINUTE {
            let bad = if minute >= WEEKS / MINUTE - minutes { 99 } else { 1 };
            told.count("0", minute * MINUTE, minute * MINUTE, bad, 100);
        }
        let stands = told.at(WEEKS, "0");
        assert_eq!(stands.windows.last().unwrap().total, 20_160 * MINUTE);
        stands.budget_remaining
    };
    let slices = Budgeting::Timeslices { seconds: MINUTE, target: ratio("0.95") };
    let spent = 16 * 60 + 48;
    assert!(remaining(slices, spent).abs() < 1e-9, "16 h 48 min spend the budget");
    assert!(remaining(slices, spent - 1) > 0.0);
    // (0.99 - x) / 0.98 of the slices: 13 h 42.9 min; "about 13 hours and 45 minutes".
    let ratios = Budgeting::RatioTimeslices { seconds: MINUTE };
    assert!(remaining(ratios, 13 * 60 + 42) > 0.0);
    assert!(remaining(ratios, 13 * 60 + 43) < 0.0);
    assert!(remaining(ratios, 13 * 60 + 45) > -0.01);
}

/// OpenSLO's examples/treat-low-traffic-as-equally-important: a calendar week, 99.95 %, slices of a minute that are good
/// at 95 %: 5 minutes and 2.4 seconds of 10,080.
#[test]
fn openslo_low_traffic() {
    let calendar = Calendar::new(1, Unit::Week, "2026-11-16T00:00:00".parse().unwrap(), "UTC").unwrap();
    let begin = calendar.period_at(1_795_132_800).start;
    let slices = Budgeting::Timeslices { seconds: MINUTE, target: ratio("0.95") };
    let mut told = Fold::new(begin, slo(Window::Calendar(calendar), "0.9995", slices));
    // Of fewer than 100 requests 5 fail: a bad minute, whether they are 99 or 6. Of 100 it is a good one.
    let minutes = [(0, 5, 99), (7, 5, 6), (8, 5, 100), (9, 0, 1), (60, 5, 5)];
    for (minute, bad, total) in minutes {
        told.count("0", begin + minute * MINUTE, begin + minute * MINUTE, bad, total);
    }
    let stands = told.at(begin + 2 * DAY, "0");
    assert!((stands.budget_total - 302.4).abs() < 1e-6, "{}", stands.budget_total);
    let period = stands.windows.last().unwrap();
    assert_eq!((period.seconds, period.slot_seconds), (7 * DAY, 0));
    assert_eq!((period.total - period.good, period.total), (3 * MINUTE, 2 * DAY));
    assert!((stands.budget_remaining - (1.0 - 180.0 / 302.4)).abs() < 1e-9);
    for minute in 100..103 {
        told.count("0", begin + minute * MINUTE, begin + 2 * DAY + 1, 1, 1);
    }
    let late = told.at(begin + 2 * DAY + 2, "0");
    assert_eq!(late.too_late, 3, "later than 24 h: the slices stay as they are");
    assert_eq!(late.windows.last().unwrap().total - late.windows.last().unwrap().good, 3 * MINUTE);
    let sunday = told.at(begin + 7 * DAY - 1, "0");
    assert_eq!(sunday.previous, None, "nothing of the week before is covered");
    let next = told.at(begin + 7 * DAY + 1, "0");
    let before = next.previous.unwrap();
    assert_eq!((next.period_start, before.start), (Some(begin + 7 * DAY), begin));
    assert_eq!((before.total - before.good, before.seconds), (3 * MINUTE, 7 * DAY));
    assert_eq!((next.budget_remaining, next.windows.last().unwrap().total), (1.0, MINUTE));
}

/// By hand, from the definitions: a month in which the clocks go back has an hour more of budget, and a late event flips
/// its slice in the month in which that began.
#[test]
fn a_calendar_month_with_an_hour_more() {
    let calendar = Calendar::new(1, Unit::Month, "2026-01-01T00:00:00".parse().unwrap(), "Europe/Zurich").unwrap();
    let october = calendar.period_at(1_792_000_000);
    assert_eq!(october.seconds(), 31 * DAY + 3_600);
    let slices = Budgeting::Timeslices { seconds: MINUTE, target: ratio("0.9") };
    let mut told = Fold::new(october.start, slo(Window::Calendar(calendar), "0.999", slices));
    told.count("0", october.start + 5, october.start + 5, 1, 1);
    told.count("0", october.end - 1, october.end - 1, 1, 8);
    let stands = told.at(october.end, "0");
    assert!((stands.budget_total - (31.0 * DAY as f64 + 3_600.0) / 1_000.0).abs() < 1e-6);
    assert_eq!(stands.windows.last().unwrap().total - stands.windows.last().unwrap().good, 2 * MINUTE);
    // Two good ones come when it is November; with them 0.9 is reached.
    told.count("0", october.end - 30, october.end + 3_600, 0, 2);
    let flipped = told.at(october.end + 3_601, "0");
    let before = flipped.previous.unwrap();
    assert_eq!((before.total - before.good, before.total), (MINUTE, october.seconds()));
    assert_eq!(flipped.windows.last().unwrap().good, flipped.windows.last().unwrap().total);
}

/// By hand, from the definitions: 0.7 x 10 % + 0.3 x 50 % is 22 %.
#[test]
fn a_composite_is_the_mean_of_its_objectives_shares() {
    let mut slo = slo(Window::Rolling(30 * DAY), "0.9", Budgeting::Occurrences);
    let second = Objective { name: "1".into(), weight: ratio("0.3"), ..slo.objectives[0].clone() };
    slo.objectives[0].weight = ratio("0.7");
    slo.objectives.push(second);
    slo.composite = Some(Composite { target: ratio("0.9"), rules: policy::defaults(7 * DAY, ratio("0.99")).rules });
    let mut told = Fold::new(0, slo);
    told.count("0", 10, 10, 1, 10);
    told.count("1", 10, 10, 500, 1_000);
    let stands = told.at(20, "composite");
    let budget = stands.windows.last().unwrap();
    assert_eq!((stands.unit, budget.good, budget.total), (BudgetUnit::Share, 780_000_000, 1_000_000_000));
    assert!((budget.burn - 2.2).abs() < 1e-9);
    assert!((stands.budget_remaining + 1.2).abs() < 1e-9, "overspent");
    assert_eq!(stands.exhaustion_at, None);
    assert_eq!((stands.sli, stands.target), (Some(0.78), Some(0.9)));
    assert_eq!(stands.conditions.len(), 3);
    let single = told.at(21, "1");
    assert_eq!((single.unit, single.sli, single.conditions.len()), (BudgetUnit::Events, Some(0.5), 0));
}
