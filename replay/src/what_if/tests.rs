//! Which episodes belong together, and what became of each.

use slipstream_schemas::records::{AlertTransition, GroupLabel, TransitionKind as Kind};
use slipstream_store::alerts::AlertEpisode;

use super::*;

/// A transition: tick, kind, severity.
type Step = (i64, Kind, &'static str);

/// An episode of an alert, of a group of `slo`.
fn episode_of(id: &str, slo: &str, group: Option<&str>, steps: &[Step]) -> AlertHistory {
    let mut fired_at = None;
    let records: Vec<AlertTransition> = steps
        .iter()
        .zip(1..)
        .map(|((tick, kind, severity), seq)| {
            fired_at = fired_at.or(Some(*tick).filter(|_| *kind == Kind::Firing));
            AlertTransition {
                alert_id: id.to_owned(),
                episode: steps[0].0,
                seq,
                slo: slo.to_owned(),
                service: "shop".to_owned(),
                objective: "all".to_owned(),
                group: group
                    .iter()
                    .map(|value| GroupLabel { name: "service".to_owned(), value: (*value).to_owned() })
                    .collect(),
                rule_set: "burn".to_owned(),
                rule: "1h/5m".to_owned(),
                severity: (*severity).to_owned(),
                kind: *kind,
                tick: *tick,
                fired_at,
                values: Vec::new(),
                generation: 0,
                complete: true,
                labels: Vec::new(),
                annotations: Vec::new(),
                exemplars: Vec::new(),
                rule_kind: "burnrate".to_owned(),
                withdrawn: false,
                holds_since: None,
            }
        })
        .collect();
    AlertHistory {
        highest_burn_rates: BTreeMap::new(),
        lowest_budget: None,
        episode: AlertEpisode::new(&records[records.len() - 1]),
        open_before: false,
        transitions: Vec::new(),
        thresholds: Vec::new(),
        began_at: None,
        began_earlier: false,
        impact: None,
        contributors: Vec::new(),
        first_bad: Vec::new(),
        records,
    }
}

fn episode(steps: &[Step]) -> AlertHistory {
    episode_of("a", "checkout", None, steps)
}

const PENDING: Step = (100, Kind::Pending, "");
const TICKET: Step = (160, Kind::Firing, "ticket");
const PAGE: Step = (160, Kind::Firing, "page");
const OVER: Step = (400, Kind::Resolved, "ticket");

/// Then, given, what, in words, when they part.
type Becoming<'a> = (Option<&'a [Step]>, Option<&'a [Step]>, Change, &'a str, Option<i64>);

#[test]
fn what_becomes_of_an_alert() {
    let ticket = [PENDING, TICKET, OVER];
    let later_page = [PENDING, TICKET, (220, Kind::Severity, "page"), (400, Kind::Resolved, "page")];
    let sooner_page = [PENDING, TICKET, (200, Kind::Severity, "page"), (400, Kind::Resolved, "page")];
    let never = [PENDING, (130, Kind::Inactive, "")];
    let rows: [Becoming<'_>; 13] = [
        (Some(&ticket), Some(&ticket), Change::Same, "same", None),
        (Some(&ticket), None, Change::Lost, "lost", Some(160)),
        (None, Some(&ticket), Change::Gained, "gained", Some(160)),
        (Some(&ticket), Some(&never), Change::Lost, "lost", Some(160)),
        (
            Some(&ticket),
            Some(&[PENDING, (130, Kind::Firing, "ticket"), OVER]),
            Change::Earlier,
            "30s earlier",
            Some(130),
        ),
        (Some(&ticket), Some(&[PENDING, (190, Kind::Firing, "ticket"), OVER]), Change::Later, "30s later", Some(160)),
        (
            Some(&ticket),
            Some(&[PENDING, (190, Kind::Firing, "page"), (430, Kind::Resolved, "page")]),
            Change::Later,
            "30s later, page instead of ticket, ends 30s later",
            Some(160),
        ),
        (
            Some(&ticket),
            Some(&[PENDING, PAGE, (400, Kind::Resolved, "page")]),
            Change::Severity,
            "page instead of ticket",
            Some(160),
        ),
        (Some(&ticket), Some(&later_page), Change::Severity, "page instead of ticket", Some(220)),
        (Some(&later_page), Some(&sooner_page), Change::Severity, "has its severities at other times", Some(200)),
        (
            Some(&ticket),
            Some(&[PENDING, TICKET, (460, Kind::Resolved, "ticket")]),
            Change::Resolved,
            "ends 60s later",
            Some(400),
        ),
        (Some(&ticket), Some(&[PENDING, TICKET]), Change::Resolved, "is still firing at the end", Some(400)),
        (Some(&[PENDING, TICKET]), Some(&ticket), Change::Resolved, "ends", Some(400)),
    ];
    for (then, given, expected, words, parts_at) in rows {
        let (then, given) = (then.map(episode), given.map(episode));
        let found = change(then.as_ref(), given.as_ref()).unwrap();
        assert_eq!((found.change, found.in_words(|seconds| format!("{seconds}s")).as_str()), (expected, words));
        assert_eq!(parting(then.as_ref(), given.as_ref()), parts_at, "{words}");
    }
    assert_eq!(change(None, None), None);
}

#[test]
fn a_change_has_what_both_sides_say() {
    let then = episode_of("a", "checkout", Some("cart"), &[PENDING, TICKET, OVER]);
    let given = episode_of("b", "checkout", Some("cart"), &[(110, Kind::Pending, ""), PAGE]);
    let found = change(Some(&then), Some(&given)).unwrap();
    assert_eq!((found.id.as_str(), found.id_before.as_deref(), found.id_after.as_deref()), ("b", Some("a"), Some("b")));
    assert_eq!(found.group, Some([("service".to_owned(), "cart".to_owned())].into()));
    let severities = (found.severity_before.as_deref(), found.severity_after.as_deref(), found.severity.as_str());
    assert_eq!(severities, (Some("ticket"), Some("page"), "page"));
    assert_eq!((found.episode_before, found.episode_after), (Some(100), Some(110)));
    let resolved = (found.resolved_before.as_deref(), found.resolved_after.as_deref());
    assert_eq!(resolved, (Some("1970-01-01T00:06:40Z"), None));
    assert_eq!((found.changed_requests, found.looked_from, found.looked_to), (None, None, None));
}

/// What it is, the alerts then, those given, and the pairs.
type Pairing<'a> = (&'a str, Vec<AlertHistory>, Vec<AlertHistory>, &'a [(Option<Place>, Option<Place>)]);

#[test]
fn an_episode_belongs_to_that_of_its_alert_or_else_of_its_series_at_the_same_time() {
    let at = |id: &str, group: &str, from: i64, to: i64| {
        episode_of(
            id,
            "checkout",
            Some(group),
            &[(from, Kind::Pending, ""), (from, Kind::Firing, "page"), (to, Kind::Resolved, "page")],
        )
    };
    let never = || episode_of("z", "checkout", Some("cart"), &[PENDING, (130, Kind::Inactive, "")]);
    let rows: [Pairing<'_>; 7] = [
        ("nothing", vec![], vec![], &[]),
        ("never fired", vec![never()], vec![never()], &[]),
        ("the same alert", vec![at("a", "cart", 100, 200)], vec![at("a", "cart", 150, 300)], &[(Some(0), Some(0))]),
        (
            "at another time",
            vec![at("a", "cart", 100, 200)],
            vec![at("a", "cart", 201, 300)],
            &[(Some(0), None), (None, Some(0))],
        ),
        ("under another name", vec![at("a", "cart", 100, 200)], vec![at("b", "cart", 100, 200)], &[(Some(0), Some(0))]),
        (
            "of another group",
            vec![at("a", "cart", 100, 200)],
            vec![at("b", "pay", 100, 200)],
            &[(None, Some(0)), (Some(0), None)],
        ),
        (
            "its own name goes before its series",
            vec![at("a", "cart", 100, 200), at("b", "cart", 120, 220)],
            vec![at("b", "cart", 100, 210), at("c", "cart", 130, 230)],
            &[(Some(0), Some(1)), (Some(1), Some(0))],
        ),
    ];
    for (what, then, given, expected) in rows {
        assert_eq!(pairs(&then, &given), expected, "{what}");
    }
}

#[test]
fn one_that_is_lost_may_be_part_of_another() {
    let lost = episode(&[PENDING, PAGE, OVER]);
    let other = |slo: &str, from: i64, to: i64| {
        let steps = [(from, Kind::Pending, ""), (from + 10, Kind::Firing, "page"), (to, Kind::Resolved, "page")];
        episode_of("b", slo, None, &steps)
    };
    let rows = [
        (other("checkout", 0, 500), Some("1970-01-01T00:00:10Z")),
        (other("checkout", 0, 150), None),
        (other("checkout", 160, 500), None),
        (other("pay", 0, 500), None),
    ];
    for (other, expected) in rows {
        let found = within(&lost, &[other]);
        assert_eq!(found.as_deref(), expected);
        let told = AlertChange { within: found, ..change(Some(&lost), None).unwrap() }.in_words(|_| String::new());
        assert_eq!(told, expected.map_or("lost".to_owned(), |at| format!("lost: part of what fired at {at}")));
    }
}
