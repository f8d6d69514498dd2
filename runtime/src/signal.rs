//! SIGTERM and SIGINT: the first asks the process to end in order, the second ends it at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::Shutdown;

/// The exit code after a second signal: what a shell reports for a process that SIGINT ended.
const IMPATIENT: i32 = 130;

/// Watches for signals from [`watch`] on until it is dropped.
#[derive(Debug)]
pub struct StopSignal {
    first: Shutdown,
    watcher: JoinHandle<()>,
}

/// Takes SIGTERM and SIGINT over. From the second one on the process exits at once with code 130: nothing acknowledged is
/// lost by that (L1), only the time of a restart.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn watch() -> io::Result<StopSignal> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let first = Shutdown::new();
    let told = first.clone();
    let watcher = tokio::spawn(async move {
        let name = either(&mut terminate, &mut interrupt).await;
        tracing::info!(signal = name, "shutting down on {name}; send it again to stop immediately");
        told.cancel();
        let name = either(&mut terminate, &mut interrupt).await;
        tracing::warn!(signal = name, "stopping immediately");
        std::process::exit(IMPATIENT);
    });
    Ok(StopSignal { first, watcher })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

impl StopSignal {
    /// Resolves at the first signal.
    pub fn received(&self) -> impl Future<Output = ()> + Send + 'static {
        self.first.clone().cancelled_owned()
    }
}

impl Drop for StopSignal {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
