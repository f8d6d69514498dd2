//! An installation of the bench's own on the cluster: a prefix, its topics, and definitions that are in force before the
//! first event.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use slipstream_schemas::Topic;
use slipstream_schemas::topics::TOPICS;
use tempfile::TempDir;

use super::role::Role;

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Where a measurement runs: topics with a unique prefix.
pub struct Place {
    /// `host:port[,host:port]`.
    pub brokers: String,
    /// The prefix of topics and groups.
    pub prefix: String,
    /// The `slipstream` program.
    pub program: PathBuf,
    /// Address of a database, if the measurement needs one.
    pub store: Option<String>,
    /// Whether notifications have evidence.
    pub evidence: bool,
    /// Of request-events.
    partitions: u32,
    home: TempDir,
}

impl Place {
    /// Makes the topics.
    ///
    /// # Errors
    /// When the cluster does not respond or `slipstream topics ensure` fails.
    pub fn new(brokers: &str, program: &Path, what: &str, partitions: u32) -> Result<Place> {
        let place = Place {
            brokers: brokers.to_owned(),
            prefix: format!("bench-{}-{what}.", std::process::id()),
            program: program.to_owned(),
            store: None,
            evidence: true,
            partitions,
            home: tempfile::tempdir().context("creating a directory")?,
        };
        place.ensure_topics()?;
        Ok(place)
    }

    fn ensure_topics(&self) -> Result<()> {
        let mut ensure = self.command();
        ensure.args(["topics", "ensure", "--log", &self.log(), "--partitions"]);
        ensure.arg(format!("request-events={}", self.partitions));
        let done = ensure.stdin(Stdio::null()).output().context("running slipstream topics ensure")?;
        ensure!(done.status.success(), "slipstream topics ensure: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// The program, with our topics.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("SLIPSTREAM_KAFKA_PREFIX", &self.prefix).env("SLIPSTREAM_DATA", self.home.path());
        command.env("SLIPSTREAM_EVIDENCE", self.evidence.to_string());
        command
    }

    /// A directory for what a measurement writes.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Address of the log as `slipstream` takes it.
    pub fn log(&self) -> String {
        format!("kafka://{}", self.brokers)
    }

    /// Name of a topic on the cluster.
    pub fn topic(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.name())
    }

    /// Publishes definitions and waits until they are in force.
    ///
    /// # Errors
    /// When the definitions are refused.
    pub fn define(&self, documents: &str) -> Result<()> {
        let file = self.home().join("slos.yaml");
        std::fs::write(&file, documents).context("writing definitions")?;
        let mut publisher = Role::start(self, "notifier", &["--slos".as_ref(), file.as_os_str()])?;
        publisher.ready(PATIENCE)?;
        publisher.end()
    }

    /// Offsets of a topic's first record and of its end, by partition.
    ///
    /// # Errors
    /// When the cluster does not respond.
    pub fn bounds(&self, topic: &str) -> Result<Vec<(i64, i64)>> {
        let mut config = self.client();
        bounds(&config.set("group.id", "bench").create().context("creating a consumer")?, topic)
    }

    /// How many records a topic holds, control records of transactions among them.
    ///
    /// # Errors
    /// When the cluster does not respond.
    pub fn held(&self, topic: &str) -> Result<u64> {
        Ok(held(&self.bounds(topic)?))
    }

    /// Resets a group to the beginning.
    ///
    /// # Errors
    /// When the cluster does not respond, or the group has members.
    pub fn forget(&self, group: &str) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create().context("creating an admin client")?;
        let name = format!("{}{group}", self.prefix);
        let gone = wait(admin.delete_groups(&[&name], &AdminOptions::new()))?.context("deleting a group")?;
        for result in gone {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => {}
                Err((group, code)) => anyhow::bail!("deleting the group {group}: {code}"),
            }
        }
        Ok(())
    }

    /// Deletes a topic with all it holds and makes it anew.
    ///
    /// # Errors
    /// When the cluster does not respond, or takes too long.
    pub fn renew(&self, topic: Topic) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create().context("creating an admin client")?;
        wait(admin.delete_topics(&[&self.topic(topic)], &AdminOptions::new()))?.context("deleting a topic")?;
        let deadline = Instant::now() + PATIENCE;
        // The cluster may still be deleting it.
        while let Err(error) = self.ensure_topics() {
            ensure!(Instant::now() < deadline, "{error}");
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Removes the topics; what cannot be removed is left to the cluster's owner.
    pub fn remove(self) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create().context("creating an admin client")?;
        let names: Vec<String> = TOPICS.iter().map(|spec| self.topic(spec.topic)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        wait(admin.delete_topics(&names, &AdminOptions::new()))?.context("removing topics")?;
        Ok(())
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }
}

/// Offsets of a topic's first record and of its end, by partition.
///
/// # Errors
/// When the cluster does not respond.
pub fn bounds(consumer: &BaseConsumer, topic: &str) -> Result<Vec<(i64, i64)>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).context("looking up partitions")?;
    let partitions = metadata.topics().first().map_or(0, |t| t.partitions().len());
    let bounds = |partition| consumer.fetch_watermarks(topic, partition as i32, PATIENCE);
    (0..partitions).map(|p| bounds(p).context("looking up ends")).collect()
}

/// How many records are within bounds.
pub fn held(bounds: &[(i64, i64)]) -> u64 {
    bounds.iter().map(|(first, end)| (end - first).unsigned_abs()).sum()
}

/// Waits for a result on its own small runtime.
pub fn wait<T>(answer: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("creating a runtime")?;
    Ok(runtime.block_on(answer))
}
