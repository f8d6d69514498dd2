//! The table that is printed: Markdown, as docs/benchmarks.md has it.

use std::fmt;
use std::time::{Duration, Instant};

/// The columns.
pub const HEAD: &str = "| what | figure | goal | reference, same run | ratio |\n|---|---|---|---|---|";

/// A line of the table.
pub struct Row {
    what: String,
    figure: String,
    goal: &'static str,
    reference: Option<(String, f64)>,
}

impl Row {
    /// A figure without a reference. `goal` may be empty.
    pub fn new(what: impl Into<String>, figure: String, goal: &'static str) -> Row {
        Row { what: what.into(), figure, goal, reference: None }
    }

    /// The same with the figure of the reference, and the ratio.
    pub fn against(self, reference: String, ratio: f64) -> Row {
        Row { reference: Some((reference, ratio)), ..self }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reference, ratio) = match &self.reference {
            Some((reference, ratio)) if *ratio < 0.01 => (reference.as_str(), format!("1/{:.0}", 1.0 / ratio)),
            Some((reference, ratio)) => (reference.as_str(), format!("{ratio:.2}")),
            None => ("", String::new()),
        };
        write!(f, "| {} | {} | {} | {reference} | {ratio} |", self.what, self.figure, self.goal)
    }
}

/// How long `work` takes, and its result.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let answer = work();
    (began.elapsed(), answer)
}

/// CPU time of this thread so far, to a few milliseconds; `None` if Linux does not report it.
pub fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// The middle one of several runs.
pub fn median(mut runs: Vec<Duration>) -> Duration {
    runs.sort_unstable();
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}

/// Seconds or milliseconds, as it reads best.
pub fn shown(time: Duration) -> String {
    if time >= Duration::from_secs(1) {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{:.0} ms", time.as_secs_f64() * 1e3)
    }
}
