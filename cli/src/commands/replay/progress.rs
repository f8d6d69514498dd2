//! How far a replay is, on standard error.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slipstream_replay::engine::Progress;
use tokio::task::JoinHandle;

use crate::figures;

/// How often it is shown.
const EVERY: Duration = Duration::from_millis(250);

/// A line that is shown until it ends.
pub struct Shown {
    task: Option<JoinHandle<()>>,
}

/// Shows the progress if standard error is a terminal.
pub fn show(progress: Arc<Progress>) -> Shown {
    if !std::io::stderr().is_terminal() {
        return Shown { task: None };
    }
    let task = tokio::spawn(async move {
        let began = Instant::now();
        loop {
            tokio::time::sleep(EVERY).await;
            let line = line(&progress, began.elapsed());
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K{line}");
        }
    });
    Shown { task: Some(task) }
}

impl Shown {
    /// Removes the line.
    pub async fn end(self) {
        if let Some(task) = self.task {
            task.abort();
            let _ = task.await;
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn line(progress: &Progress, elapsed: Duration) -> String {
    let events = progress.events();
    let rate = events as f64 / elapsed.as_secs_f64().max(0.001);
    format!("{} events, {}/s", figures::count(events as i64), figures::count(rate as i64))
}
