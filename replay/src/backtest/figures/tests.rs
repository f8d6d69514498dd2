//! Stories of firings and incidents, with what they come to.

use super::*;

const RANGE: Range = Range { from: 0, to: 100_000 };

fn incident(from: i64, to: i64, service: &str) -> Incident {
    Incident { from, to, service: service.to_owned(), what: String::new() }
}

fn labels(incidents: &[Incident]) -> Labels {
    Labels { incidents: incidents.to_vec(), grace: 60, ..Labels::default() }
}

fn firing(service: &str, fired: i64, ended: Option<i64>) -> Firing<'_> {
    Firing { alert: 0, services: [service; 2], fired, ended, pages: true, budget_gone: None }
}

/// Each of an alert of its own.
fn numbered(mut firings: Vec<Firing<'_>>) -> Vec<Firing<'_>> {
    (0..).zip(&mut firings).for_each(|(alert, firing)| firing.alert = alert);
    firings
}

/// incidents, found, already firing, missed, repeats, false.
fn verdict(firings: &[Firing<'_>], labels: &Labels) -> [u64; 6] {
    of_alerts(numbered(firings.to_vec()), labels)
}

fn of_alerts(firings: Vec<Firing<'_>>, labels: &Labels) -> [u64; 6] {
    let d = figures(firings, RANGE, Some(labels), |_| true).against_incidents.unwrap();
    [d.incidents, d.found, d.already_firing, d.missed, d.repeats, d.false_alarms]
}

#[test]
fn what_is_within_an_incident_and_what_is_not() {
    let one = labels(&[incident(1_000, 2_000, "a")]);
    for (firings, want, why) in [
        (vec![], [1, 0, 0, 1, 0, 0], "nothing fires"),
        (vec![firing("a", 1_000, Some(1_100))], [1, 1, 0, 0, 0, 0], "at its beginning"),
        (vec![firing("a", 2_060, Some(2_100))], [1, 1, 0, 0, 0, 0], "at the end of its grace"),
        (vec![firing("a", 2_061, Some(2_100))], [1, 0, 0, 1, 0, 1], "behind its grace"),
        (vec![firing("a", 999, Some(1_000))], [1, 0, 0, 1, 0, 1], "over when it begins"),
        (vec![firing("a", 999, Some(1_001))], [1, 0, 1, 0, 0, 1], "just before it, and still open"),
        (vec![firing("a", 999, None), firing("a", 1_500, None)], [1, 1, 0, 0, 0, 1], "another finds it"),
        (vec![firing("b", 1_000, Some(1_100))], [1, 0, 0, 1, 0, 1], "another service"),
        (vec![firing("a", 1_200, None), firing("a", 1_100, Some(1_150))], [1, 1, 0, 0, 1, 0], "it flaps"),
    ] {
        assert_eq!(verdict(&firings, &one), want, "{why}");
    }
}

#[test]
fn one_firing_finds_all_incidents_that_it_is_in() {
    let two = labels(&[incident(1_000, 2_000, "a"), incident(1_500, 2_500, "")]);
    assert_eq!(verdict(&[firing("a", 1_600, None)], &two), [2, 2, 0, 0, 0, 0]);
    // Each is the first in one of them.
    assert_eq!(verdict(&[firing("a", 1_200, None), firing("b", 1_600, None)], &two), [2, 2, 0, 0, 0, 0]);
    // The first one was before the second incident, and is still open.
    assert_eq!(verdict(&[firing("a", 1_200, None)], &two), [2, 1, 1, 0, 0, 0]);
}

#[test]
fn an_alert_of_any_service_finds_an_incident_if_that_is_asked_for() {
    let one = Labels { any_service: true, ..labels(&[incident(1_000, 2_000, "a")]) };
    assert_eq!(verdict(&[firing("b", 1_100, None)], &one), [1, 1, 0, 0, 0, 0]);
    // An incident without a service is everybody's.
    assert_eq!(verdict(&[firing("b", 1_100, None)], &labels(&[incident(1_000, 2_000, "")])), [1, 1, 0, 0, 0, 0]);
}

#[test]
fn an_incident_that_is_set_aside_is_not_looked_at() {
    let aside = Labels { set_aside: vec![incident(1_500, 3_000, "a")], ..labels(&[incident(1_000, 2_000, "a")]) };
    let firings = [firing("a", 1_600, Some(1_700)), firing("a", 2_900, Some(2_950)), firing("a", 5_000, None)];
    assert_eq!(verdict(&firings, &aside), [1, 1, 0, 0, 0, 1]);
    let figures = figures(numbered(firings.to_vec()), RANGE, Some(&aside), |_| true);
    assert_eq!(figures.firings, 2, "the one in both counts, that in the other alone does not");
}

#[test]
fn only_what_begins_in_the_range_counts() {
    let range = Range { from: 1_000, to: 2_000 };
    let firings = vec![firing("a", 900, Some(1_100)), firing("a", 1_950, None), firing("a", 2_100, None)];
    let early = labels(&[incident(500, 990, "a"), incident(2_050, 2_100, "a")]);
    let all = figures(numbered(firings), range, Some(&early), |_| true);
    let found = all.against_incidents.unwrap();
    assert_eq!((all.firings, all.firing_seconds), (1, 100 + 50));
    assert_eq!((found.incidents, found.false_alarms), (0, 1));
}

#[test]
fn figures_of_a_quiet_week_and_of_nothing() {
    let week = Range { from: 0, to: 604_800 };
    let mut firings = vec![firing("a", 10, Some(20)), firing("a", 100, Some(400)), firing("b", 604_700, None)];
    firings[0].pages = false;
    (firings[0].budget_gone, firings[2].budget_gone) = (Some(0.1), Some(0.4));
    let all = figures(numbered(firings), week, None, |_| true);
    assert_eq!((all.firings, all.pages, all.pages_a_week), (3, 2, Some(2.0)));
    assert_eq!((all.firing_seconds, all.budget_gone, all.against_incidents), (10 + 300 + 100, Some(0.25), None));

    let empty = figures(Vec::new(), Range { from: 5, to: 5 }, Some(&Labels::default()), |_| true);
    assert_eq!((empty.firings_a_week, empty.firing_seconds), (None, 0));
    assert_eq!(empty.against_incidents, Some(Detection::default()));
}

#[test]
fn the_time_to_detect_is_from_an_incidents_beginning() {
    let three = labels(&[incident(1_000, 2_000, ""), incident(5_000, 6_000, ""), incident(9_000, 9_000, "")]);
    let firings = vec![firing("a", 1_030, None), firing("a", 1_010, None), firing("a", 5_090, None)];
    let found = figures(numbered(firings), RANGE, Some(&three), |_| true).against_incidents.unwrap();
    assert_eq!((found.time_to_detect_seconds, found.longest_to_detect_seconds), (Some(50.0), Some(90)));
    // The third was missed: a moment and its grace.
    assert_eq!(found.unnoticed_seconds, Some((10.0 + 90.0 + 60.0) / 3.0));
    // Of 100,000 seconds these are quiet: three graces of 60 s, and last seconds, off.
    assert_eq!((found.quiet_seconds, found.false_a_quiet_week), (100_000 - 2 * 1_061 - 61, Some(0.0)));
}

#[test]
fn an_alert_that_becomes_worse_tells_people_again_and_stays_one() {
    // (when it is told, incidents found, already firing, missed, repeats, false)
    let story = labels(&[incident(1_000, 2_000, "a"), incident(5_000, 6_000, "a")]);
    for (told, want, why) in [
        (vec![1_100, 1_200], [2, 1, 1, 0, 0, 0], "a ticket becomes a page in the same incident: no repeat"),
        (vec![100, 5_100], [2, 1, 1, 0, 0, 1], "a false ticket becomes the page that finds an incident"),
        (vec![1_100, 3_000], [2, 1, 1, 0, 0, 1], "a ticket that found one becomes a page for nothing"),
        (vec![100, 200, 300], [2, 0, 2, 0, 0, 1], "it is false once"),
    ] {
        let firings: Vec<Firing<'_>> = told.into_iter().map(|at| firing("a", at, None)).collect();
        let all = figures(firings.clone(), RANGE, Some(&story), |_| true);
        assert_eq!((all.firings, all.pages), (1, 1), "{why}");
        assert_eq!(all.firing_seconds, 100_000 - firings[0].fired, "{why}");
        assert_eq!(of_alerts(firings, &story), want, "{why}");
    }
    // It fired before the range, and becomes a page in it.
    let (mut before, page) = (firing("a", 900, None), firing("a", 1_100, None));
    before.pages = false;
    let late = figures(vec![before, page], Range { from: 1_000, to: 9_000 }, Some(&story), |_| true);
    assert_eq!((late.firings, late.pages, late.firing_seconds), (1, 1, 8_000));
    assert_eq!(late.against_incidents.map(|found| (found.found, found.false_alarms)), Some((1, 0)));
}

#[test]
fn the_rate_of_false_alarms_is_of_the_time_that_they_are_counted_in() {
    // a's alarm in b's incident is false, but the time of that incident is not quiet for all.
    let two = labels(&[incident(10_000, 59_939, "b"), incident(70_000, 70_000, "a")]);
    let firings = || numbered(vec![firing("a", 20_000, Some(20_100)), firing("a", 80_000, Some(80_100))]);
    let of = |watches: &dyn Fn(&Incident) -> bool| {
        let found = figures(firings(), RANGE, Some(&two), watches).against_incidents.unwrap();
        (found.false_alarms, found.false_in_quiet, found.quiet_seconds, found.false_a_quiet_week)
    };
    let all = 100_000 - 50_000 - 61;
    assert_eq!(of(&|_| true), (2, 1, all, Some(604_800.0 / all as f64)));
    // A rule of a's has more quiet time.
    let own = 100_000 - 61;
    assert_eq!(of(&|incident| incident.service == "a"), (2, 2, own, Some(2.0 * 604_800.0 / own as f64)));
}

#[test]
fn little_time_has_counts_and_no_rates() {
    let minute = Range { from: 0, to: 60 };
    let quick = figures(vec![firing("a", 10, None)], minute, Some(&labels(&[])), |_| true);
    assert_eq!((quick.pages, quick.pages_a_week, quick.firings_a_week), (1, None, None));
    // A week of which half an hour is quiet.
    let week = Range { from: 0, to: 604_800 };
    let loud = labels(&[incident(1_800, 604_800, "")]);
    let found = figures(vec![firing("a", 10, Some(20))], week, Some(&loud), |_| true).against_incidents.unwrap();
    assert_eq!((found.false_in_quiet, found.quiet_seconds, found.false_a_quiet_week), (1, 1_800, None));
}
