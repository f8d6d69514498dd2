//! A whole installation on a real Kafka and a real PostgreSQL: topics of its own, a database of its own, one process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use serde_json::Value;
use slipstream_schemas::Topic;
use slipstream_testkit::process::Slipstream;
use slipstream_testkit::services;
use tempfile::TempDir;
use tokio::time::sleep;

const BINARY: &str = env!("CARGO_BIN_EXE_slipstream");
/// How long counts may take: catching up behind a group that has just formed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An SLO whose total is every event, by service: what tally counted.
const SLOS: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: all}
spec:
  service: all
  indicator:
    metadata: {name: all-answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: status_code > 0, groupBy: [service]}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.9}]
"#;

/// It ends with the value.
pub struct Installation {
    pub bootstrap: String,
    prefix: String,
    config: PathBuf,
    process: Slipstream,
    _folder: TempDir,
}

impl Installation {
    /// Makes the topics, starts the process and waits until it is ready.
    pub async fn start() -> Installation {
        let (kafka, postgres) = (services::kafka().await, services::postgres().await);
        let (bootstrap, database) = (kafka.bootstrap(), postgres.fresh_database().await);
        let folder = tempfile::tempdir().unwrap();
        let prefix = format!("publishing-{:016x}.", rand::random::<u64>());
        let config = folder.path().join("slipstream.yaml");
        let slos = folder.path().join("slos.yaml");
        let text =
            format!("log: kafka://{bootstrap}\nstore: {database}\nkafka: {{prefix: {prefix}}}\nslos: [slos.yaml]\n");
        std::fs::write(&config, text).unwrap();
        std::fs::write(slos, SLOS).unwrap();
        let process = Slipstream::new(BINARY).unwrap().with(["--config".into(), config.clone().into_os_string()]);
        let mut installation = Installation { bootstrap, prefix, config, process, _folder: folder };
        installation.command(&["topics", "ensure"]).await;
        installation.process.start().await.unwrap_or_else(|error| panic!("{error:#}"));
        installation.is_ready().await;
        installation
    }

    /// Ready means all of it: what is published before the definitions apply is rightly not tallied.
    async fn is_ready(&self) {
        let board: Value = serde_json::from_str(&self.ask("/readyz").await).unwrap();
        // Tally has a thread for each core of the machine.
        let one = |role: &&String| !role.starts_with("tally-");
        let roles: Vec<&String> = board["roles"].as_object().unwrap().keys().filter(one).collect();
        assert_eq!(
            roles,
            ["alerter", "api", "burn", "definitions", "gateway", "notifier", "sink", "tally", "tokens"],
            "{board}"
        );
        assert_eq!(board["ready"], true, "{board}");
    }

    async fn ask(&self, path: &str) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let answer = reqwest::get(format!("{}{path}", self.process.ops())).await.unwrap();
        answer.text().await.unwrap()
    }

    /// What helps to find out why a count is wrong: how far tally and burn are, and what they met.
    async fn standing(&self) -> String {
        let metrics = self.ask("/metrics").await;
        let told = |line: &&str| line.starts_with("slipstream_tally_") || line.starts_with("slipstream_burn_");
        let metrics: Vec<&str> = metrics.lines().filter(told).collect();
        format!("{}\n{}\n{}", self.ask("/readyz").await, metrics.join("\n"), self.process.stderr())
    }

    /// Name of one of its topics.
    pub fn topic(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.name())
    }

    /// What a client of the cluster is told first.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// Events by service as the store has them, and as tally counted them.
    pub async fn counts(&self) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let kpis = self.json(&["query", "kpis", "--by", "service"]).await;
        let slos = self.json(&["query", "slos"]).await;
        let rows = |rows: &Value, service: &str, count: &str| {
            let rows = rows.as_array().unwrap().iter();
            rows.filter_map(|row| Some((row.pointer(service)?.as_str()?.to_owned(), row[count].as_u64()?))).collect()
        };
        (rows(&kpis["rows"], "/service", "hits"), rows(&slos["slos"], "/group/service", "total"))
    }

    /// Waits until exactly these events are stored and tallied.
    pub async fn counted(&self, expected: &[(&str, u64)]) {
        let expected: BTreeMap<String, u64> = expected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (stored, tallied) = self.counts().await;
            if stored == expected && tallied == expected {
                return;
            }
            if Instant::now() >= deadline {
                let standing = self.standing().await;
                panic!("stored {stored:?}, tallied {tallied:?}, not {expected:?}\n{standing}");
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn command(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(arguments).arg("--config").arg(&self.config).kill_on_drop(true);
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "slipstream {arguments:?}: {said}");
        output.stdout
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_slice(&self.command(&arguments).await).unwrap()
    }
}
