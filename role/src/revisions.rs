//! The definitions as a role knows them: read to the end of slo-definitions, folded into revisions.

use std::time::Duration;

use crate::definitions::DefinitionReader;
use slipstream_log::{Log, LogError, SharedLog};
use slipstream_schemas::LogTime;
use slipstream_slo::revision::{RevisionError, Revisions};
use slipstream_slo::tally::look_limit;
use tokio::time::Instant;

/// Where definitions and events have no common order, tally looks this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Who catches up reads seconds of log time at a time: where the last look holds it up, it looks again this soon.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why the definitions are not known.
#[derive(Debug, thiserror::Error)]
pub enum RevisionsError {
    /// The log failed for good.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A definition that cannot be understood.
    #[error(transparent)]
    Definition(#[from] RevisionError),
    /// The installation has not been set up.
    #[error(
        "slo-definitions has no Settings record: the installation was not set up; run `slipstream run` on an embedded directory, or ensure the topics first"
    )]
    NoSettings,
}

/// Definitions that are kept up to date. A clone reads on for itself.
#[derive(Clone)]
pub struct Definitions {
    log: SharedLog,
    reader: DefinitionReader,
    revisions: Revisions,
    last_look: Option<Instant>,
    limit: LogTime,
}

impl Definitions {
    /// Reads what there is.
    ///
    /// # Errors
    /// When the log cannot be read, or holds what this version does not understand.
    pub async fn open(log: SharedLog) -> Result<Self, RevisionsError> {
        let mut definitions = Definitions {
            log,
            reader: DefinitionReader::default(),
            revisions: Revisions::new(),
            last_look: None,
            limit: LogTime(i64::MIN),
        };
        definitions.read_new().await?;
        Ok(definitions)
    }

    /// What was read.
    pub fn revisions(&self) -> &Revisions {
        &self.revisions
    }

    /// W of the redelivery rule, milliseconds.
    ///
    /// # Errors
    /// When the installation has no settings.
    pub fn redelivery_window(&self) -> Result<i64, RevisionsError> {
        Ok(self.revisions.settings().ok_or(RevisionsError::NoSettings)?.redelivery_window_ms)
    }

    /// A look before committing records up to `read`, the greatest log time read so far. Where the log has one order for
    /// all topics, everything that was written before those records is found; else the look is dated by `read`.
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

    /// Reads on until everything below `end` is known: what a batch says that it was counted by.
    ///
    /// # Errors
    /// As of [`Definitions::open`].
    pub async fn read_up_to(&mut self, end: i64) -> Result<(), RevisionsError> {
        if self.revisions.end() < end {
            self.read_new().await?;
        }
        Ok(())
    }

    /// Reads on to the end of slo-definitions.
    ///
    /// # Errors
    /// As of [`Definitions::open`].
    pub async fn read_new(&mut self) -> Result<(), RevisionsError> {
        for revision in self.reader.read_new(self.log.as_ref() as &dyn Log).await? {
            self.revisions.apply(revision.offset, revision.log_time, &revision.definition)?;
        }
        self.revisions.read_up_to(self.reader.end());
        Ok(())
    }
}
