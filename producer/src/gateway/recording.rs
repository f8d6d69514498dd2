//! Records of topics that few requests write: markers, tokens.

use slipstream_log::{LogError, Outgoing};
use slipstream_runtime::event::Event;
use tokio::time::timeout;

use super::Gateway;
use super::events::LogFailed;
use super::refusal::Refusal;

/// What is said where such records cannot be written, though events can.
pub(super) struct Failed {
    /// What was being done.
    pub what: &'static str,
    /// A code for machines.
    pub code: &'static str,
}

impl Gateway {
    /// L1: returns when the log has the records.
    pub(super) async fn record(&self, records: Vec<Outgoing>, failed: &Failed, id: &str) -> Result<(), Refusal> {
        let events = records.len();
        if events == 0 {
            return Ok(());
        }
        let refusal = match timeout(self.limits.publish_timeout, self.log.publish(records)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => self.not_recorded(error, failed).await,
            Err(_) => Refusal::LogSlow(self.limits.publish_timeout),
        };
        LogFailed { request_id: id, events, why: &refusal.to_string() }.emit();
        Err(refusal)
    }

    /// That none of them can be written may be a matter of their topic alone, such as a right that is missing: then events are
    /// taken as before.
    async fn not_recorded(&self, error: LogError, failed: &Failed) -> Refusal {
        match error {
            LogError::Fatal { .. } => match self.log.publish(Vec::new()).await {
                Err(broken @ LogError::Fatal { .. }) => self.failed(broken),
                _ => Refusal::NotRecorded { what: failed.what, code: failed.code, cause: error },
            },
            error => self.failed(error),
        }
    }
}
