//! What the report says, word for word.

use slipstream_replay::outcome::{AlertHistory, Impact, Outcome, TransitionShown};
use slipstream_replay::report::Told;
use slipstream_store::alerts::AlertState;

use crate::made_up::{self, at};
use crate::{page, told};

/// The summary's paragraphs.
fn summary(told: &Told<'_>) -> Vec<String> {
    page(told).section("summary").named("p").iter().map(|paragraph| paragraph.text()).collect()
}

/// The one paragraph of an outcome whose alert was changed.
fn with_alert(change: impl FnOnce(&mut AlertHistory)) -> String {
    let mut outcome = made_up::incident();
    change(&mut outcome.alerts[0]);
    summary(&told(&outcome)).join("\n")
}

#[test]
fn an_incident_in_sentences() {
    let expected = "Between 10:15:04 and 10:33:10 UTC, checkout-availability burned its 30-day error budget at up to 292 times the allowed rate (over 5m). \
                    The alert went pending at 10:15:40, fired (page) at 10:15:45, 41 s after its budget began to burn too fast, and resolved at \
                    10:33:10. 12,044 of 81,000 requests were bad (14.9 %), from 311 users. 98 % of the bad requests went to /pay \
                    (22 % of all requests), 82 % had region eu-west-1 (41 % of all) and 97 % had status 503 (15 % of all). The \
                    budget left fell from 93 % to 62 %. The last change before that was the deploy of 2.4.1 to checkout at \
                    10:14:33, 31 s before it began.";
    assert_eq!(summary(&told(&made_up::incident())), [expected]);
}

#[test]
fn one_of_each_is_singular() {
    let whole = || Impact { whole: true, ..Impact::default() };
    let text = with_alert(|alert| alert.impact = Some(Impact { bad: 1, total: 1, users: Some(1), ..whole() }));
    assert!(text.contains("1 of 1 request was bad (100 %), from 1 user."), "{text}");
    let text = with_alert(|alert| alert.impact = Some(Impact { bad: 2, total: 4_000_000, ..whole() }));
    assert!(text.contains("2 of 4,000,000 requests were bad (< 0.001 %)."), "{text}");
    let text = with_alert(|alert| alert.impact = Some(whole()));
    assert!(text.contains("No requests were counted while it was open."), "{text}");
}

#[test]
fn what_was_not_looked_into_has_no_figures() {
    let not_looked_into = |alert: &mut AlertHistory| {
        (alert.impact, alert.began_at) = (None, None);
        (alert.contributors, alert.first_bad) = (Vec::new(), Vec::new());
    };
    let text = with_alert(not_looked_into);
    let expected =
        "fired (page) at 10:15:45 and resolved at 10:33:10. Its requests were not looked into. The budget left";
    assert!(text.starts_with("Between 10:15:40 and 10:33:10 UTC") && text.contains(expected), "{text}");
    let text = with_alert(|alert| {
        not_looked_into(alert);
        (alert.episode.state, alert.episode.fired_at) = (AlertState::Inactive, None);
    });
    assert!(text.contains("As it did not fire, its requests were not looked into."), "{text}");

    let mut outcome = made_up::incident();
    not_looked_into(&mut outcome.alerts[0]);
    let page = page(&told(&outcome));
    let cells: Vec<String> = page.section("summary").named("td").iter().map(|cell| cell.text()).collect();
    assert_eq!(cells[cells.len() - 2..], ["not looked into", "–"]);
    let figures: Vec<String> = page.named("dd").iter().map(|figure| figure.text()).collect();
    assert_eq!(figures[2..4], ["–", "not looked into"]);
    assert!(!figures.iter().any(|figure| figure.contains("began to burn")), "{figures:?}");
}

#[test]
fn figures_of_a_part_say_of_which() {
    let mut outcome = made_up::incident();
    let impact = outcome.alerts[0].impact.as_mut().unwrap();
    (impact.whole, impact.to, impact.users_at_least) = (false, at(1_500), true);
    let text = summary(&told(&outcome)).join("\n");
    let expected =
        "From 10:15:04 to 10:25:00 UTC, 12,044 of 81,000 requests were bad (14.9 %), from at least 311 users.";
    assert!(text.contains(expected), "{text}");
    let page = page(&told(&outcome));
    let cells: Vec<String> = page.section("summary").named("td").iter().map(|cell| cell.text()).collect();
    assert_eq!(cells[cells.len() - 2..], ["12,044 (from 10:15:04 to 10:25:00)", "at least 311"]);
    let figures: Vec<String> = page.named("dd").iter().map(|figure| figure.text()).collect();
    assert_eq!(figures[3..5], ["14.9 % of 81,000, from 10:15:04 to 10:25:00", "at least 311"]);
    let heading = page.section("contributors").named("h3")[0].text();
    assert_eq!(heading, "Bad requests of checkout-availability, from 10:15:04 to 10:25:00");
    let text = with_alert(|alert| alert.impact = Some(Impact { from: at(0), to: at(60), ..Impact::default() }));
    assert!(text.contains("No requests were counted from 10:00:00 to 10:01:00."), "{text}");
}

#[test]
fn what_may_have_begun_earlier_says_so() {
    let text = with_alert(|alert| alert.began_earlier = true);
    assert!(text.contains("at least 41 s after its budget began to burn too fast,"), "{text}");
    assert!(
        text.ends_with("The last change before 10:15:04 was the deploy of 2.4.1 to checkout at 10:14:33."),
        "{text}"
    );
}

#[test]
fn states_of_an_alert() {
    let firing = with_alert(|alert| {
        alert.began_at = None;
        alert.episode.state = AlertState::Firing;
        alert.episode.resolved_at = None;
        alert.open_before = true;
        alert.episode.pending_at = "2026-11-29T09:59:10Z".to_owned();
    });
    let expected = "The alert went pending at 09:59:10, fired (page) at 10:15:45 and was still firing when the range ended. It was \
                    open before the range began.";
    assert!(firing.starts_with("From 10:00:00 UTC on, checkout-availability burned"), "{firing}");
    assert!(firing.contains(expected), "{firing}");
    let inactive = with_alert(|alert| {
        alert.episode.state = AlertState::Inactive;
        alert.episode.resolved_at = None;
        alert.episode.fired_at = None;
        alert.episode.at = at(1_000);
    });
    let expected = "The alert went pending at 10:15:40 and never fired; its condition ended at 10:16:40.";
    assert!(inactive.contains(expected), "{inactive}");
}

#[test]
fn what_stands_out_is_told_only_if_something_does() {
    let alike = [("/pay", 6_000, 0.5, 0.48), ("/cart", 6_044, 0.5, 0.52)];
    let text = with_alert(|alert| alert.contributors = vec![made_up::dimension("endpoint", &alike)]);
    assert!(text.contains("No single endpoint, status or other value stands out among the bad requests."), "{text}");
    let without = [("", 9_000, 0.75, 0.1)];
    let text = with_alert(|alert| alert.contributors = vec![made_up::dimension("attributes.region", &without)]);
    assert!(text.contains("75 % of the bad requests had no region (10 % of all requests)."), "{text}");
}

#[test]
fn a_budget_that_covers_less_than_its_period_says_so() {
    let mut outcome = made_up::incident();
    outcome.slos[0].status.covers_period = false;
    outcome.slos[0].status.covered_from = Some("2026-11-26T09:48:00Z".to_owned());
    let text = summary(&told(&outcome)).join("\n");
    assert!(text.contains("fell from 93 % to 62 % (counting requests since 26 Nov 09:48:00)."), "{text}");
    outcome.slos[0].timeline.iter_mut().for_each(|step| step.budget_remaining -= 0.7);
    let text = summary(&told(&outcome)).join("\n");
    assert!(
        text.contains(
            "fell from 23 % to −8 % (counting requests since 26 Nov 09:48:00): more than all of it is spent."
        ),
        "{text}"
    );
}

/// Steps tell how it was at their ends.
#[test]
fn the_worst_is_that_of_each_second_where_it_is_known() {
    let text = with_alert(|alert| {
        alert.highest_burn_rates = [("5m".to_owned(), 311.0), ("1h".to_owned(), 25.0)].into();
        alert.lowest_budget = Some(-0.2);
    });
    assert!(text.contains("at up to 311 times the allowed rate (over 5m)."), "{text}");
    assert!(text.contains("The budget left fell from 93 % to −20 %, and was 62 % at its end."), "{text}");
    let text = with_alert(|alert| alert.lowest_budget = Some(0.9));
    assert!(text.contains("The budget left fell from 93 % to 62 %."), "{text}");
}

#[test]
fn of_several_alerts_three_are_told_and_the_rest_is_in_the_table() {
    let mut outcome = made_up::incident();
    for (i, severity) in ["ticket", "page", "ticket", ""].into_iter().enumerate() {
        let mut alert = made_up::alert();
        alert.episode.id = format!("other-{i}");
        alert.episode.slo = format!("other-{i}");
        alert.episode.severity = severity.to_owned();
        let fired = alert.transitions.iter_mut().filter(|step| !step.severity.is_empty());
        fired.for_each(|step| step.severity = severity.to_owned());
        alert.impact.as_mut().unwrap().bad = 100 + i as i64;
        if severity.is_empty() {
            alert.episode.state = AlertState::Inactive;
            alert.episode.fired_at = None;
        }
        outcome.alerts.push(alert);
    }
    let told = told(&outcome);
    let rows = |told: &Told<'_>| -> Vec<String> {
        let page = page(told);
        let names = page.section("summary").named("th").into_iter().filter(|head| head.get("scope") == Some("row"));
        names.map(|name| name.text()).collect()
    };
    assert_eq!(rows(&told), ["checkout-availability", "other-1", "other-2", "other-0", "other-3"]);
    let paragraphs = summary(&told);
    assert_eq!(paragraphs.len(), 4);
    assert!(paragraphs[1].contains("an alert of other-1 was open."), "{}", paragraphs[1]);
    assert_eq!(paragraphs[3], "2 more alerts are in the table.");
    assert_eq!(rows(&Told { focus: Some("other-3"), ..told })[0], "other-3");
    assert_eq!(rows(&Told { focus: Some("other-2/1795947340"), ..told })[0], "other-2");
}

/// The severity that it has at the end is not the one that it fired with.
#[test]
fn an_alert_that_became_worse_is_told_by_each_severity() {
    let mut outcome = made_up::incident();
    let alert = &mut outcome.alerts[0];
    let fired = alert.transitions.iter().position(|step| step.kind == "firing").unwrap();
    let step = |at: &str, severity: &str| TransitionShown {
        at: at.to_owned(),
        kind: "severity".to_owned(),
        severity: severity.to_owned(),
        ..alert.transitions[fired].clone()
    };
    let worse = [step("2026-11-29T10:20:00Z", "page"), step("2026-11-29T10:25:00Z", "ticket")];
    alert.transitions[fired].severity = "ticket".to_owned();
    alert.transitions.splice(fired + 1.., worse);
    alert.episode.severity = "ticket".to_owned();
    assert_eq!(alert.worst().0, "page");
    let text = summary(&told(&outcome)).join("\n");
    assert!(text.contains("fired (ticket) at 10:15:45"), "{text}");
    assert!(text.contains(" It was a page from 10:20:00 on."), "{text}");
}

#[test]
fn an_alert_that_was_asked_for_and_is_not_there_is_told() {
    let outcome = made_up::incident();
    let expected = "The alert nobody/1, around which this range was chosen, was not open by these definitions.";
    assert_eq!(summary(&Told { focus: Some("nobody/1"), ..told(&outcome) })[0], expected);
}

#[test]
fn without_alerts() {
    let quiet = Outcome { alerts: Vec::new(), ..made_up::incident() };
    let expected = "No alert was open in this range, which has 1,081,000 requests. The highest burn rate was that of \
                    checkout-availability: 292 over 5m at 10:21:00. At the end 62 % of its budget was left.";
    assert_eq!(summary(&told(&quiet)), [expected]);
    let without_objectives = Outcome { slos: Vec::new(), events: 1, ..quiet };
    let expected =
        "No alert was open in this range, which has 1 request. There were no objectives to hold them against.";
    assert_eq!(summary(&told(&without_objectives)), [expected]);
    assert_eq!(summary(&told(&made_up::empty())), ["No requests were found in this range, and no alert was open."]);
}

#[test]
fn the_post_mortem_has_the_facts_and_asks_for_the_rest() {
    let page = page(&told(&made_up::incident()));
    let section = page.section("post-mortem");
    let headings: Vec<String> = section.named("h3").iter().map(|heading| heading.text()).collect();
    assert_eq!(headings, ["Impact", "Detection", "Timeline", "Cause", "What was done", "Actions", "Lessons"]);
    let text = section.text();
    for fact in [
        "checkout-availability, from 10:15:04 to 10:33:10 UTC (18 min 6 s): 12,044 of 81,000 requests were bad",
        "fired (page) at 10:15:45, 41 s after its budget began to burn too fast, and resolved",
        "The last change before that was the deploy of 2.4.1 to checkout at 10:14:33",
        "At 10:23:00: the deploy of 2.4.0 to checkout (back to the former version).",
    ] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    let fields = section.named("p").into_iter().filter(|field| field.get("class") == Some("to-write"));
    let fields: Vec<String> = fields.map(|field| field.named("strong")[0].text()).collect();
    assert_eq!(fields.len(), 10, "{fields:?}");
    let markdown = section.named("pre")[0].text();
    assert!(
        markdown.starts_with("# Post-mortem: Incident report: checkout-availability\n\n29 November 2026"),
        "{markdown}"
    );
    assert!(
        markdown.contains("| 10:14:33 | deploy | checkout | 2.4.1: new client of the payment provider |"),
        "{markdown}"
    );
    assert!(markdown.contains("**Root cause:** _to be written: why it could happen at all._"), "{markdown}");
    assert!(markdown.contains("\\<script\\>"), "{markdown}");
}

#[test]
fn what_other_definitions_make_of_it() {
    let outcome = made_up::incident();
    let what_if = made_up::what_if();
    let page = page(&Told { what_if: Some(&what_if), ..told(&outcome) });
    let section = page.section("what-if");
    let expected = "By the given definitions, 1 more alert would fire and 1 alert would fire earlier.";
    assert_eq!(section.named("p")[0].text(), expected);
    let captions: Vec<String> = section.named("caption").iter().map(|caption| caption.text()).collect();
    let requests = [
        "checkout-availability (20 s earlier, page instead of ticket, ends 1 min later): the first of 3,800 requests that \
         count differently, from 10:05:00 to 10:15:26",
        "search-latency (gained): no request counts differently; the first bad ones, from 10:05:00 to 10:15:26",
    ];
    assert_eq!(captions[2..], requests);
    let fields: Vec<String> = section.named("td").iter().map(|field| field.text()).collect();
    for field in ["99.92 %", "99.87 %", "−5 %", "12,044 of 317,044", "15,844 of 317,044"] {
        assert!(fields.iter().any(|text| text == field), "{field}: {fields:?}");
    }
}
