//! What a cluster is like: asked, not judged.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use slipstream_schemas::Topic;
use slipstream_schemas::topics::TOPICS;

use super::super::blocking::blocking;
use super::super::client::{ClientLog, Reader};
use super::super::errors::log_error;
use super::super::names::Names;
use super::super::settings::{self, KafkaOptions};
use super::CALL;
use super::hearing;
use crate::port::LogError;

/// Settings by name.
pub type Settings = BTreeMap<String, String>;

/// A cluster as an installation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// By id.
    pub brokers: Vec<Broker>,
    /// One for each row of the table, in its order.
    pub topics: Vec<TopicState>,
    /// Replicas of the topics in which the cluster keeps positions and transactions, where they are there and seen.
    pub internal: BTreeMap<String, usize>,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Where it says that clients reach it.
    pub address: String,
    /// Its settings, asked of itself; or why it did not answer.
    pub settings: Result<Settings, String>,
}

/// A topic of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Which.
    pub topic: Topic,
    /// Its name on the cluster.
    pub name: String,
    /// What is there; none: it is missing.
    pub there: Option<TopicThere>,
}

/// What is there of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicThere {
    /// Its partitions.
    pub partitions: Vec<PartitionState>,
    /// Its settings; or why they were not told.
    pub settings: Result<Settings, String>,
}

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    /// Whether a broker leads it: without one nothing is read or written.
    pub led: bool,
    /// How many replicas it has.
    pub replicas: usize,
    /// How many of them are in sync.
    pub in_sync: usize,
}

impl TopicThere {
    /// Replicas of the partition that has fewest.
    pub fn replication(&self) -> usize {
        self.partitions.iter().map(|p| p.replicas).min().unwrap_or_default()
    }

    /// A setting, where it was told.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.as_ref().ok()?.get(name).map(String::as_str)
    }
}

/// A group of consumers of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name, without the installation's prefix.
    pub name: String,
    /// How many members it has now.
    pub members: usize,
}

/// Asks for the groups of an installation.
///
/// # Errors
/// When the cluster does not tell.
pub async fn groups(options: &KafkaOptions) -> Result<Vec<Group>, LogError> {
    let options = options.clone();
    blocking(move || {
        let names = Names::new(&options.prefix);
        let failed = |e: KafkaError| log_error(&names, "asking for the groups", &e);
        let asker: Reader = settings::ranges(&options).create_with_context(ClientLog).map_err(failed)?;
        let listed = asker.fetch_group_list(None, CALL).map_err(failed)?;
        let ours = listed.groups().iter().filter_map(|group| {
            let name = group.name().strip_prefix(&options.prefix)?.to_owned();
            Some(Group { name, members: group.members().len() })
        });
        let mut groups: Vec<Group> = ours.collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    })
    .await
}

/// Asks a cluster what it is like.
///
/// # Errors
/// When no broker answers, or none lets us in.
pub async fn inspect(options: &KafkaOptions) -> Result<Cluster, LogError> {
    let names = Names::new(&options.prefix);
    let asked = options.clone();
    let metadata = blocking(move || hearing::metadata(&asked)).await?;
    let admin: AdminClient<ClientLog> = settings::common(options)
        .create_with_context(ClientLog)
        .map_err(|e| log_error(&names, "making a Kafka client", &e))?;
    Ok(Cluster {
        brokers: brokers(&admin, &metadata).await,
        topics: topics(&admin, &names, &metadata).await,
        internal: internal(&metadata),
    })
}

/// Each broker is asked itself: one that others still name may not be reachable from here.
async fn brokers(admin: &AdminClient<ClientLog>, metadata: &Metadata) -> Vec<Broker> {
    let mut brokers = Vec::new();
    for broker in metadata.brokers() {
        let asked = ask(admin, ResourceSpecifier::Broker(broker.id())).await;
        let address = format!("{}:{}", broker.host(), broker.port());
        brokers.push(Broker { id: broker.id(), address, settings: asked });
    }
    brokers.sort_by_key(|b| b.id);
    brokers
}

async fn topics(admin: &AdminClient<ClientLog>, names: &Names, metadata: &Metadata) -> Vec<TopicState> {
    let mut topics = Vec::new();
    for spec in &TOPICS {
        let name = names.of(spec.topic);
        let found = metadata.topics().iter().find(|t| t.name() == name && t.error().is_none());
        let there = match found {
            None => None,
            Some(found) => Some(TopicThere {
                partitions: found.partitions().iter().map(partition).collect(),
                settings: ask(admin, ResourceSpecifier::Topic(name)).await,
            }),
        };
        topics.push(TopicState { topic: spec.topic, name: name.to_owned(), there });
    }
    topics
}

fn partition(found: &rdkafka::metadata::MetadataPartition) -> PartitionState {
    PartitionState { led: found.leader() >= 0, replicas: found.replicas().len(), in_sync: found.isr().len() }
}

fn internal(metadata: &Metadata) -> BTreeMap<String, usize> {
    let ours = metadata.topics().iter().filter(|t| matches!(t.name(), "__consumer_offsets" | "__transaction_state"));
    ours.filter_map(|t| Some((t.name().to_owned(), t.partitions().iter().map(|p| p.replicas().len()).min()?))).collect()
}

async fn ask(admin: &AdminClient<ClientLog>, of: ResourceSpecifier<'_>) -> Result<Settings, String> {
    let patience = AdminOptions::new().request_timeout(Some(CALL));
    let told = admin.describe_configs([&of], &patience).await.map_err(|e| e.to_string())?;
    let resource = told.into_iter().next().ok_or("no answer")?.map_err(|code| code.to_string())?;
    Ok(resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect())
}
