//! SIGTERM and SIGINT: the first asks the process to end in order, the second ends it at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::supervise::Stop;

/// The exit code after a second signal: what a shell reports for a process that SIGINT ended.
const IMPATIENT: i32 = 130;

/// Watches for signals from [`watch`] on until it is dropped.
#[derive(Debug)]
pub struct StopSignal {
    first: watch::Receiver<Option<Stop>>,
    watcher: JoinHandle<()>,
}

/// Handles SIGTERM and SIGINT from here on. At the second one the process exits at once with code 130: nothing acknowledged is
/// lost by that (L1), only the next start takes longer.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn watch() -> io::Result<StopSignal> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, first) = watch::channel(None);
    let watcher = tokio::spawn(async move {
        let (name, stop) = either(&mut terminate, &mut interrupt).await;
        tracing::info!("received {name}; a second signal exits at once");
        // Nobody may be waiting for it yet, or any more.
        tell.send_replace(Some(stop));
        let (name, _) = either(&mut terminate, &mut interrupt).await;
        tracing::warn!("exiting at once on a second signal ({name})");
        std::process::exit(IMPATIENT);
    });
    Ok(StopSignal { first, watcher })
}

/// SIGTERM comes from what runs the process, and there may be a load balancer to hear of it first; SIGINT from a person at a
/// terminal, who would only wait.
async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, Stop) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", Stop::Drain),
        _ = interrupt.recv() => ("SIGINT", Stop::Now),
    }
}

impl StopSignal {
    /// Resolves at the first signal.
    pub fn received(&self) -> impl Future<Output = Stop> + Send + 'static {
        let mut first = self.first.clone();
        async move {
            let told = first.wait_for(Option::is_some).await.map(|stop| *stop);
            match told {
                Ok(Some(stop)) => stop,
                // The watcher was dropped: no signal will be heard any more.
                Ok(None) | Err(_) => std::future::pending().await,
            }
        }
    }
}

impl Drop for StopSignal {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
