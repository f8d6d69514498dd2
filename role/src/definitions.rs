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
/// Kind of the record of a Rule that has series of its own: SLOs and they share their names.
pub const RULE_KIND: &str = "Rule";

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
/// When the log fails, or an SLO and a Rule would have one name: then nothing is published.
pub async fn publish_changed(log: &dyn Log, definitions: Vec<Definition>) -> Result<Option<LogTime>, LogError> {
    let known = DefinitionReader::default().read_new(log).await?;
    let current = |d: &Definition| {
        known.iter().rev().find(|r| r.definition.kind == d.kind && r.definition.name == d.name).map(|r| &r.definition)
    };
    if let Some((ours, theirs)) = definitions.iter().find_map(|ours| Some((ours, same_name(&known, ours)?))) {
        let cause = format!(
            "the log has the {} {}, and here a {} has that name: choose another one",
            theirs.kind, theirs.name, ours.kind
        );
        return Err(LogError::Fatal { doing: "looking at their names".to_owned(), cause: cause.into() });
    }
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

/// What is in force of the other kind under the name of a definition.
fn same_name<'k>(known: &'k [Revision], ours: &Definition) -> Option<&'k Definition> {
    let other = match ours.kind.as_str() {
        SLO_KIND => RULE_KIND,
        RULE_KIND => SLO_KIND,
        _ => return None,
    };
    let of_it = |revision: &&Revision| revision.definition.kind == other && revision.definition.name == ours.name;
    let newest = &known.iter().rev().find(of_it)?.definition;
    newest.document.as_ref().and(ours.document.as_ref()).map(|_| newest)
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

#[cfg(test)]
mod tests {
    use slipstream_log::memory::{MemoryLog, MemoryOptions};

    use super::*;

    fn definition(kind: &str, document: Option<&str>) -> Definition {
        let document = document.map(str::to_owned);
        Definition { kind: kind.to_owned(), name: "checkout".to_owned(), document, author: "test".to_owned() }
    }

    #[tokio::test]
    async fn an_slo_and_a_rule_have_names_of_their_own() {
        let log = MemoryLog::new(MemoryOptions::default());
        let publish = async |definition| publish_changed(log.as_ref(), vec![definition]).await;
        assert!(publish(definition(SLO_KIND, Some("a"))).await.unwrap().is_some());
        assert!(publish(definition(SLO_KIND, Some("a"))).await.unwrap().is_none(), "nothing changed");
        let refused = publish(definition(RULE_KIND, Some("b"))).await.unwrap_err();
        assert!(refused.to_string().contains("the log has the SLO checkout"), "{refused}");
        publish(definition(SLO_KIND, None)).await.unwrap();
        assert!(publish(definition(RULE_KIND, Some("b"))).await.unwrap().is_some(), "the SLO was deleted");
    }
}
