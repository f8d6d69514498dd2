//! A made-up incident: an hour of a shop, in which a deploy breaks payments for some minutes. Its names try to be markup.

use std::collections::BTreeMap;

use slipstream_query::slos::SloStatus;
use slipstream_replay::outcome::*;
use slipstream_schemas::records::BudgetUnit;
use slipstream_store::alerts::{AlertEpisode, AlertState};

/// Names from outside that would do harm if they were markup.
pub const NASTY: &str = "<script>alert('x')</script>&\"\u{1}]]>--><b>";
/// Steps of the hour.
pub const STEPS: i64 = 240;
/// Steps whose history is missing.
pub const GAP: std::ops::Range<i64> = 180..188;
const BAD: std::ops::Range<i64> = 60..112;

/// `10:00:00` and so many seconds.
pub fn at(seconds: i64) -> String {
    format!("2026-11-29T{:02}:{:02}:{:02}Z", 10 + seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// The hour with one alert, of `checkout-availability`.
pub fn incident() -> Outcome {
    Outcome {
        slos: vec![slo("checkout-availability", "checkout", true), slo("search-latency", "search", false)],
        alerts: vec![alert()],
        traffic: vec![traffic("checkout", true), traffic("search", false), traffic(NASTY, false)],
        markers: markers(),
        ..quiet()
    }
}

/// The same hour with nothing in it.
pub fn empty() -> Outcome {
    Outcome { events: 0, duplicates: 0, invalid: 0, parts: Vec::new(), missing: Vec::new(), ..quiet() }
}

/// The hour without alerts, objectives and traffic.
fn quiet() -> Outcome {
    let source = "sqlite:./slipstream-data".to_owned();
    let part = |from_offset, to_offset, from, to| Part {
        source: source.clone(),
        partition: 0,
        from_offset,
        to_offset,
        from,
        to,
    };
    Outcome {
        from: at(0),
        to: at(3_600),
        stopped: false,
        clock: Clock::Log,
        warm_up_from: "2026-11-26T09:48:00Z".to_owned(),
        events: 1_081_000,
        duplicates: 312,
        invalid: 1,
        step_seconds: 15,
        parts: vec![
            part(0, 912_000, "2026-11-26T09:48:00Z".to_owned(), at(2_700)),
            part(933_120, 1_081_313, at(2_820), at(3_600)),
        ],
        missing: vec![Missing {
            partition: 0,
            from: at(2_700),
            to: at(2_820),
            reason: "no source holds it any more".to_owned(),
        }],
        slos: Vec::new(),
        alerts: Vec::new(),
        traffic: Vec::new(),
        markers: Vec::new(),
        rules_left_out: Vec::new(),
    }
}

/// How bad a step is, from 0 to 1: it rises fast and falls slowly.
fn badness(step: i64) -> f64 {
    if !BAD.contains(&step) {
        return 0.0;
    }
    let (since, left) = ((step - BAD.start) as f64, (BAD.end - step) as f64);
    (since / 4.0).min(left / 12.0).min(1.0)
}

/// Something between 0 and 1 that looks random: the finalizer of MurmurHash3.
fn noise(step: i64, of: i64) -> f64 {
    let mut mixed = (step * 64 + of).cast_unsigned();
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    ((mixed ^ (mixed >> 33)) % 1_000) as f64 / 1_000.0
}

/// A service's traffic.
pub fn traffic(service: &str, is_hit: bool) -> ServiceTraffic {
    let steps = (0..STEPS).filter(|step| !GAP.contains(step)).map(|step| {
        let bad = if is_hit { badness(step) } else { 0.0 };
        let requests = (1_350.0 + 180.0 * (step as f64 / 30.0).sin() + 120.0 * noise(step, 1) - 320.0 * bad) as u64;
        let slow = 1.0 + 14.0 * bad + noise(step, 2) * 0.3;
        // Nothing was measured here.
        let measured = |ms: f64| (!(20..24).contains(&step)).then_some(ms * slow);
        TrafficStep {
            at: at(step * 15),
            requests,
            errors: (requests as f64 * (0.29 * bad + 0.0004 * noise(step, 3))) as u64,
            p50_ms: measured(42.0),
            p95_ms: measured(160.0 + 40.0 * noise(step, 4)),
            p99_ms: measured(310.0 + 160.0 * noise(step, 5)),
        }
    });
    ServiceTraffic { service: service.to_owned(), steps: steps.collect() }
}

/// An objective.
pub fn slo(name: &str, service: &str, is_hit: bool) -> SloHistory {
    let mut left = 0.932;
    let steps = (0..STEPS).filter(|step| !GAP.contains(step)).map(|step| {
        let mean = |steps: i64| (step - steps + 1..=step).map(badness).sum::<f64>() / steps as f64;
        let rate =
            |steps: i64| if is_hit { 292.0 * mean(steps) + 0.4 * noise(step / 8, 6) } else { 0.2 * noise(step / 8, 7) };
        left -= if is_hit { 0.0072 * badness(step) } else { 0.0 };
        let windows = [("5m", 20), ("1h", 240), ("30m", 120), ("6h", 1_440)];
        SloStep {
            at: at(step * 15),
            counted: Counted { good: 1_200, total: 1_210, unknown: 0 },
            sli: Some(0.9992),
            budget_remaining: left,
            burn_rates: windows.into_iter().map(|(window, steps)| (window.to_owned(), rate(steps))).collect(),
        }
    });
    let timeline: Vec<SloStep> = steps.collect();
    SloHistory {
        status: status(name, service, &timeline),
        range: Counted { good: 305_000, total: 317_044, unknown: 3 },
        timeline,
        contributors: contributors(),
    }
}

fn status(name: &str, service: &str, timeline: &[SloStep]) -> SloStatus {
    let last = timeline.last().expect("the hour has steps");
    SloStatus {
        name: name.to_owned(),
        service: service.to_owned(),
        objective: "all".to_owned(),
        target: Some(0.999),
        window: Some("30d".to_owned()),
        sli: Some(0.9992),
        budget_remaining: last.budget_remaining,
        burn_rates: last.burn_rates.clone(),
        exhaustion_at: None,
        unit: BudgetUnit::Events,
        good: 80_000_000,
        total: 80_020_000,
        budget_total: 80_020.0,
        period_start: None,
        as_of: Some(at(3_600)),
        complete: true,
        covered_from: Some("2026-10-30T08:00:00Z".to_owned()),
        covers_period: true,
        unknown: 3,
        too_late: 0,
        group: None,
    }
}

/// A dimension whose values are given as (value, bad, share of bad, share of all).
pub fn dimension(name: &str, values: &[(&str, i64, f64, f64)]) -> Contributors {
    let value = |(value, bad, share_of_bad, share_of_all): &(&str, i64, f64, f64)| Contributor {
        value: (*value).to_owned(),
        bad: *bad,
        total: (81_000.0 * share_of_all) as i64,
        share_of_bad: *share_of_bad,
        share_of_all: *share_of_all,
    };
    Contributors { dimension: name.to_owned(), values: values.iter().map(value).collect(), more: 0 }
}

/// What made up the bad requests of the incident.
pub fn contributors() -> Vec<Contributors> {
    let regions = [("eu-west-1", 9_876, 0.82, 0.41), ("us-east-1", 2_048, 0.17, 0.52), ("", 120, 0.01, 0.07)];
    vec![
        dimension("endpoint", &[("/pay", 11_803, 0.98, 0.22), ("/cart", 180, 0.015, 0.51), (NASTY, 61, 0.005, 0.27)]),
        dimension("status_code", &[("503", 11_682, 0.97, 0.147), ("500", 362, 0.03, 0.004)]),
        dimension("method", &[("POST", 11_864, 0.985, 0.7), ("GET", 180, 0.015, 0.3)]),
        Contributors { more: 4, ..dimension("attributes.region", &regions) },
    ]
}

/// A request.
pub fn request(seconds: i64, endpoint: &str, status_code: u16) -> Request {
    Request {
        time: at(seconds).replace('Z', ".482000Z"),
        sli_time: at(seconds).replace('Z', ".482000Z"),
        event_id: format!("0193a4c2-7b1e-7c{seconds:02}-9a51-3f0d2c8e41b7"),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        service: "checkout".to_owned(),
        environment: "production".to_owned(),
        endpoint: endpoint.to_owned(),
        method: "POST".to_owned(),
        status_code,
        latency_ms: (status_code != 500).then_some(3_012.4),
        user_ref: (status_code != 500).then(|| format!("u-{seconds}")),
    }
}

/// The alert: it began at 10:15:04, pending at 10:15:40, firing at 10:15:45, resolved at 10:33:10.
pub fn alert() -> AlertHistory {
    let step = |seconds, kind: &str, severity: &str, value| TransitionShown {
        at: at(seconds),
        kind: kind.to_owned(),
        severity: severity.to_owned(),
        rule: "fast".to_owned(),
        value: Some(value),
        rule_kind: "burnrate".to_owned(),
    };
    let threshold = |rule: &str, severity: &str, window: &str, short_window: &str, burn| Threshold {
        rule: rule.to_owned(),
        severity: severity.to_owned(),
        window: window.to_owned(),
        short_window: short_window.to_owned(),
        burn,
    };
    AlertHistory {
        highest_burn_rates: BTreeMap::new(),
        lowest_budget: None,
        episode: episode(),
        open_before: false,
        transitions: vec![
            step(940, "pending", "", 15.2),
            step(945, "firing", "page", 18.7),
            step(1_690, "keeping", "page", 61.0),
            step(1_990, "resolved", "page", 55.2),
        ],
        thresholds: vec![threshold("fast", "page", "1h", "5m", 14.4), threshold("slow", "page", "6h", "30m", 6.0)],
        began_at: Some(at(904)),
        began_earlier: false,
        impact: Some(Impact {
            from: at(904),
            to: at(1_991),
            whole: true,
            missing: false,
            bad: 12_044,
            total: 81_000,
            users: Some(311),
            users_at_least: false,
        }),
        contributors: contributors(),
        first_bad: vec![request(904, "/pay", 503), request(905, NASTY, 500), request(907, "/pay", 503)],
        records: Vec::new(),
    }
}

fn episode() -> AlertEpisode {
    AlertEpisode {
        id: "a1b2c3d4e5f60718".to_owned(),
        slo: "checkout-availability".to_owned(),
        severity: "page".to_owned(),
        state: AlertState::Resolved,
        at: at(1_990),
        value: Some(55.2),
        threshold: Some(14.4),
        service: "checkout".to_owned(),
        objective: "all".to_owned(),
        group: BTreeMap::new(),
        rule: "fast".to_owned(),
        rule_kind: "burnrate".to_owned(),
        episode: 1_795_947_340,
        pending_at: at(940),
        fired_at: Some(at(945)),
        resolved_at: Some(at(1_990)),
    }
}

fn markers() -> Vec<MarkerShown> {
    let marker =
        |seconds, kind: &str, service: &str, version: Option<&str>, text: &str, link: Option<&str>| MarkerShown {
            id: format!("m-{seconds}"),
            time: at(seconds),
            until: None,
            kind: kind.to_owned(),
            service: service.to_owned(),
            environment: String::new(),
            version: version.map(str::to_owned),
            text: text.to_owned(),
            link: link.map(str::to_owned),
            author: "ci".to_owned(),
        };
    let link = Some("https://ci.example.com/runs/4711?a=1&b=2");
    vec![
        marker(300, "note", "", None, NASTY, Some("javascript:alert(1)")),
        marker(873, "deploy", "checkout", Some("2.4.1"), "new client of the payment provider", link),
        MarkerShown { until: Some(at(1_700)), ..marker(1_080, "incident", "checkout", None, "payments fail", None) },
        marker(1_380, "deploy", "checkout", Some("2.4.0"), "back to the former version", None),
        marker(1_400, "config", "checkout", None, "retries of payments off", None),
    ]
}

/// What stricter rules would have made of the incident.
pub fn what_if() -> WhatIf {
    let (before, mut after) = (incident(), incident());
    after.alerts[0].episode.fired_at = Some(at(925));
    let change = |change, id: &str, slo: &str, by_seconds, fired: [Option<String>; 2], changed_requests| AlertChange {
        change,
        by_seconds,
        id: id.to_owned(),
        id_before: fired[0].as_ref().map(|_| id.to_owned()),
        id_after: fired[1].as_ref().map(|_| id.to_owned()),
        slo: slo.to_owned(),
        objective: "all".to_owned(),
        group: None,
        severity: "page".to_owned(),
        severity_before: fired[0].as_ref().map(|_| "ticket".to_owned()),
        severity_after: fired[1].as_ref().map(|_| "page".to_owned()),
        episode_before: fired[0].as_ref().map(|_| 1_795_947_340),
        episode_after: fired[1].as_ref().map(|_| 1_795_947_320),
        fired_before: fired[0].clone(),
        fired_after: fired[1].clone(),
        resolved_before: fired[0].as_ref().map(|_| at(1_990)),
        resolved_after: fired[1].as_ref().map(|_| at(2_050)),
        within: None,
        looked_from: Some(at(300)),
        looked_to: Some(at(926)),
        requests: vec![RequestChange { request: request(904, NASTY, 429), before: "good", after: "bad" }],
        changed_requests: Some(changed_requests),
    };
    let counted = |good| Some(Counted { good, total: 317_044, unknown: 0 });
    WhatIf {
        slos: vec![SloChange {
            slo: "checkout-availability".to_owned(),
            objective: "all".to_owned(),
            group: None,
            sli_before: Some(0.9992),
            sli_after: Some(0.9987),
            budget_remaining_before: Some(0.61),
            budget_remaining_after: Some(-0.05),
            range_before: counted(305_000),
            range_after: counted(301_200),
        }],
        alerts: vec![
            change(
                Change::Earlier,
                "a1b2c3d4e5f60718",
                "checkout-availability",
                Some(-20),
                [Some(at(945)), Some(at(925))],
                3_800,
            ),
            change(Change::Gained, "b1", "search-latency", None, [None, Some(at(1_200))], 0),
        ],
        before,
        after,
    }
}
