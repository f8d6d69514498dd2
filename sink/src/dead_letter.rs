//! Letters for events that the store cannot hold.

use bytes::Bytes;
use slipstream_log::{Outgoing, RecordRef, TopicPartition};
use slipstream_schemas::Topic;
use slipstream_schemas::dead_letter::dead_letter_headers;
use slipstream_schemas::decode::{ErrorClass, EventError, Provenance};

/// The original key, bytes and headers, and headers that say where it came from and why it is not stored.
pub fn dead_letter(record: RecordRef<'_>, partition: TopicPartition, why: &str) -> Outgoing {
    let from = Provenance { topic: partition.topic.name(), partition: partition.partition, offset: record.offset() };
    let error = EventError::whole(ErrorClass::RefusedByStore, why);
    let own = record.headers().map(|(name, value)| (name.to_owned(), Bytes::copy_from_slice(value)));
    let added =
        dead_letter_headers(&from, &error).into_iter().map(|(name, value)| (name.to_owned(), Bytes::from(value)));
    Outgoing {
        topic: Topic::DeadLetters,
        partition: None,
        key: record.key().map(Bytes::copy_from_slice),
        value: record.value().map(Bytes::copy_from_slice),
        headers: own.chain(added).collect(),
    }
}
