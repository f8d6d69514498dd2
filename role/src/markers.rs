//! The topic markers, read to its end, or followed: what was done to services, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use slipstream_log::{Log, Offset, RecordRef, TopicPartition};
use slipstream_schemas::records::Marker;
use slipstream_schemas::{EventTime, LogTime, Topic, codec};
use tokio::sync::Mutex;

use crate::reading::{ReadError, Reader, decoded};

/// Name of the reader, where the log asks for one.
const READER: &str = "markers";

/// What a reader that follows keeps, unless it is told otherwise: a day.
const DAY: Duration = Duration::from_secs(86_400);

/// The markers that touch `[from, to)`, by time, then id. Of several records with one id the last counts; one without a
/// value withdraws the marker. A log of an earlier version, which has no such topic, has no markers.
///
/// # Errors
/// When the log fails, or a record was written by a newer version.
pub async fn markers(log: &dyn Log, from: EventTime, to: EventTime) -> Result<Vec<Marker>, ReadError> {
    let mut reader = MarkerReader::new(from);
    reader.read_on(log).await?;
    Ok(reader.touching(from, to))
}

/// The markers of one log, followed on behalf of all that ask about the same time, such as alerts that fire: what was read once is
/// not read again. Clones share it.
#[derive(Debug, Clone)]
pub struct FollowedMarkers {
    span: Duration,
    reader: Arc<Mutex<MarkerReader>>,
}

impl Default for FollowedMarkers {
    fn default() -> Self {
        FollowedMarkers::reaching(Duration::ZERO)
    }
}

impl FollowedMarkers {
    /// For questions that reach so far back, and a day beside.
    pub fn reaching(span: Duration) -> FollowedMarkers {
        FollowedMarkers { span: span + DAY, reader: Arc::new(Mutex::new(MarkerReader::new(EventTime::MIN))) }
    }

    /// As [`markers`]. Only what is new is read, unless `from` lies further back than what is kept behind the latest question. Who gives up
    /// waiting has not read in vain.
    ///
    /// # Errors
    /// As [`markers`].
    pub async fn touching(&self, log: &dyn Log, from: EventTime, to: EventTime) -> Result<Vec<Marker>, ReadError> {
        let span = i64::try_from(self.span.as_micros()).unwrap_or(i64::MAX);
        let mut reader = self.reader.lock().await;
        reader.forget_before(EventTime(from.0.saturating_sub(span)));
        if from < reader.kept_from {
            drop(reader);
            return markers(log, from, to).await;
        }
        reader.read_on(log).await?;
        Ok(reader.touching(from, to))
    }

    #[cfg(test)]
    async fn kept(&self) -> usize {
        self.reader.lock().await.newest.len()
    }
}

/// What the topic says of the time from `kept_from` on, up to where it was read.
#[derive(Debug)]
struct MarkerReader {
    kept_from: EventTime,
    next: BTreeMap<TopicPartition, Offset>,
    newest: BTreeMap<Vec<u8>, Newest>,
}

/// The last record of an id: its log time, and the marker unless it was withdrawn, or is over before what is kept.
type Newest = (LogTime, Option<Marker>);

impl MarkerReader {
    fn new(kept_from: EventTime) -> MarkerReader {
        MarkerReader { kept_from, next: BTreeMap::new(), newest: BTreeMap::new() }
    }

    /// Reads from where it stopped to the present end; called again after an error, or when it was dropped in between, it misses nothing.
    async fn read_on(&mut self, log: &dyn Log) -> Result<(), ReadError> {
        let reader = Reader { log, role: READER };
        let mut bounds = Vec::new();
        for partition in reader.partitions(Topic::Markers).await? {
            bounds.push((partition, reader.bounds(partition).await?));
        }
        // The topic was made again: what it said before is no longer there for others either.
        if bounds.iter().any(|(partition, (_, end))| self.next.get(partition) > Some(end)) {
            *self = MarkerReader::new(self.kept_from);
        }
        for (partition, (first, end)) in bounds {
            let from = self.next.get(&partition).map_or(first, |next| first.max(*next));
            let next = reader.each(partition, from, end, |record| self.take(partition, record)).await?;
            self.next.insert(partition, next);
        }
        // Which record of an id is its last is known now; ids are needed for that alone.
        self.newest.retain(|_, (_, marker)| marker.is_some());
        Ok(())
    }

    /// Forgets what is over before a time. What was forgotten does not come back.
    fn forget_before(&mut self, time: EventTime) {
        if time > self.kept_from {
            self.kept_from = time;
            self.newest.retain(|_, (_, marker)| marker.as_ref().is_none_or(|marker| marker.end() >= time));
        }
    }

    /// By time, then id.
    fn touching(&self, from: EventTime, to: EventTime) -> Vec<Marker> {
        let known = self.newest.values().filter_map(|(_, marker)| marker.as_ref());
        let mut found: Vec<Marker> = known.filter(|marker| marker.touches(from, to)).cloned().collect();
        found.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
        found
    }

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
        if self.newest.get(&id).is_none_or(|(known, _)| *known <= log_time) {
            let kept = marker.filter(|marker| marker.end() >= self.kept_from);
            self.newest.insert(id, (log_time, kept));
        }
        // Now: a question with a deadline may end before the partition does.
        self.next.insert(partition, record.offset() + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use slipstream_log::Outgoing;
    use slipstream_log::memory::{MemoryLog, MemoryOptions};
    use slipstream_log::{Fetch, SharedLog};
    use slipstream_schemas::records::MarkerKind;
    use slipstream_testkit::hooked::{Hooked, Hooks};

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

    /// Notes where ranges are read from, and keeps those of one partition waiting.
    #[derive(Default)]
    struct Reads {
        partitions: std::sync::Mutex<Vec<u32>>,
        stuck: std::sync::Mutex<Option<u32>>,
    }

    impl Reads {
        fn taken(&self) -> Vec<u32> {
            std::mem::take(&mut *self.partitions.lock().unwrap())
        }
    }

    #[async_trait::async_trait]
    impl Hooks for Reads {
        async fn reading(&self, partition: TopicPartition, _fetch: Fetch) {
            self.partitions.lock().unwrap().push(partition.partition);
            let is_stuck = *self.stuck.lock().unwrap() == Some(partition.partition);
            if is_stuck {
                std::future::pending::<()>().await;
            }
        }
    }

    const HOUR: i64 = 3_600_000_000;
    const NOW: i64 = 1_000 * HOUR;

    async fn texts_of(followed: &FollowedMarkers, log: &dyn Log, from: i64) -> Vec<String> {
        let found = followed.touching(log, EventTime(from), EventTime(from + HOUR)).await.unwrap();
        found.into_iter().map(|marker| marker.text).collect()
    }

    #[tokio::test]
    async fn a_follower_reads_what_is_new_and_keeps_what_its_questions_reach() {
        let (memory, reads) = (log(), Arc::new(Reads::default()));
        let log = Hooked::over(memory.clone() as SharedLog, &reads);
        let ancient = (0..500).map(|i| of(0, &marker(&format!("old-{i}"), NOW - (30 + i) * HOUR, None, "old")));
        let recent = [of(0, &marker("a", NOW + 1, None, "a")), of(1, &marker("b", NOW - 9 * HOUR, Some(NOW + 2), "b"))];
        let mut incident = marker("c", NOW - 900 * HOUR, None, "c");
        incident.kind = MarkerKind::Incident;
        for record in ancient.chain(recent).chain([of(1, &incident), record(1, "old-3", None)]) {
            log.publish(vec![record]).await.unwrap();
        }
        let followed = FollowedMarkers::default();
        assert_eq!(texts_of(&followed, &*log, NOW).await, ["c", "b", "a"]);
        assert_eq!((reads.taken(), followed.kept().await), (vec![0, 1], 3), "the old ones are not kept");
        assert_eq!(texts_of(&followed.clone(), &*log, NOW).await, ["c", "b", "a"]);
        assert_eq!(reads.taken(), [0; 0], "nothing is read twice, whoever asks");
        let ended = Marker { until: Some(EventTime(NOW - HOUR)), ..incident };
        for record in [of(1, &ended), record(0, "a", None), of(0, &marker("d", NOW + 3, None, "d"))] {
            log.publish(vec![record]).await.unwrap();
        }
        assert_eq!(texts_of(&followed, &*log, NOW).await, ["b", "d"], "corrected, withdrawn and new");
        assert_eq!(
            texts_of(&followed, &*log, NOW - 30 * HOUR).await,
            ["c", "old"],
            "what is not kept is read from the log"
        );
        assert_eq!(followed.kept().await, 3, "and not kept either");
        assert_eq!(texts_of(&followed, &*log, NOW + 30 * HOUR).await, [""; 0]);
        assert_eq!(followed.kept().await, 0, "time goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_given_up_has_not_read_in_vain() {
        let (memory, reads) = (log(), Arc::new(Reads::default()));
        let log = Hooked::over(memory.clone() as SharedLog, &reads);
        for record in [of(0, &marker("a", NOW, None, "a")), of(1, &marker("b", NOW, None, "b"))] {
            log.publish(vec![record]).await.unwrap();
        }
        *reads.stuck.lock().unwrap() = Some(1);
        let followed = FollowedMarkers::default();
        let patience = Duration::from_millis(250);
        tokio::time::timeout(patience, texts_of(&followed, &*log, NOW)).await.unwrap_err();
        *reads.stuck.lock().unwrap() = None;
        assert_eq!(texts_of(&followed, &*log, NOW).await, ["a", "b"]);
        assert_eq!(reads.taken(), [0, 1, 1]);
    }

    #[tokio::test]
    async fn a_topic_that_was_made_again_is_followed_from_its_beginning() {
        let (log, followed) = (log(), FollowedMarkers::default());
        for id in ["a", "b"] {
            log.publish(vec![of(0, &marker(id, NOW, None, id))]).await.unwrap();
        }
        assert_eq!(texts_of(&followed, &*log, NOW).await, ["a", "b"]);
        log.recreate(Topic::Markers);
        log.publish(vec![of(0, &marker("c", NOW, None, "c"))]).await.unwrap();
        assert_eq!(texts_of(&followed, &*log, NOW).await, ["c"]);
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
