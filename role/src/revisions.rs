//! The definitions that a role uses: read to the end of slo-definitions, folded into revisions.

use std::time::Duration;

use crate::definitions::{DefinitionReader, PARTITION, Unread};
use crate::patience::Patience;
use crate::reading::{ReadError, Reader, decoded};
use crate::telemetry::LogRetry;
use slipstream_log::{Log, LogError, Offset, RecordRef, SharedLog};
use slipstream_runtime::event::Event;
use slipstream_schemas::records::Definition;
use slipstream_schemas::{Cause, LogTime, codec};
use slipstream_slo::revision::{RevisionError, Revisions};
use slipstream_slo::tally::look_limit;
use tokio::time::Instant;

/// If definitions and events have no common order, tally checks this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A role that catches up reads seconds of log time at a time: if the last check holds it up, it checks again this soon.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long to wait for records that others have already seen.
const UNSEEN: Duration = Duration::from_secs(5);

/// Why the definitions are not known.
#[derive(Debug, thiserror::Error)]
pub enum RevisionsError {
    /// The log failed permanently.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record was written by a newer version.
    #[error("reading {PARTITION} at offset {offset}: {cause}")]
    Unreadable {
        /// Its offset.
        offset: Offset,
        /// Why not.
        #[source]
        cause: Cause,
    },
    /// A definition that cannot be parsed.
    #[error(transparent)]
    Definition(#[from] RevisionError),
}

impl From<Unread> for RevisionsError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Log(error) => RevisionsError::Log(error),
            Unread::Record { offset, cause } => RevisionsError::Unreadable { offset, cause },
        }
    }
}

/// Definitions that are kept up to date. A clone continues reading separately.
#[derive(Clone)]
pub struct Definitions {
    log: SharedLog,
    role: &'static str,
    reader: DefinitionReader,
    revisions: Revisions,
    last_look: Option<Instant>,
    limit: LogTime,
}

impl Definitions {
    /// Reads everything up to the end.
    ///
    /// # Errors
    /// When the log cannot be read, or holds records that this version does not support.
    pub async fn open(log: SharedLog, role: &'static str) -> Result<Self, RevisionsError> {
        let mut definitions = Definitions::unread(log, role);
        definitions.read_new().await?;
        Ok(definitions)
    }

    /// With nothing read yet. `role` is the reader.
    pub fn unread(log: SharedLog, role: &'static str) -> Self {
        Definitions {
            log,
            role,
            reader: DefinitionReader::default(),
            revisions: Revisions::new(),
            last_look: None,
            limit: LogTime(i64::MIN),
        }
    }

    /// What was read.
    pub fn revisions(&self) -> &Revisions {
        &self.revisions
    }

    /// W of the redelivery rule, milliseconds; `None` if the installation has no settings.
    pub fn redelivery_window(&self) -> Option<i64> {
        self.revisions.settings().map(|settings| settings.redelivery_window_ms)
    }

    /// The check before committing records up to `read`, the greatest log time read so far. If the log has one order for
    /// all topics, it finds everything that was written before those records; else the check is dated by `read`.
    ///
    /// # Errors
    /// As of [`Definitions::open`].
    pub async fn look(&mut self, read: LogTime) -> Result<(), RevisionsError> {
        if self.log.total_order() {
            self.read_new().await?;
            self.limit = LogTime(i64::MAX);
        } else if self
            .last_look
            .is_none_or(|at| at.elapsed() >= LOOK_EVERY || read > self.limit && at.elapsed() >= LOOK_AGAIN)
        {
            self.read_new().await?;
            self.last_look = Some(Instant::now());
            self.limit = look_limit(read);
        }
        Ok(())
    }

    /// Log time up to which records may be committed by these definitions.
    pub fn limit(&self) -> LogTime {
        self.limit
    }

    /// Reads on until everything below `end` is known: the definitions that a record was computed with. Another role
    /// has read them, so they will be visible here too.
    ///
    /// # Errors
    /// As of [`Definitions::open`].
    pub async fn read_up_to(&mut self, end: Offset) -> Result<(), RevisionsError> {
        if self.revisions.end() >= end {
            return Ok(());
        }
        self.read_new().await?;
        let mut patience = Patience::with_log();
        let until = Instant::now() + UNSEEN;
        // If they do not arrive, they were lost: the fold reports that it lacks definitions (DefinitionsBehind).
        while self.revisions.end() < end && Instant::now() < until {
            let (doing, cause) = (format!("reading {PARTITION} up to offset {end}"), "it ends before".to_owned());
            let cause = LogError::Transient { doing, cause: cause.into() };
            let say = |_, _| LogRetry { role: self.role, doing: "reading definitions", cause: &cause }.emit();
            patience.wait(say).await;
            self.read_new().await?;
        }
        Ok(())
    }

    /// The same for callers that need only what records name: reads exactly the range, without looking up the end.
    ///
    /// # Errors
    /// When the log cannot be read, or holds records that this version does not support.
    pub async fn read_named<E: From<ReadError> + From<RevisionError>>(&mut self, end: Offset) -> Result<(), E> {
        let from = self.revisions.end();
        if from >= end {
            return Ok(());
        }
        let reader = Reader { log: self.log.as_ref(), role: self.role };
        let revisions = &mut self.revisions;
        let take = |record: RecordRef<'_>| -> Result<(), E> {
            let definition: Definition = decoded(PARTITION, record, codec::decode)?;
            Ok(revisions.apply(record.offset(), record.log_time(), &definition)?)
        };
        let next = reader.each(PARTITION, from, end, take).await?;
        self.revisions.read_up_to(next);
        self.reader = DefinitionReader::starting_at(next);
        Ok(())
    }

    /// Reads on to the end of slo-definitions.
    ///
    /// # Errors
    /// As of [`Definitions::open`].
    pub async fn read_new(&mut self) -> Result<(), RevisionsError> {
        for revision in self.reader.read_on(self.log.as_ref() as &dyn Log).await? {
            self.revisions.apply(revision.offset, revision.log_time, &revision.definition)?;
        }
        self.revisions.read_up_to(self.reader.end());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use slipstream_log::memory::{MemoryLog, MemoryOptions};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn definitions_that_were_lost_are_not_waited_for_for_ever() {
        let log: SharedLog = MemoryLog::new(MemoryOptions::default());
        let mut definitions = Definitions::open(log, "burn").await.expect("an empty log");
        let began = Instant::now();
        definitions.read_up_to(3).await.expect("the fold says what is missing");
        assert_eq!(definitions.revisions().end(), 0);
        assert!((UNSEEN..UNSEEN * 2).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}
