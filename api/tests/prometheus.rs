//! Metrics of SLOs as Prometheus reads them: they say what the API says, in both formats.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use slipstream_runtime::metrics::{Format, Names, Page};
use support::{World, events, until};

/// The samples of a page, by name and labels, as they are written.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let line = line.split(" # ").next().unwrap();
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

async fn page(world: &World) -> Page {
    Page::default().with(world.metrics.clone())
}

#[tokio::test]
async fn the_metrics_say_what_the_api_says() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let page = page(&world).await;
    // Of the same tick.
    until("a page and an answer of one tick", async || {
        let text = page.render(Format::Text, &Names::default());
        let answer = world.api.get("/slos").await.ok();
        let told = samples(&text);
        let as_of: jiff::Timestamp = answer["as_of"].as_str().unwrap().parse().unwrap();
        if told["slipstream_slo_known_until_timestamp_seconds"] != as_of.as_second() as f64 {
            return false;
        }
        let slos = answer["slos"].as_array().unwrap();
        assert_eq!(told["slipstream_slo_series{shown=\"true\"}"], slos.len() as f64);
        assert!(slos.len() >= 4, "groups are among them");
        slos.iter().for_each(|slo| same(slo, &told));
        true
    })
    .await;
    world.end().await;
}

/// What the API says of a series is what metrics say.
fn same(slo: &Value, told: &BTreeMap<String, f64>) {
    let text = |key: &str| slo[key].as_str().unwrap();
    let group = slo["group"].as_object().into_iter().flatten();
    let group: String = group.map(|(name, value)| format!(",{name}={value}")).collect();
    let labels = format!("slo=\"{}\",service=\"shop\",objective=\"{}\"{group}", text("name"), text("objective"));
    let metric = |name: &str, own: &str| {
        let name = format!("slipstream_slo_{name}{{{labels}{own}}}");
        *told.get(&name).unwrap_or_else(|| panic!("{name}: {told:#?}"))
    };
    // The last digit is that of whoever reads it.
    let same = |name: &str, own: &str, value: &Value| {
        let (metric, value) = (metric(name, own), value.as_f64().unwrap());
        assert!((metric - value).abs() <= value.abs() * 1e-14, "{name}{own}: {metric}, not {value}");
    };
    same("objective_ratio", "", &slo["target"]);
    same("sli_ratio", "", &slo["sli"]);
    same("error_budget_remaining_ratio", "", &slo["budget_remaining"]);
    let (good, total) = (slo["good"].as_i64().unwrap(), slo["total"].as_i64().unwrap());
    assert_eq!(metric("window_good", ",unit=\"events\""), good as f64);
    assert_eq!(metric("window_bad", ",unit=\"events\""), (total - good) as f64);
    for (window, rate) in slo["burn_rates"].as_object().unwrap() {
        same("burn_rate", &format!(",window=\"{window}\""), rate);
    }
    // All of it came after the role began to count.
    assert_eq!(metric("events_total", ",outcome=\"good\""), good as f64);
    assert_eq!(metric("events_total", ",outcome=\"bad\""), (total - good) as f64);
}

#[tokio::test]
async fn promtool_has_nothing_to_say() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let text = page(&world).await.render(Format::Text, &Names::default());
    assert!(text.contains("slipstream_api_requests_total") && text.contains("slipstream_slo_burn_rate"), "{text}");
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool =
        command.spawn().unwrap_or_else(|e| panic!("this test needs promtool: {e}; run `scripts/setup test`"));
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ended = promtool.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].map(|said| String::from_utf8(said).unwrap());
    assert!(ended.status.success() && said == ["", ""], "{said:?}\n{text}");
    world.end().await;
}

#[tokio::test]
async fn openmetrics_has_trace_ids_of_bad_events() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let page = page(&world).await;
    let names = page.names("sloth,sli").unwrap();
    let text = page.render(Format::OpenMetrics, &names);
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    // Event 30 is the newest that failed.
    let trace = format!("# {{trace_id=\"{:032x}\",event_id=\"event-30\"}} 1.0 ", 30);
    let bad = text.lines().find(|l| l.starts_with("slipstream_slo_events_total{slo=\"all\"") && l.contains("\"bad\""));
    assert!(bad.is_some_and(|line| line.contains(&trace)), "{bad:?}");
    assert_eq!(text.lines().filter(|l| l.contains(" # {")).count(), text.matches("event_id=").count());
    let samples = samples(text.trim_end_matches("# EOF\n"));
    let sloth = "sloth_id=\"shop-all\",sloth_service=\"shop\",sloth_slo=\"all\"";
    assert_eq!(samples[&format!("slo:sli_error:ratio_rate5m{{{sloth},sloth_window=\"5m\"}}")], 0.1);
    assert_eq!(samples["sli:availability:ratio_rate5m{slo=\"all\",service=\"shop\",objective=\"most\"}"], 0.9);
    world.end().await;
}

#[tokio::test]
async fn every_metric_of_slos_is_in_the_guide_and_no_other() {
    const GUIDE: &str = include_str!("../../docs/metrics.md");
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let page = page(&world).await;
    let names = page.names("sloth,sli").unwrap();
    let families = page.families(&names);
    let ours = |name: &str| ["slipstream_slo_", "slo:", "sli:", "sloth_"].iter().any(|ours| name.starts_with(ours));
    // Of each window there is one.
    let short = |name: &str| match name.split_once("ratio_rate") {
        Some((before, _)) if before.starts_with("slo:") => format!("{before}ratio_rate<window>"),
        _ => name.to_owned(),
    };
    let mut told: Vec<String> = families.iter().filter(|f| ours(&f.name)).map(|f| short(&f.name)).collect();
    // None of these SLOs asks for latency.
    told.push("sli:latency:ratio_rate5m".to_owned());
    told.sort();
    told.dedup();
    let first = |line: &'static str| line.strip_prefix("| `").and_then(|rest| rest.split(['`', '{']).next());
    let mut listed: Vec<String> = GUIDE.lines().filter_map(first).filter(|n| ours(n)).map(str::to_owned).collect();
    listed.sort();
    assert_eq!(told, listed);
    world.end().await;
}
