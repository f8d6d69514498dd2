//! kill -9 at random moments of import, simulate and gateway traffic, with real processes, on one data directory. In the
//! end every acknowledged event is stored, none twice, SLI totals equal a recount, and no alert is lost or doubled.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use slipstream_log::Log;
use slipstream_log::sqlite::SqliteLog;
use slipstream_schemas::records::{AlertTransition, Notification, Outcome};
use slipstream_schemas::{RequestEvent, Topic};
use slipstream_store::SqliteStore;
use slipstream_testkit::process::Slipstream;
use slipstream_testkit::recount::recount;
use slipstream_testkit::verdict;
use slipstream_testkit::webhook::Receiver;
use support::{BINARY, arg, slipstream};

/// Rounds of each kind; a round ends with a kill.
const ROUNDS: usize = 10;
const SEED: u64 = 20_261_120;
const WINDOW_MS: i64 = 120_000;
/// Lines of an imported file: enough that an import is still under way when it is killed.
const LINES: usize = 150_000;

const SLOS: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: pay}
spec:
  service: pay
  indicator:
    metadata: {name: pay-answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: service == "pay"}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.999}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: quick}
spec:
  service: all
  indicator:
    metadata: {name: quick-answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: latency_ms <= 100}}}
        total: {metricSource: {type: slipstream, spec: {filter: latency_ms >= 0, groupBy: [method]}}}
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: within-100ms, target: 0.9}]
"#;

fn event(rng: &mut impl Rng, id: String, at: i64) -> Value {
    let failing = rng.random_bool(0.3);
    json!({
        "event_id": id,
        "time": at,
        "service": if rng.random_bool(0.5) { "pay" } else { "shop" },
        "endpoint": "/x",
        "method": if rng.random_bool(0.5) { "GET" } else { "POST" },
        "status_code": if failing { 503 } else { 200 },
        "latency_ms": rng.random_range(1..300),
    })
}

fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// Waits a random while, then kills -9; whether it still ran.
fn kill_after(mut child: Child, while_at_most: Duration, rng: &mut impl Rng) -> bool {
    std::thread::sleep(while_at_most.mul_f64(rng.random_range(0.05..1.0)));
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

fn import_args<'a>(data: &'a Path, file: &'a Path, slos: &'a Path) -> Vec<&'a str> {
    vec!["import", "--format", "json", "--json", "--slos", arg(slos), "--data", arg(data), arg(file)]
}

/// Imports are killed; the file goes on where it was.
fn import_rounds(data: &Path, home: &Path, slos: &Path, rng: &mut ChaCha8Rng) -> (Vec<String>, usize) {
    let file = home.join("events.ndjson");
    let ids: Vec<String> = (0..LINES).map(|i| format!("import-{i}")).collect();
    let began = now_micros() - 3_600_000_000;
    let lines: String = ids
        .iter()
        .enumerate()
        .map(|(i, id)| format!("{}\n", event(rng, id.clone(), began + i as i64 * 60_000)))
        .collect();
    std::fs::write(&file, lines).unwrap();
    let mut kills = 0;
    for _ in 0..ROUNDS {
        let child = slipstream(&import_args(data, &file, slos)).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        kills += usize::from(kill_after(child.unwrap(), Duration::from_millis(350), rng));
    }
    let output = support::run(&import_args(data, &file, slos));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (ids, kills)
}

fn simulate_rounds(data: &Path, rng: &mut ChaCha8Rng) -> usize {
    let mut kills = 0;
    for round in 0..ROUNDS {
        let seed = round.to_string();
        let args = ["simulate", "--rate", "2000", "--for", "20s", "--seed", &seed, "--data", arg(data)];
        let child = slipstream(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        kills += usize::from(kill_after(child, Duration::from_millis(1_500), rng));
    }
    kills
}

/// Posts batches until told to stop; what was acknowledged goes to `acknowledged`. A batch without an answer is sent
/// again, as a real producer does.
async fn post(url: String, worker: u64, stop: Arc<AtomicBool>, acknowledged: Arc<Mutex<HashSet<String>>>) {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED ^ worker);
    for batch in 0.. {
        let ids: Vec<String> = (0..20).map(|i| format!("gateway-{worker}-{batch}-{i}")).collect();
        let events: Vec<Value> = ids.iter().map(|id| event(&mut rng, id.clone(), now_micros())).collect();
        loop {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let answer = client.post(format!("{url}/v1/events")).json(&events).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => break,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        acknowledged.lock().unwrap().extend(ids);
    }
}

async fn gateway_rounds(process: &mut Slipstream, rng: &mut ChaCha8Rng) -> HashSet<String> {
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(HashSet::new())));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..4 {
        workers.spawn(post(process.gateway(), worker, stop.clone(), acknowledged.clone()));
    }
    for _ in 0..ROUNDS {
        process.start().await.unwrap();
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..1_500))).await;
        process.kill().await.unwrap();
    }
    process.start().await.unwrap();
    // What was under way at the last kill gets its answer; then the traffic ends.
    let before = acknowledged.lock().unwrap().len();
    let deadline = Instant::now() + Duration::from_secs(20);
    while acknowledged.lock().unwrap().len() < before + 200 {
        assert!(Instant::now() < deadline, "the gateway takes nothing after the last restart: {}", process.stderr());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    workers.join_all().await;
    Arc::into_inner(acknowledged).unwrap().into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_nothing_is_lost_and_nothing_is_doubled() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let home = tempfile::tempdir().unwrap();
    let slos = home.path().join("slos.yaml");
    std::fs::write(&slos, SLOS).unwrap();
    let receiver = Receiver::start().await.unwrap();
    let hook = ["--slos", arg(&slos), "--webhook", receiver.url()];
    let mut process = Slipstream::new(BINARY).unwrap().with(hook);
    let data = process.data();

    let (imported, mut kills) = import_rounds(&data, home.path(), &slos, &mut rng);
    kills += simulate_rounds(&data, &mut rng);
    let acknowledged = gateway_rounds(&mut process, &mut rng).await;
    kills += ROUNDS;
    assert!(kills >= 20, "only {kills} kills hit a running process");
    receiver.until(Duration::from_secs(60), |got| got.iter().any(|d| d.accepted())).await.unwrap();
    at_rest(&process).await;
    assert!(process.stop().await.unwrap().success(), "{}", process.stderr());

    let log = SqliteLog::open_read_only(&data).unwrap();
    let store = SqliteStore::open_read_only(&data).unwrap();
    let counted = recount(log.as_ref(), WINDOW_MS).await.unwrap();
    let in_log: HashSet<&str> = counted.accepted.iter().map(|a| a.event.event_id.as_str()).collect();
    let lost: Vec<_> = imported.iter().chain(&acknowledged).filter(|id| !in_log.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "acknowledged and not in the log: {lost:?}");
    assert_eq!(in_log.len(), counted.accepted.len(), "an event counts twice");
    verdict::stored_once(store.as_ref(), &counted).await.unwrap();
    verdict::tallies_join(log.as_ref()).await.unwrap();

    let pay = |e: &RequestEvent| e.service == "pay";
    verdict::tallies_equal(log.as_ref(), &counted, ("pay", &[]), pay, |e| e.status_code < 500).await.unwrap();
    for method in ["GET", "POST"] {
        let counts = |e: &RequestEvent| e.method == method && e.latency_ms.is_some();
        let good = |e: &RequestEvent| e.latency_ms.is_some_and(|ms| ms <= 100.0);
        verdict::tallies_equal(log.as_ref(), &counted, ("quick", &[method]), counts, good).await.unwrap();
    }
    let compared = verdict::burn_rates_refold(log.as_ref()).await.unwrap();
    let transitions = verdict::transitions_replay(log.as_ref()).await.unwrap();
    assert!(compared > 0 && !transitions.is_empty());
    let told: HashSet<String> =
        receiver.deliveries().iter().filter(|d| d.accepted()).flat_map(|d| keys(&d.body)).collect();
    let noted = notified(log.as_ref(), &transitions, &told).await;
    println!(
        "{kills} kills: {} events acknowledged, {} accepted, lost 0, doubled 0; {compared} burn rates folded again, {} \
         transitions replayed, {noted} notifications settled once, {} deliveries",
        imported.len() + acknowledged.len(),
        counted.accepted.len(),
        transitions.len(),
        receiver.deliveries().len(),
    );
}

/// Every transition that was due is settled once, and what counts as delivered was received; answers how many.
async fn notified(log: &dyn Log, transitions: &[AlertTransition], told: &HashSet<String>) -> usize {
    let notes: Vec<Notification> = verdict::all(log, Topic::Notifications).await.unwrap();
    let key = |n: &Notification| format!("{}/{}/{}/{}", n.alert_id, n.episode, n.seq, n.receiver);
    let settled: HashSet<String> = notes.iter().map(key).collect();
    assert_eq!(settled.len(), notes.len(), "a notification was settled twice");
    let receiver = &notes.first().expect("nothing was notified").receiver;
    let due = verdict::due_keys(transitions, receiver);
    for key in &due {
        assert!(settled.contains(key), "{key} was due and is not settled");
    }
    for note in notes.iter().filter(|n| n.outcome == Outcome::Delivered) {
        assert!(told.contains(&key(note)), "{} is recorded as delivered but was not received", key(note));
    }
    due.len()
}

/// Idempotency keys of a webhook body.
fn keys(body: &Value) -> Vec<String> {
    let key = |alert: &Value| alert["annotations"]["idempotency_key"].as_str().map(str::to_owned);
    body["alerts"].as_array().into_iter().flatten().filter_map(key).collect()
}

/// Waits until the store has everything that is in the log, and the notifier is done with it.
async fn at_rest(process: &Slipstream) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let log = SqliteLog::open_read_only(&process.data()).unwrap();
        let store = SqliteStore::open_read_only(&process.data()).unwrap();
        let counted = recount(log.as_ref(), WINDOW_MS).await.unwrap();
        let stored = slipstream_store::Store::counts(store.as_ref()).await.unwrap().events;
        let transitions: Vec<AlertTransition> = verdict::all(log.as_ref(), Topic::Alerts).await.unwrap();
        let notes: Vec<Notification> = verdict::all(log.as_ref(), Topic::Notifications).await.unwrap();
        let due = verdict::due_keys(&transitions, "any").len();
        if stored == counted.accepted.len() as u64 && notes.len() >= due {
            return;
        }
        let (accepted, settled) = (counted.accepted.len(), notes.len());
        assert!(Instant::now() < deadline, "{stored} of {accepted} events stored, {settled} of {due} notified");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
