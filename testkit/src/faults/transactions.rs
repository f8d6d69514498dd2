//! Transactions of the processes, from outside: whether one is open, and a producer that takes a process's name.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use slipstream_log::kafka::KafkaOptions;
use slipstream_schemas::Topic;
use tokio::time::sleep;

use super::fault::Kind;

/// How long a broker may take to respond.
const CALL: Duration = Duration::from_secs(5);
/// What others had open is over after this.
const OTHERS: Duration = Duration::from_millis(250);

/// Detects open transactions: the committed end is below the end of the partition.
pub struct Probe {
    options: KafkaOptions,
    committed: Arc<BaseConsumer>,
    all: Arc<BaseConsumer>,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Probe({})", self.options.brokers)
    }
}

impl Probe {
    /// On a cluster.
    pub fn new(brokers: &str) -> Result<Probe> {
        let options = KafkaOptions::new(brokers);
        let client = |isolation: &str| -> Result<Arc<BaseConsumer>> {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", brokers).set("isolation.level", isolation).set("log_level", "0");
            Ok(Arc::new(config.create().context("creating a Kafka client")?))
        };
        Ok(Probe { committed: client("read_committed")?, all: client("read_uncommitted")?, options })
    }

    /// Whether a transaction of a process of this kind, which is being held, is open: one that stays so.
    pub async fn is_open(&self, kind: Kind) -> Result<bool> {
        let Some(before) = self.waits_at(kind).await? else { return Ok(false) };
        sleep(OTHERS).await;
        Ok(self.waits_at(kind).await? == Some(before))
    }

    /// The committed end of the first partition in which there is more; `None` if there is none.
    async fn waits_at(&self, kind: Kind) -> Result<Option<(i32, i64)>> {
        let topic = match kind {
            Kind::Tally => Topic::SliTallies,
            Kind::Burn => Topic::BurnRates,
            Kind::Alerter => Topic::Alerts,
            Kind::Gateway | Kind::Sink => return Ok(None),
        };
        let topic = self.options.topic_name(topic);
        let (committed, all) = (Arc::clone(&self.committed), Arc::clone(&self.all));
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = all.fetch_metadata(Some(&topic), CALL)?;
            let partitions = metadata.topics().iter().flat_map(|t| t.partitions()).map(|p| p.id());
            for partition in partitions {
                let (_, settled) = committed.fetch_watermarks(&topic, partition, CALL)?;
                let (_, end) = all.fetch_watermarks(&topic, partition, CALL)?;
                if settled < end {
                    return Ok(Some((partition, settled)));
                }
            }
            anyhow::Ok(None)
        });
        asked.await?
    }
}

/// A producer that takes the name of a process's producer, which is then fenced. `instance`: the process's name.
pub async fn fence(brokers: &str, kind: Kind, instance: &str) -> Result<()> {
    let id = format!("{}{}-{instance}-0", KafkaOptions::new(brokers).prefix, kind.name());
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("transactional.id", &id).set("log_level", "0");
    let taken = tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = config.create()?;
        producer.init_transactions(CALL * 3)
    });
    taken.await?.with_context(|| format!("taking over the name {id}"))
}
