//! What can be asked. An end that is left open is that of what is stored.

use std::collections::BTreeMap;

use slipstream_schemas::{EventTime, LogTime};
use slipstream_store::Cursor;
use slipstream_store::alerts::AlertState;
use slipstream_store::kpis::Field;

/// Which events: conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Event time at or after.
    pub from: Option<EventTime>,
    /// Event time before.
    pub to: Option<EventTime>,
    /// Exactly this service.
    pub service: Option<String>,
    /// Exactly this environment.
    pub environment: Option<String>,
    /// Exactly this endpoint.
    pub endpoint: Option<String>,
    /// Exactly this method.
    pub method: Option<String>,
    /// Exactly this status.
    pub status_code: Option<u16>,
    /// The status divided by 100.
    pub status_class: Option<u8>,
    /// Only status 500 and above.
    pub errors: bool,
    /// At least this latency.
    pub min_latency_ms: Option<f64>,
    /// At most this latency.
    pub max_latency_ms: Option<f64>,
    /// Exactly this trace.
    pub trace_id: Option<String>,
    /// Exactly this user.
    pub user_ref: Option<String>,
    /// Exactly this event.
    pub event_id: Option<String>,
    /// Attributes with exactly these values.
    pub attributes: BTreeMap<String, String>,
}

/// In which order of event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventsQuestion {
    /// Which.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// At most so many.
    pub limit: usize,
    /// Behind this place.
    pub after: Option<Cursor>,
    /// What had been logged by then; `None`: all there is.
    pub as_of: Option<LogTime>,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventQuestion {
    /// Its id.
    pub event_id: String,
    /// About when it ended, which makes it fast.
    pub time: Option<EventTime>,
}

/// What KPIs are to be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Daily aggregates.
    Daily,
    /// Hourly aggregates.
    Hourly,
    /// Rollups of minutes.
    Rollup,
    /// Raw events.
    Raw,
}

/// Hits, errors and latencies.
#[derive(Debug, Clone, PartialEq)]
pub struct KpisQuestion {
    /// Of which events.
    pub filter: Filter,
    /// By these fields, two at most.
    pub by: Vec<Field>,
    /// By steps of so many seconds.
    pub step: Option<i64>,
    /// From this alone; `None`: from the fastest that has all.
    pub source: Option<Source>,
    /// What had been logged by then.
    pub as_of: Option<LogTime>,
}

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// Hours or days.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketsQuestion {
    /// Which.
    pub grain: Grain,
    /// Of which events.
    pub filter: Filter,
    /// By these fields, two at most.
    pub by: Vec<Field>,
}

/// Which endpoints come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Most hits.
    #[default]
    Hits,
    /// Most errors.
    Errors,
    /// Greatest share of errors.
    ErrorRate,
    /// Greatest 95th percentile.
    P95,
    /// Most of an SLO's budget spent.
    BudgetSpent,
}

/// The endpoints that matter.
#[derive(Debug, Clone, PartialEq)]
pub struct TopQuestion {
    /// Of which events.
    pub filter: Filter,
    /// Which come first.
    pub sort: Sort,
    /// Whose budget.
    pub slo: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// The SLOs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlosQuestion {
    /// Exactly this service.
    pub service: Option<String>,
    /// Whose name begins so.
    pub name: Option<String>,
    /// As was known then; `None`: now.
    pub as_of: Option<LogTime>,
}

/// One SLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SloQuestion {
    /// Its name.
    pub name: String,
    /// As was known then; `None`: now.
    pub as_of: Option<LogTime>,
}

/// How an SLO stood.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuestion {
    /// Its name.
    pub slo: String,
    /// Ticks at or after, Unix seconds.
    pub from: Option<i64>,
    /// Ticks before.
    pub to: Option<i64>,
    /// One point a step of so many seconds.
    pub step: Option<i64>,
    /// Of this objective alone.
    pub objective: Option<String>,
    /// Of groups with these labels alone.
    pub group: BTreeMap<String, String>,
}

/// Who spent an SLO's budget.
#[derive(Debug, Clone, PartialEq)]
pub struct ContributorsQuestion {
    /// Its name.
    pub slo: String,
    /// Event time at or after.
    pub from: Option<EventTime>,
    /// Event time before.
    pub to: Option<EventTime>,
    /// Of this objective; `None`: of the first.
    pub objective: Option<String>,
    /// A field, or `attribute.NAME`.
    pub by: String,
    /// At most so many.
    pub limit: usize,
}

/// Alerts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertsQuestion {
    /// Latest transition at this Unix second or later.
    pub from: Option<i64>,
    /// Began before this Unix second.
    pub to: Option<i64>,
    /// Exactly this SLO.
    pub slo: Option<String>,
    /// Exactly this service.
    pub service: Option<String>,
    /// Exactly this severity.
    pub severity: Option<String>,
    /// One of these states; empty: any.
    pub states: Vec<AlertState>,
    /// At most so many.
    pub limit: usize,
    /// As was known then.
    pub as_of: Option<LogTime>,
}

/// What became of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotificationsQuestion {
    /// Ended at or after, milliseconds.
    pub from: Option<i64>,
    /// Ended before.
    pub to: Option<i64>,
    /// At this receiver.
    pub receiver: Option<String>,
    /// That ended so: `delivered`, `refused` or `not_due`.
    pub outcome: Option<super::answers::notifications::Outcome>,
    /// Of this alert.
    pub alert_id: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Behind this place.
    pub after: Option<String>,
}

/// Markers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarkersQuestion {
    /// That were not over then.
    pub from: Option<EventTime>,
    /// That had begun before.
    pub to: Option<EventTime>,
    /// Of this service, or of all.
    pub service: Option<String>,
}
