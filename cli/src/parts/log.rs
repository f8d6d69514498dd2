//! The log of a process: a directory that it owns, or a cluster that it shares.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use slipstream_log::kafka::{KafkaLog, KafkaOptions, PropertyError, check_properties};
use slipstream_log::sqlite::{OpenError, SqliteLog, SqliteOptions};
use slipstream_log::{LogError, SharedLog};
use slipstream_role::patience::{Patience, patient};
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::Backoff;
use slipstream_runtime::config::{Config, ConfigErrors, LogAddress, Problem, nearest};

use tokio::time::Instant;

use super::data::no_file;
use crate::output;

/// Properties that people set; librdkafka knows many more.
const USUAL: [&str; 24] = [
    "batch.size",
    "broker.address.family",
    "client.id",
    "client.rack",
    "compression.type",
    "connections.max.idle.ms",
    "debug",
    "fetch.max.bytes",
    "heartbeat.interval.ms",
    "linger.ms",
    "message.timeout.ms",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "transaction.timeout.ms",
];

/// How long a process that is to work on a cluster waits for it: it may just be starting, too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who waits for the log where no role does, in log lines and metrics.
pub const PROCESS: &str = "slipstream";

/// A log that is open for writing.
pub enum OpenLog {
    /// In a directory that this process owns.
    Sqlite(Arc<SqliteLog>),
    /// On a cluster.
    Kafka(Arc<KafkaLog>),
}

impl OpenLog {
    /// Opens the log that the configuration names.
    ///
    /// # Errors
    /// When another process owns the directory, or the cluster does not answer or misses topics: each with what to do.
    pub async fn open(config: &Config) -> Result<OpenLog> {
        match &config.log {
            LogAddress::Sqlite(dir) => {
                no_file(dir)?;
                Ok(OpenLog::Sqlite(SqliteLog::open(dir, SqliteOptions::default())?))
            }
            LogAddress::Kafka(brokers) => Ok(OpenLog::Kafka(connect(kafka_options(config, brokers)?, PATIENCE).await?)),
        }
    }

    /// The log as roles take it: each waits on its own behalf.
    pub fn shared(&self) -> SharedLog {
        match self {
            OpenLog::Sqlite(log) => log.clone(),
            OpenLog::Kafka(log) => log.clone(),
        }
    }

    /// The log for all other work: one that waits out what passes.
    pub fn patient(&self) -> SharedLog {
        patient(self.shared(), PROCESS)
    }

    /// Says, for whoever finds a directory in use, where the gateway of this process listens.
    ///
    /// # Errors
    /// When the lock file of the directory cannot be written.
    pub fn announce(&self, gateway: SocketAddr) -> std::io::Result<()> {
        match self {
            OpenLog::Sqlite(log) => log.announce(&format!("http://{}", reachable(gateway))),
            OpenLog::Kafka(_) => Ok(()),
        }
    }

    /// Whether roles in other processes may work on it as well.
    pub fn is_on_kafka(&self) -> bool {
        matches!(self, OpenLog::Kafka(_))
    }

    /// Waits for what is in flight. Call it when no role is left.
    pub async fn close(self) {
        match self {
            OpenLog::Sqlite(log) => log.close().await,
            OpenLog::Kafka(log) => log.close().await,
        }
    }
}

/// The address by which a process on this machine reaches what listens on `address`, perhaps on all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The gateway of the process that has the directory, where that is why a log could not be opened.
pub fn gateway_of_owner(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref() {
        Some(OpenError::Owned { owner: Some(owner), .. }) => owner.gateway.clone(),
        _ => None,
    }
}

/// Connects; a cluster that cannot be reached is waited for, for as long as `patience` lasts.
///
/// # Errors
/// When it does not answer until then, does not let us in, or misses topics.
pub async fn connect(options: KafkaOptions, patience: Duration) -> Result<Arc<KafkaLog>> {
    let deadline = Instant::now() + patience;
    let mut waiting = Patience::new(Backoff::PEER, u64::from(std::process::id()), Shutdown::new());
    loop {
        let (doing, cause) = match KafkaLog::connect(options.clone()).await {
            Ok(log) => return Ok(log),
            Err(LogError::Transient { doing, cause }) => (doing, cause),
            Err(error) => return Err(error.into()),
        };
        if Instant::now() >= deadline {
            bail!("{doing}: {cause}; is the address right, and a broker up? (slipstream doctor)");
        }
        let say = |failures, _| {
            if failures == 1 {
                output::say(format_args!("{doing}: {cause}; waiting up to {} s", patience.as_secs()));
            }
        };
        waiting.wait(say).await;
    }
}

/// How to reach the cluster, as the configuration says.
///
/// # Errors
/// With every property that librdkafka does not know, or that must not be set.
pub fn kafka_options(config: &Config, brokers: &str) -> Result<KafkaOptions, ConfigErrors> {
    let given = &config.kafka.properties;
    let properties: BTreeMap<String, String> =
        given.iter().map(|(name, property)| (name.clone(), property.value.reveal().to_owned())).collect();
    let problem = |PropertyError { name, cause }: PropertyError| {
        let place = given.get(&name).map(|property| property.place.clone())?;
        let near = nearest(&name, USUAL).filter(|near| *near != name);
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Some(Problem { place, message: format!("`kafka.properties.{name}`: {cause}{hint}") })
    };
    let mut problems: Vec<Problem> = check_properties(&properties).into_iter().filter_map(problem).collect();
    if !problems.is_empty() {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        return Err(ConfigErrors::Invalid(problems));
    }
    let (prefix, instance) = (config.kafka.prefix.clone(), config.kafka.instance.clone());
    Ok(KafkaOptions { prefix, instance, properties, ..KafkaOptions::new(brokers) })
}
