//! Every query of every dashboard is asked, as Grafana would ask it, against a real PostgreSQL that a real process has
//! filled and a real Prometheus that has scraped that process; each must answer with something to show.
#![allow(clippy::unwrap_used, reason = "a test")]

mod dashboard;
mod macros;
mod shop;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use dashboard::{Dashboard, Language};
use macros::Context;
use serde_json::Value;
use shop::Shop;
use sources::{Prometheus, Sql};

const GRAFANA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../grafana");

#[tokio::test]
async fn every_query_of_every_dashboard_has_something_to_show() {
    let postgres = slipstream_testkit::services::postgres().await;
    let database = postgres.fresh_database().await;
    let shop = Shop::open(&database).await;
    let prometheus = Prometheus::scraping(&shop.ops()).await;
    // A rate is what a counter grew by since it was seen first.
    shop.serve(shop::MINUTES.start).await;
    shop.is_asked().await;
    for counter in ["slipstream_gateway_request_seconds_count", "slipstream_api_request_seconds_count"] {
        prometheus.shows(counter).await.unwrap();
    }
    for minute in shop::MINUTES.skip(1) {
        shop.serve(minute).await;
        shop.is_asked().await;
    }
    shop.has_told().await;
    let sql = Sql::connect(&database).await;
    let units = "SELECT count(*) FROM slo_state HAVING array_agg(DISTINCT unit) = '{events,seconds,share}'";
    sql.shows(units, false).await.unwrap();

    let mut asked = BTreeSet::new();
    let mut empty = Vec::new();
    for (dashboard, slo) in views() {
        let mut context = Context::last_hour();
        for variable in &dashboard.variables {
            let values = match (slo.filter(|_| variable.name == "slo"), &variable.query) {
                (Some(slo), _) => vec![slo.to_owned()],
                (_, Some(query)) if variable.language == Language::Sql => sql.values(&context.expand(query)).await,
                (_, Some(query)) => prometheus.values(&context.expand(query)).await,
                (_, None) => variable.values.clone(),
            };
            if values.is_empty() {
                empty.push(format!("{}: variable {} has no values", dashboard.title, variable.name));
            }
            context.set(variable, values);
        }
        for query in &dashboard.queries {
            let text = context.expand(&query.text);
            let shown = match query.language {
                Language::Sql => sql.shows(&text, query.may_be_null).await,
                Language::Prom => prometheus.shows(&text).await,
            };
            if let Err(why) = shown {
                empty.push(format!("{}: {}: {why}\n{text}", dashboard.title, query.place));
            }
            asked.insert((dashboard.title.clone(), query.place.clone()));
        }
    }
    assert!(empty.is_empty(), "{} of {} queries:\n{}", empty.len(), asked.len(), empty.join("\n\n"));
    assert!(asked.len() > 80, "only {} queries were found: {asked:?}", asked.len());
    other_names(&prometheus).await;
    exemplars(&prometheus).await;
}

/// What dashboards of sloth ask, and its rules hold of each other.
async fn other_names(prometheus: &Prometheus) {
    const SAME: &str = "on (sloth_id, sloth_slo, sloth_service)";
    let budget = format!("{SAME} group_left slo:error_budget:ratio");
    let current = format!("slo:sli_error:ratio_rate5m / {budget}");
    let queries = [
        "slo:sli_error:ratio_rate5m{sloth_service=\"payment\"}".to_owned(),
        "1 - slo:sli_error:ratio_rate30d{sloth_slo=\"payment-availability\"}".to_owned(),
        "slo:period_error_budget_remaining:ratio{sloth_id=\"payment-payment-availability\"} or on() vector(1)"
            .to_owned(),
        "slo:objective:ratio{sloth_service=\"payment\"}".to_owned(),
        "slo:time_period:days == 30".to_owned(),
        "sloth_slo_info{sloth_objective=~\".+\"}".to_owned(),
        format!("sum by (sloth_slo) ({current})"),
        format!("abs({current} - {SAME} slo:current_burn_rate:ratio) < 1e-9"),
        format!("abs(slo:sli_error:ratio_rate30d / {budget} - {SAME} slo:period_burn_rate:ratio) < 1e-9"),
        "sli:availability:ratio_rate5m < 1".to_owned(),
        "sli:latency:ratio_rate5m < 1".to_owned(),
    ];
    for query in queries {
        prometheus.shows(&query).await.unwrap_or_else(|why| panic!("{query}: {why}"));
    }
}

/// A bad event is an exemplar of what is bad.
async fn exemplars(prometheus: &Prometheus) {
    let found = prometheus.exemplars("slipstream_slo_events_total{outcome=\"bad\"}").await;
    for labels in &found {
        assert_eq!(labels["trace_id"].as_str().map(str::len), Some(32), "{labels}");
        assert!(labels["event_id"].as_str().unwrap().starts_with("request-"), "{labels}");
    }
}

#[test]
fn dashboards_are_what_people_expect_of_dashboards() {
    let all = all();
    let uids: BTreeSet<&str> = all.iter().map(|d| d.uid.as_str()).collect();
    assert_eq!(uids.len(), all.len(), "every dashboard has a uid of its own");
    for dashboard in &all {
        let ids: BTreeSet<i64> = dashboard.panels().map(|p| p["id"].as_i64().unwrap()).collect();
        assert_eq!(ids.len(), dashboard.panels().count(), "{}: every panel has an id of its own", dashboard.title);
        for panel in dashboard.panels().filter(|p| p["type"] != "row") {
            let title = format!("{}: {}", dashboard.title, panel["title"]);
            assert!(panel["description"].as_str().is_some_and(|d| d.len() > 20), "{title} says what it shows");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title} follows the variable");
            let defaults = &panel["fieldConfig"]["defaults"];
            let told = defaults["unit"].is_string() || defaults["mappings"].as_array().is_some_and(|m| !m.is_empty());
            assert!(told, "{title} has a unit, or a text for each value");
            let axes = panel.to_string();
            assert!(!axes.contains(r#""axisPlacement":"right""#), "{title} has one axis");
        }
        for link in linked_uids(&dashboard.json) {
            assert!(uids.contains(link.as_str()), "{}: a link leads to {link}, which is not there", dashboard.title);
        }
    }
}

/// A share is one of requests: what is just below a target must not look like the target.
#[test]
fn shares_have_decimals_enough_to_differ_from_their_target() {
    let mut shares = 0;
    for dashboard in all() {
        for panel in dashboard.panels() {
            let config = &panel["fieldConfig"];
            let overrides = config["overrides"].as_array().into_iter().flatten().map(|o| {
                let property = |id| o["properties"].as_array().unwrap().iter().find(|p| p["id"] == id);
                (property("unit").map(|p| &p["value"]), property("decimals").map(|p| &p["value"]))
            });
            let defaults = (config["defaults"].get("unit"), config["defaults"].get("decimals"));
            for (unit, decimals) in
                overrides.chain([defaults]).filter(|(unit, _)| unit.is_some_and(|u| u == "percentunit"))
            {
                let enough = decimals.and_then(Value::as_u64).is_some_and(|decimals| decimals >= 6);
                assert!(enough, "{}: {}: {unit:?} with decimals {decimals:?}", dashboard.title, panel["title"]);
                shares += 1;
            }
        }
    }
    assert!(shares >= 14, "only {shares} shares were found");
}

#[test]
fn panels_do_not_overlap() {
    for dashboard in all() {
        let mut taken: BTreeMap<(i64, i64), String> = BTreeMap::new();
        for panel in dashboard.panels() {
            let at = |name: &str| panel["gridPos"][name].as_i64().unwrap();
            let title = panel["title"].to_string();
            assert!(at("x") + at("w") <= 24, "{}: {title} is wider than the screen", dashboard.title);
            for (x, y) in (0..at("w")).flat_map(|x| (0..at("h")).map(move |y| (x, y))) {
                let before = taken.insert((at("x") + x, at("y") + y), title.clone());
                assert_eq!(before, None, "{}: {title} lies on another panel", dashboard.title);
            }
        }
    }
}

#[test]
fn provisioned_data_sources_are_those_that_dashboards_ask_for() {
    let text = std::fs::read_to_string(format!("{GRAFANA}/provisioning/datasources/slipstream.yaml")).unwrap();
    let yaml: Value = serde_yaml_ng::from_str(&text).unwrap();
    let provisioned: BTreeSet<&str> =
        yaml["datasources"].as_array().unwrap().iter().map(|source| source["type"].as_str().unwrap()).collect();
    let all = all();
    let asked: BTreeSet<&str> = all.iter().map(|d| d.data_source.as_str()).collect();
    assert_eq!(provisioned, asked);
}

/// Each dashboard as it opens; that of SLOs once more, with the one whose budget is not in events.
fn views() -> Vec<(Dashboard, Option<&'static str>)> {
    let sliced = all().into_iter().filter(|dashboard| dashboard.variables.iter().any(|v| v.name == "slo"));
    all().into_iter().map(|dashboard| (dashboard, None)).chain(sliced.map(|d| (d, Some("sliced")))).collect()
}

fn all() -> Vec<Dashboard> {
    let folder = PathBuf::from(GRAFANA).join("dashboards");
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 2, "{} holds the dashboards", folder.display());
    paths.iter().map(|path| Dashboard::load(path)).collect()
}

fn linked_uids(json: &Value) -> Vec<String> {
    let text = json.to_string();
    let after = text.split("\"/d/").skip(1);
    after.map(|rest| rest.split(['?', '/', '"']).next().unwrap().to_owned()).collect()
}

#[test]
#[should_panic(expected = "__timeSomething")]
fn a_macro_that_nobody_expands_is_an_error() {
    Context::last_hour().expand("SELECT $__timeSomething(x)");
}
