//! Two processes of each kind, and a third that is added and removed, on their own Kafka and PostgreSQL, and the faults
//! that are done to them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use slipstream_log::SharedLog;
use slipstream_log::kafka::{KafkaLog, KafkaOptions};
use slipstream_store::{PostgresOptions, PostgresStore};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::fault::{End, Move, NAMED, THIRD};
use super::member::{Member, Parts};
use super::plan::{Fault, Kind, OF_A_KIND, Round, Target};
use super::transactions::{self, Probe};
use crate::services::{Kafka, Postgres};

/// Partitions that all kinds of processes can share, and no more than needed: an idle pipeline works for each.
const PARTITIONS: &str =
    "request-events=4,sli-tallies=2,burn-snapshots=2,burn-rates=2,alerts=2,notifications=2,dead-letters=1";

/// A cluster. It ends with the value.
#[derive(Debug)]
pub struct Cluster {
    kafka: Kafka,
    postgres: Postgres,
    members: BTreeMap<Target, Arc<Mutex<Member>>>,
    gateways: Vec<String>,
    probe: Probe,
    _folder: TempDir,
}

/// A fault that was done.
#[derive(Debug, Clone)]
pub struct Injected {
    /// What it was.
    pub fault: Fault,
    /// When it began.
    pub at: SystemTime,
    /// When it was taken back: the process was started again, or let go.
    pub ended: SystemTime,
}

impl Cluster {
    /// Starts all of it and waits until every process is ready and the definitions (OpenSLO, YAML) apply.
    pub async fn start(binary: impl AsRef<Path>, slos: &str, webhook: &str) -> Result<Cluster> {
        let (kafka, postgres) = tokio::join!(Kafka::dedicated(), Postgres::dedicated());
        let folder = tempfile::tempdir().context("creating a folder for the cluster")?;
        let file = folder.path().join("slos.yaml");
        std::fs::write(&file, slos).context("writing the definitions")?;
        // A build meanwhile must not change what is started again.
        let own = folder.path().join("slipstream");
        std::fs::copy(binary.as_ref(), &own).context("copying the binary")?;
        let parts = Parts {
            binary: own,
            brokers: kafka.bootstrap(),
            database: postgres.url(),
            webhook: webhook.to_owned(),
            slos: file,
        };
        ensure_topics(&parts).await?;
        let targets = Kind::ALL.iter().flat_map(|kind| (0..=THIRD).map(|n| (*kind, n)));
        let mut members = BTreeMap::new();
        for target in targets {
            members.insert(target, Arc::new(Mutex::new(Member::new(&parts, target, folder.path())?)));
        }
        let probe = Probe::new(&parts.brokers)?;
        let mut cluster = Cluster { kafka, postgres, members, gateways: Vec::new(), probe, _folder: folder };
        for (_, member) in cluster.members.iter().filter(|((_, n), _)| *n < OF_A_KIND) {
            member.lock().await.spawn()?;
        }
        cluster.ready().await?;
        for n in 0..OF_A_KIND {
            let gateway = cluster.member((Kind::Gateway, n))?.lock().await.gateway();
            cluster.gateways.push(gateway);
        }
        Ok(cluster)
    }

    /// Address of each gateway: `http://127.0.0.1:PORT`.
    pub fn gateways(&self) -> Vec<String> {
        self.gateways.clone()
    }

    /// What it runs on.
    pub fn describe(&self) -> String {
        format!("{}; {}", self.kafka.describe(), self.postgres.describe())
    }

    /// `host:port` of the broker.
    pub fn brokers(&self) -> String {
        self.kafka.bootstrap()
    }

    /// A client of the log, as onlookers have it.
    pub fn log(&self) -> SharedLog {
        KafkaLog::new(KafkaOptions::new(self.kafka.bootstrap()))
    }

    /// A client of the store, for questions.
    pub async fn store(&self) -> Result<Arc<PostgresStore>> {
        let options = PostgresOptions::new(self.postgres.url());
        PostgresStore::connect_read_only(options).await.context("opening the store")
    }

    /// URL of the database.
    pub fn database(&self) -> String {
        self.postgres.url()
    }

    /// Injects the faults of a round and waits until the last one has ended. `again`: clients send what was
    /// acknowledged of late again.
    pub async fn inject(&self, round: &Round, again: impl AsyncFn() -> Result<()>) -> Result<Vec<Injected>> {
        let mut done = Vec::new();
        let mut under_way = round.faults.iter().map(|(after, fault)| self.do_it(*after, fault, &again));
        match (under_way.next(), under_way.next()) {
            (Some(one), Some(other)) => {
                let (one, other) = tokio::try_join!(one, other)?;
                done.extend([one, other]);
            }
            (Some(one), None) => done.push(one.await?),
            (None, _) => {}
        }
        ensure!(under_way.next().is_none(), "a round has two faults at most");
        Ok(done)
    }

    async fn do_it(&self, after: Duration, fault: &Fault, again: &impl AsyncFn() -> Result<()>) -> Result<Injected> {
        sleep(after).await;
        let at = SystemTime::now();
        match fault {
            Fault::Kill(target, away) => self.member(*target)?.lock().await.kill(*away).await?,
            Fault::Hold(target, held) => self.member(*target)?.lock().await.hold(*held).await?,
            Fault::Stall(target, held) => {
                self.member(*target)?.lock().await.stall(*held, &self.probe).await?;
            }
            Fault::Broker(away) => {
                self.kafka.kill().await?;
                sleep(*away).await;
                self.kafka.start().await?;
            }
            Fault::Database(away) => {
                self.postgres.kill().await?;
                sleep(*away).await;
                self.postgres.start().await?;
            }
            Fault::Restart(target) => self.member(*target)?.lock().await.restart().await?,
            Fault::Scale(kind, end, each) => self.scale(*kind, *end, *each).await?,
            Fault::Storm(moves) => self.storm(moves).await?,
            Fault::Twin(kind) => self.member((*kind, NAMED))?.lock().await.twin().await?,
            Fault::Fence(kind) => {
                let name = self.member((*kind, NAMED))?.lock().await.name().to_owned();
                transactions::fence(&self.kafka.bootstrap(), *kind, &name).await?;
            }
            Fault::Again => again().await?,
        }
        Ok(Injected { fault: fault.clone(), at, ended: SystemTime::now() })
    }

    /// Three processes of a kind, two, one, and two again.
    async fn scale(&self, kind: Kind, end: End, each: Duration) -> Result<()> {
        let (third, second) = (self.member((kind, THIRD))?, self.member((kind, THIRD - 1))?);
        third.lock().await.spawn()?;
        third.lock().await.ready().await?;
        sleep(each).await;
        third.lock().await.end(end).await?;
        sleep(each).await;
        // Other users of it wait until it is back.
        let mut second = second.lock().await;
        second.end(end).await?;
        sleep(each).await;
        second.spawn()
    }

    /// One move after the other; a process that is still ending does not hold up others. The third ones are gone when
    /// it is over.
    async fn storm(&self, moves: &[(Duration, Move)]) -> Result<()> {
        let (mut at, mut under_way) = (Duration::ZERO, JoinSet::new());
        for (after, what) in moves {
            at += *after;
            let target = match what {
                Move::Restart(target) => *target,
                Move::Third(kind, _) => (*kind, THIRD),
            };
            under_way.spawn(do_move(at, *what, Arc::clone(self.member(target)?)));
        }
        while let Some(moved) = under_way.join_next().await {
            moved??;
        }
        for kind in Kind::ALL {
            let mut third = self.member((kind, THIRD))?.lock().await;
            if third.is_there() {
                third.end(End::Asked).await?;
            }
        }
        Ok(())
    }

    fn member(&self, target: Target) -> Result<&Arc<Mutex<Member>>> {
        self.members.get(&target).with_context(|| format!("no such target: {target:?}"))
    }

    /// An error if a process has exited unexpectedly.
    pub async fn still_runs(&self) -> Result<()> {
        for member in self.members.values() {
            member.lock().await.still_runs()?;
        }
        Ok(())
    }

    /// Waits until every process is ready.
    pub async fn ready(&self) -> Result<()> {
        for member in self.members.values() {
            member.lock().await.ready().await?;
        }
        Ok(())
    }

    /// SIGTERM to all of a kind, one after the other; an error if one does not end cleanly.
    pub async fn stop(&self, kind: Kind) -> Result<()> {
        for (_, member) in self.members.iter().filter(|((of, _), _)| *of == kind) {
            member.lock().await.stop().await?;
        }
        Ok(())
    }

    /// Writes the output of every process into a folder, one file each, for finding the reason of a failure.
    pub async fn keep_logs(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        for member in self.members.values() {
            let member = member.lock().await;
            let file = folder.join(format!("{}.log", member.name()));
            std::fs::write(&file, member.said()).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(())
    }
}

async fn do_move(at: Duration, what: Move, member: Arc<Mutex<Member>>) -> Result<()> {
    sleep(at).await;
    let mut member = member.lock().await;
    match what {
        Move::Restart(_) => member.restart().await,
        Move::Third(_, end) if member.is_there() => member.end(end).await,
        Move::Third(..) => member.spawn(),
    }
}

async fn ensure_topics(parts: &Parts) -> Result<()> {
    let mut command = Command::new(&parts.binary);
    let log = format!("kafka://{}", parts.brokers);
    command.args(["topics", "ensure", "--log", &log, "--partitions", PARTITIONS]).kill_on_drop(true);
    let output = command.output().await.context("running topics ensure")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "topics ensure: {said}");
    Ok(())
}
