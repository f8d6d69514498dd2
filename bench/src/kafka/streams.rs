//! The peer: Kafka Streams doing tally's job on the same topic, in its own process (bench/peers/streams).

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use slipstream_schemas::Topic;

use super::measured::Measured;
use super::place::{Place, wait};

const MAIN: &str = "slipstream.peer.Main";
/// Java's heap; what it needs beyond that is in the peak.
const HEAP: &str = "-Xmx2g";
const TALLIES_PARTITIONS: i32 = 4;

/// Runs so far.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// The two ways to write it.
pub const VARIANTS: [(&str, &str); 2] = [("dsl", "DSL"), ("processor", "Processor API")];

/// Runs a variant over request-events from the beginning. `built`: where Maven put classes and libraries.
///
/// # Errors
/// When there is no Java, or the job fails.
pub fn measure(place: &Place, built: &Path, variant: &str) -> Result<Measured> {
    // Its positions depend on the topic's name as well: each run starts at the beginning.
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let out = format!("{}peer-{variant}-{run}", place.prefix);
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &place.brokers).create().context("creating an admin client")?;
    let topic = NewTopic::new(&out, TALLIES_PARTITIONS, TopicReplication::Fixed(-1));
    wait(admin.create_topics(&[topic], &AdminOptions::new()))?.context("creating a topic for the peer")?;
    let classes = format!("{}:{}", built.join("classes").display(), built.join("libs/*").display());
    let mut java = Command::new("java");
    java.args([HEAP, "-cp", &classes, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", MAIN]);
    java.args([&place.brokers, &place.topic(Topic::RequestEvents), &out, variant]);
    let output = java.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("running java")?;
    ensure!(output.status.success(), "the peer exited with {}", output.status);
    wait(admin.delete_topics(&[&out], &AdminOptions::new()))?.context("removing the peer's topic")?;
    Measured::parse(&String::from_utf8_lossy(&output.stdout))
}
