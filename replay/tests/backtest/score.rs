//! A week with two services, three incidents and a few alerts, scored.

use serde_json::json;
use slipstream_replay::backtest::Range;
use slipstream_replay::backtest::alerts::Worth;
use slipstream_replay::backtest::facts::{Facts, Fired, Watched};
use slipstream_replay::backtest::figures::Figures;
use slipstream_replay::backtest::labels::Labels;
use slipstream_replay::backtest::report::Backtest;
use slipstream_replay::backtest::score::{Score, score};
use slipstream_replay::backtest::tables;

use super::world::{START, fired, incident, labels, telling, watched};

const WEEK: Range = Range { from: START, to: START + 604_800 };

/// found, already firing, missed, repeats, false.
fn verdict(figures: &Figures) -> [u64; 5] {
    let d = figures.against_incidents.as_ref().expect("there are labels");
    [d.found, d.already_firing, d.missed, d.repeats, d.false_alarms]
}

/// A page and a ticket at `web`, a page at `db`.
fn rules() -> [Watched; 3] {
    [watched("web", "1h/5m", "page"), watched("web", "1d/2h", "ticket"), watched("db", "1h/5m", "page")]
}

/// The web is down at minute 1,000 and a deploy hurts everybody at 5,000; the disk at 3,000 shows at the web alone.
fn story() -> (Labels, Vec<Fired>) {
    let labels = labels(&[
        incident(1_000, 1_030, "web", "down"),
        incident(3_000, 3_060, "db", "disk full"),
        incident(5_000, 5_010, "", "deploy"),
    ]);
    let [page, ticket, db] = rules();
    let mut alerts = vec![
        fired(&page, 1_004, Some(1_040)),
        fired(&page, 1_030, Some(1_035)),
        fired(&ticket, 3_010, Some(3_500)),
        fired(&db, 4_990, None),
        fired(&page, 5_012, Some(5_020)),
        fired(&page, 8_000, Some(8_001)),
    ];
    (alerts[0].first.budget_gone, alerts[5].first.budget_gone) = (Some(0.04), Some(0.02));
    (labels, alerts)
}

fn scored(labels: Option<&Labels>, alerts: &[Fired], range: Range) -> Score {
    score(&Facts { range, watched: &rules(), alerts, rules: alerts, labels })
}

#[test]
fn each_rule_answers_for_its_service_and_all_for_everything() {
    let (labels, alerts) = story();
    let score = scored(Some(&labels), &alerts, WEEK);
    let rules: Vec<_> = score.rules.iter().map(|rule| (rule.slo.as_str(), verdict(&rule.figures))).collect();
    assert_eq!(
        rules,
        [
            // Found the outage and, in its grace, the deploy; repeated itself once; woke somebody for nothing once.
            ("web-answers", [2, 0, 0, 1, 1]),
            // Neither outage nor deploy made a ticket; that for the disk is of another service.
            ("web-answers", [0, 0, 2, 0, 1]),
            // Missed its disk; was firing when the deploy began, which nobody asked for.
            ("db-answers", [0, 1, 1, 0, 1]),
        ]
    );
    let sets: Vec<_> = score.rule_sets.iter().map(|set| verdict(&set.figures)).collect();
    assert_eq!(sets, [[2, 0, 0, 1, 2], [0, 1, 1, 0, 1]]);
    let severities: Vec<_> = score.severities.iter().map(|s| (s.severity.as_str(), verdict(&s.figures))).collect();
    assert_eq!(severities, [("page", [2, 0, 1, 1, 2]), ("ticket", [0, 0, 3, 0, 1])]);
    assert_eq!(verdict(&score.all), [2, 0, 1, 1, 3]);
}

#[test]
fn figures_of_a_week() {
    let (labels, alerts) = story();
    let score = scored(Some(&labels), &alerts, WEEK);
    let all = &score.all;
    assert_eq!((all.firings, all.firings_a_week, all.pages, all.pages_a_week), (6, Some(6.0), 5, Some(5.0)));
    // The one that has no end lasts to the end of the week.
    assert_eq!(all.firing_seconds, 60 * (36 + 5 + 490 + (10_080 - 4_990) + 8 + 1));
    assert_eq!(all.budget_gone, Some(0.03));
    let found = all.against_incidents.as_ref().unwrap();
    assert_eq!((found.time_to_detect_seconds, found.longest_to_detect_seconds), (Some(8.0 * 60.0), Some(12 * 60)));
    // An incident lasts to its last second, and the grace after it.
    let loud = (30 + 60 + 10) * 60 + 3 * 121;
    assert_eq!(score.quiet_seconds, Some(604_800 - loud));
}

#[test]
fn any_service_may_find_an_incident_if_services_depend_on_each_other() {
    let (labels, alerts) = story();
    let labels = Labels { any_service: true, ..labels };
    let score = scored(Some(&labels), &alerts, WEEK);
    // The ticket of the web found the disk.
    assert_eq!(verdict(&score.all), [3, 0, 0, 1, 2]);
    assert_eq!(score.incidents[1].found_by.as_ref().map(|by| by.rule.as_str()), Some("1d/2h"));
}

#[test]
fn an_alert_of_a_group_is_of_its_service() {
    let labels = labels(&[incident(100, 110, "db", "")]);
    let mut of = watched("shop", "1h/5m", "page");
    let mut alert = fired(&of, 101, None);
    alert.group.insert("service".to_owned(), "db".to_owned());
    of.services.insert("db".to_owned());
    let facts = Facts { range: WEEK, watched: &[of], alerts: &[alert], rules: &[], labels: Some(&labels) };
    let score = score(&facts);
    assert_eq!(verdict(&score.all), [1, 0, 0, 0, 0]);
    assert_eq!(score.incidents[0].time_to_detect_seconds, Some(60));
    assert_eq!(verdict(&score.rules[0].figures), [0, 0, 1, 0, 0], "alone it would not have fired");
}

#[test]
fn each_alert_is_told_with_what_it_was_worth() {
    let (labels, alerts) = story();
    let worth = |labels: Option<&Labels>| -> Vec<Option<Worth>> {
        scored(labels, &alerts, WEEK).alerts.iter().map(|alert| alert.worth).collect()
    };
    let all = [Worth::Found, Worth::Repeat, Worth::False, Worth::False, Worth::Found, Worth::False];
    assert_eq!(worth(Some(&labels)), all.map(Some));
    assert_eq!(worth(None), [None; 6]);
    // The deploy does not count, and neither does what fired in it.
    let (mut aside, mut others) = (labels.clone(), labels);
    others.incidents.truncate(2);
    aside.set_aside = vec![aside.incidents.remove(2)];
    assert_eq!(worth(Some(&aside))[4], Some(Worth::SetAside));
    assert_eq!(worth(Some(&others))[4], Some(Worth::False));
    let table = tables::false_alarms(&scored(Some(&aside), &alerts, WEEK));
    assert_eq!(table.rows[0], ["2026-01-07T02:10:00Z", "8 h 10 min", "web-answers/answered", "1d/2h", "ticket"]);
    assert_eq!(table.rows.len(), 3);
}

/// A ticket at minute 600 that becomes a page at 723, while the web is down: 08:00 and 10:03 of another day.
#[test]
fn a_ticket_that_becomes_a_page_is_a_page_from_then_on() {
    let [page, ticket, _] = rules();
    let labels = labels(&[incident(720, 740, "web", "down")]);
    let mut alert = fired(&ticket, 600, Some(800));
    alert.rises = vec![telling(&page, 723)];
    alert.rises[0].budget_gone = Some(0.1);
    let score = scored(Some(&labels), &[alert], WEEK);
    let of = |name: &str| &score.severities.iter().find(|part| part.severity == name).unwrap().figures;
    assert_eq!((verdict(of("page")), verdict(of("ticket"))), ([1, 0, 0, 0, 0], [0, 1, 0, 0, 1]));
    assert_eq!((of("page").pages, of("page").firing_seconds, of("page").budget_gone), (1, 77 * 60, Some(0.1)));
    assert_eq!((of("ticket").pages, of("ticket").firing_seconds), (0, 200 * 60));
    // It is one alert, which was false at first, and found the incident when it paged.
    assert_eq!((score.all.firings, score.all.pages, verdict(&score.all)), (1, 1, [1, 0, 0, 0, 1]));
    let [found] = &score.incidents[..] else { panic!("{:?}", score.incidents) };
    let by = found.found_by.as_ref().map(|by| (by.rule.as_str(), by.severity.as_str()));
    assert_eq!((by, found.time_to_detect_seconds, found.alerts), (Some(("1h/5m", "page")), Some(180), 1));
    let [told] = &score.alerts[..] else { panic!("{:?}", score.alerts) };
    assert_eq!((told.severity.as_str(), told.worth), ("ticket", Some(Worth::False)));
    assert_eq!((told.rises[0].severity.as_str(), told.rises[0].worth), ("page", Some(Worth::Found)));
    assert_eq!(
        tables::false_alarms(&score).rows,
        [["2026-01-05T10:00:00Z", "3 h 20 min", "web-answers/answered", "1d/2h", "ticket, page after 2 h 3 min"]]
    );
}

#[test]
fn a_short_range_has_counts_and_no_rates() {
    let [page, ..] = rules();
    let minute = Range { from: START, to: START + 60 };
    let score = scored(None, &[fired(&page, 0, None)], minute);
    let table = tables::severities(&score);
    assert_eq!(table.rows[0][..3], ["page", "1", "1 in all"]);
    assert_eq!(tables::remarks(&score), ["The range is shorter than an hour: pages are counts, not weekly rates."]);
}

#[test]
fn without_labels_there_is_only_what_fired() {
    let (_, alerts) = story();
    let score = scored(None, &alerts, WEEK);
    assert_eq!((score.quiet_seconds, score.quiet_share, score.incidents.len()), (None, None, 0));
    assert!(score.rules.iter().all(|rule| rule.figures.against_incidents.is_none()));
    assert_eq!(score.rules[2].figures.firing_seconds, (10_080 - 4_990) * 60);
    assert_eq!(tables::rules(&score).head.last(), Some(&"BUDGET GONE"));
}

#[test]
fn no_incidents_make_every_alarm_false_and_an_empty_range_has_nothing() {
    let (_, alerts) = story();
    let none = Labels::default();
    let score = scored(Some(&none), &alerts, WEEK);
    assert_eq!((verdict(&score.all), score.quiet_share), ([0, 0, 0, 0, 6], Some(1.0)));

    let (labels, _) = story();
    let empty = scored(Some(&labels), &alerts, Range { from: START, to: START });
    assert_eq!((verdict(&empty.all), empty.quiet_share, empty.all.pages_a_week), ([0; 5], None, None));
    assert_eq!((empty.incidents.len(), empty.all.firing_seconds), (0, 0));
}

#[test]
fn json_has_the_documented_names() {
    let (labels, alerts) = story();
    let backtest = Backtest { score: scored(Some(&labels), &alerts, WEEK), suggestions: Vec::new() };
    let shown = serde_json::to_value(&backtest).unwrap();
    let mut names: Vec<&String> = shown.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "alerts",
            "all",
            "from",
            "incidents",
            "quiet_seconds",
            "quiet_share",
            "rule_sets",
            "rules",
            "severities",
            "suggestions",
            "to"
        ]
    );
    assert_eq!(shown["from"], "2026-01-05T00:00:00Z");
    assert_eq!(
        shown["incidents"][0],
        json!({
            "from": "2026-01-05T16:40:00Z", "to": "2026-01-05T17:10:00Z", "service": "web", "what": "down",
            "found_by": {"slo": "web-answers", "objective": "answered", "group": {}, "rule": "1h/5m", "severity": "page"},
            "time_to_detect_seconds": 240, "already_firing": false, "alerts": 2,
        })
    );
    assert_eq!(shown["incidents"][1]["found_by"], json!(null));
    let rule = &shown["rules"][1];
    assert_eq!(
        (&rule["severity"], &rule["firings"], &rule["pages_a_week"]),
        (&json!("ticket"), &json!(1), &json!(0.0))
    );
    assert_eq!((&rule["against_incidents"]["missed"], &rule["against_incidents"]["false"]), (&json!(2), &json!(1)));
}

#[test]
fn tables_for_people() {
    let (labels, alerts) = story();
    let score = scored(Some(&labels), &alerts, WEEK);
    let incidents = tables::incidents(&score);
    assert_eq!(
        incidents.rows[0],
        ["2026-01-05T16:40:00Z", "30 min", "web", "down", "web-answers/answered 1h/5m (page)", "4 min", "2"]
    );
    assert_eq!(incidents.rows[1][4..], ["missed", "", "0"]);
    let rules = tables::rules(&score);
    assert_eq!(
        rules.rows[0],
        [
            "web-answers",
            "answered",
            "1h/5m",
            "page",
            "4",
            "4",
            "50 min",
            "3 %",
            "2 of 2",
            "0",
            "1",
            "1",
            "8 min",
            "12 min"
        ]
    );
    assert_eq!(rules.rows[2][8..], ["0 of 2", "1 (+1 already firing)", "1", "0", "", ""]);
    for table in [incidents, rules, tables::rule_sets(&score), tables::severities(&score)] {
        assert!(table.rows.iter().all(|row| row.len() == table.head.len()), "{table:?}");
        assert!(table.right.iter().all(|name| table.head.contains(name)), "{table:?}");
    }
    assert_eq!(tables::remarks(&score), ["6 d 22 h of 7 d were without an incident of any service (98.9 %)."]);
}
