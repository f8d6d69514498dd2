//! A replay that a signal ends: it tells what it has.

use std::future::Future;
use std::pin::pin;

use slipstream_replay::ReplayError;
use slipstream_replay::engine::Progress;
use slipstream_runtime::signal;

use crate::output;
use crate::session::Interrupted;

/// Runs to its end; at the first signal it is told to stop, and what it has is its result.
pub async fn on_signal<T>(progress: &Progress, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    // Without handlers a signal ends the process, as it would anything else that only reads.
    let Ok(watch) = signal::watch() else { return work.await };
    tokio::select! {
        done = &mut work => done,
        _ = watch.received() => {
            progress.stop();
            output::say("stopping: what was read is told; another signal ends it at once");
            work.await
        }
    }
}

/// One that was stopped before it had anything to tell has not failed.
pub fn interrupted(error: ReplayError) -> anyhow::Error {
    match error {
        ReplayError::Stopped => Interrupted::new(error.to_string()).into(),
        failed => failed.into(),
    }
}
