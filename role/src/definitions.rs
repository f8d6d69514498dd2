//! The topic slo-definitions: reading it to its end, publishing what changed, and the installation's settings.

use bytes::Bytes;
use slipstream_log::{Fetch, Log, LogError, Offset, Outgoing, TopicPartition};
use slipstream_schemas::records::{Definition, Settings};
use slipstream_schemas::{Cause, LogTime, Topic, codec};

/// Definitions are in one partition: they are few and need a total order.
pub const PARTITION: TopicPartition = TopicPartition { topic: Topic::SloDefinitions, partition: 0 };

/// Kind of the settings record; its name is [`SETTINGS_NAME`].
pub const SETTINGS_KIND: &str = "Settings";
/// Name of the settings record.
pub const SETTINGS_NAME: &str = "installation";
/// Kind of an SLO's record.
pub const SLO_KIND: &str = "SLO";

/// A record of slo-definitions: a revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Its offset.
    pub offset: Offset,
    /// When the log took it.
    pub log_time: LogTime,
    /// Its content.
    pub definition: Definition,
}

/// Why a revision was not read.
pub(crate) enum Unread {
    /// The log failed.
    Log(LogError),
    /// It was written by a newer version.
    Record { offset: Offset, cause: Cause },
}

impl From<LogError> for Unread {
    fn from(error: LogError) -> Self {
        Unread::Log(error)
    }
}

impl From<Unread> for LogError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Log(error) => error,
            Unread::Record { offset, cause } => {
                LogError::Fatal { doing: format!("reading {PARTITION} at offset {offset}"), cause }
            }
        }
    }
}

/// Reads the definitions in order, remembering how far it came.
#[derive(Debug, Default, Clone)]
pub struct DefinitionReader {
    next: Offset,
}

impl DefinitionReader {
    /// Continues at `next`.
    pub fn starting_at(next: Offset) -> Self {
        DefinitionReader { next }
    }

    /// End offset of what was read: everything below it is known.
    pub fn end(&self) -> Offset {
        self.next
    }

    /// New revisions since the last call.
    ///
    /// # Errors
    /// When the log cannot be read, or a record was written by a newer version.
    pub async fn read_new(&mut self, log: &dyn Log) -> Result<Vec<Revision>, LogError> {
        self.read_on(log).await.map_err(LogError::from)
    }

    pub(crate) async fn read_on(&mut self, log: &dyn Log) -> Result<Vec<Revision>, Unread> {
        let (_, end) = log.bounds(PARTITION).await?;
        let (mut revisions, mut next) = (Vec::new(), self.next);
        while next < end {
            let batch = log.read(PARTITION, next, end, Fetch::default()).await?;
            for record in batch.iter() {
                let value = record.value().unwrap_or_default();
                let definition = codec::decode(value)
                    .map_err(|e| Unread::Record { offset: record.offset(), cause: Cause::of(e) })?;
                revisions.push(Revision { offset: record.offset(), log_time: record.log_time(), definition });
            }
            next = batch.next;
        }
        // Only now, so that what was read before an error is read again.
        self.next = next;
        Ok(revisions)
    }
}

/// The settings of the installation; if there are none, `initial` is written first.
///
/// # Errors
/// When the log fails, or the settings cannot be read.
pub async fn ensure_settings(log: &dyn Log, initial: &Settings) -> Result<Settings, LogError> {
    if let Some(settings) = read_settings(log).await? {
        return Ok(settings);
    }
    let document = serde_json::to_string(initial).map_err(unreadable)?;
    let definition = Definition {
        kind: SETTINGS_KIND.to_owned(),
        name: SETTINGS_NAME.to_owned(),
        document: Some(document),
        author: "slipstream".to_owned(),
    };
    log.publish(vec![outgoing(&definition)]).await?;
    Ok(initial.clone())
}

/// The settings of the installation, if there are any.
///
/// # Errors
/// When the log fails, or the settings cannot be read.
pub async fn read_settings(log: &dyn Log) -> Result<Option<Settings>, LogError> {
    let revisions = DefinitionReader::default().read_new(log).await?;
    let newest = revisions.into_iter().rev().find(|r| r.definition.kind == SETTINGS_KIND);
    let Some(document) = newest.and_then(|r| r.definition.document) else { return Ok(None) };
    serde_json::from_str(&document).map(Some).map_err(unreadable)
}

/// Publishes the definitions that differ from those in the log; returns the log time of the newest of them, or `None`
/// if nothing changed.
///
/// # Errors
/// When the log fails.
pub async fn publish_changed(log: &dyn Log, definitions: Vec<Definition>) -> Result<Option<LogTime>, LogError> {
    let known = DefinitionReader::default().read_new(log).await?;
    let current = |d: &Definition| {
        known.iter().rev().find(|r| r.definition.kind == d.kind && r.definition.name == d.name).map(|r| &r.definition)
    };
    let changed: Vec<Outgoing> = definitions
        .iter()
        .filter(|d| current(d).and_then(|c| c.document.as_ref()) != d.document.as_ref())
        .map(outgoing)
        .collect();
    if changed.is_empty() {
        return Ok(None);
    }
    let appended = log.publish(changed).await?;
    Ok(appended.iter().map(|a| a.log_time).max())
}

fn outgoing(definition: &Definition) -> Outgoing {
    Outgoing {
        topic: Topic::SloDefinitions,
        partition: Some(PARTITION.partition),
        key: Some(Bytes::from(format!("{}/{}", definition.kind, definition.name))),
        value: Some(Bytes::from(codec::encode(definition))),
        headers: Vec::new(),
    }
}

fn unreadable(error: serde_json::Error) -> LogError {
    LogError::Fatal { doing: "reading the installation's settings".to_owned(), cause: Cause::of(error) }
}
