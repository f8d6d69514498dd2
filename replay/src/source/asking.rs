//! Sources that may come back are asked again: a database that restarts, a broker.

use std::sync::Arc;
use std::time::Duration;

use slipstream_log::SharedLog;
use slipstream_role::patience::{Patience, patient_for};
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::Backoff;
use slipstream_store::StoreError;
use tokio::time::Instant;

use crate::engine::Progress;

/// Name in log lines.
const ASKER: &str = "replay";
/// How long a source that does not answer is asked again.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts. Short: whoever stops a replay waits for it.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(2) };

/// The log, asked again for so long, or until the replay is stopped.
pub fn asked_again(log: &SharedLog, progress: &Arc<Progress>, patience: Duration) -> SharedLog {
    let progress = Arc::clone(progress);
    patient_for(log.clone(), ASKER, patience, move || progress.is_stopped())
}

/// Asks a store, again and again for so long, or until the replay is stopped.
///
/// # Errors
/// When it is over, or the store fails in another way.
pub async fn ask<T>(
    progress: &Progress,
    patience: Duration,
    ask: impl AsyncFn() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut waiting = Patience::new(AGAIN, u64::from(std::process::id()), Shutdown::new());
    let began = Instant::now();
    loop {
        match ask().await {
            Err(StoreError::Unavailable { .. }) if !progress.is_stopped() && began.elapsed() < patience => {
                waiting.wait(|_, _| ()).await;
            }
            answer => return answer,
        }
    }
}
