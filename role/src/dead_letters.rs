//! Dead letters: records that are not counted, kept unchanged, with what is wrong.

use bytes::Bytes;
use slipstream_log::{Outgoing, RecordRef, TopicPartition};
use slipstream_schemas::Topic;
use slipstream_schemas::dead_letter::dead_letter_headers;
use slipstream_schemas::decode::EventError;

/// The original key, bytes and headers, and headers that say where it came from and what is wrong with it.
pub fn dead_letter(record: &RecordRef<'_>, partition: TopicPartition, error: &EventError) -> Outgoing {
    let from = partition.provenance(record.offset());
    let own = record.headers().map(|(name, value)| (name.to_owned(), value.map(Bytes::copy_from_slice)));
    let added =
        dead_letter_headers(&from, error).into_iter().map(|(name, value)| (name.to_owned(), Some(Bytes::from(value))));
    Outgoing {
        topic: Topic::DeadLetters,
        partition: None,
        key: record.key().map(Bytes::copy_from_slice),
        value: record.value().map(Bytes::copy_from_slice),
        headers: own.chain(added).collect(),
    }
}

#[cfg(test)]
mod tests {
    use slipstream_log::Batch;
    use slipstream_schemas::decode::ErrorClass;

    use super::*;

    #[test]
    fn a_copy_is_one_to_the_header_without_a_value() {
        let place = TopicPartition { topic: Topic::RequestEvents, partition: 3 };
        let mut batch = Batch::new(place, 7);
        let own = [("trace", Some(&b"t-1"[..])), ("empty", Some(&b""[..])), ("nothing", None)];
        batch.push(7, slipstream_schemas::LogTime(1), None, Some(b"?"), own);
        let error = EventError::whole(ErrorClass::NotAnEvent, "no event");
        let letter = dead_letter(&batch.get(0).unwrap(), place, &error);
        let kept: Vec<_> = letter.headers.iter().take(3).map(|(n, v)| (n.as_str(), v.as_deref())).collect();
        assert_eq!(kept, own);
        assert!(letter.headers[3..].iter().all(|(name, value)| name.starts_with("slipstream-") && value.is_some()));
        assert_eq!((letter.key, letter.value.as_deref()), (None, Some(&b"?"[..])));
    }
}
