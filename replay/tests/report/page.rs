//! The page itself: well-formed, complete without a network, and nothing from outside is markup.

use slipstream_replay::report::{self, Told};

use crate::made_up::{self, NASTY};
use crate::{page, told};

#[test]
fn the_same_outcome_gives_the_same_bytes() {
    let what_if = made_up::what_if();
    let outcome = made_up::incident();
    let told = Told { what_if: Some(&what_if), ..told(&outcome) };
    assert_eq!(report::html(&told), report::html(&told));
}

#[test]
fn names_from_outside_are_text() {
    let mut what_if = made_up::what_if();
    let mut outcome = made_up::incident();
    for outcome in [&mut outcome, &mut what_if.before] {
        let alert = &mut outcome.alerts[0];
        for text in [&mut alert.episode.severity, &mut alert.episode.rule, &mut alert.episode.service] {
            *text = NASTY.to_owned();
        }
        alert.episode.group.insert(NASTY.to_owned(), NASTY.to_owned());
        alert.transitions[0].kind = NASTY.to_owned();
        alert.thresholds[0].rule = NASTY.to_owned();
        alert.thresholds[0].window = NASTY.to_owned();
        alert.first_bad[0].user_ref = Some(NASTY.to_owned());
        alert.first_bad[0].trace_id = Some(NASTY.to_owned());
        alert.first_bad[0].event_id = NASTY.to_owned();
        outcome.slos[0].status.window = Some(NASTY.to_owned());
        outcome.slos[0].contributors[0].dimension = NASTY.to_owned();
        outcome.markers[1].version = Some(NASTY.to_owned());
        outcome.markers[2].kind = NASTY.to_owned();
        outcome.parts[0].source = NASTY.to_owned();
        outcome.missing[0].reason = NASTY.to_owned();
    }
    let told = Told {
        title: NASTY,
        what_if: Some(&what_if),
        focus: Some(NASTY),
        generated_by: NASTY,
        command: NASTY,
        outcome: &outcome,
    };
    // The strict reader refuses what is not escaped.
    let page = page(&told);
    assert!(page.named("script").is_empty() && page.named("b").is_empty());
    let shown = NASTY.replace('\u{1}', "\u{fffd}");
    assert_eq!(page.named("h1")[0].text(), shown);
    let handlers =
        page.all().iter().flat_map(|element| &element.attributes).filter(|(name, _)| name.starts_with("on")).count();
    assert_eq!(handlers, 0);
}

#[test]
fn the_page_refers_to_nothing_outside() {
    let what_if = made_up::what_if();
    let outcome = made_up::incident();
    let told = Told { what_if: Some(&what_if), ..told(&outcome) };
    let page = page(&told);
    for element in page.all() {
        assert!(
            !["link", "img", "script", "iframe", "object", "use", "image"].contains(&element.name.as_str()),
            "{}",
            element.name
        );
        for (name, value) in &element.attributes {
            let is_namespace = element.name == "html" && name == "xmlns";
            let is_reference = ["src", "href", "srcset", "action", "data"].contains(&name.as_str());
            assert!(!is_reference || element.name == "a", "{} refers to {value}", element.name);
            assert!(is_namespace || is_reference || !value.contains("://"), "{name}={value}");
        }
    }
    // Only the marker's address of the web is a link; its `javascript:` is text.
    let links: Vec<&str> = page.named("a").iter().filter_map(|link| link.get("href")).collect();
    assert_eq!(links, ["https://ci.example.com/runs/4711?a=1&b=2"]);
    let style = page.named("style")[0].text();
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    let policy = page.named("meta").into_iter().find(|meta| meta.get("http-equiv") == Some("Content-Security-Policy"));
    assert!(
        policy.and_then(|meta| meta.get("content")).is_some_and(|content| content.starts_with("default-src 'none';"))
    );
}

#[test]
fn it_can_be_read_by_those_who_cannot_see() {
    let what_if = made_up::what_if();
    let outcome = made_up::incident();
    let page = page(&Told { what_if: Some(&what_if), ..told(&outcome) });
    let all = page.all();
    let levels: Vec<u32> = all.iter().filter_map(|e| e.name.strip_prefix('h')?.parse().ok()).collect();
    assert_eq!(levels[0], 1);
    assert!(
        levels.windows(2).all(|pair| pair[1] <= pair[0] + 1 && pair[1] > 1),
        "headings leave out a level: {levels:?}"
    );
    let ids: Vec<&str> = all.iter().filter_map(|element| element.get("id")).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "an id is there twice");
    for figure in page.named("figure") {
        let svg = figure.named("svg")[0];
        assert_eq!(svg.get("role"), Some("img"));
        let named = svg.get("aria-labelledby").expect("a name").split(' ');
        assert!(named.into_iter().all(|id| !page.by_id(id).text().is_empty()));
        assert!(!figure.named("figcaption")[0].text().is_empty());
    }
    for head in page.named("th") {
        assert!(matches!(head.get("scope"), Some("col" | "row")));
    }
    for name in all.iter().filter_map(|element| element.get("aria-labelledby")).flat_map(|names| names.split(' ')) {
        page.by_id(name);
    }
}

#[test]
fn an_empty_outcome_has_a_report() {
    let outcome = made_up::empty();
    let page = page(&told(&outcome));
    let sources = page.section("sources").text();
    assert!(sources.contains("0 events in the range counted; 0 copies and 0 invalid records did not."), "{sources}");
    assert!(sources.contains("No part of the history was missing."), "{sources}");
    assert!(sources.contains("slipstream replay --alert a1b2c3d4e5f60718"), "{sources}");
    // There is nothing to write a post-mortem about.
    let sections: Vec<Option<&str>> =
        page.named("section").iter().map(|section| section.get("aria-labelledby")).collect();
    assert_eq!(sections, [Some("summary"), Some("sources")]);
}

#[test]
fn what_could_not_be_decided_is_told() {
    let mut outcome = made_up::incident();
    outcome.slos[0].range.unknown = 1_200;
    let sources = page(&told(&outcome)).section("sources").text();
    let name = outcome.slos[0].status.name.clone();
    let expected = format!("A filter could not be decided for 1,200 events of {name}");
    assert!(sources.contains(&expected), "{sources}");
    outcome.slos.iter_mut().for_each(|slo| slo.range.unknown = 0);
    assert!(!page(&told(&outcome)).section("sources").text().contains("could not be decided"));
}

#[test]
fn where_it_comes_from_is_told() {
    let page = page(&told(&made_up::incident()));
    let sources = page.section("sources").text();
    let expected = "1,081,000 events in the range counted; 312 copies and 1 invalid record did not. Reading began at 26 Nov 09:48:00";
    assert!(sources.contains(expected), "{sources}");
    assert!(sources.contains("no source holds it any more"), "{sources}");
}
