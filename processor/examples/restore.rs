//! What it takes to be the next owner of many series: `restore [SERIES [SECONDS [kafka://host:port]]]`.
//!
//! Series with 30 days of data are put into a log as burn leaves them. The real burn then works for some time, on a tally
//! of every series in every second from one of four sources, and dies. How long its successor takes to have the state of
//! each partition is printed. Without an address the log is in memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use slipstream_log::kafka::{self, KafkaLog, KafkaOptions};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Outgoing, SharedLog, TopicPartition};
use slipstream_processor::burn;
use slipstream_role::burn_state::{RestoreCost, restore_cost};
use slipstream_role::definitions::{DefinitionReader, SLO_KIND, ensure_settings, publish_changed};
use slipstream_runtime::Shutdown;
use slipstream_runtime::health::Health;
use slipstream_schemas::records::{
    BurnChunk, BurnHead, Definition, Origin, RingSnapshot, SeriesSnapshot, Settings, SloSnapshot, TallyBatch,
    TallyEntry,
};
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_slo::hash::target_partition;
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::Scale;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

/// Groups of an SLO.
const GROUPS: usize = 50;
const SOURCES: usize = 4;
const TARGETS: u32 = 4;
/// Events of a series in a second.
const PER_SECOND: i64 = 10;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let series = arguments.next().map_or(Ok(25_000), |n| n.parse::<usize>())?;
    let seconds = arguments.next().map_or(Ok(90), |n| n.parse::<u64>())?;
    let log = open(arguments.next()).await?;
    let slos: Vec<String> = (0..series / GROUPS).map(|n| format!("slo-{n}")).collect();
    let cut = define(&log, &slos).await?;
    let (_, revision) = log.bounds(TopicPartition { topic: Topic::SloDefinitions, partition: 0 }).await?;
    let scene = Scene { generations: generations(&log, &slos, revision).await?, slos, cut, revision };
    for partition in 0..TARGETS {
        scene.seed(&log, partition).await?;
    }
    let worked = scene.work(&log, seconds).await?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for partition in 0..TARGETS {
        let log = log.clone();
        tasks.spawn(async move { restore_cost(&log, partition).await });
    }
    let mut said = String::new();
    writeln!(said, "{} series, {} s of work by burn: {:.2} s of CPU, generator included", series, seconds, worked)?;
    while let Some(done) = tasks.join_next().await {
        let RestoreCost { series, chunks, bytes, replayed, reading, folding } = done??;
        writeln!(
            said,
            "{series} series: {chunks} snapshot records, {:.1} MB, read in {reading:.2?}; {replayed} tallies folded in {folding:.2?}",
            bytes as f64 / 1e6
        )?;
    }
    writeln!(said, "all {TARGETS} partitions at once: {:.2?}", began.elapsed())?;
    for partition in 0..TARGETS {
        let place = TopicPartition { topic: Topic::BurnSnapshots, partition };
        writeln!(said, "{place}: offsets {:?}", log.bounds(place).await?)?;
    }
    std::io::stdout().lock().write_all(said.as_bytes())?;
    Ok(())
}

/// What is counted.
struct Scene {
    slos: Vec<String>,
    /// By SLO: its own cut.
    generations: BTreeMap<String, i64>,
    /// The last of the cuts.
    cut: LogTime,
    /// End of slo-definitions.
    revision: i64,
}

async fn open(address: Option<String>) -> Result<SharedLog> {
    let Some(address) = address else {
        let partitions = [(Topic::SliTallies, TARGETS), (Topic::BurnSnapshots, TARGETS)].into();
        return Ok(MemoryLog::new(MemoryOptions { partitions, ..MemoryOptions::default() }));
    };
    let brokers = address.strip_prefix("kafka://").context("an address is kafka://host:port")?;
    let prefix = format!("restore-{}.", now_ms()?);
    let options = KafkaOptions { prefix, ..KafkaOptions::new(brokers) };
    kafka::admin::ensure(&options, |spec| spec.partitions, Some(1), &Mutex::default()).await?;
    Ok(KafkaLog::connect(options).await?)
}

fn now_ms() -> Result<i64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64)
}

/// SLOs of 30 days by endpoint; answers their cut.
async fn define(log: &SharedLog, slos: &[String]) -> Result<LogTime> {
    ensure_settings(log.as_ref(), &Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 }).await?;
    let definition = |name: &String| Definition {
        kind: SLO_KIND.to_owned(),
        name: name.clone(),
        document: Some(document(name)),
        author: "restore".to_owned(),
    };
    let cut = publish_changed(log.as_ref(), slos.iter().map(definition).collect()).await?;
    cut.context("the definitions were there before")
}

async fn generations(log: &SharedLog, slos: &[String], revision: i64) -> Result<BTreeMap<String, i64>> {
    let mut revisions = Revisions::new();
    for found in DefinitionReader::default().read_new(log.as_ref()).await? {
        revisions.apply(found.offset, found.log_time, &found.definition)?;
    }
    revisions.read_up_to(revision);
    let generation = |name: &String| {
        let found = revisions.slo_at(name, LogTime(i64::MAX), revision).context("an SLO is not in force")?;
        Ok((name.clone(), found.active.generation))
    };
    slos.iter().map(generation).collect()
}

fn document(name: &str) -> String {
    let source = |filter: &str| format!("{{metricSource: {{type: slipstream, spec: {{{filter}}}}}}}");
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: shop
  indicator:
    metadata: {{name: {name}-sli}}
    spec:
      ratioMetric:
        counter: true
        good: {good}
        total: {total}
  timeWindow: [{{duration: 30d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives:
    - {{displayName: most, target: 0.99}}
",
        good = source("filter: 'status_code < 500'"),
        total = source("filter: 'true', groupBy: [endpoint]"),
    )
}

fn group(number: usize) -> Vec<String> {
    vec![format!("/v1/endpoint/{number}")]
}

/// Something in every slot.
fn full_rings(tick: i64) -> Vec<RingSnapshot> {
    let full = |seconds: i64, slots: usize| {
        let newest = tick.div_euclid(seconds);
        let oldest = newest - slots as i64 + 2;
        RingSnapshot {
            slot_seconds: seconds as i32,
            slots: std::iter::once(oldest).chain((oldest..newest).map(|_| 1)).collect(),
            // A tenth of what the target allows.
            good: vec![PER_SECOND * seconds - PER_SECOND * seconds / 1_000; slots - 1],
            total: vec![PER_SECOND * seconds; slots - 1],
        }
    };
    Scale::REAL.rings[..Scale::REAL.base_rings].iter().map(|ring| full(ring.slot_seconds, ring.slots)).collect()
}

async fn publish(log: &SharedLog, topic: Topic, partition: u32, key: Option<String>, value: Vec<u8>) -> Result<()> {
    let record = Outgoing {
        topic,
        partition: Some(partition),
        key: key.map(Bytes::from),
        value: Some(Bytes::from(value)),
        headers: Vec::new(),
    };
    log.publish(vec![record]).await?;
    Ok(())
}

/// Waits until burn has committed everything.
async fn caught_up(log: &SharedLog) -> Result<()> {
    let mut look = interval(Duration::from_millis(50));
    for partition in 0..TARGETS {
        let place = TopicPartition { topic: Topic::SliTallies, partition };
        let end = log.bounds(place).await?.1;
        while log.committed("burn", place).await?.unwrap_or_default().offset < end {
            look.tick().await;
        }
    }
    Ok(())
}

/// CPU seconds of this process so far.
fn cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("read this process's CPU time (Linux only)")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| -> Result<f64> { Ok(fields.get(i).context("no such field")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

impl Scene {
    fn mine(&self, partition: u32) -> Vec<&String> {
        self.slos.iter().filter(|slo| target_partition(slo, TARGETS) == partition).collect()
    }

    /// The state of a partition at the cut, an SLO a record.
    async fn seed(&self, log: &SharedLog, partition: u32) -> Result<()> {
        let (mine, cut) = (self.mine(partition), self.cut);
        let rings = full_rings(cut.tick());
        for (part, slo) in mine.iter().enumerate() {
            let series = |number| SeriesSnapshot {
                objective: "most".to_owned(),
                group: group(number),
                rings: rings.clone(),
                conditions: None,
                dirty: false,
                unknown: 0,
                too_late: 0,
                exemplars: Vec::new(),
                slices: None,
                periods: Vec::new(),
                composite: false,
            };
            let chunk = BurnChunk {
                partition: partition as i32,
                chunk: 0,
                chunks: 1,
                part: part as i32,
                parts: mine.len() as i32,
                at: 0,
                head: BurnHead {
                    stamps: vec![LogTime(cut.tick() * 1_000); SOURCES],
                    positions: vec![0; SOURCES],
                    low: LogTime(cut.tick() * 1_000),
                    next_tick: Some(cut.tick() + 1),
                    sources: SOURCES as i32,
                    revision: self.revision,
                },
                slos: vec![SloSnapshot {
                    slo: (*slo).clone(),
                    generation: Some(self.generations[*slo]),
                    covered_from: cut.tick() - 30 * 86_400,
                    held: Vec::new(),
                    held_exemplars: Vec::new(),
                    series: (0..GROUPS).map(series).collect(),
                }],
            };
            let key = format!("{partition}/0/{part}");
            publish(log, Topic::BurnSnapshots, partition, Some(key), codec::encode(&chunk)).await?;
        }
        Ok(())
    }

    /// Burn works while tallies of every second come; it is dropped in the middle. Returns the CPU seconds it all took.
    async fn work(&self, log: &SharedLog, seconds: u64) -> Result<f64> {
        let shutdown = Shutdown::new();
        let mut members = JoinSet::new();
        members.spawn(burn::run(log.clone(), Health::default(), shutdown.clone()));
        let before = cpu()?;
        let mut positions: BTreeMap<usize, i64> = BTreeMap::new();
        let mut second = interval(Duration::from_secs(1));
        for tick in self.cut.tick() + 1..=self.cut.tick() + seconds as i64 {
            second.tick().await;
            for partition in 0..TARGETS {
                for source in 0..SOURCES {
                    let from = positions.get(&source).copied().unwrap_or_default();
                    let batch = self.tally(partition, source, tick, (from, from + 1));
                    publish(log, Topic::SliTallies, partition, None, codec::encode(&batch)).await?;
                }
            }
            (0..SOURCES).for_each(|source| *positions.entry(source).or_default() += 1);
            ensure!(members.try_join_next().is_none(), "burn ended by itself");
        }
        timeout(Duration::from_secs(120), caught_up(log)).await.context("burn did not catch up")??;
        let used = cpu()? - before;
        members.shutdown().await;
        Ok(used)
    }

    /// What a source tells of a second: every fourth series.
    fn tally(&self, partition: u32, source: usize, tick: i64, (from, to): (i64, i64)) -> TallyBatch {
        let entry = |slo: &String, number: usize| TallyEntry {
            slo: slo.clone(),
            generation: self.generations[slo],
            objective: "most".to_owned(),
            group: group(number),
            tick,
            slot: tick,
            good: PER_SECOND,
            total: PER_SECOND,
            unknown: 0,
        };
        let of = |slo: &&String| (source..GROUPS).step_by(SOURCES).map(|number| entry(slo, number)).collect::<Vec<_>>();
        TallyBatch {
            source: source as i32,
            sources: SOURCES as i32,
            from,
            to,
            stamp: LogTime((tick + 1) * 1_000),
            low: LogTime((tick + 1) * 1_000),
            origin: Origin::Live,
            revision: self.revision,
            entries: self.mine(partition).iter().flat_map(of).collect(),
            exemplars: Vec::new(),
        }
    }
}
