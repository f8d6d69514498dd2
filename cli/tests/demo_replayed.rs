//! R1 on what anybody can run: a demo that is over, replayed from its directory, gives the alerts that it had.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use slipstream_log::SharedLog;
use slipstream_log::sqlite::SqliteLog;
use slipstream_replay::{Asked, Sources, replay};
use slipstream_schemas::Topic;
use slipstream_schemas::records::{AlertTransition, TransitionKind};
use slipstream_testkit::replays::r1;
use slipstream_testkit::verdict;
use support::{arg, json};

/// The fault begins after 20 s and pages within seconds.
const LONG_ENOUGH: &str = "45s";

#[tokio::test]
async fn r1_a_demo_is_replayed_to_the_byte() {
    let home = tempfile::tempdir().unwrap();
    let data = arg(home.path());
    let report = json(&["demo", "--headless", "--json", "--for", LONG_ENOUGH, "--data", data]);

    let log: SharedLog = SqliteLog::open_read_only(home.path()).unwrap();
    let published: Vec<AlertTransition> = verdict::all(log.as_ref(), Topic::Alerts).await.unwrap();
    assert!(published.iter().any(|t| t.kind == TransitionKind::Firing), "the fault pages: {report}");
    let found = replay(&Sources::of_log(Arc::clone(&log)), &Asked::default(), &Arc::default()).await.unwrap();
    let records = found.told.transitions();
    let compared = r1(log.as_ref(), &records).await.unwrap();
    println!("{compared}");
    let episode = |t: &AlertTransition| (t.alert_id.clone(), t.episode);
    let episodes: BTreeSet<(String, i64)> = published.iter().map(episode).collect();
    assert_eq!((compared.same, compared.exempted()), (episodes.len(), 0), "{compared}");

    let printed = json(&["replay", "--json", "--data", data]);
    assert_eq!(printed["events"], report["events_accepted"]);
    let steps = |alert: &serde_json::Value| {
        let kinds = alert["transitions"].as_array().unwrap().iter().map(|t| t["kind"].as_str().unwrap().to_owned());
        (alert["id"].as_str().unwrap().to_owned(), kinds.collect::<Vec<_>>())
    };
    let mut shown: Vec<_> = printed["alerts"].as_array().unwrap().iter().map(steps).collect();
    let mut replayed: Vec<_> = episodes.iter().map(|of| (of.0.clone(), kinds(&records, of))).collect();
    replayed.sort();
    shown.sort();
    assert_eq!(shown, replayed);
}

/// What happened in an episode, as it is printed.
fn kinds(transitions: &[AlertTransition], (alert, episode): &(String, i64)) -> Vec<String> {
    let of = transitions.iter().filter(|t| (&t.alert_id, t.episode) == (alert, *episode));
    of.map(|t| format!("{:?}", t.kind).to_lowercase()).collect()
}
