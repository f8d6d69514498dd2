//! The topic alerts, asked which episodes an alert has had.

use std::collections::BTreeSet;

use slipstream_log::Log;
use slipstream_schemas::records::AlertTransition;
use slipstream_schemas::{Topic, codec};

use crate::reading::{ReadError, Reader, decoded};

/// Name of the reader, where the log asks for one.
const READER: &str = "episodes";

/// The episodes of an alert that the log has, in their order.
///
/// # Errors
/// When the log fails, or a record was written by a newer version.
pub async fn episodes(log: &dyn Log, alert_id: &str) -> Result<Vec<i64>, ReadError> {
    let reader = Reader { log, role: READER };
    let mut found = BTreeSet::new();
    for partition in reader.partitions(Topic::Alerts).await? {
        let (first, end) = reader.bounds(partition).await?;
        let take = |record: slipstream_log::RecordRef<'_>| {
            if record.key() == Some(alert_id.as_bytes()) {
                let transition: AlertTransition = decoded(partition, record, codec::decode)?;
                found.insert(transition.episode);
            }
            Ok::<(), ReadError>(())
        };
        reader.each(partition, first, end, take).await?;
    }
    Ok(found.into_iter().collect())
}
