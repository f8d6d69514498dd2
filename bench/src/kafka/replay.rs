//! Replays of the same events from Kafka and from an embedded log, beside the live tally and the raw consumer.

use std::iter;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use slipstream_schemas::Topic;

use super::fill::fill;
use super::measured::Measured;
use super::options::Options;
use super::place::{Place, held};
use super::raw::RawConsumer;
use super::speed::{middle, shown};
use super::{raw, slos, tally};
use crate::process::Spent;
use crate::replay::embedded::{self, Embedded};
use crate::replay::{middle as middle_of, ratio};
use crate::table::Row;

const PARTITIONS: u32 = 8;
/// Events that are copied together.
const TOGETHER: usize = 5_000;
const POLL: Duration = Duration::from_millis(100);
const WITHIN: Duration = Duration::from_secs(600);

/// Each of them once.
struct Run {
    decoded: Measured,
    tally: Measured,
    kafka: Spent,
    embedded: Spent,
}

/// The topic of `--events`, 40 SLOs, redelivery on, and a copy of it in an embedded log.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let place = Place::new(&options.brokers, &options.program()?, "replay", PARTITIONS)?;
    place.define(&slos::documents(0))?;
    fill(&place, options.events)?;
    let embedded = Embedded::at(&options.program()?, &place.home().join("embedded"))?;
    embedded.define(&slos::documents(0))?;
    copy(&place, &embedded)?;
    let once = |_| run(&place, &embedded, options.events);
    let runs = (0..options.runs.max(1)).map(once).collect::<Result<Vec<Run>>>()?;
    place.remove()?;
    let events = options.events;
    let [decoded, tally] = [|run: &Run| run.decoded, |run: &Run| run.tally].map(|of| middle(runs.iter().map(of)));
    let [kafka, own] = [|run: &Run| run.kafka, |run: &Run| run.embedded].map(|of| middle_of(runs.iter().map(of)));
    // With its start, as a replay is measured.
    let to_raw = runs.iter().map(|run| run.decoded.took.as_secs_f64() / run.kafka.took.as_secs_f64());
    let rate = |spent: Spent| events as f64 / spent.took.as_secs_f64();
    let to_tally = runs.iter().map(|run| rate(run.embedded) / run.tally.flow_rate());
    let against_raw = format!("raw consumer, our decode: {}", shown(&decoded));
    let against_tally = format!("tally, live: {}", shown(&tally));
    Ok(vec![
        Row::new(format!("replay from Kafka, {} SLOs", slos::MATCHING), kafka.shown(events), "0.9")
            .against(against_raw, ratio(to_raw)),
        Row::new("replay of the same events from an embedded log", own.shown(events), "2.5")
            .against(against_tally, ratio(to_tally)),
    ])
}

fn run(place: &Place, embedded: &Embedded, events: u64) -> Result<Run> {
    let decoded = raw::measure(place, RawConsumer::Decoded)?;
    let tally = tally::measure(place, "tally")?;
    let mut command = place.command();
    command.args(["replay", "--json", "--log", &place.log()]);
    let kafka = embedded::replay(&mut command, place.home(), events)?;
    let embedded = embedded.replay(events, &[])?;
    Ok(Run { decoded, tally, kafka, embedded })
}

/// Copies request-events, at the log times that they have.
fn copy(place: &Place, to: &Embedded) -> Result<()> {
    let consumer: BaseConsumer = raw::settings(&place.brokers).create().context("creating a consumer")?;
    let mut left = held(&raw::assign(&consumer, &place.topic(Topic::RequestEvents))?) as usize;
    let (deadline, mut failed) = (Instant::now() + WITHIN, None);
    let batches = iter::from_fn(|| {
        let batch = take(&consumer, left.min(TOGETHER), deadline).map_err(|error| failed = Some(error)).ok()?;
        left -= batch.1.len();
        (!batch.1.is_empty()).then_some(batch)
    });
    super::place::wait(to.publish(batches))??;
    failed.map_or(Ok(()), Err)
}

/// So many records, and the log time of the latest.
fn take(consumer: &BaseConsumer, wanted: usize, deadline: Instant) -> Result<(i64, Vec<(Bytes, Bytes)>)> {
    let (mut latest, mut records) = (0, Vec::with_capacity(wanted));
    while records.len() < wanted {
        ensure!(Instant::now() < deadline, "timed out copying the topic");
        let Some(message) = consumer.poll(POLL) else { continue };
        let message = message.context("copying the topic")?;
        let bytes = |part: Option<&[u8]>| Bytes::copy_from_slice(part.unwrap_or_default());
        records.push((bytes(message.key()), bytes(message.payload())));
        latest = latest.max(message.timestamp().to_millis().unwrap_or_default());
    }
    Ok((latest, records))
}
