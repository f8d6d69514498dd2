//! Which definitions are in force.

use serde::Serialize;
use slipstream_definitions::definition::Slo;
use slipstream_log::Log;
use slipstream_role::definitions::DefinitionReader;
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
    let mut revisions = Revisions::new();
    for revision in DefinitionReader::default().read_new(log).await.map_err(DefinitionsError::Reading)? {
        revisions.apply(revision.offset, revision.log_time, &revision.definition)?;
    }
    Ok(revisions)
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
