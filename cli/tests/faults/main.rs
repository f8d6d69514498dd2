//! Whatever fails, nothing is lost, doubled or left out: a cluster of real processes on a real Kafka and PostgreSQL under
//! traffic, and at random moments kill -9 of every kind of process, of the broker and of the database; processes held for
//! longer than their session, or in a transaction for longer than the broker waits; two processes of one name; one, two
//! and three of a kind; rebalance after rebalance; and clients that send everything twice meanwhile.
//!
//! Without more said, one of each. `SLIPSTREAM_TEST_FAULTS_SECONDS` goes on that long, `SLIPSTREAM_TEST_FAULTS_SEED` does
//! what an earlier run did (`make test-faults SECONDS=600 SEED=7`).
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::print_stderr, reason = "a long run says how far it is")]

mod database;
mod judge;
mod rest;
mod shop;
mod traffic;
mod transport;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use slipstream_testkit::faults::cluster::{Cluster, Injected};
use slipstream_testkit::faults::member::TIMEOUTS;
use slipstream_testkit::faults::plan::{FaultPlan, Round, Then};
use slipstream_testkit::faults::recovery::recovered;
use slipstream_testkit::faults::report::Report;
use slipstream_testkit::faults::told::firsts;
use slipstream_testkit::webhook::Receiver;
use traffic::Traffic;

const BINARY: &str = env!("CARGO_BIN_EXE_slipstream");
const SECONDS: &str = "SLIPSTREAM_TEST_FAULTS_SECONDS";
const SEED: &str = "SLIPSTREAM_TEST_FAULTS_SEED";
/// Partitions of sli-tallies, as the cluster makes them.
const TARGETS: u32 = 2;

/// What is asked for.
struct Asked {
    seed: u64,
    /// How long to go on with faults; `None` for one of each.
    long: Option<Duration>,
}

impl Asked {
    fn from_environment() -> Asked {
        let number = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text}: expected a whole number")))
        };
        // Another one each time: over time many are tried, and each says how to do it again.
        let seed = number(SEED).unwrap_or_else(|| u64::from(rand::random::<u32>()));
        Asked { seed, long: number(SECONDS).map(Duration::from_secs) }
    }

    /// How to do the same again.
    fn again(&self) -> String {
        match self.long {
            Some(long) => format!("make test-faults SECONDS={} SEED={}", long.as_secs(), self.seed),
            None => format!("{SEED}={} cargo test -p slipstream-cli --test faults", self.seed),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_nothing_is_lost_doubled_or_left_out() {
    let asked = Asked::from_environment();
    eprintln!("seed {}; again: {}", asked.seed, asked.again());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let receiver = Receiver::start().await.unwrap();
    let cluster = Cluster::start(BINARY, &shop::slos(), receiver.url()).await.unwrap();
    match run(&cluster, &receiver, &asked).await {
        Ok(report) => println!("{report}"),
        Err(error) => {
            let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}", asked.seed));
            cluster.keep_logs(&folder).await.unwrap();
            let (folder, again) = (folder.display(), asked.again());
            panic!("{error:#}\nwhat the processes said: {folder}\nagain: {again}");
        }
    }
}

async fn run(cluster: &Cluster, receiver: &Receiver, asked: &Asked) -> Result<Report> {
    let alerts = shop::flapping_alerts(TARGETS);
    let traffic = Traffic::start(&cluster.gateways(), &cluster.brokers(), asked.seed);
    let began = Instant::now();
    let everybody = || async { anyhow::Ok(recovered(&alerts, &firsts(&receiver.deliveries()), std::time::UNIX_EPOCH)) };
    rest::until(cluster, "the first alert of every service", everybody).await?;

    let mut plan = FaultPlan::new(asked.seed, TIMEOUTS);
    let mut injected: Vec<Vec<Injected>> = Vec::new();
    let mut rounds: Box<dyn Iterator<Item = Round> + Send> = match asked.long {
        None => Box::new(plan.one_of_each().into_iter()),
        Some(long) => Box::new(std::iter::from_fn(move || (began.elapsed() < long).then(|| plan.next_round()))),
    };
    for round in rounds.by_ref() {
        let says = |what: &str| {
            let (at, events) = (began.elapsed().as_secs_f64(), traffic.acknowledged());
            eprintln!("{at:>6.1} s  {what}; {events} events acknowledged, load {}", load());
        };
        let faults: Vec<String> = round.faults.iter().map(|(_, fault)| fault.to_string()).collect();
        says(&faults.join(", "));
        let done = cluster.inject(&round, async || traffic.again().await).await?;
        says("over");
        let ended = done.iter().map(|i| i.ended).max().context("a round without a fault")?;
        injected.push(done);
        match round.then {
            Then::Pause(pause) => tokio::time::sleep(pause).await,
            Then::Recovery => {
                let told = || async { anyhow::Ok(recovered(&alerts, &firsts(&receiver.deliveries()), ended)) };
                rest::until(cluster, &format!("alerts after {}", faults.join(", ")), told).await?;
                says("recovered");
            }
        }
        cluster.still_runs().await?;
    }
    let sent = traffic.end().await?;
    rest::come_to_rest(cluster, &alerts).await?;
    let report = judge::judge(cluster, receiver, &sent, &injected).await?;
    Ok(Report { seed: asked.seed, on: cluster.describe(), took: began.elapsed(), ..report })
}

/// What the machine has to do, processes that want to run: where it is more than it has cores, everybody is late.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
