//! One client of the stream: where it is, and what it is sent next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use slipstream_runtime::access::{Principal, Scope};
use slipstream_runtime::event::Event;
use slipstream_schemas::records::AlertTransition;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::api::Api;
use crate::ask::answers::transitions::Transition;
use crate::live::{Frame, Missed, Offsets, Place, Topic, around_all, slos_data};
use crate::operation::Asked;
use crate::question::Choice;
use crate::refusal::Refusal;
use crate::telemetry::{Follows, TooSlow};

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

/// A client, and what it is still to be sent.
pub(super) struct Listener {
    api: Arc<Api>,
    who: Option<Principal>,
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
    pub(super) fn new(
        api: Arc<Api>,
        topics: Vec<Topic>,
        Asked { headers, who, .. }: Asked,
    ) -> Result<Listener, Refusal> {
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
            who,
            topics,
            place,
            alerts,
        };
        // Also to who comes back: what has gone meanwhile, nobody can tell it.
        if listener.hears(Topic::Slos) {
            let (head, tail) = around_all(&known);
            listener.queue(Topic::Slos, [head, snapshot.all().0, tail]);
        }
        Ok(listener)
    }

    fn hears(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    /// What is sent next; `None`: the stream ends.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.waiting.pop_front() {
                self.spoken = Instant::now();
                return Some(chunk);
            }
            if self.is_over() {
                return None;
            }
            self.catch_up().await?;
            if !self.take_new()? && self.waiting.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Whether the process ends, it has gone on for long enough, or its client's token is not good any more.
    fn is_over(&self) -> bool {
        let stranger = self.who.as_ref().is_some_and(|who| !self.api.access.still(who, Scope::Read));
        stranger || self.api.shutdown.is_cancelled() || self.api.health.is_stopping() || Instant::now() >= self.ends
    }

    /// Transitions that it missed while it was away: from the log itself.
    async fn catch_up(&mut self) -> Option<()> {
        let Some(up_to) = self.missed_up_to.clone().filter(|_| self.hears(Topic::Alerts)) else { return Some(()) };
        let mut missed = Vec::new();
        let log = self.api.live.log().clone();
        let take = |transition: &AlertTransition, at: &Offsets| {
            missed.push((serde_json::to_vec(&Transition::from(transition)), at.clone()));
        };
        if self.alerts.read_on(log.as_ref(), &up_to, take).await.is_err() {
            // It comes back and asks again.
            return None;
        }
        let is_all = missed.is_empty() && self.alerts == up_to;
        for (data, at) in missed {
            self.alerts = at;
            self.queue(Topic::Alerts, [Bytes::from(data.unwrap_or_default())]);
        }
        if is_all {
            self.missed_up_to = None;
        }
        Some(())
    }

    /// The next that is new for all: whether there was any. It holds no more than that, so a client that does not read costs no more.
    /// `None` if it has missed some of it: it read too slowly.
    fn take_new(&mut self) -> Option<bool> {
        if self.missed_up_to.is_some() && self.hears(Topic::Alerts) {
            return Some(true);
        }
        match self.api.live.hub().at(self.place) {
            Ok(None) => Some(false),
            Ok(Some(frame)) => {
                self.place += 1;
                self.take(&frame);
                Some(true)
            }
            Err(Missed) => {
                TooSlow.emit();
                None
            }
        }
    }

    fn take(&mut self, frame: &Frame) {
        self.alerts = frame.alerts.clone();
        match frame.topic {
            // Older than what it was sent at first. Of the same tick there may be several: a definition comes or goes between two.
            Topic::Slos if frame.tick < self.tick => return,
            Topic::Slos => (self.tick, self.told_stale) = (frame.tick, false),
            Topic::Alerts => {}
        }
        if self.hears(frame.topic) {
            self.queue(frame.topic, [frame.data.clone()]);
        }
    }

    /// An event in pieces: its data is the same for all, and not copied.
    fn queue<const N: usize>(&mut self, topic: Topic, data: [Bytes; N]) {
        let id = Id { tick: self.tick, alerts: self.alerts.clone() };
        let head = format!("event: {}\nid: {}\ndata: ", topic.name(), id.text());
        self.waiting.push_back(Bytes::from(head));
        self.waiting.extend(data);
        self.waiting.push_back(Bytes::from_static(b"\n\n"));
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
            self.queue(Topic::Slos, [slos_data(b"", b"", &known)]);
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
