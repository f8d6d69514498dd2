//! What must hold of an installation that has come to rest, whatever happened to its processes. Each check compares what
//! the pipeline wrote with a recount, or with the same log folded again in one go.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use slipstream_log::{Fetch, Log, RecordRef, TopicPartition};
use slipstream_role::definitions::DefinitionReader;
use slipstream_schemas::codec::{self, Wire};
use slipstream_schemas::records::{AlertTransition, BurnRates, Origin, TallyBatch};
use slipstream_schemas::{RequestEvent, Topic};
use slipstream_slo::alerts::OpenAlerts;
use slipstream_slo::burn::Burn;
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::Scale;
use slipstream_store::{EventFilter, EventQuestion, Store};

use crate::recount::Recount;

/// Gives every record of a topic to `take`, with its partition: one partition after the other.
///
/// # Errors
/// When the log cannot be read, or `take` fails.
pub async fn each(log: &dyn Log, topic: Topic, mut take: impl FnMut(RecordRef<'_>, u32) -> Result<()>) -> Result<()> {
    for partition in 0..log.partitions(topic).await? {
        let place = TopicPartition { topic, partition };
        let (mut next, end) = log.bounds(place).await?;
        while next < end {
            let batch = log.read(place, next, end, Fetch::default()).await?;
            for record in batch.iter() {
                take(record, partition)?;
            }
            next = batch.next;
        }
    }
    Ok(())
}

fn value<T: Wire>(record: &RecordRef<'_>) -> Result<T> {
    codec::decode(record.value().unwrap_or_default()).with_context(|| format!("at offset {}", record.offset()))
}

/// All values of a topic, by partition and offset.
pub async fn all<T: Wire>(log: &dyn Log, topic: Topic) -> Result<Vec<T>> {
    let mut found = Vec::new();
    each(log, topic, |record, _| {
        found.push(value(&record)?);
        Ok(())
    })
    .await
    .with_context(|| format!("reading {topic}"))?;
    Ok(found)
}

/// Every accepted event is in the store, once, as it was sent; nothing else is.
pub async fn stored_once(store: &dyn Store, recount: &Recount) -> Result<()> {
    let mut stored: Vec<RequestEvent> = Vec::new();
    let mut after = None;
    loop {
        let page = store.events(&EventQuestion::oldest(EventFilter::default(), 10_000, after)).await?;
        stored.extend(page.events.into_iter().map(|stored| stored.event));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let mut accepted: Vec<&RequestEvent> = recount.accepted.iter().map(|a| &a.event).collect();
    accepted.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    stored.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    ensure!(stored.len() == accepted.len(), "{} events stored, {} accepted by the log", stored.len(), accepted.len());
    for (stored, accepted) in stored.iter().zip(accepted) {
        ensure!(stored == accepted, "stored {stored:?}, accepted {accepted:?}");
    }
    Ok(())
}

/// P1: per target partition and source, the ranges of live batches join from 0 on.
pub async fn tallies_join(log: &dyn Log) -> Result<()> {
    let mut ends: BTreeMap<(u32, i32), i64> = BTreeMap::new();
    each(log, Topic::SliTallies, |record, target| {
        let batch: TallyBatch = value(&record)?;
        let end = ends.entry((target, batch.source)).or_default();
        ensure!(
            batch.from == *end,
            "P1: sli-tallies/{target}: source {} covers {} after {end}",
            batch.source,
            batch.from
        );
        *end = batch.to;
        Ok(())
    })
    .await
}

/// P2: the sums over all tallies of an SLO's group are those of the recount, slot by slot.
pub async fn tallies_equal(
    log: &dyn Log,
    recount: &Recount,
    (slo, group): (&str, &[&str]),
    counts: impl Fn(&RequestEvent) -> bool,
    good: impl Fn(&RequestEvent) -> bool,
) -> Result<()> {
    let mut tallied: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for batch in all::<TallyBatch>(log, Topic::SliTallies).await?.iter().filter(|b| b.origin == Origin::Live) {
        for entry in batch.entries.iter().filter(|e| e.slo == slo && e.group == group) {
            let (good, total) = tallied.entry(entry.slot).or_default();
            *good += entry.good;
            *total += entry.total;
        }
    }
    let counted = recount.per_slot(counts, good);
    if let Some((slot, sums)) = counted.iter().find(|(slot, sums)| tallied.get(*slot) != Some(*sums)) {
        bail!("P2: {slo} {group:?}, slot {slot}: counted {sums:?}, tallied {:?}", tallied.get(slot));
    }
    ensure!(tallied.len() == counted.len(), "P2: {slo} {group:?}: {} slots, counted {}", tallied.len(), counted.len());
    Ok(())
}

/// All definitions there were.
pub async fn revisions(log: &dyn Log) -> Result<Revisions> {
    let mut revisions = Revisions::new();
    for revision in DefinitionReader::default().read_new(log).await? {
        revisions.apply(revision.offset, revision.log_time, &revision.definition)?;
    }
    Ok(revisions)
}

/// The result of folding sli-tallies in one go.
pub async fn refolded(log: &dyn Log) -> Result<Vec<BurnRates>> {
    Ok(folds(log).await?.1)
}

/// The folds of sli-tallies in one go, by partition, and what they publish.
pub async fn folds(log: &dyn Log) -> Result<(Vec<Burn>, Vec<BurnRates>)> {
    let revisions = revisions(log).await?;
    let partitions = log.partitions(Topic::SliTallies).await?;
    let mut folds: Vec<Burn> = (0..partitions).map(|p| Burn::new(p, partitions, 16, Scale::REAL)).collect();
    let mut folded: Vec<BurnRates> = Vec::new();
    each(log, Topic::SliTallies, |record, partition| {
        let batch: TallyBatch = value(&record)?;
        folded.extend(folds[partition as usize].apply(record.offset(), &batch, &revisions)?);
        Ok(())
    })
    .await?;
    Ok((folds, folded))
}

/// P3a, P4: folding sli-tallies again in one go gives the burn rates that were published through every crash.
pub async fn burn_rates_refold(log: &dyn Log) -> Result<usize> {
    let published: Vec<BurnRates> = all(log, Topic::BurnRates).await?;
    let (folded, published) = (by_series(refolded(log).await?), by_series(published));
    let mut compared = 0;
    for (series, rates) in &published {
        let again = folded.get(series).with_context(|| format!("P3a: nobody folds {series:?}"))?;
        // What was folded last may not be published yet.
        ensure!(again.len() >= rates.len(), "P3a: {series:?}: {} published, {} folded", rates.len(), again.len());
        for (published, again) in rates.iter().zip(again) {
            ensure!(published == again, "P3a: {series:?}: published {published:#?}, folded {again:#?}");
            compared += 1;
        }
    }
    Ok(compared)
}

type Series = (String, String, Vec<String>);

fn by_series(rates: Vec<BurnRates>) -> BTreeMap<Series, Vec<BurnRates>> {
    let mut series: BTreeMap<Series, Vec<BurnRates>> = BTreeMap::new();
    for rates in rates {
        let key = (rates.slo.clone(), rates.objective.clone(), rates.group.clone());
        series.entry(key).or_default().push(rates);
    }
    series
}

/// The result of stepping every alert's machine over burn-rates in one go.
pub async fn replayed(log: &dyn Log) -> Result<Vec<AlertTransition>> {
    let revisions = revisions(log).await?;
    let mut open = OpenAlerts::default();
    let published = by_series(all(log, Topic::BurnRates).await?);
    Ok(published.into_values().flatten().flat_map(|rates| open.decide(&rates, &revisions)).collect())
}

/// A1: stepping every alert's machine over burn-rates again gives the transitions that were published, none lost and none
/// twice. Returns the transitions.
pub async fn transitions_replay(log: &dyn Log) -> Result<Vec<AlertTransition>> {
    let published: Vec<AlertTransition> = all(log, Topic::Alerts).await?;
    let order = |t: &AlertTransition| (t.alert_id.clone(), t.episode, t.seq);
    let (mut got, mut want) = (published.clone(), replayed(log).await?);
    got.sort_by_key(order);
    want.sort_by_key(order);
    // The alerter may not have reached the last burn rates yet; its output so far must match.
    ensure!(got.len() <= want.len(), "A1: {} transitions published, {} replayed", got.len(), want.len());
    for t in &got {
        ensure!(want.contains(t), "A1: nobody replays {t:#?}");
    }
    ensure!(got.windows(2).all(|w| order(&w[0]) != order(&w[1])), "A1: a transition is there twice");
    let newest = |all: &[AlertTransition]| all.iter().map(|t| t.tick).max();
    let missing = want.iter().filter(|t| !got.contains(t) && Some(t.tick) < newest(&got)).count();
    ensure!(missing == 0, "A1: {missing} transitions were lost");
    Ok(published)
}

/// A3: the keys that a receiver has to have seen: of what fired, changed severity, or was resolved after it had fired.
pub fn due_keys(transitions: &[AlertTransition], receiver: &str) -> Vec<String> {
    let due = |t: &&AlertTransition| t.kind.is_told();
    let key = |t: &AlertTransition| format!("{}/{}/{}/{receiver}", t.alert_id, t.episode, t.seq);
    transitions.iter().filter(due).map(key).collect()
}
