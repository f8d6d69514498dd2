//! How far a replay is, on standard error: events, events a second, time left.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use slipstream_replay::engine::{Now, Phase, Progress};
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
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(now) = progress.now() else { continue };
                let line = line(&now);
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

fn line(now: &Now) -> String {
    let rate = now.events as f64 / now.elapsed.as_secs_f64().max(0.001);
    let what = match now.phase {
        Phase::Sorting => "sorting by event time: ",
        Phase::Counting => "",
        Phase::Looking => "looking into alerts: ",
    };
    let mut line = format!("{what}{} events, {}/s", figures::count(now.events as i64), figures::count(rate as i64));
    if let Some(done) = now.done.filter(|done| *done > 0.0 && now.elapsed > SURE) {
        let left = now.elapsed.as_secs_f64() * (1.0 - done).max(0.0) / done;
        line += &format!(", {:.0} %, {} left", done * 100.0, figures::span(left.ceil() as i64));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_that_of_the_phase() {
        let now =
            |phase, seconds, done| line(&Now { phase, elapsed: Duration::from_secs(seconds), events: 12_000, done });
        let rows = [
            (now(Phase::Counting, 4, Some(0.25)), "12,000 events, 3,000/s, 25 %, 12s left"),
            (now(Phase::Counting, 1, Some(0.25)), "12,000 events, 12,000/s"),
            (now(Phase::Counting, 4, None), "12,000 events, 3,000/s"),
            (now(Phase::Sorting, 2, None), "sorting by event time: 12,000 events, 6,000/s"),
            (now(Phase::Looking, 2, None), "looking into alerts: 12,000 events, 6,000/s"),
        ];
        for (told, expected) in rows {
            assert_eq!(told, expected);
        }
    }
}
