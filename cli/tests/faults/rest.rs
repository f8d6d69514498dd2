//! The way to rest: traffic has ended, every role processes what is left and is then told to stop, first to last.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use slipstream_alerter::ReceiverConfig;
use slipstream_log::Log;
use slipstream_schemas::Topic;
use slipstream_schemas::records::{AlertTransition, TransitionKind};
use slipstream_store::Store;
use slipstream_testkit::faults::cluster::Cluster;
use slipstream_testkit::faults::drained;
use slipstream_testkit::faults::member::RECEIVER;
use slipstream_testkit::faults::plan::Kind;
use slipstream_testkit::verdict;

/// What a step may take: a session, a transaction that times out, and the work itself.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(250);

/// Waits until what was sent has gone all the way and no alert of `alerts` is open, then stops every process. All of them
/// must end in order.
pub async fn come_to_rest(cluster: &Cluster, alerts: &[String]) -> Result<()> {
    cluster.ready().await?;
    let (log, store) = (cluster.log(), cluster.store().await?);
    let (log, store): (&dyn Log, &dyn Store) = (log.as_ref(), store.as_ref());
    // What a gateway still had in flight is in the log after this, or never.
    cluster.stop(Kind::Gateway).await?;
    until(cluster, "tally to process request-events", || drained::by_group(log, "tally", Topic::RequestEvents)).await?;
    until(cluster, "every alert to be over", || closed(log, alerts)).await?;
    cluster.stop(Kind::Tally).await?;
    until(cluster, "burn to process sli-tallies", || drained::by_group(log, "burn", Topic::SliTallies)).await?;
    cluster.stop(Kind::Burn).await?;
    until(cluster, "the alerter to process burn-rates", || drained::by_group(log, "alerter", Topic::BurnRates)).await?;
    let group = ReceiverConfig::webhook(RECEIVER, "").group();
    until(cluster, "the notifier to process alerts", || drained::by_group(log, &group, Topic::Alerts)).await?;
    cluster.stop(Kind::Alerter).await?;
    for topic in slipstream_sink::run::TOPICS {
        until(cluster, &format!("the sink to store {topic}"), || drained::by_store(log, store, topic)).await?;
    }
    cluster.stop(Kind::Sink).await
}

/// Whether the newest transition of each of these alerts ends it.
async fn closed(log: &dyn Log, alerts: &[String]) -> Result<bool> {
    let transitions: Vec<AlertTransition> = verdict::all(log, Topic::Alerts).await?;
    let over = |id: &String| {
        let newest = transitions.iter().filter(|t| t.alert_id == *id).max_by_key(|t| (t.episode, t.seq));
        newest.is_some_and(|t| matches!(t.kind, TransitionKind::Inactive | TransitionKind::Resolved))
    };
    Ok(alerts.iter().all(over))
}

/// Looks until it is true. While it is not, what goes wrong is an answer like no; a process that has ended is not.
pub async fn until<F, E>(cluster: &Cluster, what: &str, mut look: impl FnMut() -> F) -> Result<()>
where
    F: Future<Output = std::result::Result<bool, E>>,
    E: Debug,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = look().await;
        if matches!(found, Ok(true)) {
            return Ok(());
        }
        cluster.still_runs().await.with_context(|| format!("waiting for {what}"))?;
        if Instant::now() >= deadline {
            bail!("{} s were not enough for {what}: {found:?}", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}
