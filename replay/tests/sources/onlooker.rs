//! A store that a test looks at, and a log that loses records, while they are read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use slipstream_log::memory::MemoryLog;
use slipstream_log::{Fetch, Offset, TopicPartition};
use slipstream_replay::engine::Progress;
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{EventTime, LogTime, Topic};
use slipstream_store::aggregates::{AggregateState, Refreshed};
use slipstream_store::alerts::{AlertEpisode, AlertFilter};
use slipstream_store::kpis::{KpiAnswer, KpiQuestion};
use slipstream_store::notifications::{NotificationPage, NotificationQuestion};
use slipstream_store::{
    BurnQuestion, Claim, Claimed, Counts, EventPage, EventQuestion, RawBounds, RawCursor, RawPage, RawWindow, Refusal,
    SharedStore, Store, StoreError, StorePosition, StoredEvent, WholeFrom, WriteBatch,
};
use slipstream_testkit::hooked::Hooks;

/// A store that behaves as a test says.
pub struct Onlooker {
    pub inner: SharedStore,
    pub refusal: Refusal,
    /// Which windows of raw events, counted from 0, fail for now.
    pub unavailable: BTreeSet<usize>,
    /// How many questions for the bounds of raw events fail for now.
    pub no_bounds: AtomicUsize,
    /// Somebody stops the replay when one fails.
    pub stops: Option<Arc<Progress>>,
    /// After so many windows, retention has removed what is older.
    pub trimmed: Option<(usize, LogTime)>,
    pub windows: AtomicUsize,
    /// Log times that were asked for.
    pub asked: Mutex<Vec<(LogTime, LogTime)>>,
}

impl Onlooker {
    pub fn over(inner: SharedStore) -> Onlooker {
        Onlooker {
            inner,
            refusal: |_| None,
            unavailable: BTreeSet::new(),
            no_bounds: AtomicUsize::new(0),
            stops: None,
            trimmed: None,
            windows: AtomicUsize::new(0),
            asked: Mutex::default(),
        }
    }
}

#[async_trait]
impl Store for Onlooker {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn refusal(&self) -> Refusal {
        self.refusal
    }

    async fn raw_bounds(&self) -> Result<Vec<RawBounds>, StoreError> {
        if self.no_bounds.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(StoreError::Unavailable { doing: "reading bounds".to_owned(), cause: "it restarts".into() });
        }
        let windows = self.windows.load(Ordering::SeqCst);
        let kept_from = self.trimmed.filter(|(after, _)| windows >= *after).map(|(_, kept_from)| kept_from);
        let bounds = self.inner.raw_bounds().await?;
        Ok(bounds.into_iter().map(|b| RawBounds { kept_from: b.kept_from.max(kept_from), ..b }).collect())
    }

    async fn raw_events(&self, w: &RawWindow, limit: usize, after: Option<RawCursor>) -> Result<RawPage, StoreError> {
        // Looking for the first event takes one at a time.
        if limit > 1 {
            self.asked.lock().unwrap().push((w.from, w.to));
            if self.unavailable.contains(&self.windows.fetch_add(1, Ordering::SeqCst)) {
                self.stops.iter().for_each(|progress| progress.stop());
                return Err(StoreError::Unavailable { doing: "reading".to_owned(), cause: "it restarts".into() });
            }
        }
        self.inner.raw_events(w, limit, after).await
    }

    async fn write(&self, batch: Arc<WriteBatch>) -> Result<(), StoreError> {
        self.inner.write(batch).await
    }

    async fn claim_topic(&self, topic: Topic, id: &str) -> Result<Claim, StoreError> {
        self.inner.claim_topic(topic, id).await
    }

    async fn claimed_topics(&self) -> Result<Vec<Claimed>, StoreError> {
        self.inner.claimed_topics().await
    }

    async fn positions(&self) -> Result<Vec<StorePosition>, StoreError> {
        self.inner.positions().await
    }

    async fn trim(&self, now: LogTime) -> Result<u64, StoreError> {
        self.inner.trim(now).await
    }

    async fn kpis(&self, question: &KpiQuestion) -> Result<KpiAnswer, StoreError> {
        self.inner.kpis(question).await
    }

    async fn refresh(&self, now: LogTime) -> Result<Refreshed, StoreError> {
        self.inner.refresh(now).await
    }

    async fn aggregates(&self) -> Result<AggregateState, StoreError> {
        self.inner.aggregates().await
    }

    async fn erase_user(&self, user_ref: &str) -> Result<u64, StoreError> {
        self.inner.erase_user(user_ref).await
    }

    async fn events(&self, question: &EventQuestion) -> Result<EventPage, StoreError> {
        self.inner.events(question).await
    }

    async fn event(&self, id: &str, time: Option<EventTime>) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.event(id, time).await
    }

    async fn notifications(&self, question: &NotificationQuestion) -> Result<NotificationPage, StoreError> {
        self.inner.notifications(question).await
    }

    async fn slo_states(&self, until: Option<i64>) -> Result<Vec<BurnRates>, StoreError> {
        self.inner.slo_states(until).await
    }

    async fn whole_from(&self) -> Result<WholeFrom, StoreError> {
        self.inner.whole_from().await
    }

    async fn burn_history(&self, question: &BurnQuestion) -> Result<Vec<BurnRates>, StoreError> {
        self.inner.burn_history(question).await
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertEpisode>, StoreError> {
        self.inner.alerts(filter).await
    }

    async fn transitions(&self, alert_id: &str) -> Result<Vec<AlertTransition>, StoreError> {
        self.inner.transitions(alert_id).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.inner.counts().await
    }
}

/// Retention removes records right before the engine reads them.
pub struct Trimming {
    pub log: Arc<MemoryLog>,
    pub partition: TopicPartition,
    pub first: Offset,
}

#[async_trait]
impl Hooks for Trimming {
    async fn reading(&self, partition: TopicPartition, fetch: Fetch) {
        // Planning reads single records, or as many as others do.
        if partition == self.partition && fetch.records > Fetch::default().records {
            self.log.trim(partition, self.first);
        }
    }
}
