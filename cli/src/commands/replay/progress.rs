//! How far a replay is, on standard error.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slipstream_replay::engine::Progress;
use tokio::task::JoinSet;

use crate::figures;

/// How often it is shown.
const EVERY: Duration = Duration::from_millis(250);

/// A line that is shown until it ends.
pub struct Shown {
    task: JoinSet<()>,
}

/// Shows the progress if standard error is a terminal.
pub fn show(progress: Arc<Progress>) -> Shown {
    if !std::io::stderr().is_terminal() {
        return Shown { task: JoinSet::new() };
    }
    let mut task = JoinSet::new();
    task.spawn(async move {
        let began = Instant::now();
        loop {
            tokio::time::sleep(EVERY).await;
            let line = line(&progress, began.elapsed());
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K{line}");
        }
    });
    Shown { task }
}

impl Shown {
    /// Removes the line.
    pub async fn end(mut self) {
        if !self.task.is_empty() {
            self.task.shutdown().await;
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn line(progress: &Progress, elapsed: Duration) -> String {
    let events = progress.events();
    let rate = events as f64 / elapsed.as_secs_f64().max(0.001);
    format!("{} events, {}/s", figures::count(events as i64), figures::count(rate as i64))
}
