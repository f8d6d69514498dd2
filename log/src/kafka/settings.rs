//! librdkafka's properties: ours, the user's, and those that would break an invariant.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use slipstream_schemas::{Cause, Topic};

use crate::faults::Faults;
use crate::port::RECORD_LIMIT;

/// How to reach a cluster, and as whom.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// `host:port[,host:port]`.
    pub brokers: String,
    /// Prefix of the names of topics and groups, `slipstream.` by default, so that installations can share a cluster.
    pub prefix: String,
    /// Name of this process among the others, kept over restarts: its groups recognise it (static membership), and its
    /// transactions fence those of its former life. `None` for a new name each time.
    pub instance: Option<String>,
    /// Further properties of librdkafka, TLS and SASL among them.
    pub properties: BTreeMap<String, String>,
    /// Faults that tests inject.
    pub faults: Arc<Faults>,
}

impl KafkaOptions {
    /// A cluster with all defaults.
    pub fn new(brokers: impl Into<String>) -> Self {
        KafkaOptions {
            brokers: brokers.into(),
            prefix: DEFAULT_PREFIX.to_owned(),
            instance: None,
            properties: BTreeMap::new(),
            faults: Arc::default(),
        }
    }

    /// Name of a topic on the cluster.
    pub fn topic_name(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.name())
    }

    /// Name of a group on the cluster.
    pub fn group_name(&self, group: &str) -> String {
        format!("{}{group}", self.prefix)
    }
}

/// Default prefix of topics and groups.
pub const DEFAULT_PREFIX: &str = "slipstream.";

/// Properties that only we set: with another value an invariant (L1 to L7, P1) would not hold.
const OURS: [(&str, &str); 22] = [
    ("bootstrap.servers", "the brokers are taken from the address, kafka://host:port"),
    ("metadata.broker.list", "the brokers are taken from the address, kafka://host:port"),
    ("enable.idempotence", "without it, events could be lost or counted twice"),
    ("acks", "acknowledged events must be on all in-sync replicas"),
    ("request.required.acks", "acknowledged events must be on all in-sync replicas"),
    ("transactional.id", "it consists of prefix, role and `kafka.instance`"),
    ("group.id", "each role has its own group"),
    ("group.instance.id", "set `kafka.instance` instead"),
    ("group.protocol", "slipstream works with the classic protocol only"),
    ("group.protocol.type", "slipstream works with the classic protocol only"),
    ("group.remote.assignor", "slipstream works with the classic protocol only"),
    ("partition.assignment.strategy", "it is cooperative-sticky: partitions that stay keep flowing"),
    ("enable.auto.commit", "positions are committed in transactions"),
    ("auto.commit.enable", "positions are committed in transactions"),
    ("enable.auto.offset.store", "positions are committed in transactions"),
    ("auto.offset.reset", "a role starts at its committed position, or at the beginning"),
    ("isolation.level", "records of aborted transactions must not be read"),
    ("enable.partition.eof", "roles need to see the end of a partition"),
    ("partitioner", "keys must be in the partition that other clients use, by murmur2"),
    ("delivery.report.only.error", "an acknowledgement is a delivery report"),
    ("log.queue", "librdkafka logs to the process's log"),
    ("test.mock.num.brokers", "librdkafka's mock is not a broker"),
];

/// What is wrong with a property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {cause}")]
pub struct PropertyError {
    /// The property.
    pub name: String,
    /// What is wrong, and what to do.
    #[source]
    pub cause: Cause,
}

/// Checks properties that a user has set; returns all errors.
pub fn check_properties(properties: &BTreeMap<String, String>) -> Vec<PropertyError> {
    let wrong = |name: &str, cause: Cause| PropertyError { name: name.to_owned(), cause };
    let mut errors = Vec::new();
    for (name, value) in properties {
        if let Some((_, why)) = OURS.iter().find(|(ours, _)| ours == name) {
            errors.push(wrong(name, format!("cannot be set: {why}").into()));
            continue;
        }
        let mut alone = ClientConfig::new();
        alone.set(name, value);
        if let Err(error) = alone.create_native_config() {
            errors.push(wrong(name, refusal(error)));
        }
    }
    errors
}

fn refusal(error: KafkaError) -> Cause {
    let text = match &error {
        KafkaError::ClientConfig(_, text, ..) => format!("librdkafka refuses it: {text}"),
        other => format!("librdkafka refuses it: {other}"),
    };
    Cause::worded(text, error)
}

/// What every client has.
pub(super) fn common(options: &KafkaOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in [
        ("client.id", "slipstream"),
        // A transaction retries while the previous one is being ended; with the default of 100 ms, a step would take
        // that long.
        ("retry.backoff.ms", "5"),
        ("topic.metadata.refresh.interval.ms", "30000"),
        ("socket.keepalive.enable", "true"),
        ("reconnect.backoff.max.ms", "2000"),
    ] {
        config.set(name, value);
    }
    for (name, value) in &options.properties {
        config.set(name_of(name), value);
    }
    config.set("bootstrap.servers", &options.brokers);
    config
}

/// Aliases in librdkafka of properties that we set.
const ALIASES: [(&str, &str); 4] = [
    ("compression.codec", "compression.type"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("queue.buffering.max.ms", "linger.ms"),
];

/// The name by which we set a property.
fn name_of(property: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == property).map_or(property, |(_, name)| *name)
}

/// Sets what the user has not.
fn default(config: &mut ClientConfig, options: &KafkaOptions, settings: &[(&str, &str)]) {
    let given = |name: &str| options.properties.keys().any(|given| name_of(given) == name);
    for (name, value) in settings.iter().filter(|(name, _)| !given(name)) {
        config.set(*name, *value);
    }
}

/// A producer of plain records.
pub(super) fn publisher(options: &KafkaOptions) -> ClientConfig {
    let mut config = common(options);
    default(
        &mut config,
        options,
        &[
            ("compression.type", "lz4"),
            ("linger.ms", "5"),
            ("message.timeout.ms", "30000"),
            ("message.max.bytes", LARGEST_BATCH_TEXT),
            ("queue.buffering.max.messages", "1000000"),
            ("queue.buffering.max.kbytes", "131072"),
        ],
    );
    config.set("enable.idempotence", "true").set("acks", "all").set("partitioner", "murmur2_random");
    config
}

/// A producer of transactions.
pub(super) fn transactional(options: &KafkaOptions, id: &str) -> ClientConfig {
    const TIMEOUT: &str = "transaction.timeout.ms";
    let mut config = publisher(options);
    // The user's values for these are meant for producers of plain records. The records of a step are complete when it is
    // produced, so there is nothing to wait for.
    config.set("linger.ms", "0");
    // Nothing is worth sending once its transaction has timed out, and librdkafka refuses a longer time.
    let timeout = options.properties.get(TIMEOUT).map_or("10000", String::as_str);
    config.set(TIMEOUT, timeout).set("message.timeout.ms", timeout);
    config.set("transactional.id", id);
    config
}

/// Any reader.
fn reader(options: &KafkaOptions) -> ClientConfig {
    let mut config = common(options);
    default(
        &mut config,
        options,
        &[
            // A full queue stops fetching of its partition for this long; the default is a second.
            ("fetch.queue.backoff.ms", "2"),
            ("fetch.wait.max.ms", "100"),
            // Queues are bounded by bytes instead.
            ("queued.min.messages", "100000"),
        ],
    );
    config
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true");
    config
}

/// What a member fetches ahead, KiB: in total, and per partition at least and at most. A record of 150 B takes four times
/// as much while it waits.
const AHEAD: u32 = 24 << 10;
const AHEAD_LEAST: u32 = 1 << 10;
const AHEAD_MOST: u32 = 3 << 10;

/// A member of a group; alone it would read this many partitions.
pub(super) fn member(options: &KafkaOptions, group: &str, n: u64, partitions: u32) -> ClientConfig {
    let mut config = reader(options);
    // For a partition with its own queue, librdkafka counts only what waits there.
    let ahead = (AHEAD / partitions.max(1)).clamp(AHEAD_LEAST, AHEAD_MOST).to_string();
    default(
        &mut config,
        options,
        &[("session.timeout.ms", "10000"), ("heartbeat.interval.ms", "1000"), ("queued.max.messages.kbytes", &ahead)],
    );
    config
        .set("group.id", options.group_name(group))
        .set("auto.offset.reset", "earliest")
        // In a batch, librdkafka counts the end of a partition as a record that was read: after a rebalance, which
        // pauses all partitions for a moment, it would continue one offset too late (L3).
        .set("enable.partition.eof", "false")
        .set("partition.assignment.strategy", "cooperative-sticky");
    if let Some(instance) = &options.instance {
        config.set("group.instance.id", format!("{instance}-{group}-{n}"));
    }
    config
}

/// A reader of ranges, outside of any group.
pub(super) fn ranges(options: &KafkaOptions) -> ClientConfig {
    let mut config = reader(options);
    // The end of a range is reported when a fetch returns empty, so fetches are short. Several may read at the same
    // time, and what they fetched adds to the memory of all members.
    default(
        &mut config,
        options,
        &[("queued.max.messages.kbytes", "1024"), ("fetch.message.max.bytes", "262144"), ("fetch.wait.max.ms", "5")],
    );
    // The client requires a group; it never joins it.
    config.set("group.id", options.group_name("readers")).set("auto.offset.reset", "error");
    config
}

/// A client that looks up the ends of partitions, including open transactions.
pub(super) fn uncommitted(options: &KafkaOptions) -> ClientConfig {
    let mut config = ranges(options);
    config.set("isolation.level", "read_uncommitted");
    config
}

/// A client that looks up a group's positions: it never joins it.
pub(super) fn onlooker(options: &KafkaOptions, group: &str) -> ClientConfig {
    let mut config = reader(options);
    config.set("group.id", options.group_name(group)).set("auto.offset.reset", "earliest");
    config
}

/// Bytes of the largest batch: the largest record plus overhead.
pub const LARGEST_BATCH: usize = RECORD_LIMIT + (64 << 10);
const LARGEST_BATCH_TEXT: &str = "8454144";

#[cfg(test)]
mod tests {
    use slipstream_schemas::cause;

    use super::*;

    fn properties(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn what_would_break_an_invariant_is_refused_by_name() {
        for (ours, _) in OURS {
            let errors = check_properties(&properties(&[(ours, "x")]));
            assert_eq!(errors.len(), 1, "{ours}");
            assert!(errors[0].to_string().starts_with(&format!("{ours}: cannot be set: ")), "{}", errors[0]);
        }
    }

    #[test]
    fn every_wrong_property_is_told_and_right_ones_pass() {
        let right = [("security.protocol", "sasl_ssl"), ("sasl.mechanism", "SCRAM-SHA-512"), ("linger.ms", "20")];
        assert_eq!(check_properties(&properties(&right)), []);
        let wrong = check_properties(&properties(&[("linger.ms", "soon"), ("no.such.property", "1"), ("acks", "1")]));
        let names: Vec<&str> = wrong.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["acks", "linger.ms", "no.such.property"]);
        let kept = wrong.iter().map(|e| cause::find::<KafkaError>(e).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), [false, true, true]);
        assert!(wrong[2].cause.text().contains("No such configuration property"), "{}", wrong[2]);
    }

    #[test]
    fn what_is_set_for_the_gateway_holds_up_no_transaction() {
        for set in [
            &[("transaction.timeout.ms", "2000")][..],
            &[("message.timeout.ms", "60000"), ("linger.ms", "500")],
            &[("delivery.timeout.ms", "60000"), ("queue.buffering.max.ms", "500")],
        ] {
            let mut options = KafkaOptions::new("127.0.0.1:1");
            options.properties = properties(set);
            let config = transactional(&options, "tally-0");
            // librdkafka refuses that a record may take longer than its transaction.
            let native = config.create_native_config().unwrap_or_else(|e| panic!("{set:?}: {e}"));
            let timeout = native.get("transaction.timeout.ms").unwrap();
            assert_eq!(native.get("message.timeout.ms").unwrap(), timeout, "{set:?}");
            assert_eq!(native.get("linger.ms").unwrap(), "0", "{set:?}");
            let producer: Result<rdkafka::producer::BaseProducer, _> = config.create();
            producer.unwrap_or_else(|e| panic!("{set:?}: {e}"));
        }
    }

    #[test]
    fn what_a_user_sets_by_another_name_is_his() {
        let ours = publisher(&KafkaOptions::new("127.0.0.1:1")).create_native_config().unwrap();
        for (alias, name) in ALIASES {
            let value = if alias == "compression.codec" { "zstd" } else { "31415" };
            let mut options = KafkaOptions::new("127.0.0.1:1");
            options.properties = properties(&[(alias, value)]);
            let native = [publisher(&options), ranges(&options)].map(|config| config.create_native_config().unwrap());
            assert!(native.iter().all(|native| native.get(name).unwrap() == value), "{alias}");
            assert_ne!(ours.get(name).unwrap(), value, "{alias}");
        }
    }

    #[test]
    fn the_build_speaks_tls_and_sasl() {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let mut options = KafkaOptions::new("127.0.0.1:1");
            options.properties = properties(&[
                ("security.protocol", "sasl_ssl"),
                ("sasl.mechanism", mechanism),
                ("sasl.username", "u"),
                ("sasl.password", "p"),
            ]);
            let producer: Result<rdkafka::producer::BaseProducer, _> = publisher(&options).create();
            producer.unwrap_or_else(|e| panic!("{mechanism}: {e}"));
        }
    }

    #[test]
    fn the_largest_batch_is_said_once() {
        assert_eq!(LARGEST_BATCH.to_string(), LARGEST_BATCH_TEXT);
    }
}
