//! Temporary errors of every call of the log: every role continues, and nothing is lost.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::load;
use slipstream_log::faults::CommitFault;
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, LogError, Outgoing, SharedLog};
use slipstream_query::Follower;
use slipstream_role::definitions::ensure_settings;
use slipstream_role::names;
use slipstream_runtime::supervise::Bounds;
use slipstream_schemas::Topic;
use slipstream_schemas::records::Settings;
use slipstream_store::{Retention, SharedStore, SqliteStore};
use slipstream_testkit::hooked::{Hooked, Hooks};
use slipstream_testkit::webhook::Receiver;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;
use crate::parts::store::OpenStore;
use crate::{catch_up, definitions};

const EVENTS: usize = 600;
/// What is waited for comes within this time.
const DEADLINE: Duration = Duration::from_secs(60);

/// Every third question of a kind is not answered, the first among them.
#[derive(Default)]
struct EveryThird(Mutex<BTreeMap<&'static str, usize>>);

impl Hooks for EveryThird {
    fn asking(&self, question: &'static str) -> Result<(), LogError> {
        let mut asked = self.0.lock().unwrap();
        let times = asked.entry(question).or_default();
        *times += 1;
        match *times % 6 {
            1 => Err(LogError::Busy),
            4 => Err(LogError::Transient { doing: question.to_owned(), cause: "planned".into() }),
            _ => Ok(()),
        }
    }
}

/// An installation of the demo's SLOs, of which one burns.
async fn burning_shop() -> Arc<MemoryLog> {
    let log = MemoryLog::new(MemoryOptions::default());
    ensure_settings(log.as_ref(), &Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 }).await.unwrap();
    let text = include_str!("../../../examples/shop/slos.yaml").to_owned();
    let loaded = load(&[SourceFile { path: "slos.yaml".to_owned(), text }]);
    definitions::publish(&(log.clone() as SharedLog), &loaded).await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let event = |n: usize| {
        let value = format!(
            r#"{{"event_id": "e{n}", "time": {now}, "service": "payment", "endpoint": "/pay", "method": "POST", "status_code": 500}}"#
        );
        Outgoing {
            topic: Topic::RequestEvents,
            partition: None,
            key: Some(format!("{n}").into()),
            value: Some(value.into()),
            headers: Vec::new(),
        }
    };
    log.publish((0..EVENTS).map(event).collect()).await.unwrap();
    log
}

/// Waits until an alert was delivered, and all roles have come to the end of what they read.
async fn all_done(log: &dyn Log, store: &SharedStore, receiver: &Receiver) -> Result<()> {
    receiver.until(DEADLINE, |delivered| !delivered.is_empty()).await?;
    catch_up::everything(log, store.as_ref()).await?;
    catch_up::stored(log, store.as_ref(), Topic::Alerts).await?;
    catch_up::committed(log, &names::notifier_of("ops"), Topic::Alerts).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_waits_out_what_passes_and_loses_nothing() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let open = OpenStore::Sqlite(SqliteStore::open(folder.path(), Retention::default()).unwrap());
    let (log, store, receiver) = (burning_shop().await, open.shared(), Receiver::start().await.unwrap());
    for group in [names::TALLY, names::BURN, names::ALERTER, &names::notifier_of("ops")] {
        // Then it looks up the committed positions.
        log.faults().fail_commits(group, [CommitFault::InDoubtNot, CommitFault::InDoubtDone]);
    }
    let (log, trouble) = (log as SharedLog, Arc::new(EveryThird::default()));
    let pipeline = Pipeline {
        log: Hooked::over(log.clone(), &trouble),
        store: Some(StorePlace::Open(open.clone())),
        redelivery_window_ms: 120_000,
        tally_threads: 1,
        receivers: vec![ReceiverConfig::webhook("ops", receiver.url())],
        links: slipstream_alerter::Links::default(),
        explaining: Some(Explaining::by_store(Hooked::over(log.clone(), &trouble), open.shared())),
        health: Health::default(),
    };
    let mut supervisor = Supervisor::new(Bounds::default());
    pipeline.start(&mut supervisor, &BTreeSet::from(Role::ALL));
    let (stop, told) = oneshot::channel::<()>();
    let work = async {
        let done = timeout(DEADLINE, all_done(log.as_ref(), &store, &receiver)).await;
        drop(stop);
        done.context("not all is done in time").and_then(|done| done)
    };
    let (outcome, done) = tokio::join!(supervisor.run(async { drop(told.await) }), work);
    assert!(outcome.clean(), "{outcome}");
    done.unwrap();
    let asked = trouble.0.lock().unwrap().clone();
    for question in ["partitions", "bounds", "read", "committed", "subscribe", "poll", "seek", "horizon"] {
        assert!(asked.get(question).is_some_and(|times| *times > 0), "nobody asked for {question}: {asked:?}");
    }
    assert_eq!(store.counts().await.unwrap().events, EVENTS as u64);
    let found = Follower::open(log.clone(), names::BURN).await.unwrap().slos().unwrap().slos;
    let paid = found.iter().find(|slo| slo.name == "payment-availability").unwrap();
    assert_eq!((paid.good, paid.total), (0, EVENTS as i64));
}
