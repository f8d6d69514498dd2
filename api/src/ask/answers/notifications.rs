//! What became of notifications.

use serde::Serialize;
use slipstream_query::history::{NotificationAnswer, NotificationRow};
use slipstream_schemas::records;
use utoipa::ToSchema;

use super::{Example, Rows, at};

/// How a notification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// The receiver refused it.
    Refused,
    /// It is not for this receiver, or came to nothing.
    NotDue,
    /// It was not sent for now.
    HeldBack,
    /// No answer, or one that says later: it is tried again.
    Failed,
}

impl From<records::Outcome> for Outcome {
    fn from(outcome: records::Outcome) -> Self {
        match outcome {
            records::Outcome::Delivered => Outcome::Delivered,
            records::Outcome::Refused => Outcome::Refused,
            records::Outcome::NotDue => Outcome::NotDue,
            records::Outcome::HeldBack => Outcome::HeldBack,
            records::Outcome::Failed => Outcome::Failed,
        }
    }
}

/// Why a notification was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationReason {
    /// It was sent, or a former version recorded it.
    None,
    /// A silence holds it back: `by` is its id.
    Silenced,
    /// Another alert holds it back: `by` is its id.
    Inhibited,
    /// Its route is mute at this time: `by` is the time interval.
    Muted,
    /// No route leads it to the receiver.
    NoRoute,
    /// It is an end, and its beginning was not sent.
    Untold,
    /// The receiver wants no ends.
    Unwanted,
    /// A later state was sent instead.
    Superseded,
    /// The episode began and ended before it could be sent.
    Missed,
    /// Somebody looks after it, and nobody is reminded: `by` is who.
    Acknowledged,
    /// A remediation that only says what it would ask.
    DryRun,
    /// A remediation that was asked as often as it may be.
    RateLimited,
    /// The attempt failed, and the receiver may have it all the same.
    InDoubt,
}

impl From<records::NotificationReason> for NotificationReason {
    fn from(reason: records::NotificationReason) -> Self {
        match reason {
            records::NotificationReason::None => NotificationReason::None,
            records::NotificationReason::Silenced => NotificationReason::Silenced,
            records::NotificationReason::Inhibited => NotificationReason::Inhibited,
            records::NotificationReason::Muted => NotificationReason::Muted,
            records::NotificationReason::NoRoute => NotificationReason::NoRoute,
            records::NotificationReason::Untold => NotificationReason::Untold,
            records::NotificationReason::Unwanted => NotificationReason::Unwanted,
            records::NotificationReason::Superseded => NotificationReason::Superseded,
            records::NotificationReason::Missed => NotificationReason::Missed,
            records::NotificationReason::Acknowledged => NotificationReason::Acknowledged,
            records::NotificationReason::DryRun => NotificationReason::DryRun,
            records::NotificationReason::RateLimited => NotificationReason::RateLimited,
            records::NotificationReason::InDoubt => NotificationReason::InDoubt,
        }
    }
}

/// What became of a transition at a receiver. Several of one transition and receiver tell its story.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Notification {
    /// When it ended, by the notifier's clock.
    pub at: String,
    /// The alert.
    pub alert_id: String,
    /// Its episode.
    pub episode: i64,
    /// The transition within it.
    pub seq: i32,
    /// The receiver.
    pub receiver: String,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status of the receiver; null if it did not respond.
    pub status: Option<i32>,
    /// Attempts made.
    pub attempts: i32,
    /// What the receiver or the transport said, or why it was not sent, for people.
    pub detail: String,
    /// Why it was not sent.
    pub reason: NotificationReason,
    /// What holds it back: id of the silence or of the inhibiting alert, name of the time interval, or who acknowledged it; else empty.
    pub by: String,
    /// What happened: `firing`, `severity` or `resolved`; empty where a former version recorded it, as SLO and severity then are.
    pub kind: String,
    /// The SLO.
    pub slo: String,
    /// Severity at the transition.
    pub severity: String,
    /// How long the last attempt took, milliseconds; null without one.
    pub latency_ms: Option<i64>,
    /// Whether the receiver had it already: it was reminded, or would have been.
    pub repeated: bool,
}

impl From<NotificationRow> for Notification {
    fn from(row: NotificationRow) -> Self {
        Notification {
            at: row.at,
            alert_id: row.alert_id,
            episode: row.episode,
            seq: row.seq,
            receiver: row.receiver,
            outcome: row.outcome.into(),
            status: row.status,
            attempts: row.attempts,
            detail: row.detail,
            reason: row.reason.into(),
            by: row.by,
            kind: row.kind,
            slo: row.slo,
            severity: row.severity,
            latency_ms: row.latency_ms,
            repeated: row.repeated,
        }
    }
}

/// A page of notifications.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Notifications {
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// `after` of the next page; null at the end.
    pub next: Option<String>,
    /// Log time up to which the store has all of them; null if it has none of some yet.
    pub as_of: Option<String>,
}

impl Notifications {
    /// What was answered, and up to when that is known.
    pub fn new(answer: NotificationAnswer, as_of: Option<String>) -> Notifications {
        let notifications = answer.notifications.into_iter().map(Notification::from).collect();
        Notifications { notifications, next: answer.next, as_of }
    }
}

impl Rows for Notifications {
    const COLUMNS: &'static [&'static str] = &[
        "at",
        "alert_id",
        "episode",
        "seq",
        "receiver",
        "outcome",
        "status",
        "attempts",
        "detail",
        "reason",
        "by",
        "kind",
        "slo",
        "severity",
        "latency_ms",
        "repeated",
    ];
    type Row = Notification;

    fn rows(&self) -> &[Notification] {
        &self.notifications
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Example for Notification {
    fn example() -> Self {
        Notification {
            at: at("09:31:12.118000"),
            alert_id: "5a2f9c01d3b7e846".to_owned(),
            episode: 1_796_031_070,
            seq: 2,
            receiver: "on-call".to_owned(),
            outcome: Outcome::Delivered,
            status: Some(200),
            attempts: 1,
            detail: String::new(),
            reason: NotificationReason::None,
            by: String::new(),
            kind: "firing".to_owned(),
            slo: "payment-availability".to_owned(),
            severity: "page".to_owned(),
            latency_ms: Some(41),
            repeated: false,
        }
    }
}

impl Notification {
    /// The same, before a silence was over.
    fn example_held_back() -> Self {
        Notification {
            at: at("09:31:10.402000"),
            outcome: Outcome::HeldBack,
            status: None,
            attempts: 0,
            reason: NotificationReason::Silenced,
            by: "0193b6a0-62b1-7e0d-8f3a-5d1c9be0a114".to_owned(),
            latency_ms: None,
            ..Notification::example()
        }
    }
}

impl Example for Notifications {
    fn example() -> Self {
        Notifications {
            notifications: vec![Notification::example(), Notification::example_held_back()],
            next: None,
            as_of: Some(at("10:00:02")),
        }
    }
}
