//! Burn over the tallies that a tally has written, against reading and decoding them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message};
use slipstream_schemas::records::TallyBatch;
use slipstream_schemas::{Topic, codec};

use super::fill::fill;
use super::options::Options;
use super::place::Place;
use super::role::Role;
use super::{raw, slos, tally};
use crate::table::Row;

const PARTITIONS: u32 = 8;
const WITHIN: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(100);
const BATCHES: &str = "slipstream_burn_batches_total";
const RATES: &str = "slipstream_burn_rates_total";

/// What sli-tallies holds.
struct Tallies {
    batches: u64,
    entries: u64,
    took: Duration,
}

/// The tallies of a sixth of `--events`.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let place = Place::new(&options.brokers, &options.program()?, "burn", PARTITIONS)?;
    place.define(&slos::grouped())?;
    fill(&place, options.fewer())?;
    tally::measure(&place, "tally")?;
    let tallies = read(&place)?;
    let began = Instant::now();
    let mut burn = Role::start(&place, "burn", &[])?;
    let folded = |burn: &Role| Ok(burn.metric(BATCHES, "").unwrap_or(0.0) as u64 >= tallies.batches);
    burn.until(WITHIN, "at the end of the tallies", folded)?;
    let took = began.elapsed();
    let (rates, usage) = (burn.metric(RATES, "")?, burn.usage()?);
    burn.end()?;
    place.remove()?;
    let a_second = |n: u64, time: Duration| n as f64 / time.as_secs_f64();
    let (ours, theirs) = (a_second(tallies.batches, took), a_second(tallies.batches, tallies.took));
    let figure = format!(
        "{ours:.0} batches/s, {:.0} entries/s, {rates:.0} rates published, with its start {:.2} s; {:.2} CPU s, {} MiB",
        a_second(tallies.entries, took),
        took.as_secs_f64(),
        usage.cpu.as_secs_f64(),
        usage.peak >> 20
    );
    let what = format!("burn, 40 SLOs in 48 groups each: {} batches with {} entries", tallies.batches, tallies.entries);
    Ok(vec![Row::new(what, figure, "").against(format!("read and decoded: {theirs:.0} batches/s"), ours / theirs)])
}

/// Reads sli-tallies to its end.
fn read(place: &Place) -> Result<Tallies> {
    let began = Instant::now();
    let mut config: ClientConfig = raw::settings(&place.brokers);
    let consumer: BaseConsumer = config.set("enable.partition.eof", "true").create().context("creating a consumer")?;
    let topic = place.topic(Topic::SliTallies);
    let mut open = raw::assign(&consumer, &topic)?.len();
    let (mut batches, mut entries) = (0, 0);
    while open > 0 {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let batch: TallyBatch = codec::decode(message.payload().unwrap_or_default()).context("a tally")?;
                batches += 1;
                entries += batch.entries.len() as u64;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error).context("reading tallies"),
            None => ensure!(began.elapsed() < WITHIN, "timed out reading the tallies"),
        }
    }
    Ok(Tallies { batches, entries, took: began.elapsed() })
}
