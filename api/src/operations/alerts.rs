//! Alerts, and what became of their notifications.

use std::sync::Arc;

use slipstream_schemas::LogTime;
use slipstream_schemas::records::{NotificationReason, Outcome};
use slipstream_store::alerts::{AlertFilter, AlertState};
use slipstream_store::notifications::{NotificationCursor, NotificationQuestion};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::events::{LIMIT, USUAL};
use super::filter::{SERVICE, as_of, range, unix};
use crate::api::Api;
use crate::ask::answers::alerts::{AlertDetail, Alerts};
use crate::ask::answers::notifications::Notifications;
use crate::operation::{Called, Operation};
use crate::question::{Asking, Choice, Limit, Name, Param, Question, Time, Value};
use crate::refusal::Refusal;

impl Choice for AlertState {
    const ALL: &'static [Self] = &[AlertState::Pending, AlertState::Inactive, AlertState::Firing, AlertState::Resolved];

    fn name(self) -> &'static str {
        match self {
            AlertState::Pending => "pending",
            AlertState::Inactive => "inactive",
            AlertState::Firing => "firing",
            AlertState::Resolved => "resolved",
        }
    }
}

impl Choice for Outcome {
    const ALL: &'static [Self] =
        &[Outcome::Delivered, Outcome::Refused, Outcome::NotDue, Outcome::HeldBack, Outcome::Failed];

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Choice for NotificationReason {
    const ALL: &'static [Self] = NotificationReason::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Firing,
    Severity,
    Resolved,
}

impl Choice for Kind {
    const ALL: &'static [Self] = &[Kind::Firing, Kind::Severity, Kind::Resolved];

    fn name(self) -> &'static str {
        match self {
            Kind::Firing => "firing",
            Kind::Severity => "severity",
            Kind::Resolved => "resolved",
        }
    }
}

impl Value for NotificationCursor {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected the `next` of the previous page, unchanged".to_owned())
    }

    fn schema() -> Schema {
        // An opaque text, of which a pattern says no more than how it begins.
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^\[-?[0-9]{1,18},")).build().into()
    }
}

const SLO: Param<Name> = Param::new("slo", "Of exactly this SLO", "payment-availability");
const SEVERITY: Param<Name> = Param::new("severity", "Exactly this severity", "page");
const STATE: Param<AlertState> = Param::new("state", "In this state; several for any of them", "firing");
const ID: Param<Name> = Param::new("id", "Its id", "5a2f9c01d3b7e846");
const RECEIVER: Param<Name> = Param::new("receiver", "At exactly this receiver", "on-call");
const OUTCOME: Param<Outcome> = Param::new("outcome", "That ended so", "delivered");
const REASON: Param<NotificationReason> = Param::new("reason", "That was not sent for this reason", "silenced");
const KIND: Param<Kind> = Param::new("kind", "Of this kind of transition", "firing");
const ALERT_ID: Param<Name> = Param::new("alert_id", "Of exactly this alert", "5a2f9c01d3b7e846");
const AFTER: Param<NotificationCursor> = Param::new(
    "after",
    "Behind this place: `next` of the page before, unchanged",
    r#"[1796031072118,"5a2f9c01d3b7e846",1796031070,2,"on-call","delivered"]"#,
);

/// Alerts, as they were known at a time.
struct Listed {
    filter: AlertFilter,
    as_of: Option<LogTime>,
}

impl Question for Listed {
    fn read(asking: &mut Asking) -> Self {
        let (from, to) = range(asking);
        let filter = AlertFilter {
            from: from.map(unix),
            to: to.map(unix),
            slo: asking.one(&SLO).map(|Name(name)| name),
            service: asking.one(&SERVICE).map(|Name(name)| name),
            severity: asking.one(&SEVERITY).map(|Name(name)| name),
            states: asking.all(&STATE),
            limit: Some(asking.one(&LIMIT).map_or(USUAL, |Limit(limit)| limit)),
            ..AlertFilter::default()
        };
        Listed { filter, as_of: as_of(asking) }
    }
}

impl Question for NotificationQuestion {
    fn read(asking: &mut Asking) -> Self {
        let (from, to) = range(asking);
        let millis = |Time(time): Time| time.as_millisecond();
        NotificationQuestion {
            from: from.map(millis),
            to: to.map(millis),
            receiver: asking.one(&RECEIVER).map(|Name(name)| name),
            outcome: asking.one(&OUTCOME),
            reason: asking.one(&REASON),
            slo: asking.one(&SLO).map(|Name(name)| name),
            severity: asking.one(&SEVERITY).map(|Name(name)| name),
            kind: asking.one(&KIND).map(|kind| kind.name().to_owned()),
            alert_id: asking.one(&ALERT_ID).map(|Name(name)| name),
            limit: asking.one(&LIMIT).map_or(USUAL, |Limit(limit)| limit),
            after: asking.one(&AFTER),
        }
    }
}

/// The id of an alert.
struct Alert(String);

impl Question for Alert {
    fn read(asking: &mut Asking) -> Self {
        Alert(asking.path(&ID).0)
    }
}

pub fn operations() -> Vec<Operation> {
    const ALERTS: Called = Called { path: "/alerts", id: "listAlerts", tag: "Alerts", summary: "Alerts, newest first" };
    const ALERT: Called =
        Called { path: "/alerts/{id}", id: "getAlert", tag: "Alerts", summary: "One alert, and what happened to it" };
    const NOTIFICATIONS: Called = Called {
        path: "/notifications",
        id: "listNotifications",
        tag: "Alerts",
        summary: "What became of notifications, page by page",
    };
    vec![
        Operation::rows(ALERTS, alerts, None)
            .about(
                "One entry for each episode: `from` is compared with its latest transition, `to` with its beginning.",
            )
            .refusing(&[422]),
        Operation::json(ALERT, alert)
            .about("Its newest episode, its transitions (the newest 10,000) with their episodes, and what became of its notifications.")
            .refusing(&[404]),
        Operation::rows(NOTIFICATIONS, notifications, Some(|page: &Notifications| page.next.as_deref()))
            .about("What each receiver took or refused, and what was not told, with the reason. What is held back first and told later has an \
                 entry for each. Entries of former versions tell no kind, SLO and severity.",)
            .refusing(&[422]),
    ]
}

async fn alerts(api: Arc<Api>, Listed { filter, as_of }: Listed) -> Result<Alerts, Refusal> {
    api.bound.ask(api.past.alerts(&filter, as_of)).await
}

async fn alert(api: Arc<Api>, Alert(id): Alert) -> Result<AlertDetail, Refusal> {
    api.bound.ask(api.past.alert(&id)).await
}

async fn notifications(api: Arc<Api>, question: NotificationQuestion) -> Result<Notifications, Refusal> {
    api.bound.ask(api.past.notifications(&question)).await
}
