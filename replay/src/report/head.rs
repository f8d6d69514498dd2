//! The page's head, its title with the figures that matter, and the summary.

use slipstream_store::alerts::AlertState;

use super::facts::{self, Facts};
use super::markup::Markup;
use super::tables::{self, Cell};
use super::times::{SECOND, Times};
use super::{Told, summary, words};
use crate::outcome::{AlertHistory, Impact};

/// Nothing may be loaded, run or sent, whatever a name in the page contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// Alerts that have a paragraph; others are in the table only.
const MOST_PARAGRAPHS: usize = 3;
/// Of an import, that was replayed by when the log took it.
const ANOTHER_TIME: &str = "Most of these requests happened at other times than this range, as in an import: the charts, which \
                            go by when requests happened, lack them. With --clock event they have all of them.";

/// The head.
pub fn write(m: &mut Markup, told: &Told<'_>) {
    m.within("head", &[], |m| {
        m.void("meta", &[("charset", "utf-8")]);
        m.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
        m.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
        m.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        m.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
        m.void("meta", &[("name", "generator"), ("content", told.generated_by)]);
        m.leaf("title", &[], told.title);
        m.style(include_str!("style.css"));
    });
}

/// Title, range, and the figures of the worst alert.
pub fn title(m: &mut Markup, told: &Told<'_>, facts: &[Facts<'_>], times: Times) {
    m.within("header", &[], |m| {
        m.leaf("h1", &[], told.title);
        m.leaf("p", &[("class", "range")], &times.range());
        if told.outcome.stopped {
            m.leaf(
                "p",
                &[("class", "note")],
                "The replay was stopped before the end that was asked for: this is a part.",
            );
        }
        if facts.is_empty() && told.outcome.is_of_another_time() {
            m.leaf("p", &[("class", "note")], ANOTHER_TIME);
        }
        let mut figures = facts.first().map_or_else(|| of_range(told), |worst| of_worst(worst, times));
        if let [worst, _, ..] = facts {
            let of = format!("one of {} alerts; the figures are its", words::count(facts.len() as i64));
            figures.insert(0, ("Alert", worst.name.clone(), of));
        }
        m.within("dl", &[("class", "figures")], |m| {
            for (name, figure, more) in figures {
                m.within("div", &[], |m| {
                    m.leaf("dt", &[], name);
                    m.leaf("dd", &[], &figure);
                    m.leaf("dd", &[("class", "more")], &more);
                });
            }
        });
    });
}

type Figure = (&'static str, String, String);

fn of_worst(facts: &Facts<'_>, times: Times) -> Vec<Figure> {
    let is_open = facts.alert.episode.state.is_open();
    let lasted = words::span((facts.end - facts.since) / SECOND);
    let mut figures = vec![("Lasted", lasted, if is_open { "so far" } else { "until it was over" }.to_owned())];
    figures.extend(hit(facts, times));
    if let Some(after) = facts.detection_in_words() {
        figures.push(("Detected", after, "after the budget began to burn too fast".to_owned()));
    }
    if let Some((peak, over)) = facts.peak {
        figures.push(("Highest burn rate", words::rate(peak), format!("times the allowed rate, over {over}")));
    }
    if let Some((before, after)) = facts.budget {
        let from = before.map_or_else(String::new, |before| format!("from {}", words::rough_percent(before)));
        figures.push(("Budget left", words::rough_percent(after), from));
    }
    figures
}

/// How many requests and users.
fn hit(facts: &Facts<'_>, times: Times) -> Vec<Figure> {
    let Some(impact) = &facts.alert.impact else {
        return vec![("Bad requests", "–".to_owned(), "not looked into".to_owned())];
    };
    let share = if impact.total > 0 { impact.bad as f64 / impact.total as f64 } else { 0.0 };
    let counted = facts.counted(times).map(|counted| format!(", {counted}")).unwrap_or_default();
    let of = format!("{} of {}{counted}", words::percent(share), words::count(impact.total));
    let requests = ("Bad requests", words::count(impact.bad), of);
    [requests].into_iter().chain(users(impact).map(|users| ("Users", users, "had a bad request".to_owned()))).collect()
}

/// `311`, `at least 1,000,000`.
fn users(impact: &Impact) -> Option<String> {
    let at_least = if impact.users_at_least { "at least " } else { "" };
    impact.users.map(|users| format!("{at_least}{}", words::count(i64::try_from(users).unwrap_or(i64::MAX))))
}

fn of_range(told: &Told<'_>) -> Vec<Figure> {
    let outcome = told.outcome;
    let errors: u64 = outcome.traffic.iter().flat_map(|traffic| &traffic.steps).map(|step| step.errors).sum();
    let number = |count: u64| words::count(i64::try_from(count).unwrap_or(i64::MAX));
    let mut figures = vec![
        ("Alerts", "0".to_owned(), "in this range".to_owned()),
        ("Requests", number(outcome.events), "counted".to_owned()),
    ];
    if !outcome.is_of_another_time() {
        figures.push(("Errors", number(errors), "status 500 and above".to_owned()));
    }
    figures
}

/// The summary and the table of alerts.
pub fn summary(m: &mut Markup, told: &Told<'_>, facts: &[Facts<'_>], times: Times) {
    m.within("section", &[("aria-labelledby", "summary"), ("class", "summary")], |m| {
        m.leaf("h2", &[("id", "summary")], "Summary");
        if let Some(focus) = told.focus.filter(|focus| !facts.iter().any(|facts| facts::is_meant(facts.alert, focus))) {
            m.leaf(
                "p",
                &[],
                &format!("The alert {focus}, around which this range was chosen, was not open by these definitions."),
            );
        }
        for facts in facts.iter().take(MOST_PARAGRAPHS) {
            m.leaf("p", &[], &summary::of_alert(facts, times));
        }
        if facts.is_empty() {
            m.leaf("p", &[], &summary::without_alerts(told.outcome, times));
            return;
        }
        let more = facts.len().saturating_sub(MOST_PARAGRAPHS);
        if more > 0 {
            let are = if more == 1 {
                "1 more alert is".to_owned()
            } else {
                format!("{} more alerts are", words::count(more as i64))
            };
            m.leaf("p", &[], &format!("{are} in the table."));
        }
        alerts(m, facts, times);
    });
}

fn alerts(m: &mut Markup, facts: &[Facts<'_>], times: Times) {
    let heads =
        ["Alert", "Severity", "State", "#Pending", "#Fired", "#After it began", "#Resolved", "#Bad requests", "#Users"];
    let time = |text: &Option<String>| Cell::figure_or_dash(text.as_deref().map(|text| times.at_text(text)));
    let row = |facts: &Facts<'_>| {
        let episode = &facts.alert.episode;
        let (impact, counted) = (facts.alert.impact.as_ref(), facts.counted(times));
        let bad = |impact: &Impact| match &counted {
            Some(counted) => format!("{} ({counted})", words::count(impact.bad)),
            None => words::count(impact.bad),
        };
        vec![
            Cell::Text(facts.name.clone()),
            Cell::or_dash(Some(severities(facts.alert, times))),
            Cell::Text(state(episode.state).to_owned()),
            Cell::Figure(times.at_text(&episode.pending_at)),
            time(&episode.fired_at),
            Cell::figure_or_dash(facts.detection_in_words()),
            time(&episode.resolved_at),
            Cell::Figure(impact.map_or("not looked into".to_owned(), bad)),
            Cell::figure_or_dash(impact.and_then(users)),
        ]
    };
    let rows: Vec<Vec<Cell>> = facts.iter().map(row).collect();
    tables::write(m, "Alerts (times in UTC)", &heads, &rows);
}

/// What it fired as, and what it became: `ticket, page from 09:18:31 on`.
fn severities(alert: &AlertHistory, times: Times) -> String {
    let steps = alert.severities();
    let Some(((_, first, _), rises)) = steps.split_first() else { return alert.worst().0.to_owned() };
    let rise = |(at, severity, _): &(String, &str, &str)| format!(", {severity} from {} on", times.at_text(at));
    (*first).to_owned() + &rises.iter().map(rise).collect::<String>()
}

fn state(state: AlertState) -> &'static str {
    match state {
        AlertState::Pending => "pending",
        AlertState::Inactive => "never fired",
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
    }
}
