//! Alerts of then, from the topic that has them.

use std::collections::BTreeMap;

use slipstream_log::Log;
use slipstream_role::reading::{ReadError, Reader, decoded};
use slipstream_schemas::records::AlertTransition;
use slipstream_schemas::{Topic, codec};
use slipstream_store::alerts::AlertState;

use crate::error::ReplayError;

/// Name in log lines.
const READER: &str = "replay";

/// Every transition that the log still has, by tick, alert, episode and seq.
///
/// # Errors
/// When the log cannot be read.
pub async fn transitions(log: &dyn Log) -> Result<Vec<AlertTransition>, ReplayError> {
    let reader = Reader { log, role: READER };
    let mut found: Vec<AlertTransition> = Vec::new();
    for partition in reader.partitions(Topic::Alerts).await? {
        let (first, end) = reader.bounds(partition).await?;
        let take = |record: slipstream_log::RecordRef<'_>| -> Result<(), ReadError> {
            found.push(decoded(partition, record, codec::decode::<AlertTransition>)?);
            Ok(())
        };
        reader.each(partition, first, end, take).await?;
    }
    found.sort_by(|a, b| {
        (a.tick, &a.alert_id, a.episode, a.seq).cmp(&(b.tick, &b.alert_id, b.episode, b.seq))
    });
    Ok(found)
}

/// The last transition of each alert that was open when tick `at` began.
pub fn open_at(transitions: &[AlertTransition], at: i64) -> Vec<AlertTransition> {
    let mut last: BTreeMap<&str, &AlertTransition> = BTreeMap::new();
    for transition in transitions.iter().filter(|t| t.tick < at) {
        last.insert(&transition.alert_id, transition);
    }
    let is_open = |t: &&AlertTransition| {
        matches!(AlertState::after(t.kind), AlertState::Pending | AlertState::Firing)
    };
    last.into_values().filter(is_open).cloned().collect()
}
