//! Records in flight to the brokers, and their outcome: the same for plain publishing and for transactions.

use std::collections::{HashMap, VecDeque};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use slipstream_schemas::LogTime;

use super::names::Names;
use crate::port::{Appended, Outgoing, TopicPartition};

/// Where a record went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivered {
    pub place: TopicPartition,
    pub offset: i64,
    pub time: LogTime,
}

/// A record for a producer.
pub(super) fn to_send<'a, D: rdkafka::IntoOpaque>(
    names: &'a Names,
    record: &'a Outgoing,
    opaque: D,
) -> BaseRecord<'a, [u8], [u8], D> {
    let mut send = BaseRecord::with_opaque_to(names.of(record.topic), opaque);
    send.partition = record.partition.map(|p| p as i32);
    send.key = record.key.as_deref();
    send.payload = record.value.as_deref();
    if !record.headers.is_empty() {
        let all = OwnedHeaders::new_with_capacity(record.headers.len());
        let add = |all: OwnedHeaders, (key, value): &(String, Option<bytes::Bytes>)| {
            all.insert(Header { key, value: value.as_deref() })
        };
        send.headers = Some(record.headers.iter().fold(all, add));
    }
    send
}

/// Where each record went, in the order of the records: within a partition offsets rise in that order (idempotence).
pub(super) fn in_order(records: &[Outgoing], delivered: &[Delivered]) -> Vec<Appended> {
    let mut places: HashMap<TopicPartition, VecDeque<Delivered>> = HashMap::new();
    for d in delivered {
        places.entry(d.place).or_default().push_back(*d);
    }
    let take = |r: &Outgoing| {
        let partition = r.partition?;
        let d = places.get_mut(&TopicPartition { topic: r.topic, partition })?.pop_front()?;
        Some(Appended { partition, offset: d.offset, log_time: d.time })
    };
    records.iter().filter_map(take).collect()
}
