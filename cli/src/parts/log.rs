//! The log of a process: a directory that it owns, or a cluster that it shares.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use slipstream_log::kafka::{KafkaLog, KafkaOptions, PropertyError, admin, check_properties};
use slipstream_log::sqlite::{OpenError, SqliteLog, SqliteOptions};
use slipstream_log::{LogError, SharedLog};
use slipstream_role::patience::{Patience, patient};
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::Backoff;
use slipstream_runtime::config::{Config, LogAddress, Problem, nearest};

use tokio::time::Instant;

use super::data::no_file;
use crate::output;

/// Common properties; librdkafka has many more.
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

/// Name in log lines and metrics for waits that belong to no role.
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
    /// When another process owns the directory, or the cluster does not respond or lacks topics: each with what to do.
    pub async fn open(config: &Config) -> Result<OpenLog> {
        match &config.log {
            LogAddress::Sqlite(dir) => {
                no_file(dir)?;
                Ok(OpenLog::Sqlite(SqliteLog::open(dir, SqliteOptions::default())?))
            }
            LogAddress::Kafka(brokers) => {
                let options = kafka_options(config, brokers);
                let log = connect(options.clone(), PATIENCE).await?;
                admin::require_counting(&options).await?;
                Ok(OpenLog::Kafka(log))
            }
        }
    }

    /// The log as roles take it: each waits on its own behalf.
    pub fn shared(&self) -> SharedLog {
        match self {
            OpenLog::Sqlite(log) => log.clone(),
            OpenLog::Kafka(log) => log.clone(),
        }
    }

    /// The log for all other work: it waits out temporary errors.
    pub fn patient(&self) -> SharedLog {
        patient(self.shared(), PROCESS)
    }

    /// Says, for whoever finds a directory in use, where the gateway of this process listens, and whether with TLS.
    ///
    /// # Errors
    /// When the lock file of the directory cannot be written.
    pub fn announce(&self, gateway: SocketAddr, with_tls: bool) -> std::io::Result<()> {
        let scheme = if with_tls { "https" } else { "http" };
        match self {
            OpenLog::Sqlite(log) => log.announce(&format!("{scheme}://{}", reachable(gateway))),
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

/// What to do where the gateway of the process that has the directory cannot be reached at the address by which it was found: its
/// certificate may be for a name alone. `flag` is what the command names a gateway by.
pub fn named_as_certified<E: Into<anyhow::Error>>(
    address: &str,
    flag: &'static str,
) -> impl FnOnce(E) -> anyhow::Error + use<E> {
    let port = address.rsplit_once(':').map(|(_, port)| port.to_owned()).filter(|_| address.starts_with("https://"));
    move |error| {
        let error = error.into();
        match port {
            // As rustls says it.
            Some(port) if format!("{error:#}").contains("not valid for name") => {
                anyhow!("{error:#}; name the gateway as its certificate does: {flag} https://HOST:{port}")
            }
            _ => error,
        }
    }
}

/// What to do about a directory whose owner has no gateway.
pub fn without_gateway(error: anyhow::Error, flag: &str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(owned @ OpenError::Owned { .. }) => {
            anyhow!("{owned}, or pass the address of a gateway that writes to it: {flag} http://127.0.0.1:8480")
        }
        _ => error,
    }
}

/// Connects; waits for a cluster that cannot be reached, for at most `patience`.
///
/// # Errors
/// When it does not respond by then, refuses the login, or lacks topics.
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
            bail!("{doing}: {cause}; is the address right, and is a broker up? (slipstream doctor)");
        }
        let say = |failures, _| {
            if failures == 1 {
                output::say(format_args!("{doing}: {cause}; waiting up to {} s", patience.as_secs()));
            }
        };
        waiting.wait(say).await;
    }
}

/// How to reach the cluster, as the configuration says. Its properties were checked when it was loaded.
pub fn kafka_options(config: &Config, brokers: &str) -> KafkaOptions {
    let (prefix, instance) = (config.kafka.prefix.clone(), config.kafka.instance.clone());
    KafkaOptions { prefix, instance, properties: properties(config), ..KafkaOptions::new(brokers) }
}

fn properties(config: &Config) -> BTreeMap<String, String> {
    let given = config.kafka.properties.iter();
    given.map(|(name, property)| (name.clone(), property.value.reveal().to_owned())).collect()
}

/// Every property that librdkafka does not have, or that must not be set.
pub fn wrong_properties(config: &Config) -> Vec<Problem> {
    let given = &config.kafka.properties;
    let problem = |PropertyError { name, cause }: PropertyError| {
        let place = given.get(&name).map(|property| property.place.clone())?;
        let near = nearest(&name, USUAL).filter(|near| *near != name);
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Some(Problem { place, message: format!("`kafka.properties.{name}`: {cause}{hint}") })
    };
    check_properties(&properties(config)).into_iter().filter_map(problem).collect()
}
