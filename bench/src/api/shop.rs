//! A process with many SLOs, and requests that count for all of them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::asking::{get, send};
use crate::definitions;
use crate::process::{Process, free};

const READY_WITHIN: Duration = Duration::from_secs(120);
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// Events of a request to the gateway.
const BATCH: usize = 5_000;
/// Events in all: of each service some on each of its endpoints.
const EVENTS: usize = 200_000;
const ENDPOINTS: usize = 20;

/// See the module. The process is killed when dropped.
pub struct Shop {
    process: Process,
    gateway: SocketAddr,
    ops: SocketAddr,
    api: SocketAddr,
    _home: TempDir,
}

impl Shop {
    /// Starts it, and waits until its API knows the SLOs.
    ///
    /// # Errors
    /// When it does not.
    pub fn open(program: &Path, slos: usize, grouped: bool) -> Result<Shop> {
        let home = tempfile::tempdir().context("creating a directory for the process")?;
        let folder = home.path().join("slos");
        std::fs::create_dir(&folder).context("creating a directory for definitions")?;
        for file in definitions::files(slos, 100) {
            let text = if grouped { file.text } else { ungrouped(&file.text) };
            std::fs::write(folder.join(&file.path), text).context("writing definitions")?;
        }
        let [gateway, ops, api] = free()?;
        let mut command = Command::new(program);
        command.arg("run").arg("--data").arg(home.path().join("data")).arg("--slos").arg(&folder);
        command.args(["--listen", &gateway.to_string(), "--ops-listen", &ops.to_string()]);
        command.args(["--api-listen", &api.to_string(), "--drain", "0s"]);
        let process = Process::start(&mut command, home.path().join("stderr"))?;
        let mut shop = Shop { process, gateway, ops, api, _home: home };
        shop.until("ready", |shop| Ok(get(&mut None, shop.ops, "/readyz").is_ok_and(|(status, _)| status == 200)))?;
        Ok(shop)
    }

    /// The address of its API.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Publishes requests, and waits until they are counted. Returns how many series there are.
    ///
    /// # Errors
    /// When they are not.
    pub fn feed(&mut self) -> Result<usize> {
        let mut connection = None;
        for batch in 0..EVENTS / BATCH {
            let body = events(batch);
            let head =
                format!("POST /v1/events HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n", self.gateway, body.len());
            let (status, answer) =
                send(&mut connection, self.gateway, [head.as_bytes(), body.as_bytes()].concat().as_slice())?;
            ensure!(status == 200, "the gateway answered {status}: {}", String::from_utf8_lossy(&answer));
        }
        self.until("stored", |shop| {
            let (_, kpis) = get(&mut None, shop.api, "/api/v1/kpis")?;
            let kpis: serde_json::Value = serde_json::from_slice(&kpis).unwrap_or_default();
            Ok(kpis["hits"] == EVENTS)
        })?;
        // And evaluated: a tick or two later.
        std::thread::sleep(Duration::from_secs(4));
        let (_, slos) = get(&mut None, self.api, "/api/v1/slos")?;
        let slos: serde_json::Value = serde_json::from_slice(&slos).context("reading the SLOs")?;
        Ok(slos["slos"].as_array().map_or(0, Vec::len))
    }

    /// How often what is answered about SLOs was made, and the seconds that it took.
    ///
    /// # Errors
    /// When the process does not tell.
    pub fn snapshots(&self) -> Result<(f64, f64)> {
        let (_, metrics) = get(&mut None, self.ops, "/metrics")?;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        let figure = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse().ok()).with_context(|| format!("no metric {name}"))
        };
        Ok((figure("slipstream_api_snapshot_seconds_count")?, figure("slipstream_api_snapshot_seconds_sum")?))
    }

    /// SIGTERM; it must end in order.
    ///
    /// # Errors
    /// When it does not.
    pub fn close(mut self) -> Result<()> {
        self.process.runs()?;
        let ended = self.process.end(ENDS_WITHIN)?;
        ensure!(ended.success(), "after SIGTERM it exited with {ended}: {}", self.process.last_words());
        Ok(())
    }

    fn until(&mut self, what: &str, so: impl Fn(&Shop) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while !so(self)? {
            self.process.wait(deadline, what)?;
        }
        Ok(())
    }
}

/// The same definitions, of which none has groups.
fn ungrouped(text: &str) -> String {
    let bare =
        |line: &str| line.split_once("groupBy: ").map_or(line.to_owned(), |(before, _)| format!("{before}groupBy: []"));
    text.lines().map(|line| bare(line) + "\n").collect()
}

/// Requests of all services, on all endpoints, with all methods and some failures.
fn events(batch: usize) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
    let event = |n: usize| {
        let number = batch * BATCH + n;
        let (service, endpoint) = (number % definitions::SERVICES, number / definitions::SERVICES % ENDPOINTS);
        let method = ["GET", "POST", "PUT", "DELETE"][number / 7 % 4];
        let status = [200, 200, 200, 201, 204, 404, 500, 503][number / 11 % 8];
        format!(
            r#"{{"event_id":"bench-{number}","time":{now},"service":"service-{service}","environment":"prod","endpoint":"/v1/pay/{endpoint}","method":"{method}","status_code":{status},"latency_ms":{}}}"#,
            number % 400
        )
    };
    let events: Vec<String> = (0..BATCH).map(event).collect();
    format!("[{}]", events.join(","))
}
