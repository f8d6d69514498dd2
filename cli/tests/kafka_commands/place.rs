//! A place for an installation: a prefix on the shared Kafka, a database in the shared PostgreSQL, a configuration file.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;
use slipstream_log::Log;
use slipstream_schemas::Topic;
use slipstream_testkit::faults::drained;
use slipstream_testkit::process::{PATIENCE, Slipstream};
use slipstream_testkit::services;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub const BINARY: &str = env!("CARGO_BIN_EXE_slipstream");

/// It has no topics yet.
pub struct Place {
    pub bootstrap: String,
    pub prefix: String,
    /// URL of its database, password included.
    pub database: String,
    pub config: PathBuf,
    folder: TempDir,
}

impl Place {
    pub async fn new() -> Place {
        let (kafka, postgres) = (services::kafka().await, services::postgres().await);
        Place::of(kafka.bootstrap(), postgres.fresh_database().await)
    }

    pub fn of(bootstrap: String, database: String) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let prefix = format!("commands-{:016x}.", rand::random::<u64>());
        let config = folder.path().join("slipstream.yaml");
        let place = Place { bootstrap, prefix, database, config, folder };
        place.configure(&format!("store: {}\n", place.database));
        place
    }

    /// Writes the configuration: where the log is, and `more`.
    pub fn configure(&self, more: &str) {
        let text = format!("log: kafka://{}\nkafka: {{prefix: {}}}\n{more}", self.bootstrap, self.prefix);
        std::fs::write(&self.config, text).unwrap();
    }

    /// The same with `kafka`, more settings for Kafka.
    pub fn configure_kafka(&self, kafka: &str, more: &str) {
        std::fs::write(&self.config, self.text(kafka, more)).unwrap();
    }

    fn text(&self, kafka: &str, more: &str) -> String {
        format!("log: kafka://{}\nkafka: {{prefix: {}, {kafka}}}\n{more}", self.bootstrap, self.prefix)
    }

    /// A configuration of a process that keeps its name, with so many threads of tally.
    pub fn named(&self, name: &str, tally_threads: usize) -> PathBuf {
        let more = format!("store: {}\n", self.database);
        self.file(
            &format!("{name}.yaml"),
            &self.text(&format!("instance: {name}, tally_threads: {tally_threads}"), &more),
        )
    }

    /// `USER:PASSWORD@` of its database.
    pub fn credentials(&self) -> String {
        let (_, rest) = self.database.split_once("://").unwrap();
        let (credentials, _) = rest.split_once('@').expect("the test's database has a user and a password");
        format!("{credentials}@")
    }

    /// The URL of its database with another password.
    pub fn wrong_password(&self, wrong: &str) -> String {
        let right = self.credentials();
        let (user, _) = right.split_once(':').expect("the test's database has a password to get wrong");
        self.database.replacen(&right, &format!("{user}:{wrong}@"), 1)
    }

    /// A file beside the configuration.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    }

    /// Name of one of its topics.
    pub fn topic(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.name())
    }

    /// A process of some roles.
    pub fn process(&self, roles: &str) -> Slipstream {
        self.process_of(&self.config, roles)
    }

    /// The same with a configuration of its own.
    pub fn process_of(&self, config: &Path, roles: &str) -> Slipstream {
        let process = Slipstream::new(BINARY).unwrap();
        process.with(["--config".into(), config.as_os_str().to_owned(), "--roles".into(), roles.into()])
    }

    /// Waits until an answer is as expected.
    pub async fn until(&self, question: &[&str], expected: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.command(&[question, &["--json"]].concat()).await;
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if expected(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{question:?}: {answer} {}", text(&output.stderr));
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the store holds so many.
    pub async fn stored(&self, count: u64) {
        self.until(&["query", "kpis"], |answer| answer["hits"] == count).await;
    }

    /// Waits until tally has committed all that is in request-events.
    pub async fn tallied(&self, log: &dyn Log) {
        let deadline = Instant::now() + PATIENCE;
        while !matches!(drained::by_group(log, "tally", Topic::RequestEvents).await, Ok(true)) {
            assert!(Instant::now() < deadline, "tally does not come to the end of request-events");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A command to its end.
    pub async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(arguments).arg("--config").arg(&self.config).kill_on_drop(true);
        command.output().await.unwrap()
    }

    /// A command to its end, which must be this; what it answered, as JSON.
    pub async fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.command(&[arguments, &["--json"]].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "slipstream {arguments:?}: {said}{}", text(&output.stdout));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("slipstream {arguments:?}: {e}: {said}"))
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().unwrap()
    }

    /// Gives a topic one setting, takes all others away, and waits until the cluster says so.
    pub async fn alter(&self, topic: Topic, name: &str, value: &str) {
        let (topic, admin, options) = (self.topic(topic), self.admin(), AdminOptions::new());
        let alter = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set(name, value);
        admin.alter_configs([&alter], &options).await.unwrap().remove(0).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = admin.describe_configs([&ResourceSpecifier::Topic(&topic)], &options).await.unwrap().remove(0);
            let now = told.unwrap().get(name).and_then(|entry| entry.value.clone());
            if now.as_deref() == Some(value) {
                return;
            }
            assert!(Instant::now() < deadline, "{topic}: {name} is {now:?}, not {value}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Gives a topic more partitions.
    pub async fn add_partitions(&self, topic: Topic, partitions: u32) {
        let name = self.topic(topic);
        let grown = NewPartitions::new(&name, partitions as usize);
        let made = self.admin().create_partitions(&[grown], &AdminOptions::new()).await.unwrap();
        made.into_iter().for_each(|one| drop(one.unwrap()));
    }

    /// Deletes a topic, and waits until the cluster knows of none.
    pub async fn delete(&self, topic: Topic) {
        let (topic, admin, options) = (self.topic(topic), self.admin(), AdminOptions::new());
        admin.delete_topics(&[&topic], &options).await.unwrap().remove(0).unwrap();
        let listed = || {
            let metadata = admin.inner().fetch_metadata(None, PATIENCE).unwrap();
            metadata.topics().iter().any(|found| found.name() == topic)
        };
        let deadline = Instant::now() + PATIENCE;
        while listed() {
            assert!(Instant::now() < deadline, "{topic} is still there");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// An SLO of the answers of a service, named like it: good below 500, `target` of them.
pub fn slo(service: &str, target: f64) -> String {
    format!(
        r#"
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {service}}}
spec:
  service: {service}
  indicator:
    metadata: {{name: answers}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: slipstream, spec: {{filter: status_code < 500}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: service == '{service}'}}}}}}
  timeWindow: [{{duration: 30d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{displayName: answered, target: {target}}}]
"#
    )
}

/// A process that is ready.
pub async fn started(mut process: Slipstream) -> Slipstream {
    process.start().await.unwrap_or_else(|error| panic!("{error:#}"));
    process
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
