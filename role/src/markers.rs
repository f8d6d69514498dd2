//! The topic markers, read to its end: what was done to services, and when.

use std::collections::BTreeMap;

use slipstream_log::{Log, RecordRef, TopicPartition};
use slipstream_schemas::records::Marker;
use slipstream_schemas::{EventTime, LogTime, Topic, codec};

use crate::reading::{ReadError, Reader, decoded};

/// Name of the reader, where the log asks for one.
const READER: &str = "markers";

/// The markers that touch `[from, to)`, by time, then id. Of several records with one id the last counts; one without a
/// value withdraws the marker. A log of an earlier version, which has no such topic, has no markers.
///
/// # Errors
/// When the log fails, or a record was written by a newer version.
pub async fn markers(log: &dyn Log, from: EventTime, to: EventTime) -> Result<Vec<Marker>, ReadError> {
    let reader = Reader { log, role: READER };
    let mut newest = Newest::default();
    for partition in reader.partitions(Topic::Markers).await? {
        let (first, end) = reader.bounds(partition).await?;
        reader.each(partition, first, end, |record| newest.take(partition, record)).await?;
    }
    let mut found: Vec<Marker> = newest.0.into_values().filter_map(|(_, marker)| marker).collect();
    found.retain(|marker| marker.touches(from, to));
    found.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    Ok(found)
}

/// The last record of each id: its log time, and the marker unless it was withdrawn.
#[derive(Default)]
struct Newest(BTreeMap<Vec<u8>, (LogTime, Option<Marker>)>);

impl Newest {
    fn take(&mut self, partition: TopicPartition, record: RecordRef<'_>) -> Result<(), ReadError> {
        let (id, marker) = match record.value() {
            Some(_) => {
                let marker: Marker = decoded(partition, record, codec::decode)?;
                (marker.id.clone().into_bytes(), Some(marker))
            }
            None => (record.key().unwrap_or_default().to_vec(), None),
        };
        // Records of an id are in one partition, in order, unless the topic was given more of them.
        let log_time = record.log_time();
        if self.0.get(&id).is_none_or(|(known, _)| *known <= log_time) {
            self.0.insert(id, (log_time, marker));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use slipstream_log::Outgoing;
    use slipstream_log::memory::{MemoryLog, MemoryOptions};
    use slipstream_schemas::records::MarkerKind;

    use super::*;

    const ALWAYS: (EventTime, EventTime) = (EventTime::MIN, EventTime::MAX);

    fn marker(id: &str, time: i64, until: Option<i64>, text: &str) -> Marker {
        Marker {
            id: id.to_owned(),
            kind: MarkerKind::Note,
            service: String::new(),
            environment: String::new(),
            time: EventTime(time),
            until: until.map(EventTime),
            version: None,
            text: text.to_owned(),
            link: None,
            author: String::new(),
        }
    }

    fn record(partition: u32, id: &str, value: Option<Vec<u8>>) -> Outgoing {
        Outgoing {
            topic: Topic::Markers,
            partition: Some(partition),
            key: Some(Bytes::copy_from_slice(id.as_bytes())),
            value: value.map(Bytes::from),
            headers: Vec::new(),
        }
    }

    fn of(partition: u32, marker: &Marker) -> Outgoing {
        record(partition, &marker.id, Some(codec::encode(marker)))
    }

    fn log() -> std::sync::Arc<MemoryLog> {
        MemoryLog::new(MemoryOptions { partitions: [(Topic::Markers, 2)].into(), ..MemoryOptions::default() })
    }

    async fn texts(log: &dyn Log, (from, to): (EventTime, EventTime)) -> Vec<String> {
        markers(log, from, to).await.unwrap().into_iter().map(|marker| marker.text).collect()
    }

    #[tokio::test]
    async fn the_last_record_of_an_id_counts_and_all_are_sorted() {
        let log = log();
        assert_eq!(texts(log.as_ref(), ALWAYS).await, [""; 0]);
        for record in [
            of(0, &marker("b", 20, None, "b, first")),
            of(1, &marker("c", 10, None, "c")),
            of(0, &marker("a", 20, None, "a")),
            of(0, &marker("gone", 5, None, "gone")),
            of(0, &marker("b", 20, Some(30), "b, ended")),
            of(1, &marker("b", 20, Some(40), "b, after the topic grew")),
            record(0, "gone", None),
        ] {
            log.publish(vec![record]).await.unwrap();
        }
        assert_eq!(texts(log.as_ref(), ALWAYS).await, ["c", "a", "b, after the topic grew"]);
        assert_eq!(texts(log.as_ref(), (EventTime(35), EventTime(36))).await, ["b, after the topic grew"]);
        assert_eq!(texts(log.as_ref(), (EventTime(11), EventTime(20))).await, [""; 0]);
    }

    #[tokio::test]
    async fn a_record_of_a_newer_version_is_an_error_that_says_where() {
        let log = log();
        let mut value = codec::encode(&marker("a", 1, None, ""));
        value[3] ^= 1;
        log.publish(vec![record(1, "a", Some(value))]).await.unwrap();
        let error = markers(log.as_ref(), ALWAYS.0, ALWAYS.1).await.unwrap_err().to_string();
        assert!(error.contains("offset 0") && error.ends_with("upgrade the readers first"), "{error}");
    }
}
