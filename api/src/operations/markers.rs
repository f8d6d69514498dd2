//! What was done to services, or befell them.

use std::sync::Arc;

use slipstream_schemas::EventTime;

use super::events::{LIMIT, USUAL};
use super::filter::{SERVICE, event_time, range};
use crate::api::Api;
use crate::ask::MarkerQuestion;
use crate::ask::answers::markers::Markers;
use crate::operation::{Called, Operation};
use crate::question::{Asking, Limit, Name, Question};
use crate::refusal::Refusal;

impl Question for MarkerQuestion {
    fn read(asking: &mut Asking) -> Self {
        let (from, to) = range(asking);
        MarkerQuestion {
            from: from.map_or(EventTime::MIN, event_time),
            to: to.map_or(EventTime::MAX, event_time),
            service: asking.one(&SERVICE).map(|Name(name)| name),
            limit: asking.one(&LIMIT).map_or(USUAL, |Limit(limit)| limit),
        }
    }
}

pub fn operations() -> Vec<Operation> {
    const MARKERS: Called = Called {
        path: "/markers",
        id: "listMarkers",
        tag: "Installation",
        summary: "Deploys, changes of configuration, incidents, notes",
    };
    vec![
        Operation::json(MARKERS, markers)
            .about(
                "Oldest first; of more than `limit`, the newest. With `service`, those of all services, too. They are recorded at the \
                 gateway.",
            ),
    ]
}

async fn markers(api: Arc<Api>, question: MarkerQuestion) -> Result<Markers, Refusal> {
    api.bound.ask(api.past.markers(&question)).await
}
