//! What a run does to everybody in it: how long things take, what fails, what the broker's clock shows. Time is the
//! runtime's paused one, so a second lasts as long as there is something to do in it, and no machine is too slow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slipstream_log::clock::ManualClock;
use slipstream_log::memory::MemoryLog;
use slipstream_log::{Offset, TopicPartition};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep, sleep_until};

use crate::dice::Dice;
use crate::trace::Trace;

/// Log time at which a world begins, milliseconds.
pub const BEGIN: i64 = 1_700_000_000_000;

/// How bad the weather is; cases per thousand.
#[derive(Debug, Clone, Default)]
pub struct Climate {
    /// Longest ordinary pause before and after something is done, milliseconds.
    pub pause: i64,
    /// How often something takes much longer.
    pub stalls: u32,
    /// How often a request fails and may be retried.
    pub transient: u32,
    /// How often a commit goes wrong.
    pub commits: u32,
    /// How often a horizon is not known.
    pub no_horizon: u32,
    /// How often what a step wrote is visible only later.
    pub late_outputs: u32,
    /// How often a look at the definitions takes seconds.
    pub slow_looks: u32,
    /// How often a fetch brings only a few records.
    pub short_fetches: u32,
}

/// The weather of a world.
pub struct Weather {
    /// Everybody's dice.
    pub dice: Dice,
    began: Instant,
    clock: ManualClock,
    hidden: Notify,
    visible: Notify,
    state: Mutex<State>,
}

struct State {
    climate: Climate,
    /// How far the broker's clock is off, milliseconds.
    off: i64,
    /// Until then the log does not respond.
    away_until: Option<Instant>,
    trace: Trace,
    /// What is written and will be visible.
    reveals: Vec<Reveal>,
}

/// When, of which partition, up to where.
type Reveal = (Instant, TopicPartition, Offset);

impl Weather {
    /// The weather of a seed.
    pub fn new(seed: u64, climate: Climate, clock: ManualClock) -> Arc<Weather> {
        let state = State { climate, off: 0, away_until: None, trace: Trace::default(), reveals: Vec::new() };
        Arc::new(Weather {
            dice: Dice::new(seed, 1),
            began: Instant::now(),
            clock,
            hidden: Notify::new(),
            visible: Notify::new(),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the world began.
    pub fn elapsed(&self) -> i64 {
        self.began.elapsed().as_millis() as i64
    }

    /// What the broker's clock shows; the log takes the time from it.
    pub fn log_time(&self) -> i64 {
        let now = BEGIN + self.elapsed() + self.state().off;
        self.clock.set(now);
        now
    }

    /// A line of the trace.
    pub fn say(&self, who: &str, what: &str) {
        let at = self.elapsed();
        self.state().trace.say(at, who, what);
    }

    /// A fault is injected.
    pub fn fault(&self, who: &str, kind: &'static str, detail: &str) {
        let at = self.elapsed();
        let mut state = self.state();
        state.trace.fault(kind);
        state.trace.say(at, who, &format!("! {kind} {detail}"));
    }

    /// The trace so far.
    pub fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    /// How it is now.
    pub fn climate(&self) -> Climate {
        self.state().climate.clone()
    }

    /// From now on nothing goes wrong any more.
    pub fn clear_up(&self) {
        let mut state = self.state();
        state.climate = Climate { pause: 1, ..Climate::default() };
        (state.off, state.away_until) = (0, None);
    }

    /// The broker's clock is off from now on.
    pub fn set_clock_off(&self, ms: i64) {
        self.state().off = ms;
    }

    /// The log does not respond for this long.
    pub fn away_for(&self, ms: i64) {
        self.state().away_until = Some(Instant::now() + Duration::from_millis(ms as u64));
    }

    /// Whether the log does not respond.
    pub fn is_away(&self) -> bool {
        self.state().away_until.is_some_and(|until| Instant::now() < until)
    }

    /// Rings when something becomes visible; waiters are woken in the order in which they came.
    pub fn bell(&self) -> Notified<'_> {
        self.visible.notified()
    }

    /// Whether something happens that does so in this many of a thousand cases.
    pub fn strikes(&self, cases: impl FnOnce(&Climate) -> u32) -> bool {
        let cases = cases(&self.state().climate);
        self.dice.in_thousand(cases)
    }

    /// Something takes its time.
    pub async fn pause(&self, who: &str) {
        let climate = self.climate();
        let ms = if self.dice.in_thousand(climate.stalls) {
            let ms = self.dice.pick(&[60, 300, 300, 1_200, 4_000]);
            self.fault(who, "stall", &format!("{ms} ms"));
            ms
        } else if self.dice.in_thousand(500) {
            0
        } else {
            self.dice.between(0, climate.pause + 1)
        };
        match ms {
            0 => tokio::task::yield_now().await,
            ms => sleep(Duration::from_millis(ms as u64)).await,
        }
    }

    /// A record of a partition becomes visible after this long, and not before the preceding ones.
    pub fn reveal_after(&self, log: &MemoryLog, partition: TopicPartition, ms: i64) {
        let mut state = self.state();
        let before = state.reveals.iter().filter(|r| r.1 == partition).map(|r| r.0).max();
        let due = Instant::now() + Duration::from_millis(ms.max(0) as u64);
        let due = before.map_or(due, |before| due.max(before));
        state.reveals.push((due, partition, log.written(partition)));
        drop(state);
        self.reveal(log);
        self.hidden.notify_one();
    }

    /// Makes visible what is due; returns when the next is.
    fn reveal(&self, log: &MemoryLog) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        let (due, later): (Vec<Reveal>, Vec<Reveal>) =
            std::mem::take(&mut state.reveals).into_iter().partition(|r| r.0 <= now);
        state.reveals = later;
        let next = state.reveals.iter().map(|r| r.0).min();
        drop(state);
        let rings = !due.is_empty();
        for (_, partition, end) in due {
            log.reveal_up_to(partition, end);
        }
        if rings {
            self.visible.notify_waiters();
        }
        next
    }

    /// Makes visible what is due, forever.
    pub async fn reveal_on(self: Arc<Self>, log: Arc<MemoryLog>) {
        loop {
            let next = self.reveal(&log);
            let due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.hidden.notified() => {}
                () = due => {}
            }
        }
    }
}
