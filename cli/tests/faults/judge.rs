//! What must hold of a cluster at rest.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use slipstream_log::{Log, SharedLog};
use slipstream_replay::{Asked, Sources, replay};
use slipstream_schemas::Topic;
use slipstream_schemas::records::{AlertTransition, BurnRates, Notification};
use slipstream_store::Store;
use slipstream_testkit::faults::cells::Cells;
use slipstream_testkit::faults::cluster::{Cluster, Injected};
use slipstream_testkit::faults::member::RECEIVER;
use slipstream_testkit::faults::recovery::recovery;
use slipstream_testkit::faults::report::Report;
use slipstream_testkit::faults::told::told;
use slipstream_testkit::faults::windows::windows_equal;
use slipstream_testkit::recount::{Recount, recount};
use slipstream_testkit::replays::{Compared, r1};
use slipstream_testkit::verdict;
use slipstream_testkit::webhook::Receiver;

use crate::database::Database;
use crate::shop;
use crate::traffic::Sent;

const WINDOW_MS: i64 = 120_000;

/// Judges all of it; an error says what does not hold. What it takes from the run itself, the caller fills in.
pub async fn judge(cluster: &Cluster, receiver: &Receiver, sent: &Sent, injected: &[Vec<Injected>]) -> Result<Report> {
    let (log, store) = (cluster.log(), cluster.store().await?);
    let log: &dyn Log = log.as_ref();
    let database = Database::connect(&cluster.database()).await?;

    let counted = recount(log, WINDOW_MS).await?;
    events_once(&counted, sent, &database).await?;
    let copies = (counted.redelivered, sent.twice);
    ensure!(copies.0 >= copies.1, "{} copies in the log are not counted, {} were sent and taken", copies.0, copies.1);
    verdict::stored_once(store.as_ref() as &dyn Store, &counted).await?;

    verdict::tallies_join(log).await.context("coverage")?;
    let cells = Cells::counted(&counted, &shop::meanings());
    cells.ensure_equal(&Cells::tallied(log).await?)?;

    let published: Vec<BurnRates> = verdict::all(log, Topic::BurnRates).await?;
    let refolded = verdict::burn_rates_refold(log).await?;
    let folded = verdict::refolded(log).await?.len();
    ensure!(folded == published.len(), "P3a: {} published, {folded} folded", published.len());
    let compared = windows_equal(log, &cells).await?;
    history_once(&published, &database).await?;

    let transitions = verdict::transitions_replay(log).await?;
    let replayed = verdict::replayed(log).await?.len();
    ensure!(replayed == transitions.len(), "A1: {} published, {replayed} replayed", transitions.len());
    transitions_once(&transitions, &database).await?;
    let episodes = replayed_again(cluster.log()).await?;

    let notes: Vec<Notification> = verdict::all(log, Topic::Notifications).await?;
    let told = told(&transitions, &notes, &receiver.deliveries(), RECEIVER)?;
    let rows = database.count("notifications").await?;
    ensure!(rows == notes.len(), "{rows} rows of notifications, {} in the topic", notes.len());
    let (partitions, last) = (log.partitions(Topic::SliTallies).await?, sent.ended.context("traffic goes on")?);
    let recovery = recovery(&transitions, &told.first, injected, partitions, last);
    Ok(Report {
        acknowledged: sent.acknowledged.len(),
        sent_twice: sent.twice,
        retried: sent.retried,
        redelivered: counted.redelivered,
        cells: cells.len(),
        refolded,
        compared,
        transitions: transitions.len(),
        replayed: episodes,
        told,
        recovery,
        ..Report::default()
    })
}

/// Every acknowledged event is in the log and in the table, and what is there is there once.
async fn events_once(counted: &Recount, sent: &Sent, database: &Database) -> Result<()> {
    let in_log: HashSet<&str> = counted.accepted.iter().map(|a| a.event.event_id.as_str()).collect();
    let lost: Vec<&String> = sent.acknowledged.iter().filter(|id| !in_log.contains(id.as_str())).collect();
    ensure!(lost.is_empty(), "{} acknowledged events are not in the log: {lost:?}", lost.len());
    ensure!(in_log.len() == counted.accepted.len(), "an event counts twice in the log");
    ensure!(counted.invalid == 0, "{} records are no events", counted.invalid);

    let rows = database.rows_per_event().await?;
    let lost: Vec<&String> = sent.acknowledged.iter().filter(|id| !rows.contains_key(*id)).collect();
    let doubled: Vec<_> = rows.iter().filter(|(_, rows)| **rows != 1).collect();
    ensure!(lost.is_empty(), "{} acknowledged events are not in the table: {lost:?}", lost.len());
    ensure!(doubled.is_empty(), "{} events are not in the table once: {doubled:?}", doubled.len());

    let weight = counted.weight(|_| true);
    let hits = database.hits().await?;
    ensure!(hits == weight, "the rollups hold {hits} hits, the log {weight}");
    Ok(())
}

/// What burn said at a tick about a series is a row, and one row.
async fn history_once(published: &[BurnRates], database: &Database) -> Result<()> {
    let said: BTreeSet<_> = published.iter().map(|r| (&r.slo, &r.objective, &r.group, r.tick, r.generation)).collect();
    ensure!(said.len() == published.len(), "a series was published twice at a tick");
    let rows = database.count("burn_rates").await?;
    ensure!(rows == said.len(), "{rows} rows of burn-rate history, {} published", said.len());
    Ok(())
}

/// Each transition is in the topic once (A1 has said so) and in the table once.
async fn transitions_once(transitions: &[AlertTransition], database: &Database) -> Result<()> {
    let mut expected: BTreeMap<(String, i64, i32), i64> = BTreeMap::new();
    for t in transitions {
        *expected.entry((t.alert_id.clone(), t.episode, t.seq)).or_default() += 1;
    }
    ensure!(expected.len() == transitions.len(), "a transition is in the topic twice");
    let stored = database.transitions().await?;
    ensure!(stored == expected, "transitions in topic and table differ:\n{stored:?}\n{expected:?}");
    Ok(())
}

/// R1: a replay of the log gives the alerts that there were, but for those whose ticks the faults have left incomplete.
async fn replayed_again(log: SharedLog) -> Result<Compared> {
    let found = replay(&Sources::of_log(Arc::clone(&log)), &Asked::default(), &Arc::default())
        .await
        .context("R1: replaying the log")?;
    let records = found.told.transitions();
    let compared = r1(log.as_ref(), &records).await?;
    ensure!(compared.same > 0, "R1: {compared}: nothing was compared");
    Ok(compared)
}
