//! How far a replay is, on standard error: events, events a second, time left.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slipstream_replay::engine::Progress;
use tokio::task::JoinSet;

use crate::figures;

/// How often it is shown.
const EVERY: Duration = Duration::from_millis(250);
/// Before that nothing is said of the time left.
const SURE: Duration = Duration::from_secs(1);

/// A line that is shown until it ends.
pub struct Shown {
    task: JoinSet<()>,
}

/// Shows the progress if standard error is a terminal.
pub fn show(progress: Arc<Progress>) -> Shown {
    let mut task = JoinSet::new();
    if std::io::stderr().is_terminal() {
        task.spawn(async move {
            let began = Instant::now();
            loop {
                tokio::time::sleep(EVERY).await;
                let line = line(&progress, began.elapsed());
                let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K{line}");
            }
        });
    }
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
    let mut line = format!("{} events, {}/s", figures::count(events as i64), figures::count(rate as i64));
    if let Some(done) = progress.done().filter(|done| *done > 0.0 && elapsed > SURE) {
        let left = elapsed.as_secs_f64() * (1.0 - done) / done;
        line += &format!(", {:.0} %, {} left", done * 100.0, figures::span(left.ceil() as i64));
    }
    line
}
