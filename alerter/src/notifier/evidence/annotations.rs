//! What evidence adds to an alert: `evidence` for people, and further annotations for machines and templates. All of it has some 4 KiB
//! at most: receivers refuse long bodies.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use slipstream_query::history::{BadRequest, Evidence};
use slipstream_schemas::records::AlertTransition;

use super::standouts::contributors;
use super::{hint, words};
use crate::notifier::payload::Labels;

/// Bytes of the text for people, ...
const TEXT: usize = 1_700;
/// ... of the contributors as JSON, ...
const CONTRIBUTORS: usize = 800;
/// ... and of the requests.
const REQUESTS: usize = 1_100;
/// A line of the text.
const LINE: usize = 400;
/// Ids that are longer are no links.
const LONGEST_ID: usize = 64;

/// An alert, and what was found about it; `None`: nothing in time.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The transition that is news.
    pub transition: &'a AlertTransition,
    /// What was found.
    pub evidence: Option<&'a Evidence>,
}

/// A request, for machines.
#[derive(Serialize)]
struct Request<'a> {
    event_id: &'a str,
    trace_id: Option<&'a str>,
    time: String,
    endpoint: Option<&'a str>,
    method: Option<&'a str>,
    status: Option<u16>,
    latency_ms: Option<f64>,
}

/// The annotations. `downstream`: hints by alert that take several to see. `trace_url`: link of a trace, with `{trace_id}`.
pub fn of(told: &Told<'_>, downstream: &BTreeMap<String, String>, trace_url: &str) -> Labels {
    let (t, nothing) = (told.transition, Evidence::default());
    let found = told.evidence.unwrap_or(&nothing);
    let known = known_requests(t, found);
    let contributing = contributors(found);
    let suspect = hint::suspect(&found.markers, t).map(|suspect| words::suspect(&suspect));
    let mut hints: Vec<String> = downstream.get(&t.alert_id).cloned().into_iter().chain(hint::of(found)).collect();
    hints.extend(suspect.as_ref().map(|suspect| format!("Suspect: {suspect}.")));

    let mut lines = hints;
    lines.extend(words::windows(t));
    lines.extend(words::contributors(&contributing, found.sample.as_ref()));
    section(&mut lines, "Bad requests:", known.iter().map(words::request));
    section(&mut lines, "Before and since:", found.markers.iter().rev().take(5).map(words::marker));

    let trace = known.iter().find_map(|request| request.trace_id.as_deref());
    let replay = format!("slipstream replay --alert {}/{} --around 30m", t.alert_id, t.episode);
    let all = [
        ("evidence", Some(text(&lines))),
        ("contributors", as_json(&contributing.iter().map(cut).collect::<Vec<_>>(), CONTRIBUTORS)),
        ("bad_requests", as_json(&known.iter().map(Request::of).collect::<Vec<_>>(), REQUESTS)),
        ("suspect", suspect.map(|suspect| words::cut(&suspect, LINE))),
        ("trace_url", trace.and_then(|trace| link(trace_url, trace))),
        ("replay", Some(replay)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Those that were found; else those that the alert names itself.
fn known_requests(t: &AlertTransition, found: &Evidence) -> Vec<BadRequest> {
    if !found.requests.is_empty() {
        return found.requests.clone();
    }
    let named = t.exemplars.iter().take(5).map(|exemplar| BadRequest {
        event_id: exemplar.event_id.clone(),
        trace_id: exemplar.trace_id.clone(),
        time: slipstream_schemas::EventTime(exemplar.time),
        told: None,
    });
    named.collect()
}

fn section(lines: &mut Vec<String>, head: &str, rows: impl Iterator<Item = String>) {
    let rows: Vec<String> = rows.map(|row| format!("  {row}")).collect();
    if !rows.is_empty() {
        lines.push(head.to_owned());
        lines.extend(rows);
    }
}

/// Whole lines, as many as fit.
fn text(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines.iter().map(|line| words::cut(line, LINE)) {
        if text.len() + line.len() + 1 > TEXT {
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
    }
    text
}

/// The first rows that fit; `None` if there is none.
fn as_json<T: Serialize>(rows: &[T], most: usize) -> Option<String> {
    let fits = |count: usize| serde_json::to_string(&rows[..count]).ok().filter(|json| json.len() <= most);
    (1..=rows.len()).rev().find_map(fits)
}

fn cut(told: &super::standouts::Contributor) -> super::standouts::Contributor {
    let (dimension, value) = (words::shown(&told.dimension), words::shown(&told.value));
    super::standouts::Contributor { dimension, value, ..told.clone() }
}

impl<'a> Request<'a> {
    fn of(request: &'a BadRequest) -> Request<'a> {
        let told = request.told.as_ref();
        Request {
            event_id: &request.event_id,
            trace_id: request.trace_id.as_deref(),
            time: request.time.rfc3339(),
            endpoint: told.map(|told| told.endpoint.as_str()),
            method: told.map(|told| told.method.as_str()),
            status: told.map(|told| told.status_code),
            latency_ms: told.and_then(|told| told.latency_ms),
        }
    }
}

/// The link of a trace, if one was configured.
fn link(template: &str, trace: &str) -> Option<String> {
    let id = utf8_percent_encode(trace, NON_ALPHANUMERIC).to_string();
    (!template.is_empty() && trace.len() <= LONGEST_ID).then(|| template.replace("{trace_id}", &id))
}

#[cfg(test)]
mod tests {
    use slipstream_query::history::{RequestTold, Sample};
    use slipstream_schemas::EventTime;
    use slipstream_schemas::records::{Exemplar, Marker, MarkerKind};

    use super::super::standouts::tests::by;
    use super::*;
    use crate::notifier::words::tests::transition;

    fn firing() -> AlertTransition {
        let mut t = AlertTransition { episode: 1_769_939_998, ..transition() };
        for (value, (good, total)) in t.values.iter_mut().zip([(35_160, 36_000), (1_592, 2_400)]) {
            (value.good, value.total) = (Some(good), Some(total));
        }
        t
    }

    fn request() -> BadRequest {
        BadRequest {
            event_id: "e-1".to_owned(),
            trace_id: Some("ab".repeat(16)),
            time: EventTime(1_769_939_997_250_000),
            told: Some(RequestTold {
                service: "payments".to_owned(),
                method: "POST".to_owned(),
                endpoint: "/pay".to_owned(),
                status_code: 503,
                latency_ms: Some(812.0),
            }),
        }
    }

    fn deploy() -> Marker {
        Marker {
            id: "d".to_owned(),
            kind: MarkerKind::Deploy,
            service: "payments".to_owned(),
            environment: String::new(),
            time: EventTime(1_769_939_877_000_000),
            until: None,
            version: Some("2.14.0".to_owned()),
            text: "rounding".to_owned(),
            link: None,
            author: "ci".to_owned(),
        }
    }

    fn evidence() -> Evidence {
        Evidence {
            requests: vec![request()],
            breakdowns: vec![
                by("endpoint", false, &[("POST /pay", 800, 900), ("GET /pay/{id}", 8, 1_500)]),
                by("status_class", false, &[("5xx", 808, 808), ("2xx", 0, 1_592)]),
                by("status_code", true, &[("503", 300, 300), ("200", 0, 700)]),
            ],
            sample: Some(Sample { rows: 1_000, bad: 300, bad_with_errors: 300, latencies: None }),
            markers: vec![deploy()],
        }
    }

    #[test]
    fn an_alert_says_where_it_fails_how_and_what_was_done_before() {
        let (t, found) = (firing(), evidence());
        let told = Told { transition: &t, evidence: Some(&found) };
        let said = of(&told, &BTreeMap::new(), "https://traces.test/{trace_id}?x");
        assert_eq!(
            said["evidence"],
            "One route alone: POST /pay has 99% of the bad requests.\n\
             Suspect: deploy of payments 2.14.0 at 09:57:57 UTC, 2 min before it began.\n\
             Last 1 h: 840 bad of 36000 (2.3%).\n\
             Last 5 min: 808 bad of 2400 (33.7%).\n\
             The condition holds since 2026-02-01 09:59:58 UTC, firing since 10:00:00.\n\
             endpoint POST /pay: 99% of the bad requests, 37.5% of all\n\
             status class 5xx: 100% of the bad requests, 33.7% of all\n\
             In a sample, the newest 1000 requests:\n  \
             status 503: 100% of the bad requests, 30% of all\n\
             Bad requests:\n  \
             09:59:57 POST /pay 503 in 812 ms, event e-1, trace abababababababababababababababab\n\
             Before and since:\n  \
             deploy of payments 2.14.0 at 09:57:57 UTC, by ci: rounding"
        );
        let guide = include_str!("../../../../docs/alerting.md");
        assert!(guide.contains(&format!("```\n{}\n```", said["evidence"])), "the guide shows it");
        assert!(said.keys().all(|name| guide.contains(&format!("\n| `{name}` |"))), "and names all of it");
        assert_eq!(said["suspect"], "deploy of payments 2.14.0 at 09:57:57 UTC, 2 min before it began");
        assert_eq!(said["trace_url"], format!("https://traces.test/{}?x", "ab".repeat(16)));
        assert_eq!(said["replay"], "slipstream replay --alert 00c0ffee00c0ffee/1769939998 --around 30m");
        assert_eq!(
            said["bad_requests"],
            format!(
                r#"[{{"event_id":"e-1","trace_id":"{}","time":"2026-02-01T09:59:57.250000Z","endpoint":"/pay","method":"POST","status":503,"latency_ms":812.0}}]"#,
                "ab".repeat(16)
            )
        );
        let contributors: serde_json::Value = serde_json::from_str(&said["contributors"]).unwrap();
        assert_eq!(contributors[2]["sample"], true);
        assert_eq!(
            (&contributors[0]["dimension"], &contributors[0]["value"]),
            (&"endpoint".into(), &"POST /pay".into())
        );
    }

    #[test]
    fn without_an_answer_an_alert_says_what_it_knows_itself() {
        let exemplars = vec![Exemplar { event_id: "e-9".to_owned(), trace_id: Some("t9".to_owned()), time: 0 }];
        let t = AlertTransition { exemplars, ..firing() };
        let said = of(&Told { transition: &t, evidence: None }, &BTreeMap::new(), "https://traces.test/{trace_id}");
        assert!(said["evidence"].ends_with("Bad requests:\n  00:00:00 event e-9, trace t9"), "{said:?}");
        let names: Vec<&str> = said.keys().map(String::as_str).collect();
        assert_eq!(names, ["bad_requests", "evidence", "replay", "trace_url"]);
        assert_eq!(said["trace_url"], "https://traces.test/t9");
    }

    #[test]
    fn what_others_wrote_makes_no_body_long() {
        let huge = "\u{1b}ü\"".repeat(3_000);
        let mut found = evidence();
        let mut odd = request();
        (odd.event_id, odd.trace_id) = (huge.clone(), Some(huge.clone()));
        found.requests = (0..5).map(|i| BadRequest { event_id: format!("{i}{huge}"), ..odd.clone() }).collect();
        found.requests.push(request());
        found.markers = vec![Marker { text: huge.clone(), version: Some(huge.clone()), ..deploy() }; 9];
        found.breakdowns =
            (0..9).map(|i| by(&format!("attributes.{i}{huge}"), true, &[(&huge, 9, 9), ("", 0, 9)])).collect();
        let t = firing();
        let said = of(&Told { transition: &t, evidence: Some(&found) }, &BTreeMap::new(), "https://t.test/{trace_id}");
        let bytes: usize = said.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= 4_096, "{bytes} bytes");
        assert!(!said["evidence"].contains('\u{1b}'), "{said:?}");
    }
}
