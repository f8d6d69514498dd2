//! What the report draws: which charts there are, and that their lines have the points and the gaps of what was measured.

use slipstream_replay::outcome::Outcome;

use crate::made_up::{self, GAP, STEPS};
use crate::xml::Element;
use crate::{page, told};

/// Ids of the charts.
fn charts(page: &Element) -> Vec<&str> {
    page.named("figure").iter().filter_map(|figure| figure.get("id")).collect()
}

/// Points of each unbroken part of the lines of a class.
fn runs(figure: &Element, class: &str) -> Vec<usize> {
    let paths = figure.named("path").into_iter().filter(|path| path.get("class") == Some(class));
    paths.map(|path| path.get("d").expect("a path").split(['M', 'L']).skip(1).count()).collect()
}

#[test]
fn each_service_and_objective_of_an_alert_has_its_charts() {
    let page = page(&told(&made_up::incident()));
    let expected = [
        "service-1-requests",
        "service-1-errors",
        "service-1-latency",
        "objective-1-burn-1",
        "objective-1-burn-2",
        "objective-1-budget",
    ];
    assert_eq!(charts(&page), expected);
    assert_eq!(page.by_id("service-1").text(), "Service checkout");
}

#[test]
fn lines_have_every_point_and_break_where_nothing_was_measured() {
    let page = page(&told(&made_up::incident()));
    let (before, after) = (GAP.start as usize, (STEPS - GAP.end) as usize);
    assert_eq!(runs(page.by_id("service-1-requests"), "line area"), [before, after]);
    assert_eq!(runs(page.by_id("service-1-errors"), "line errors"), [before, after]);
    for class in ["line solid", "line dashed", "line dotted"] {
        assert_eq!(runs(page.by_id("service-1-latency"), class), [20, before - 24, after], "{class}");
    }
    for chart in ["objective-1-burn-1", "objective-1-burn-2"] {
        for class in ["line solid", "line dotted"] {
            assert_eq!(runs(page.by_id(chart), class), [before, after], "{chart} {class}");
        }
    }
    assert_eq!(runs(page.by_id("objective-1-budget"), "line area"), [before, after]);
}

#[test]
fn a_point_between_gaps_is_a_dot() {
    let mut outcome = made_up::incident();
    outcome.traffic[0].steps.retain(|step| step.at <= made_up::at(600) || step.at == made_up::at(1_200));
    let page = page(&told(&outcome));
    let requests = page.by_id("service-1-requests");
    assert_eq!(runs(requests, "line area"), [41]);
    assert_eq!(requests.named("circle").len(), 1);
}

#[test]
fn alerts_thresholds_markers_and_missing_events_are_on_the_charts() {
    let page = page(&told(&made_up::incident()));
    let burn = page.by_id("objective-1-burn-1");
    let count =
        |name: &str, class: &str| burn.named(name).iter().filter(|drawn| drawn.get("class") == Some(class)).count();
    assert_eq!(count("rect", "band pending"), 1);
    assert_eq!(count("rect", "band firing"), 1);
    assert_eq!(count("rect", "band missing"), 1);
    assert_eq!(count("line", "mark"), 5);
    // The threshold, and its sample beside the label.
    assert_eq!(count("line", "level"), 2);
    let text = burn.text();
    for label in [
        "threshold 14.4",
        "over 1h",
        "over 5m",
        "deploy: 2.4.1",
        "deploy: 2.4.0",
        "page: checkout-availability",
        "events missing",
    ] {
        assert!(text.contains(label), "{label}: {text}");
    }
}

#[test]
fn a_long_range_has_a_few_hundred_points() {
    let mut outcome = made_up::incident();
    // The hour as seven days: its steps are a quarter of a second long.
    outcome.to = "2026-12-06T10:00:00Z".to_owned();
    let page = page(&told(&outcome));
    for figure in page.named("figure") {
        let points: usize = ["line area", "line solid"].iter().flat_map(|class| runs(figure, class)).sum();
        assert!(points <= 370, "{points} points in {:?}", figure.get("id"));
    }
    assert!(
        page.section("charts").text().contains("Each point covers 28 min (of 112 steps"),
        "{}",
        page.section("charts").text()
    );
}

#[test]
fn without_alerts_services_with_errors_are_drawn() {
    let quiet = Outcome { alerts: Vec::new(), ..made_up::incident() };
    let page = page(&told(&quiet));
    assert_eq!(page.by_id("service-1").text(), "Service checkout");
    // Without an alert its rules are not known: one chart has all windows.
    assert!(charts(&page).contains(&"objective-1-burn-1") && charts(&page).contains(&"objective-2-budget"));
    assert_eq!(page.by_id("objective-1").text(), "Objective checkout-availability");
}

#[test]
fn what_is_empty_draws_nothing() {
    let page = page(&told(&made_up::empty()));
    assert_eq!(charts(&page), Vec::<&str>::new());
    assert!(page.named("svg").is_empty());
}

#[test]
fn no_number_is_lost() {
    let page = page(&told(&made_up::incident()));
    for drawn in page.all() {
        for (name, value) in &drawn.attributes {
            assert!(!value.contains("NaN") && !value.contains("inf"), "{name}={value}");
        }
    }
}
