//! Raw requests.

use std::sync::Arc;

use slipstream_schemas::EventTime;
use slipstream_store::{Cursor, EventQuestion, Order};

use super::filter::{event_time, everything};
use crate::api::Api;
use crate::ask::answers::events::{Event, Events};
use crate::operation::{Called, Operation};
use crate::question::{Asking, Choice, Limit, Name, Param, Question, Time};
use crate::refusal::Refusal;

impl Choice for Order {
    const ALL: &'static [Self] = &[Order::Oldest, Order::Newest];

    fn name(self) -> &'static str {
        match self {
            Order::Oldest => "asc",
            Order::Newest => "desc",
        }
    }
}

const ORDER: Param<Order> = Param::new("order", "By event time: oldest (asc) or newest (desc) first", "asc").or("asc");
pub const LIMIT: Param<Limit> = Param::new("limit", "At most so many", "100").or("100");
const AFTER: Param<Cursor> =
    Param::new("after", "Behind this place: `next` of the page before, unchanged", "1796031000250000-0-41");
const EVENT_ID: Param<Name> = Param::new("event_id", "Its id", "0193b6b2-6f0c-7a31-9d1e-1c2b3a4d5e6f");
const TIME: Param<Time> =
    Param::new("time", "About when it ended, within a minute: makes it fast", "2026-11-29T09:30:00Z");

/// How many, where the request does not say.
pub const USUAL: usize = 100;

impl Question for EventQuestion {
    fn read(asking: &mut Asking) -> Self {
        EventQuestion {
            filter: everything(asking),
            order: asking.one(&ORDER).unwrap_or_default(),
            limit: asking.one(&LIMIT).map_or(USUAL, |Limit(limit)| limit),
            after: asking.one(&AFTER),
        }
    }
}

/// One event.
struct Named {
    event_id: String,
    time: Option<EventTime>,
}

impl Question for Named {
    fn read(asking: &mut Asking) -> Self {
        let Name(event_id) = asking.path(&EVENT_ID);
        Named { event_id, time: asking.one(&TIME).map(event_time) }
    }
}

pub fn operations() -> Vec<Operation> {
    const EVENTS: Called =
        Called { path: "/events", id: "listEvents", tag: "Requests", summary: "Raw requests, page by page" };
    const EVENT: Called =
        Called { path: "/events/{event_id}", id: "getEvent", tag: "Requests", summary: "One request" };
    vec![
        Operation::rows(EVENTS, events, Some(|page: &Events| page.next.as_deref()))
            .about(
                "Every filter must hold. The next page begins behind `next`; the header Link has its address, too. \
                 `as_of` gives the pages as they would have been then.",
            )
            .refusing(&[422]),
        Operation::json(EVENT, event)
            .about("With `time`, which every answer of this API tells, it is found at once.")
            .refusing(&[404, 422]),
    ]
}

async fn events(api: Arc<Api>, question: EventQuestion) -> Result<Events, Refusal> {
    api.bound.ask(api.past.events(&question)).await
}

async fn event(api: Arc<Api>, Named { event_id, time }: Named) -> Result<Event, Refusal> {
    api.bound.ask(api.past.event(&event_id, time)).await
}
