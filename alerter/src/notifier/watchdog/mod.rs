//! The watchdog: tells a dead man's switch, again and again, that alerting works. It speaks for the whole chain, and only
//! while all of it works: [`look`] finds out how far everybody is whom an alert passes, [`chain`] decides, [`rounds`] says
//! when, [`message`] what.
//!
//! It is no alert of anybody's: nothing is recorded of it, nothing holds it back, and it waits for no other notification.
//! A message that is not taken is tried a few times; then the next one comes.

pub mod chain;
mod look;
mod message;
mod rounds;

use std::sync::Arc;
use std::time::Duration;

use slipstream_log::{Offset, SharedLog, TopicPartition};
use slipstream_role::reading::ReadError;
use slipstream_runtime::config;
use slipstream_runtime::event::Event;
use slipstream_schemas::LogTime;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use message::NAME;

use crate::notifier::dispatch::{Answer, Delivery};
use crate::notifier::links::Links;
use crate::notifier::receiver::ReceiverConfig;
use crate::notifier::transport::Transport;
use crate::telemetry::{WatchdogAnswered, WatchdogWithheld};
use chain::NotBegun;
use rounds::{Rounds, Turn};

/// How long a look at the log may take. One that takes longer is a reason not to speak.
const LOOK: Duration = Duration::from_secs(30);

/// What is known when the watchdog's turn begins.
pub(super) struct Moment {
    /// Time by the log's clock.
    pub log_now: LogTime,
    /// How far the notifier has read `alerts`.
    pub read: Vec<(TopicPartition, Offset)>,
}

/// How a turn ended.
struct Ended {
    known: Known,
    told: Told,
}

/// What one turn tells the next.
#[derive(Clone, Default)]
struct Known {
    /// When the installation began, once that is known.
    since: Option<i64>,
    not_begun: NotBegun,
}

enum Told {
    Answered(Answer),
    /// Why nothing was sent.
    Withheld(String),
}

/// The watchdog of a receiver.
pub(super) struct Watchdog {
    settings: config::Watchdog,
    receiver: ReceiverConfig,
    external_url: String,
    log: SharedLog,
    transport: Arc<dyn Transport>,
    rounds: Rounds,
    /// The turn under way, if there is one. Dropping it ends it.
    under_way: JoinSet<Ended>,
    known: Known,
    /// Why the outside service hears nothing: alerting does not work, or it does not take what it is told.
    trouble: Option<String>,
    /// That alerting does not work has been said.
    is_told: bool,
    /// Until then roles that have just been started may be behind without a warning, milliseconds.
    lenient_until: i64,
}

impl Watchdog {
    /// The watchdog, if it is this receiver that it tells.
    pub fn of(
        receiver: &ReceiverConfig,
        links: &Links,
        log: &SharedLog,
        transport: &Arc<dyn Transport>,
        now: i64,
    ) -> Option<Watchdog> {
        let settings = receiver.routing.watchdog_of(&receiver.name)?.clone();
        let lenient_until = now.saturating_add(i64::try_from(settings.max_delay.as_millis()).unwrap_or(i64::MAX));
        Some(Watchdog {
            rounds: Rounds::new(&settings, now),
            receiver: receiver.clone(),
            external_url: links.external.clone(),
            log: Arc::clone(log),
            transport: Arc::clone(transport),
            under_way: JoinSet::new(),
            settings,
            known: Known::default(),
            trouble: None,
            is_told: false,
            lenient_until,
        })
    }

    /// Why it is not heard, if that is so.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Somebody else speaks now.
    pub fn rest(&mut self) {
        self.under_way.abort_all();
        self.trouble = None;
    }

    /// The round in which it is to [begin](Watchdog::begin) a turn now; `None` if it is not its turn.
    pub fn due(&mut self, now: i64) -> Option<i64> {
        if self.under_way.is_empty() { self.rounds.due(now) } else { None }
    }

    /// Begins a turn: looks, and speaks if all is well.
    pub fn begin(&mut self, round: i64, moment: Moment) {
        let (log, transport) = (Arc::clone(&self.log), Arc::clone(&self.transport));
        let (receiver, external_url) = (self.receiver.clone(), self.external_url.clone());
        let (mut known, max_delay) = (self.known.clone(), self.settings.max_delay);
        self.under_way.spawn(async move {
            let looked = timeout(LOOK, look(&log, &receiver, &mut known, &moment, max_delay)).await;
            let since = match looked {
                Ok(Ok(since)) => since,
                Ok(Err(why)) => return Ended { known, told: Told::Withheld(why) },
                Err(_) => return Ended { known, told: Told::Withheld("the log does not answer".to_owned()) },
            };
            let delivery: Delivery = message::message(&receiver, &external_url, since, round);
            Ended { known, told: Told::Answered(transport.attempt(&delivery).await) }
        });
    }

    /// Takes the turn that has ended, if one has.
    pub fn take_ended(&mut self, now: i64) {
        while let Some(joined) = self.under_way.try_join_next() {
            match joined {
                Ok(ended) => self.ended(ended, now),
                // A mistake in the program: it goes on in the loop, which the supervisor watches.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
    }

    fn ended(&mut self, Ended { known, told }: Ended, now: i64) {
        self.known = known;
        let name = self.receiver.name.as_str();
        match told {
            Told::Answered(answer) => {
                let turn = if matches!(answer, Answer::Failed { .. }) { Turn::Failed } else { Turn::Answered };
                self.rounds.ended(turn, now);
                self.trouble = not_taken(&answer);
                (self.lenient_until, self.is_told) = (now, false);
                WatchdogAnswered { receiver: name, host: self.transport.host(), answer: &answer, at: now }.emit();
            }
            Told::Withheld(why) => {
                self.rounds.ended(Turn::Withheld, now);
                if now >= self.lenient_until {
                    WatchdogWithheld { receiver: name, why: &why, news: !self.is_told }.emit();
                    self.is_told = true;
                }
                self.trouble = Some(format!("the watchdog is silent: {why}"));
            }
        }
    }
}

/// Why an answer is as good as silence.
fn not_taken(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Delivered { .. } => None,
        Answer::Refused { status, .. } => Some(format!("the watchdog is refused: {status}")),
        Answer::Failed { status: Some(status), .. } => Some(format!("the watchdog is not heard: {status}")),
        Answer::Failed { .. } | Answer::NotAsked { .. } => Some("the watchdog is not heard".to_owned()),
    }
}

/// Looks whether the chain works: since when the installation is there, or why the watchdog does not speak.
async fn look(
    log: &SharedLog,
    receiver: &ReceiverConfig,
    known: &mut Known,
    moment: &Moment,
    max_delay: Duration,
) -> Result<i64, String> {
    let role = receiver.group();
    let said = |error: ReadError| error.to_string();
    let standings = look::standings(&**log, &role, &moment.read).await.map_err(said)?;
    known.not_begun = known.not_begun.seen(&standings, moment.log_now);
    if let Some(broken) = chain::broken(&standings, &known.not_begun, moment.log_now, max_delay) {
        return Err(broken.to_string());
    }
    if let Some(since) = known.since {
        return Ok(since);
    }
    let began = look::began(&**log, &role).await.map_err(said)?;
    let since = began.map_or(moment.log_now.0, |began| began.0).div_euclid(1_000);
    known.since = Some(since);
    Ok(since)
}
