//! The complete result of a world, as text for comparing two builds: its trace, every record of every topic, what the
//! receivers took, and the verdict.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use slipstream_log::memory::MemoryLog;
use slipstream_log::{Fetch, Log, RecordRef, TopicPartition};
use slipstream_schemas::topics::TOPICS;
use slipstream_sim::Played;

/// Writes `SEED.trace`, `SEED.records` and `SEED.verdict` into a folder.
pub fn write(folder: &Path, seed: u64, played: &Played) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("creating a runtime")?;
    let records = runtime.block_on(records(&played.log))?;
    let verdict = format!("{:?}\n{}", played.told, deliveries(played));
    let trace = played.trace.lines().join("\n") + "\n";
    for (kind, text) in [("trace", trace), ("records", records), ("verdict", verdict)] {
        let file = folder.join(format!("{seed:05}.{kind}"));
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// Every record, also those that a world which failed has not shown yet.
async fn records(log: &MemoryLog) -> Result<String> {
    log.reveal();
    let mut lines = String::new();
    for spec in TOPICS {
        for number in 0..log.partitions(spec.topic).await? {
            let partition = TopicPartition { topic: spec.topic, partition: number };
            let (mut next, end) = log.bounds(partition).await?;
            while next < end {
                let batch = log.read(partition, next, end, Fetch::default()).await?;
                for record in batch.iter() {
                    writeln!(lines, "{} {number} {}", spec.name, line(&record))?;
                }
                next = batch.next;
            }
        }
    }
    Ok(lines)
}

/// Offset, log time, key, value and headers; bytes in hexadecimal, `-` for what is absent.
fn line(record: &RecordRef<'_>) -> String {
    let bytes = |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), |b| format!("x{}", hex(b)));
    let (key, value) = (bytes(record.key()), bytes(record.value()));
    let headers: String = record.headers().map(|(name, value)| format!(" {name}={}", bytes(value))).collect();
    format!("{} {} {key} {value}{headers}", record.offset(), record.log_time().0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn deliveries(played: &Played) -> String {
    let of = |(receiver, took): &(String, Vec<_>)| -> String {
        took.iter()
            .map(|d: &slipstream_testkit::webhook::Delivery| format!("{receiver} {} {:?}\n", d.body, d.at))
            .collect()
    };
    played.deliveries.iter().map(of).collect()
}
