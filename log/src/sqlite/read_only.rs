//! A log of which another process may be the owner: reading only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use slipstream_schemas::{LogTime, Topic};

use super::error::{OpenError, reading};
use super::reader::{Reader, Readers};
use super::schema::{self, LOG_FILE, Partition};
use crate::batch::Batch;
use crate::port::{
    Appended, CommitError, Consumer, Fetch, Log, LogError, Offset, Outgoing, Position, Share, TopicId, TopicPartition,
};

/// A [`super::SqliteLog`] opened for reading. Publishing and subscribing are refused.
#[derive(Debug)]
pub struct ReadOnlyLog {
    dir: PathBuf,
    readers: Arc<Readers>,
}

impl ReadOnlyLog {
    /// Opens the log of a data directory, even if another process owns it.
    pub(super) fn open(dir: &Path) -> Result<Arc<ReadOnlyLog>, OpenError> {
        let file = dir.join(LOG_FILE);
        schema::open_reader(&file)?;
        Ok(Arc::new(ReadOnlyLog { dir: dir.to_owned(), readers: Arc::new(Readers::new(&file)) }))
    }

    async fn within<T: Send + 'static>(
        &self,
        partition: TopicPartition,
        read: impl FnOnce(&mut Reader, Partition) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let doing = move || format!("reading {partition}");
        self.readers
            .run(doing, move |reader| {
                let (all, _) = schema::partitions(reader.connection()).map_err(|e| reading(doing(), e))?;
                let missing = || LogError::Fatal { doing: doing(), cause: "there is no such partition".into() };
                let found = all.get(&partition).copied().ok_or_else(missing)?;
                read(reader, found)
            })
            .await
    }

    fn refused(&self) -> String {
        format!("{} was opened for reading only", self.describe())
    }
}

#[async_trait]
impl Log for ReadOnlyLog {
    fn describe(&self) -> String {
        format!("sqlite:{}", self.dir.display())
    }

    fn total_order(&self) -> bool {
        true
    }

    async fn topic_id(&self, topic: Topic) -> Result<Option<TopicId>, LogError> {
        let doing = move || format!("looking up the id of {topic}");
        self.readers
            .run(doing, move |reader| schema::identity(reader.connection()).map_err(|e| reading(doing(), e)))
            .await
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        let doing = move || format!("counting the partitions of {topic}");
        self.readers
            .run(doing, move |reader| {
                let (all, _) = schema::partitions(reader.connection()).map_err(|e| reading(doing(), e))?;
                Ok(all.keys().filter(|place| place.topic == topic).count() as u32)
            })
            .await
    }

    async fn publish(&self, _: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        Err(LogError::Fatal { doing: "publishing".to_owned(), cause: self.refused().into() })
    }

    async fn publish_atomically(&self, _: &str, _: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        Err(CommitError::Fatal(self.refused().into()))
    }

    async fn take_writer(&self, _: &str) -> Result<(), CommitError> {
        Err(CommitError::Fatal(self.refused().into()))
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.within(partition, |_, found| Ok((found.first, found.end))).await
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        self.within(partition, move |reader, Partition { id, first, end }| {
            if from < first || from > end {
                return Err(LogError::OutOfRange { partition, offset: from, first, end });
            }
            reader.read(partition, id, (from, to.min(end).max(from)), fetch)
        })
        .await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.within(partition, move |reader, found| reader.offset_at(partition, found.id, time, found.end)).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        let group = group.to_owned();
        self.within(partition, move |reader, _| {
            let doing = || format!("reading the committed position of {group} in {partition}");
            let all = schema::positions(reader.connection()).map_err(|e| reading(doing(), e))?;
            Ok(all.get(&(group.clone(), partition)).copied())
        })
        .await
    }

    async fn subscribe(&self, _: &str, _: &[Topic], _: Share) -> Result<Box<dyn Consumer>, LogError> {
        Err(LogError::Fatal { doing: "subscribing".to_owned(), cause: self.refused().into() })
    }
}
