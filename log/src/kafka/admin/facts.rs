//! Facts about a cluster, without judgement.

use std::collections::BTreeMap;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, ConfigResourceResult, OwnedResourceSpecifier, ResourceSpecifier,
};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::metadata::{Metadata, MetadataTopic};
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
    /// Replicas of the topics in which the cluster keeps positions and transactions, if they exist and are visible.
    pub internal: BTreeMap<String, usize>,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Its advertised address.
    pub address: String,
    /// Its settings, read from itself; or why they are not known.
    pub settings: Result<Settings, Untold>,
}

/// Why settings are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// The user may not read them.
    Refused,
    /// No response: why.
    Failed(String),
}

/// Why a topic is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// There is none of this name.
    Missing,
    /// The user may not see it, so it may exist or not.
    Hidden,
}

/// A topic of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Which.
    pub topic: Topic,
    /// Its name on the cluster.
    pub name: String,
    /// The topic, or why it is absent.
    pub there: Result<TopicThere, Absent>,
}

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicThere {
    /// Its partitions.
    pub partitions: Vec<PartitionState>,
    /// Its settings, or why they are not known.
    pub settings: Result<Settings, Untold>,
}

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    /// Whether it has a leader: without one it can be neither read nor written.
    pub led: bool,
    /// How many replicas it has.
    pub replicas: usize,
    /// How many of them are in sync.
    pub in_sync: usize,
}

impl TopicThere {
    /// Replicas of the partition that has the fewest.
    pub fn replication(&self) -> usize {
        self.partitions.iter().map(|p| p.replicas).min().unwrap_or_default()
    }

    /// A setting, if known.
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

/// Lists the groups of an installation.
///
/// # Errors
/// When the cluster does not respond or refuses.
pub async fn groups(options: &KafkaOptions) -> Result<Vec<Group>, LogError> {
    let options = options.clone();
    blocking(move || {
        let names = Names::new(&options.prefix);
        let failed = |e: KafkaError| log_error(&names, "listing the groups", &e);
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

/// Reads the facts about a cluster.
///
/// # Errors
/// When no broker responds, or the login is refused.
pub async fn inspect(options: &KafkaOptions) -> Result<Cluster, LogError> {
    let names = Names::new(&options.prefix);
    let (asked, wanted) = (options.clone(), names.clone());
    let (metadata, missing) = blocking(move || {
        let (asker, metadata) = hearing::metadata(&asked)?;
        let missing = absent(&asker, &wanted, &metadata)?;
        Ok::<_, LogError>((metadata, missing))
    })
    .await?;
    let admin: AdminClient<ClientLog> = settings::common(options)
        .create_with_context(ClientLog)
        .map_err(|e| log_error(&names, "creating a Kafka client", &e))?;
    Ok(Cluster {
        brokers: brokers(&admin, &metadata).await,
        topics: topics(&admin, &names, &metadata, &missing).await,
        internal: internal(&metadata),
    })
}

/// Each broker is contacted: one that others still list may not be reachable from here.
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

/// Why topics are not among those that were listed.
fn absent(asker: &hearing::Asker, names: &Names, metadata: &Metadata) -> Result<BTreeMap<Topic, Absent>, LogError> {
    let mut absent = BTreeMap::new();
    for spec in TOPICS.iter().filter(|spec| listed(names.of(spec.topic), metadata).is_none()) {
        if let Some(why) = hearing::absence(asker, names.of(spec.topic))? {
            absent.insert(spec.topic, why);
        }
    }
    Ok(absent)
}

fn listed<'a>(name: &str, metadata: &'a Metadata) -> Option<&'a MetadataTopic> {
    metadata.topics().iter().find(|t| t.name() == name && t.error().is_none())
}

async fn topics(
    admin: &AdminClient<ClientLog>,
    names: &Names,
    metadata: &Metadata,
    absent: &BTreeMap<Topic, Absent>,
) -> Vec<TopicState> {
    let mut topics = Vec::new();
    for spec in &TOPICS {
        let name = names.of(spec.topic);
        let there = match listed(name, metadata) {
            None => Err(absent.get(&spec.topic).copied().unwrap_or(Absent::Missing)),
            Some(found) => Ok(TopicThere {
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

async fn ask(admin: &AdminClient<ClientLog>, of: ResourceSpecifier<'_>) -> Result<Settings, Untold> {
    let patience = AdminOptions::new().request_timeout(Some(CALL));
    let told = admin.describe_configs([&of], &patience).await.map_err(|e| Untold::Failed(e.to_string()))?;
    settings_of(told.into_iter().next().ok_or_else(|| Untold::Failed("no answer".to_owned()))?)
}

/// The crate hides why a resource is not described (rdkafka 0.39): if it may not be read, the list is empty, and every
/// topic and broker has settings.
fn settings_of(told: ConfigResourceResult) -> Result<Settings, Untold> {
    let resource = told.map_err(|code| Untold::Failed(code.to_string()))?;
    if resource.entries.is_empty() {
        return Err(Untold::Refused);
    }
    Ok(resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect())
}

/// Settings of every topic of the table, or why they are not known, by one request.
///
/// # Errors
/// When there is no response.
pub(super) async fn all_settings(options: &KafkaOptions) -> Result<Vec<(Topic, Result<Settings, Untold>)>, LogError> {
    let names = Names::new(&options.prefix);
    let all: Vec<ResourceSpecifier<'_>> =
        TOPICS.iter().map(|spec| ResourceSpecifier::Topic(names.of(spec.topic))).collect();
    let told = describe(options, &names, &all).await?;
    let topic_of = |resource: &ConfigResource| match &resource.specifier {
        OwnedResourceSpecifier::Topic(name) => names.place(name, 0).map(|place| place.topic),
        _ => None,
    };
    let named = told.into_iter().filter_map(|told| Some((topic_of(told.as_ref().ok()?)?, settings_of(told))));
    Ok(named.collect())
}

/// A topic's timestamp type; `None` if that may not be read.
///
/// # Errors
/// When there is no response.
pub async fn timestamp_type(options: &KafkaOptions, name: &str) -> Result<Option<String>, LogError> {
    let told = describe(options, &Names::new(&options.prefix), &[ResourceSpecifier::Topic(name)]).await?;
    let settings = told.into_iter().next().map(settings_of);
    Ok(settings.and_then(Result::ok).and_then(|mut settings| settings.remove("message.timestamp.type")))
}

async fn describe(
    options: &KafkaOptions,
    names: &Names,
    all: &[ResourceSpecifier<'_>],
) -> Result<Vec<ConfigResourceResult>, LogError> {
    let failed = |e: KafkaError| log_error(names, "reading the settings of topics", &e);
    let admin: AdminClient<ClientLog> = settings::common(options).create_with_context(ClientLog).map_err(failed)?;
    admin.describe_configs(all, &AdminOptions::new().request_timeout(Some(CALL))).await.map_err(failed)
}
