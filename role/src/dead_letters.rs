//! Dead letters: records that count nowhere, kept as they are, with what is wrong.

use bytes::Bytes;
use slipstream_log::{Outgoing, RecordRef, TopicPartition};
use slipstream_schemas::Topic;
use slipstream_schemas::dead_letter::dead_letter_headers;
use slipstream_schemas::decode::EventError;

/// The original key, bytes and headers, and headers that say where it came from and what is wrong with it.
pub fn dead_letter(record: &RecordRef<'_>, partition: TopicPartition, error: &EventError) -> Outgoing {
    let from = partition.provenance(record.offset());
    let own = record.headers().map(|(name, value)| (name.to_owned(), Bytes::copy_from_slice(value)));
    let added =
        dead_letter_headers(&from, error).into_iter().map(|(name, value)| (name.to_owned(), Bytes::from(value)));
    Outgoing {
        topic: Topic::DeadLetters,
        partition: None,
        key: record.key().map(Bytes::copy_from_slice),
        value: record.value().map(Bytes::copy_from_slice),
        headers: own.chain(added).collect(),
    }
}
