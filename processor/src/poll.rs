//! A poll that waits out what passes.

use std::time::Duration;

use slipstream_log::{Consumer, Fetch, LogError, Polled};

/// After a failure that may pass, so long until the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// Polls; what may pass is logged and comes back as nothing.
pub async fn poll(consumer: &mut dyn Consumer, role: &str, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
    match consumer.poll(fetch, wait).await {
        Err(error @ (LogError::Busy | LogError::Transient { .. })) => {
            tracing::warn!(role, %error, "reading failed; trying again");
            tokio::time::sleep(PAUSE).await;
            Ok(Polled::Nothing)
        }
        answer => answer,
    }
}
