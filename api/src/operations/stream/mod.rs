//! What changes, as it changes: server-sent events.
//!
//! First comes how every objective stands, then what changes with each tick, and each transition of an alert as it comes into
//! the log. Every event has an id; a client that comes back with the last one (`Last-Event-ID`) misses no alert, and is told how
//! everything stands again.

mod listener;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bytes::Bytes;
use futures::stream;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Api;
use crate::ask::answers::Example;
use crate::ask::answers::slos::{Known, Standing};
use crate::live::Topic;
use crate::operation::{Asked, Called, Operation};
use crate::question::{Asking, Choice, Param, Question};
use crate::refusal::Refusal;
use crate::reply::best;
use listener::Listener;

/// The media type.
const EVENT_STREAM: &str = "text/event-stream";

impl Choice for Topic {
    const ALL: &'static [Self] = &[Topic::Slos, Topic::Alerts];

    fn name(self) -> &'static str {
        match self {
            Topic::Slos => "slos",
            Topic::Alerts => "alerts",
        }
    }
}

const EVENTS: Param<Topic> = Param::new("events", "Only these kinds of events", "slos").or("all of them");

/// What a client wants to hear.
struct Listening(Vec<Topic>);

impl Question for Listening {
    fn read(asking: &mut Asking) -> Self {
        let topics = asking.all(&EVENTS);
        Listening(if topics.is_empty() { Topic::ALL.to_vec() } else { topics })
    }
}

/// The data of an event `slos`.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlosChanged {
    /// All standings if `whole`, else those that are others than before.
    slos: Vec<Standing>,
    /// Series that are gone since the last event.
    gone: Vec<Gone>,
    /// Whether `slos` is all there is, as it is at first, and after coming back: forget what was known before.
    whole: bool,
    /// Up to when this is known.
    #[serde(flatten)]
    known: Known,
}

/// The name of a series.
#[derive(Debug, Serialize, ToSchema)]
pub struct Gone {
    /// Name of the SLO.
    name: String,
    /// The objective's name.
    objective: String,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    group: Option<std::collections::BTreeMap<String, String>>,
}

impl Example for SlosChanged {
    fn example() -> Self {
        SlosChanged { slos: vec![Standing::example()], gone: Vec::new(), whole: true, known: Known::example() }
    }
}

pub fn operations() -> Vec<Operation> {
    const STREAM: Called =
        Called { path: "/stream", id: "followStream", tag: "Live", summary: "What changes, as it changes" };
    let operation = Operation::responding(STREAM, listen)
        .answering_text(EVENT_STREAM)
        .knowing::<SlosChanged>()
        .knowing::<crate::ask::answers::transitions::Transition>()
        .untagged()
        .about(
            "Server-sent events. `slos` has all standings at first (SlosChanged, `whole`), then those that changed; `alerts` a transition \
             (Transition). With `Last-Event-ID` no transition is missed. A comment comes every 15 s. A client that reads \
             too slowly is cut off, and a stream ends after an hour: come back with the last id.",
        );
    vec![operation]
}

async fn listen(api: Arc<Api>, Listening(topics): Listening, asked: Asked) -> Result<Response<Body>, Refusal> {
    best(&asked.headers, &[EVENT_STREAM])?;
    let listener = Listener::new(api, topics, asked)?;
    let chunks = stream::unfold(listener, |mut listener| async move {
        let chunk = listener.next().await?;
        Some((Ok::<Bytes, Infallible>(chunk), listener))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would wait for more before it sends anything on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
