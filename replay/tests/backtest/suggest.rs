//! A week with known incidents: what is suggested, and that it can be copied.

use slipstream_definitions::definition::{Ratio, Rule, Slo};
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::{openslo, policy};
use slipstream_replay::backtest::Range;
use slipstream_replay::backtest::history::History;
use slipstream_replay::backtest::incidents::Incident;
use slipstream_replay::backtest::labels::Labels;
use slipstream_replay::backtest::suggest::{Basis, Question, Suggestion, Wishes, judge, suggest};
use slipstream_replay::backtest::tables;

use super::world::{ParseRatio, START, incident, labels, week};

const WEEK: Range = Range { from: START, to: START + 604_800 };

/// Six outages of ten minutes, half of all requests, and every three hours one bad request that is nobody's incident.
fn story() -> (History, Vec<Incident>) {
    let outages = [1_000, 2_500, 4_000, 5_500, 7_000, 8_500];
    let mut stretches: Vec<(i64, i64, i64)> = outages.iter().map(|at| (*at, at + 10, 50)).collect();
    stretches.extend((0..56).map(|index| (index * 180 + 90, index * 180 + 91, 1)));
    (week(&stretches), outages.iter().map(|at| incident(*at, at + 10, "web", "outage")).collect())
}

fn suggested(history: &History, labels: Option<&Labels>) -> Suggestion {
    asked(history, &Question { range: WEEK, labels, wishes: Wishes::default() })
}

fn asked(history: &History, question: &Question<'_>) -> Suggestion {
    suggest(std::slice::from_ref(history), question).remove(0)
}

/// The one SLO of a definition without any error or warning.
fn loaded(text: &str) -> Slo {
    let mut loaded = openslo::load(&[SourceFile { path: "suggested.yaml".to_owned(), text: text.to_owned() }]);
    assert_eq!(loaded.diagnostics, [], "{text}");
    loaded.slos.remove(0)
}

#[test]
fn the_rule_finds_all_incidents_and_nothing_else() {
    let (history, incidents) = story();
    let labels = labels(&incidents);
    let suggestion = suggested(&history, Some(&labels));
    assert_eq!(suggestion.basis, Basis::Incidents);
    let rule = suggestion.rule.as_ref().unwrap();
    let found = rule.figures.against_incidents.as_ref().unwrap();
    assert_eq!((found.found, found.missed, found.false_alarms, found.repeats), (6, 0, 0, 0));
    assert_eq!((rule.figures.pages, rule.figures.pages_a_week), (6, Some(6.0)));
    // The first minute is known at its end.
    assert_eq!(found.time_to_detect_seconds, Some(59.0));
    // Nothing on the curve is outdone by another, and judging it gives what it was chosen by.
    assert!(!suggestion.curve.is_empty() && suggestion.tried > 100);
    assert_eq!(judge(&suggestion, &history, WEEK, &labels).as_ref(), Some(&rule.figures));
    let held_out = suggestion.held_out.unwrap();
    let on_others = held_out.figures.against_incidents.unwrap();
    assert_eq!((on_others.incidents, on_others.found, on_others.false_alarms), (3, 3, 0));
    assert_eq!(held_out.figures.pages, 3, "those of the other half are not looked at");
}

#[test]
fn the_definition_can_be_copied() {
    let (history, incidents) = story();
    let suggestion = suggested(&history, Some(&labels(&incidents)));
    let text = suggestion.definition.as_deref().unwrap();
    assert_eq!(text, include_str!("suggested.yaml"));
    let slo = loaded(text);
    let objective = &slo.objectives[0];
    assert_eq!((slo.name.as_str(), slo.display_name.as_str()), ("web-answers", "The web answers"));
    assert_eq!(Some(objective.target), suggestion.target.as_ref().unwrap().target);
    let rule = suggestion.rule.as_ref().unwrap().candidate;
    let page = &objective.rules[0];
    assert_eq!((page.condition.long, page.condition.short), (rule.long_seconds, rule.short_seconds));
    assert_eq!((page.condition.threshold, page.condition.least), (rule.factor, rule.min_requests));
    assert_eq!(page.severity.name, "page");
}

#[test]
fn rules_of_the_slo_stay_beside_the_suggestion() {
    let (mut history, incidents) = story();
    let slo = history.document.clone().unwrap();
    let rule = r#"{"apiVersion": "slipstream/v1", "kind": "Rule", "metadata": {"name": "Silent"}, "spec": {"slo": "web-answers",
        "conditions": [{"severity": "page", "noTraffic": {"over": "5m"}}]}}"#;
    // A list of documents is YAML, too, whatever form each has.
    let document: serde_yaml_ng::Value = serde_yaml_ng::from_str(&slo).unwrap();
    let both = vec![document, serde_yaml_ng::from_str(rule).unwrap()];
    history.document = Some(serde_yaml_ng::to_string(&both).unwrap());
    let suggestion = suggested(&history, Some(&labels(&incidents)));
    let text = suggestion.definition.as_deref().expect("a definition");
    let slo = loaded(text);
    let sets: Vec<&str> = slo.objectives[0].rules.iter().map(|rule| rule.rule_set.as_str()).collect();
    assert!(sets.contains(&"burn") && sets.contains(&"Silent"), "{sets:?}");
}

#[test]
fn without_labels_what_spent_the_budget_takes_their_place() {
    let (history, incidents) = story();
    let suggestion = suggested(&history, None);
    assert_eq!(suggestion.basis, Basis::Episodes);
    let found = suggestion.rule.as_ref().unwrap().figures.against_incidents.clone().unwrap();
    assert_eq!((found.incidents, found.found), (incidents.len() as u64, 6));
    assert!(
        suggestion.notes.iter().any(|note| note.starts_with("Nobody noted incidents down")),
        "{:?}",
        suggestion.notes
    );
    // One in a thousand of a quiet week spends nothing worth an alert.
    let quiet = suggested(&week(&[]), None);
    assert_eq!((quiet.rule, quiet.curve), (None, Vec::new()));
    assert!(quiet.notes.iter().any(|note| note.starts_with("No stretch spent")), "{:?}", quiet.notes);
}

#[test]
fn what_fires_falsely_too_often_is_not_proposed() {
    let (history, _) = story();
    // Only the first outage was an incident: any rule that finds it fires five times more.
    let one = labels(&[incident(1_000, 1_010, "web", "")]);
    let suggestion = suggested(&history, Some(&one));
    assert_eq!(suggestion.rule, None);
    assert!(!suggestion.curve.is_empty());
    assert!(
        suggestion.notes.iter().any(|note| note.ends_with("with at most 1 false alarm a week.")),
        "{:?}",
        suggestion.notes
    );
    let patient = Wishes { most_false_a_week: 5.0, ..Wishes::default() };
    let suggestion = asked(&history, &Question { range: WEEK, labels: Some(&one), wishes: patient });
    assert_eq!(suggestion.rule.unwrap().figures.pages, 6);
}

#[test]
fn incidents_of_others_are_not_this_objectives() {
    let (history, incidents) = story();
    let mut all = labels(&incidents);
    all.incidents.push(incident(9_000, 9_010, "db", ""));
    let suggestion = suggested(&history, Some(&all));
    let found = suggestion.rule.unwrap().figures.against_incidents.unwrap();
    assert_eq!((found.incidents, found.found), (6, 6));
    all.incidents.retain(|incident| incident.service == "db");
    let suggestion = suggested(&history, Some(&all));
    assert!(suggestion.rule.is_none() && suggestion.curve.is_empty());
    assert!(
        suggestion.notes.iter().any(|note| note.starts_with("No incident of its services")),
        "{:?}",
        suggestion.notes
    );
}

#[test]
fn a_group_is_held_against_the_incidents_of_its_service() {
    let (mut history, incidents) = story();
    history.service = "shop".to_owned();
    history.series[0].group.insert("service".to_owned(), "web".to_owned());
    let mut quiet = week(&[]).series.remove(0);
    quiet.group.insert("service".to_owned(), "db".to_owned());
    history.series.push(quiet);
    let mut all = labels(&incidents);
    all.incidents.push(incident(9_000, 9_010, "db", "nobody noticed"));
    let found = suggested(&history, Some(&all)).rule.unwrap().figures.against_incidents.unwrap();
    assert_eq!((found.incidents, found.found, found.missed), (7, 6, 1));
    let episodes = suggested(&history, None).rule.unwrap().figures.against_incidents.unwrap();
    assert_eq!((episodes.incidents, episodes.found), (6, 6));
}

#[test]
fn json_of_a_suggestion_has_the_documented_names() {
    let (history, incidents) = story();
    let shown = serde_json::to_value(suggested(&history, Some(&labels(&incidents)))).unwrap();
    assert_eq!((&shown["current_target"], &shown["target"]["target"]), (&0.999.into(), &0.995.into()));
    assert_eq!((&shown["basis"], &shown["target"]["window_seconds"]), (&"incidents".into(), &86_400.into()));
    let rule = &shown["rule"];
    assert_eq!((&rule["long_seconds"], &rule["factor"], &rule["pages"]), (&300.into(), &5.0.into(), &6.into()));
    assert_eq!(rule["against_incidents"]["found"], 6);
    assert_eq!(rule["against_incidents"]["unnoticed_seconds"], 59.0);
    assert!(shown["definition"].as_str().unwrap().contains("kind: SLO"));
}

#[test]
fn a_target_that_is_a_promise_stays() {
    let (history, incidents) = story();
    let wishes = Wishes { keep_target: true, ..Wishes::default() };
    let suggestion = asked(&history, &Question { range: WEEK, labels: Some(&labels(&incidents)), wishes });
    assert_eq!(suggestion.target.unwrap().target, Some("0.995".parse_ratio()));
    assert_eq!(suggestion.used_target, "0.999".parse_ratio());
    let slo = loaded(suggestion.definition.as_deref().unwrap());
    assert_eq!(slo.objectives[0].target, "0.999".parse_ratio());
    // Half of all is a burn rate of 500 now, so the middle of what does the same is higher.
    assert!(suggestion.rule.unwrap().candidate.factor.as_f64() > 5.0);
}

#[test]
fn a_definition_that_cannot_be_written_is_left_out() {
    let (mut history, incidents) = story();
    history.document = None;
    assert_eq!(suggested(&history, Some(&labels(&incidents))).definition, None);
    let slices = super::world::DEFINITION
        .replace("Occurrences", "Timeslices")
        .replace("target: 0.999", "target: 0.999, timeSliceTarget: 0.9, timeSliceWindow: 1m");
    history.document = Some(super::world::document(&slices));
    assert_eq!(suggested(&history, Some(&labels(&incidents))).definition, None);
}

#[test]
fn periods_without_exact_factors_and_calendars_can_be_copied_too() {
    let (mut history, incidents) = story();
    let months = "timeWindow: [{duration: 28d, isRolling: true}]";
    let calendar = "timeWindow: [{duration: 1M, isRolling: false, calendar: {startTime: 2026-01-01 00:00:00, timeZone: \
                    Europe/Berlin}}]";
    for (window, period) in [(months, 28 * 86_400), (calendar, 30 * 86_400)] {
        let text = super::world::DEFINITION.replace("timeWindow: [{duration: 1d, isRolling: true}]", window);
        history.document = Some(super::world::document(&text));
        history.period = period;
        let suggestion = suggested(&history, Some(&labels(&incidents)));
        let slo = loaded(suggestion.definition.as_deref().unwrap());
        let tickets = slo.objectives[0].rules.iter().filter(|rule| rule.severity.name == "ticket").count();
        assert_eq!((slo.window.nominal_seconds(), tickets), (period, 2));
        assert!(
            suggestion.notes.iter().any(|note| note.contains("too short for four periods")),
            "{:?}",
            suggestion.notes
        );
    }
}

#[test]
fn the_same_counts_give_the_same_suggestion() {
    let (mut history, incidents) = story();
    let labels = labels(&incidents);
    let first = suggested(&history, Some(&labels));
    history.series[0].slots.reverse();
    history.series[0].slots.retain(|slot| slot.total > 0);
    assert_eq!(suggested(&history, Some(&labels)), first);
}

#[test]
fn a_suggestion_in_sentences_and_as_a_table() {
    let (history, incidents) = story();
    let suggestion = suggested(&history, Some(&labels(&incidents)));
    let lines = tables::suggestion(&suggestion);
    assert!(lines[0].starts_with("Target: 99.5 % (now 99.9 %). 95 % of "), "{lines:?}");
    assert!(lines[1].starts_with("Page: >"), "{lines:?}");
    let checked = "found 3 of the 3 others, after 59 s (median), with 0 false alarms.";
    assert!(lines[2].starts_with("Checked: >") && lines[2].ends_with(checked), "{lines:?}");
    let curve = tables::curve(&suggestion);
    assert_eq!(curve.rows.iter().filter(|row| row[0] == "*").count(), 1, "{curve:?}");
    assert!(curve.rows.iter().all(|row| row.len() == curve.head.len()));
}

/// A second objective of the same requests, under 95 %, that shows every second outage a little.
fn two_objectives() -> (Vec<History>, Vec<Incident>) {
    let (mut answered, incidents) = story();
    let stretches: Vec<(i64, i64, i64)> = [1_000, 4_000, 7_000].iter().map(|at| (*at, at + 10, 30)).collect();
    let mut quick = History { objective: "quick".to_owned(), target: "0.95".parse_ratio(), ..week(&stretches) };
    let text =
        super::world::DEFINITION.replace("target: 0.999}]", "target: 0.999}, {displayName: quick, target: 0.95}]");
    let document = super::world::document(&text);
    (answered.document, quick.document) = (Some(document.clone()), Some(document));
    (vec![answered, quick], incidents)
}

#[test]
fn the_objectives_of_an_slo_get_one_definition_that_is_valid_as_it_is() {
    let (histories, incidents) = two_objectives();
    let labels = labels(&incidents);
    let question = Question { range: WEEK, labels: Some(&labels), wishes: Wishes::default() };
    let suggestions = suggest(&histories, &question);
    let [answered, quick] = &suggestions[..] else { panic!("{suggestions:?}") };
    let rule = |suggestion: &Suggestion| suggestion.rule.as_ref().map(|point| point.candidate);
    assert!(rule(answered).is_some() && rule(answered) == rule(quick));
    assert!(answered.definition.is_some() && answered.definition == quick.definition);
    let found = |suggestion: &Suggestion| judge(suggestion, &histories[0], WEEK, &labels);
    assert!(found(answered).is_some(), "each is told by its own figures");
    let note = "Alert policies are of a whole SLO";
    assert!(quick.notes.iter().any(|told| told.starts_with(note)), "{:?}", quick.notes);
    let slo = loaded(answered.definition.as_deref().unwrap());
    let targets: Vec<Ratio> = slo.objectives.iter().map(|objective| objective.target).collect();
    assert_eq!(targets, [answered.used_target, quick.used_target]);
    for objective in &slo.objectives {
        let pages: Vec<_> = objective.rules.iter().filter(|rule| rule.severity.name == "page").collect();
        let [page] = &pages[..] else { panic!("{pages:?}") };
        assert_eq!(page.condition.threshold, rule(answered).unwrap().factor);
    }
}

/// What a page needs to fire is impossible under the target that was kept.
#[test]
fn a_target_that_would_take_a_page_away_is_not_suggested_alone() {
    let (history, _) = story();
    // All day long a tenth is bad, and nothing was an incident: 90 % was kept, under which no burn rate is above 10.
    let mut bad = History { period: 30 * 86_400, document: history.document, ..week(&[(0, 10_080, 10)]) };
    bad.rules = policy::defaults(bad.period, bad.target).rules;
    let is_lost = |rule: &&Rule| rule.condition.threshold.as_f64() > 10.0;
    let lost: Vec<String> = bad.rules.iter().filter(is_lost).map(|rule| rule.name.clone()).collect();
    assert_eq!(lost, ["1h/5m"]);
    let none = labels(&[]);
    let suggestion = suggested(&bad, Some(&none));
    let kept = suggestion.target.as_ref().unwrap().target.unwrap();
    assert_eq!(suggestion.rule, None);
    assert_eq!((kept, suggestion.used_target), ("0.9".parse_ratio(), "0.999".parse_ratio()));
    assert_eq!(suggestion.definition, None);
    let note = suggestion.notes.iter().find(|note| note.contains("could never fire")).expect("a note");
    assert!(note.starts_with("Under 90 % ") && note.ends_with("the definition keeps 99.9 %."), "{note}");
    assert!(lost.iter().all(|name| note.contains(name.as_str())), "{note}");
    // Where no rule is lost by it, the target is suggested alone.
    bad.rules.clear();
    let suggestion = suggested(&bad, Some(&none));
    assert_eq!(suggestion.used_target, "0.9".parse_ratio());
    assert!(suggestion.definition.unwrap().contains("target: 0.9\n"));
}

#[test]
fn a_page_that_takes_the_place_of_others_says_so() {
    let (mut history, incidents) = story();
    history.rules = policy::defaults(30 * 86_400, history.target).rules;
    let suggestion = suggested(&history, Some(&labels(&incidents)));
    let note = suggestion.notes.iter().find(|note| note.contains("take the place of")).expect("a note");
    assert!(history.rules.iter().all(|rule| note.contains(&rule.name)), "{note}");
}

#[test]
fn no_history_suggests_nothing() {
    let mut history = week(&[]);
    history.series.clear();
    let suggestion = suggested(&history, None);
    assert_eq!((suggestion.target.clone(), suggestion.rule.clone(), suggestion.definition.clone()), (None, None, None));
    assert_eq!(suggestion.used_target, "0.999".parse_ratio());
    let nowhere = Range { from: START, to: START };
    let suggestion = asked(&history, &Question { range: nowhere, labels: None, wishes: Wishes::default() });
    assert_eq!((suggestion.tried, suggestion.used_target), (0, Ratio { num: 999, den: 1_000 }));
}
