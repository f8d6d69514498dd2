//! The data sources: a PostgreSQL, and a Prometheus that scrapes a process.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use slipstream_testkit::services;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, SimpleQueryRow};

/// How long a fact may take to arrive: a scrape, an alert, an evaluation.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Sql {
    client: Client,
    _connection: JoinSet<()>,
}

impl Sql {
    pub async fn connect(url: &str) -> Sql {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let mut task = JoinSet::new();
        // A connection that breaks is told by the query that meets it.
        task.spawn(async { drop(connection.await) });
        // What compose/postgres/roles.sh gives Grafana's user.
        let settings = "SET default_transaction_read_only = on; SET search_path = slipstream, public";
        client.batch_execute(settings).await.unwrap();
        Sql { client, _connection: task }
    }

    /// Values of a variable: the first column.
    pub async fn values(&self, query: &str) -> Vec<String> {
        let rows = self.rows(query).await.unwrap_or_else(|why| panic!("{query}: {why}"));
        rows.iter().map(|row| row.get(0).unwrap_or_default().to_owned()).collect()
    }

    /// Whether there is a row with something beside its time and its name; asks until there is, because the store is a
    /// moment behind what happens.
    pub async fn shows(&self, query: &str, may_be_null: bool) -> Result<(), String> {
        let value = |row: &SimpleQueryRow| {
            let columns = row.columns().iter().enumerate();
            let mut values = columns.filter(|(_, c)| !["time", "metric"].contains(&c.name())).map(|(i, _)| row.get(i));
            values.any(|value| value.is_some())
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = self.rows(query).await?;
            if rows.iter().any(|row| may_be_null || value(row)) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("{} rows, none with a value", rows.len()));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn rows(&self, query: &str) -> Result<Vec<SimpleQueryRow>, String> {
        let messages = self.client.simple_query(query).await.map_err(|e| match e.as_db_error() {
            Some(db) => db.to_string(),
            None => e.to_string(),
        })?;
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }
}

/// A client of HTTP.
pub fn http() -> reqwest::Client {
    // A second one to install it is told so, and may go on.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

pub struct Prometheus {
    url: String,
    http: reqwest::Client,
    home: TempDir,
    _process: Child,
}

impl Prometheus {
    /// A Prometheus that scrapes `target` (`http://HOST:PORT`), and SLOs by other names, too, once it answers.
    pub async fn scraping(target: &str) -> Prometheus {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("prometheus.yaml");
        let address = target.trim_start_matches("http://");
        let text = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 400ms}}\n\
             scrape_configs: [{{job_name: slipstream, static_configs: [{{targets: ['{address}']}}],\n\
             params: {{names: ['sloth,sli']}}}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let listen = format!("127.0.0.1:{}", services::ports::free().unwrap());
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", home.path().join("data").display()))
            .arg("--enable-feature=exemplar-storage")
            .arg(format!("--web.listen-address={listen}"));
        let errors = std::fs::File::create(home.path().join("stderr")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).kill_on_drop(true);
        let process = command.spawn().unwrap_or_else(|e| {
            panic!(
                "this test needs a real Prometheus, and its binary could not be started: {e}; run `scripts/setup test`"
            )
        });
        let http = http();
        services::started("prometheus", "Prometheus");
        let prometheus = Prometheus { url: format!("http://{listen}"), http, home, _process: process };
        prometheus.until_ready().await;
        prometheus
    }

    async fn until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.http.get(format!("{}/-/ready", self.url)).send().await.is_ok_and(|a| a.status().is_success()) {
            let said = std::fs::read_to_string(self.home.path().join("stderr")).unwrap_or_default();
            assert!(Instant::now() < deadline, "Prometheus is not ready in time:\n{said}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Values of a variable `label_values(metric, label)`.
    pub async fn values(&self, query: &str) -> Vec<String> {
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (metric, label) = inner.and_then(|inner| inner.rsplit_once(", ")).unwrap();
        let series = self.until_rows(metric).await.unwrap();
        series.iter().map(|row| row["metric"][label].as_str().unwrap().to_owned()).collect()
    }

    /// Whether it answers with a series whose newest value is a number.
    pub async fn shows(&self, query: &str) -> Result<(), String> {
        self.until_rows(query).await.map(drop)
    }

    /// Asks until there is an answer: a rate needs two scrapes, and some things need a while to happen.
    async fn until_rows(&self, query: &str) -> Result<Vec<Value>, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(query).await;
            if answer["status"] != "success" {
                return Err(answer.to_string());
            }
            let rows = answer["data"]["result"].as_array().unwrap();
            if rows.iter().any(|row| row["value"][1].as_str().is_some_and(|v| v != "NaN")) {
                return Ok(rows.clone());
            }
            if Instant::now() >= deadline {
                return Err(format!("no series with a number: {answer}"));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Labels of the exemplars that a query of the last hour has, once there are some.
    pub async fn exemplars(&self, query: &str) -> Vec<Value> {
        let now = jiff::Timestamp::now().as_second();
        let times = [("start", (now - 3_600).to_string()), ("end", (now + 60).to_string())];
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask_for("query_exemplars", query, &times).await;
            let series = answer["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
            let all = series.iter().flat_map(|series| series["exemplars"].as_array().unwrap());
            let labels: Vec<Value> = all.map(|exemplar| exemplar["labels"].clone()).collect();
            if !labels.is_empty() {
                return labels;
            }
            assert!(Instant::now() < deadline, "no exemplars of {query}: {answer}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn ask(&self, query: &str) -> Value {
        self.ask_for("query", query, &[]).await
    }

    async fn ask_for(&self, what: &str, query: &str, more: &[(&str, String)]) -> Value {
        let all = [("query", query)].into_iter().chain(more.iter().map(|(name, value)| (*name, value.as_str())));
        let url = reqwest::Url::parse_with_params(&format!("{}/api/v1/{what}", self.url), all).unwrap();
        let answer = self.http.get(url).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}
