//! What a measured process did, as it travels from a child on standard output, and as the table shows it.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::usage::Usage;

/// Events, and what they took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Events in all.
    pub events: u64,
    /// From the start of the process to the last event.
    pub took: Duration,
    /// From the first event that was seen or committed to the last.
    pub flow: Duration,
    /// Events that arrived in `flow`.
    pub flowed: u64,
    /// From about half of the events to the last.
    pub warm: Duration,
    /// Events that arrived in `warm`.
    pub warmed: u64,
    /// CPU time until it was ready: what a start costs, definitions among it.
    pub start: Duration,
    /// CPU and memory of the process.
    pub usage: Usage,
}

impl Measured {
    /// Events a second over all.
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }

    /// Events per second after the first one.
    pub fn flow_rate(&self) -> f64 {
        if self.at_once() { self.rate() } else { a_second(self.flowed, self.flow) }
    }

    /// Whether the topic was so small that most of it had arrived when the first event was seen.
    fn at_once(&self) -> bool {
        self.flowed * 2 < self.events
    }

    /// Events a second in the second half.
    pub fn warm_rate(&self) -> f64 {
        a_second(self.warmed, self.warm)
    }

    /// CPU seconds a million events.
    pub fn cpu(&self) -> f64 {
        self.usage.cpu.as_secs_f64() * 1e6 / self.events as f64
    }

    /// The same without what the start cost.
    pub fn cpu_after_start(&self) -> f64 {
        self.usage.cpu.saturating_sub(self.start).as_secs_f64() * 1e6 / self.events as f64
    }

    /// Reads what [`fmt::Display`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Measured> {
        let number = |name: &str| {
            let found = text.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.and_then(|value| value.parse::<f64>().ok()).with_context(|| format!("no {name} in: {text}"))
        };
        let cpu = Duration::from_secs_f64(number("cpu")?);
        // The peer does not report it.
        let start = Duration::from_secs_f64(number("start").unwrap_or(0.0));
        Ok(Measured {
            events: number("events")? as u64,
            took: Duration::from_secs_f64(number("took")?),
            flow: Duration::from_secs_f64(number("flow")?),
            flowed: number("flowed")? as u64,
            warm: Duration::from_secs_f64(number("warm")?),
            warmed: number("warmed")? as u64,
            start,
            usage: Usage { cpu, peak: number("peak")? as u64 },
        })
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured { events, took, flow, flowed, warm, warmed, start, usage } = self;
        let (took, flow, warm) = (took.as_secs_f64(), flow.as_secs_f64(), warm.as_secs_f64());
        write!(f, "events={events} took={took} flow={flow} flowed={flowed} warm={warm} warmed={warmed} ")?;
        write!(f, "start={} cpu={} peak={}", start.as_secs_f64(), usage.cpu.as_secs_f64(), usage.peak)
    }
}

fn a_second(events: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { events as f64 / time.as_secs_f64() }
}

/// Records when events arrived.
pub struct Progress {
    began: Instant,
    wanted: u64,
    first: Option<(Instant, u64)>,
    half: Option<(Instant, u64)>,
    start: Duration,
}

impl Progress {
    /// Starts now, with this many events expected.
    pub fn new(wanted: u64) -> Progress {
        Progress { began: Instant::now(), wanted, first: None, half: None, start: Duration::ZERO }
    }

    /// The process is ready, having used so much.
    pub fn ready(&mut self, usage: Usage) {
        self.start = usage.cpu;
    }

    /// Records the total so far.
    pub fn at(&mut self, done: u64) {
        if done > 0 && self.first.is_none() {
            self.first = Some((Instant::now(), done));
        }
        if done >= self.wanted / 2 && self.half.is_none() {
            self.half = Some((Instant::now(), done));
        }
    }

    /// All have arrived.
    pub fn end(self, usage: Usage) -> Measured {
        let since = |mark: Option<(Instant, u64)>| {
            mark.map_or((self.began.elapsed(), self.wanted), |(at, done)| {
                (at.elapsed(), self.wanted - done.min(self.wanted))
            })
        };
        let ((flow, flowed), (warm, warmed)) = (since(self.first), since(self.half));
        Measured {
            events: self.wanted,
            took: self.began.elapsed(),
            flow,
            flowed,
            warm,
            warmed,
            start: self.start,
            usage,
        }
    }
}
