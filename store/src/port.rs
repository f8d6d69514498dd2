//! What a role may do with an event store.
//!
//! Exactly once: positions are rows of the store, and a batch moves them in the transaction that writes its rows, each
//! only from the value the writer read. Whatever crashes, a record is there once: a batch that was written moves no
//! position again ([`StoreError::Moved`]), and one that was not left no row.

use std::sync::Arc;

use async_trait::async_trait;
use slipstream_schemas::records::{AlertTransition, BurnRates, Notification};
use slipstream_schemas::{EventTime, EventView, LogTime, Topic};

use crate::aggregates::{AggregateState, Refreshed};
use crate::alerts::{AlertEpisode, AlertFilter};
pub use crate::error::StoreError;
use crate::events::Events;
use crate::kpis::{KpiAnswer, KpiQuestion};
use crate::notifications::{NotificationPage, NotificationQuestion};
use crate::page::{EventPage, EventQuestion, StoredEvent};
pub use crate::raw::{RawBounds, RawCursor, RawPage, RawWindow};
use crate::rollup::Rollup;

/// How far a partition of the log is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorePosition {
    /// The topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: u32,
    /// Next offset to write: everything below is in the store, or was rightly skipped.
    pub offset: i64,
    /// Log time of the last record below it.
    pub log_time: LogTime,
}

/// A move of one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionMove {
    /// The topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: u32,
    /// The offset that the writer read; `None` if there was no position yet.
    pub from: Option<i64>,
    /// Next offset to write after this batch.
    pub to: i64,
    /// Log time of the last record below `to`.
    pub log_time: LogTime,
}

/// What a store had recorded about a topic when its id was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The same, or nothing yet: positions hold.
    Same,
    /// Another topic of the same name, which had this id: its positions are gone, its rows are there.
    Recreated {
        /// The id.
        was: String,
    },
}

impl Claim {
    /// What the name of a topic means to a store that knew `former` ones, oldest first.
    ///
    /// # Errors
    /// `Fatal` if the topic was left for another one: ids never come back, so there are two logs on one store. Storing on would
    /// drop the other one's positions, and store everything again each time the other one does the same.
    pub(crate) fn of(topic: Topic, id: &str, former: &[String]) -> Result<Claim, StoreError> {
        match former.split_last() {
            None => Ok(Claim::Same),
            Some((current, _)) if current == id => Ok(Claim::Same),
            Some((current, retired)) if retired.iter().any(|retired| retired == id) => Err(StoreError::Fatal {
                doing: format!("noting the id of {topic}"),
                cause: format!(
                    "this store has moved on to another {topic} (id {current}; the log's has {id}): is --log or --store right?"
                )
                .into(),
            }),
            Some((current, _)) => Ok(Claim::Recreated { was: current.clone() }),
        }
    }
}

/// A topic that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The topic.
    pub topic: Topic,
    /// The id of the one that positions are places in.
    pub id: String,
    /// The ids of those before it, oldest first.
    pub retired: Vec<String>,
}

impl Claimed {
    /// From names and ids, by name, oldest first.
    pub(crate) fn of(rows: Vec<(String, String)>) -> Vec<Claimed> {
        let mut claimed: Vec<Claimed> = Vec::new();
        for (name, id) in rows {
            let Some(topic) = Topic::from_name(&name) else { continue };
            match claimed.last_mut().filter(|last| last.topic == topic) {
                Some(last) => last.retired.push(std::mem::replace(&mut last.id, id)),
                None => claimed.push(Claimed { topic, id, retired: Vec::new() }),
            }
        }
        claimed
    }
}

/// A question for the BurnRates of an SLO: of each series and generation the last in each step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BurnQuestion {
    /// Which SLO.
    pub slo: String,
    /// Ticks at or after,
    pub from: i64,
    /// and before.
    pub to: i64,
    /// Seconds of a step (1: every tick); steps begin at multiples of their length.
    pub step: i64,
    /// Only this objective.
    pub objective: Option<String>,
    /// Only groups that have these values at these places.
    pub group: Vec<(usize, String)>,
    /// At most so many.
    pub limit: usize,
}

/// A row of burn-rate history.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBurnRates {
    /// Partition of burn-rates.
    pub partition: u32,
    /// Offset there: of two records for one series and tick the later counts.
    pub offset: i64,
    /// Burn rates.
    pub rates: BurnRates,
}

/// The content of one transaction. A value: it is decided once and sent until it is settled.
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    /// Raw events.
    pub events: Events,
    /// What exactly those events fold into ([`crate::rollup::fold`]); added to what is there.
    pub rollups: Vec<Rollup>,
    /// Burn-rate history.
    pub burn_rates: Vec<StoredBurnRates>,
    /// Alert transitions.
    pub transitions: Vec<AlertTransition>,
    /// What became of notifications.
    pub notifications: Vec<Notification>,
    /// At least one position that moves.
    pub positions: Vec<PositionMove>,
}

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Raw events; those that retention removed no longer count.
    pub events: u64,
    /// Rows of burn-rate history.
    pub burn_rates: u64,
    /// Alert transitions.
    pub transitions: u64,
    /// Delivery outcomes.
    pub notifications: u64,
}

/// From which tick on (Unix seconds) nothing is missing that is asked for as of a tick: retention has removed some of what was known
/// before. `None`: it has removed none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WholeFrom {
    /// Of each series there is the record that was its newest at that tick, and all since.
    pub burn_rates: Option<i64>,
    /// Every episode of an alert that was not over by then is there.
    pub alerts: Option<i64>,
}

/// The outcome, by its positions, of a batch whose writing ended without a clear result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchFate {
    /// It is in the store.
    Written,
    /// It is not: send the same value again.
    NotWritten,
    /// Someone else writes these partitions: drop it and read positions again.
    Lost,
}

/// Finds out the outcome of a batch by the store's positions.
pub fn settled(batch: &WriteBatch, positions: &[StorePosition]) -> BatchFate {
    let stored = |m: &PositionMove| {
        positions.iter().find(|p| p.topic == m.topic && p.partition == m.partition).map(|p| p.offset)
    };
    if batch.positions.iter().all(|m| stored(m) == Some(m.to)) {
        BatchFate::Written
    } else if batch.positions.iter().all(|m| stored(m) == m.from) {
        BatchFate::NotWritten
    } else {
        BatchFate::Lost
    }
}

/// Why a store could not hold a valid event; `None` if it can. A pure function, so that a writer can call
/// before a batch is decided.
pub type Refusal = fn(&EventView<'_>) -> Option<&'static str>;

/// An event store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Name and place, for people: `sqlite:DIR`.
    fn describe(&self) -> String;

    /// Which events it cannot hold. They are to be put elsewhere: a batch that has one is `Refused` as a whole.
    fn refusal(&self) -> Refusal {
        |_| None
    }

    /// Every position there is, by topic and partition.
    async fn positions(&self) -> Result<Vec<StorePosition>, StoreError>;

    /// Names the topic that positions are to be places in: `id` tells it from another of the same name, made before or after it.
    /// Positions of another one mean nothing in it and are dropped, durably; what was stored of that one stays. One that was left
    /// for another is refused (`Fatal`).
    async fn claim_topic(&self, topic: Topic, id: &str) -> Result<Claim, StoreError>;

    /// Each topic that was named, by its name.
    async fn claimed_topics(&self) -> Result<Vec<Claimed>, StoreError>;

    /// Writes all of a batch and moves its positions, in one transaction and durably, or nothing. Every `from` must be
    /// what is stored, or it is [`StoreError::Moved`].
    async fn write(&self, batch: Arc<WriteBatch>) -> Result<(), StoreError>;

    /// Removes a bounded number of rows older, by log time, than the store's retention before `now`. Returns how many
    /// rows went; 0: nothing is left to remove.
    async fn trim(&self, now: LogTime) -> Result<u64, StoreError>;

    /// Makes some of the aggregates anew that are not up to date, after closing the hours that are over at `now`
    /// ([`crate::aggregates`]). Call it until nothing is stale. May be called beside everything else, by several at once.
    async fn refresh(&self, now: LogTime) -> Result<Refreshed, StoreError>;

    /// How far the aggregates are.
    async fn aggregates(&self) -> Result<AggregateState, StoreError>;

    /// Overwrites the `user_ref` of every raw event that has this one, and of no other: the rows stay, so counts do not
    /// change. Returns how many. What comes from the log later may have it again.
    async fn erase_user(&self, user_ref: &str) -> Result<u64, StoreError>;

    /// Hits, errors, latencies: in total, by fields, by steps of time.
    async fn kpis(&self, question: &KpiQuestion) -> Result<KpiAnswer, StoreError>;

    /// A page of raw events.
    async fn events(&self, question: &EventQuestion) -> Result<EventPage, StoreError>;

    /// The raw events of an id, oldest first: there are several where copies were sent further apart than the redelivery
    /// window. Where its time is known, it is looked for within a minute around it, which is quick; else everywhere.
    async fn event(&self, event_id: &str, time: Option<EventTime>) -> Result<Vec<StoredEvent>, StoreError>;

    /// What raw events there are, by log time: each partition of the present request-events that has a position, in order.
    async fn raw_bounds(&self) -> Result<Vec<RawBounds>, StoreError>;

    /// From when on burn rates and alerts are whole. It only moves forward, and retention moves it in the transaction that removes.
    async fn whole_from(&self) -> Result<WholeFrom, StoreError>;

    /// Raw events of a window of log time, about `limit` at most (some 10,000 are a good page), behind `after`. All pages
    /// together have each event once.
    async fn raw_events(
        &self,
        window: &RawWindow,
        limit: usize,
        after: Option<RawCursor>,
    ) -> Result<RawPage, StoreError>;

    /// The newest BurnRates of every series that is not retired, by SLO, objective, group; of ticks up to `until`, if given.
    async fn slo_states(&self, until: Option<i64>) -> Result<Vec<BurnRates>, StoreError>;

    /// The history of an SLO, by tick, then objective and group.
    async fn burn_history(&self, question: &BurnQuestion) -> Result<Vec<BurnRates>, StoreError>;

    /// Episodes of alerts, each with its latest transition, newest first.
    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertEpisode>, StoreError>;

    /// Transitions of an alert, by episode and seq: the newest [`MOST_TRANSITIONS`](crate::alerts::MOST_TRANSITIONS), if it has more.
    async fn transitions(&self, alert_id: &str) -> Result<Vec<AlertTransition>, StoreError>;

    /// A page of what became of notifications, newest first.
    async fn notifications(&self, question: &NotificationQuestion) -> Result<NotificationPage, StoreError>;

    /// How much there is.
    async fn counts(&self) -> Result<Counts, StoreError>;
}

/// A shared store.
pub type SharedStore = Arc<dyn Store>;
