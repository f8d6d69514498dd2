//! Which definitions are in force.

use std::sync::Arc;

use serde::Serialize;
use slipstream_definitions::definition::Slo;
use slipstream_log::Log;
use slipstream_role::definitions::{DefinitionReader, PARTITION};
use slipstream_schemas::LogTime;
use slipstream_slo::revision::Revisions;

use crate::error::DefinitionsError;

/// SLOs, as a document lists them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DefinitionAnswer {
    /// By name.
    pub slos: Vec<Slo>,
}

/// Every revision there is.
///
/// # Errors
/// When the log cannot be read, or holds a definition that this version does not support.
pub async fn revisions(log: &dyn Log) -> Result<Revisions, DefinitionsError> {
    let mut known = KnownRevisions::default();
    known.read_new(log).await?;
    Ok(Arc::unwrap_or_clone(known.revisions))
}

/// Revisions that were read, to read on from.
#[derive(Default)]
pub struct KnownRevisions {
    reader: DefinitionReader,
    revisions: Arc<Revisions>,
}

impl KnownRevisions {
    /// All there are now.
    ///
    /// # Errors
    /// As of [`revisions`].
    pub async fn read_on(&mut self, log: &dyn Log) -> Result<Arc<Revisions>, DefinitionsError> {
        let (_, end) = log.bounds(PARTITION).await.map_err(DefinitionsError::Reading)?;
        if end < self.revisions.end() {
            // The topic was recreated.
            *self = KnownRevisions::default();
        }
        if let Err(error) = self.read_new(log).await {
            // What was read of it is lost: the next one reads it again.
            *self = KnownRevisions::default();
            return Err(error);
        }
        Ok(self.revisions.clone())
    }

    async fn read_new(&mut self, log: &dyn Log) -> Result<(), DefinitionsError> {
        for revision in self.reader.read_new(log).await.map_err(DefinitionsError::Reading)? {
            let revisions = Arc::make_mut(&mut self.revisions);
            revisions.apply(revision.offset, revision.log_time, &revision.definition)?;
        }
        Ok(())
    }
}

/// The SLOs in force by all revisions that were read, including those whose cut is still to come.
pub fn in_force(revisions: &Revisions) -> Vec<Slo> {
    in_force_at(revisions, LogTime(i64::MAX))
}

/// The SLOs that were in force at a log time.
pub fn in_force_at(revisions: &Revisions, at: LogTime) -> Vec<Slo> {
    let active = revisions.active_at(at, revisions.end());
    active.into_iter().map(|active| Slo::clone(&active.slo)).collect()
}
