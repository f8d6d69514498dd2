//! What changes, as it changes: server-sent events.
//!
//! First comes how every objective stands, then what changes with each tick, and each transition of an alert as it comes into
//! the log. Every event has an id; a client that comes back with the last one (`Last-Event-ID`) misses no alert.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::Bytes;
use futures::stream;
use serde::Serialize;
use slipstream_runtime::event::Event;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use crate::api::Api;
use crate::ask::answers::Example;
use crate::ask::answers::slos::{Known, Standing};
use crate::live::{Frame, Offsets, Place, Topic, slos_data};
use crate::operation::{Asked, Called, Operation};
use crate::question::{Asking, Choice, Param, Question};
use crate::refusal::Refusal;
use crate::reply::best;
use crate::telemetry::{Follows, TooSlow};

/// The media type.
const EVENT_STREAM: &str = "text/event-stream";
/// Clients at a time; a further one is told to come again.
const CLIENTS: usize = 256;
/// After so long without an event a comment is sent, and how far the standings are known.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a stream looks whether it is to end, and whether its state is stale.
const LOOK: Duration = Duration::from_secs(1);
/// A stream ends after so long. Its client comes back by itself, and is asked again who it is.
const LONGEST: Duration = Duration::from_secs(3_600);
/// `Last-Event-ID`
const LAST: &str = "last-event-id";

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
    /// Standings that are others than before; at first, all.
    slos: Vec<Standing>,
    /// Series that are gone.
    gone: Vec<Gone>,
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
        SlosChanged { slos: vec![Standing::example()], gone: Vec::new(), known: Known::example() }
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
            "Server-sent events. `slos` has the standings that changed (SlosChanged), at first all; `alerts` a transition \
             (Transition). With `Last-Event-ID` no transition is missed. A comment comes every 15 s. A client that reads \
             too slowly is cut off, and a stream ends after an hour: come back with the last id.",
        );
    vec![operation]
}

async fn listen(api: Arc<Api>, Listening(topics): Listening, asked: Asked) -> Result<Response<Body>, Refusal> {
    best(&asked.headers, &[EVENT_STREAM])?;
    let listener = Listener::new(api, topics, &asked.headers)?;
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

/// A client, and what it is still to be sent.
struct Listener {
    api: Arc<Api>,
    topics: Vec<Topic>,
    place: Place,
    bell: watch::Receiver<Place>,
    /// Where it is in `alerts`, and how far it is to be told what it missed.
    alerts: Offsets,
    missed_up_to: Option<Offsets>,
    /// The tick of the standings that it has.
    tick: i64,
    waiting: VecDeque<Bytes>,
    spoken: Instant,
    ends: Instant,
    /// Whether it was told that the state is stale.
    told_stale: bool,
    _one: (Joined, Follows),
}

/// Its place among the clients, until it is dropped.
struct Joined(Arc<Api>);

impl Joined {
    fn one(api: &Arc<Api>) -> Result<Joined, Refusal> {
        if api.live.hub().join(CLIENTS) { Ok(Joined(api.clone())) } else { Err(Refusal::Busy) }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.0.live.hub().leave();
    }
}

impl Listener {
    fn new(api: Arc<Api>, topics: Vec<Topic>, headers: &HeaderMap) -> Result<Listener, Refusal> {
        // In this order: what is sent from here on changes what is known then, or an earlier state of it.
        let joined = Joined::one(&api)?;
        let (place, now) = api.live.hub().now();
        let (snapshot, known) = api.live.now()?;
        let last = headers.get(LAST).and_then(|value| value.to_str().ok()).and_then(Id::read);
        let alerts = last.as_ref().map_or_else(|| now.clone(), |last| last.alerts.clone());
        let mut listener = Listener {
            bell: api.live.hub().bell(),
            missed_up_to: last.as_ref().map(|_| now),
            tick: snapshot.as_of().unwrap_or_default(),
            waiting: VecDeque::from([Bytes::from_static(b"retry: 2000\n\n")]),
            spoken: Instant::now(),
            ends: Instant::now() + LONGEST,
            told_stale: known.stale_for_seconds.is_some(),
            _one: (joined, Follows::one()),
            api,
            topics,
            place,
            alerts,
        };
        if listener.hears(Topic::Slos) && last.is_none_or(|last| last.tick != listener.tick) {
            let data = slos_data(&snapshot.all().0, b"", &known);
            listener.queue(Topic::Slos, data);
        }
        Ok(listener)
    }

    fn hears(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    /// What is sent next; `None`: the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.waiting.pop_front() {
                self.spoken = Instant::now();
                return Some(chunk);
            }
            if self.is_over() {
                return None;
            }
            self.catch_up().await?;
            self.take_new()?;
            if self.waiting.is_empty() {
                self.wait().await;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.api.shutdown.is_cancelled() || self.api.health.is_stopping() || Instant::now() >= self.ends
    }

    /// Transitions that it missed while it was away: from the log itself.
    async fn catch_up(&mut self) -> Option<()> {
        let Some(up_to) = self.missed_up_to.clone().filter(|_| self.hears(Topic::Alerts)) else { return Some(()) };
        let mut missed = Vec::new();
        let log = self.api.live.log().clone();
        let take = |transition, at: &Offsets| missed.push((serde_json::to_vec(&transition), at.clone()));
        if self.alerts.read_on(log.as_ref(), &up_to, take).await.is_err() {
            // It comes back and asks again.
            return None;
        }
        let is_all = missed.is_empty() && self.alerts == up_to;
        for (data, at) in missed {
            self.alerts = at;
            self.queue(Topic::Alerts, Bytes::from(data.unwrap_or_default()));
        }
        if is_all {
            self.missed_up_to = None;
        }
        Some(())
    }

    /// What is new for all. `None` if it has missed some of that: it read too slowly.
    fn take_new(&mut self) -> Option<()> {
        if self.missed_up_to.is_some() && self.hears(Topic::Alerts) {
            return Some(());
        }
        let Ok((frames, place)) = self.api.live.hub().from(self.place) else {
            TooSlow.emit();
            return None;
        };
        self.place = place;
        for frame in frames {
            self.take(&frame);
        }
        Some(())
    }

    fn take(&mut self, frame: &Frame) {
        self.alerts = frame.alerts.clone();
        match frame.topic {
            // Older than what it was sent at first.
            Topic::Slos if frame.tick <= self.tick => return,
            Topic::Slos => (self.tick, self.told_stale) = (frame.tick, false),
            Topic::Alerts => {}
        }
        if self.hears(frame.topic) {
            self.queue(frame.topic, frame.data.clone());
        }
    }

    /// An event in pieces: its data is the same for all, and not copied.
    fn queue(&mut self, topic: Topic, data: Bytes) {
        let id = Id { tick: self.tick, alerts: self.alerts.clone() };
        let head = format!("event: {}\nid: {}\ndata: ", topic.name(), id.text());
        self.waiting.extend([Bytes::from(head), data, Bytes::from_static(b"\n\n")]);
    }

    /// Until there is something new, or a look is due.
    async fn wait(&mut self) {
        let rings = async {
            tokio::select! {
                () = self.api.shutdown.cancelled() => {}
                _ = self.bell.changed() => {}
            }
        };
        if timeout(LOOK, rings).await.is_err() {
            self.look();
        }
    }

    /// Says that the state is stale when it begins to be; and now and then how far it is known, so that nobody on the way takes
    /// the connection for dead.
    fn look(&mut self) {
        let Ok((_, known)) = self.api.live.now() else { return };
        let (stale, due) = (known.stale_for_seconds.is_some(), self.spoken.elapsed() >= HEARTBEAT);
        if due {
            self.waiting.push_back(Bytes::from_static(b": alive\n\n"));
        }
        if self.hears(Topic::Slos) && (due || (stale && !self.told_stale)) {
            self.queue(Topic::Slos, slos_data(b"", b"", &known));
        }
        self.told_stale = stale;
    }
}

/// Where a client is: the tick of its standings, and what it has seen of `alerts`.
struct Id {
    tick: i64,
    alerts: Offsets,
}

impl Id {
    fn text(&self) -> String {
        format!("{}-{}", self.tick, self.alerts)
    }

    /// `None` for one that is none of ours: its client begins anew.
    fn read(text: &str) -> Option<Id> {
        let (tick, alerts) = text.split_once('-')?;
        Some(Id { tick: tick.parse().ok()?, alerts: alerts.parse().ok()? })
    }
}
