//! Real logs with known totals through Kafka and PostgreSQL: the same as embedded, exactly. Two processes share the work.
#![allow(clippy::unwrap_used, reason = "a test")]

mod real_files;
mod support;

use std::path::PathBuf;
use std::time::Duration;

use real_files::{CASES, Case, Place, check, check_tallied, events, kpis, slos, tallied};
use slipstream_testkit::process::Slipstream;
use slipstream_testkit::services;
use support::{BINARY, arg, run};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long it may take until everything is counted.
const PATIENCE: Duration = Duration::from_secs(120);

/// Topics and a database of its own, and the processes that work on them.
struct Installation {
    folder: TempDir,
    processes: Vec<Slipstream>,
}

impl Installation {
    async fn start() -> Installation {
        let (kafka, postgres) = (services::kafka().await, services::postgres().await);
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "log: kafka://{}\nstore: {}\nkafka: {{prefix: real-{:016x}.}}\n",
            kafka.bootstrap(),
            postgres.fresh_database().await,
            rand::random::<u64>()
        );
        let mut installation = Installation { folder, processes: Vec::new() };
        std::fs::write(installation.config(), text).unwrap();
        let made = run(&["topics", "ensure", "--config", arg(&installation.config())]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for roles in ["tally,burn", "tally,sink"] {
            let (config, slos) = (installation.config(), slos());
            let arguments = ["--config", arg(&config), "--roles", roles, "--slos", arg(&slos)];
            let mut process = Slipstream::new(BINARY).unwrap().with(arguments);
            process.start().await.unwrap_or_else(|error| panic!("{roles}: {error:#}"));
            installation.processes.push(process);
        }
        installation
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("slipstream.yaml")
    }

    /// Waits until so many events are counted.
    async fn counted(&self, what: &str, expected: u64, count: impl Fn() -> u64) {
        let deadline = Instant::now() + PATIENCE;
        while count() < expected {
            let said: String = self.processes.iter().map(Slipstream::stderr).collect();
            assert!(Instant::now() < deadline, "{} of {expected} {what} after {PATIENCE:?}\n{said}", count());
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn stop(&mut self) {
        for process in &mut self.processes {
            assert!(process.stop().await.unwrap().success());
        }
    }
}

async fn known_totals(case: &Case) {
    let (mut installation, facts) = (Installation::start().await, case.facts());
    let config = installation.config();
    let flags = ["--config", arg(&config)];
    let place = Place(&flags);
    let first = case.import(place, &[]);
    assert_eq!(first["rejected"], 0, "{}", case.file);
    let hits = || kpis(place, &[])["hits"].as_u64().unwrap();
    installation.counted("events stored", events(&facts), hits).await;
    check(place, &facts);
    let second = case.import(place, &[]);
    assert_eq!(second["events"], 0, "{}: a second import adds nothing", case.file);
    assert_eq!(second["files"][0]["already_imported"], facts["lines"], "{}", case.file);
    installation.stop().await;
    check(place, &facts);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_gives_its_known_totals_on_kafka_and_postgresql() {
    for case in &CASES {
        known_totals(case).await;
        println!("{}: {} events, as known", case.file, events(&case.facts()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tallied_on_kafka_is_what_is_known() {
    let (mut installation, case) = (Installation::start().await, &CASES[0]);
    let (config, facts) = (installation.config(), case.facts());
    let flags = ["--config", arg(&config)];
    let place = Place(&flags);
    case.import(place, &["--shift-to-now"]);
    let all = || tallied(place).values().map(|(_, total)| total).sum();
    installation.counted("events tallied", events(&facts), all).await;
    installation.stop().await;
    check_tallied(place, &facts);
}
