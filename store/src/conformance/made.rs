//! Made data: random events with known answers, and records of the other topics.

use slipstream_schemas::records::{
    AlertTransition, AlertValue, BudgetUnit, BurnRates, Exemplar, GroupLabel, Notification, Outcome, TransitionKind,
    WindowRates,
};
use slipstream_schemas::{EventTime, EventView, LogTime, RequestEvent, Topic};

use crate::events::Events;
use crate::port::{PositionMove, WriteBatch};
use crate::rollup;

/// Where the events of the suite begin: a whole minute.
pub const BEGIN: i64 = 1_700_000_040_000_000;

/// Splitmix64 (Steele, Lea, Flood 2014): the same seed, the same data, in every adapter's test.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    /// One of some.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// `n` random events over some minutes: weighted, some without latency, some with all there can be.
pub fn events(dice: &mut Dice, n: usize) -> Vec<RequestEvent> {
    (0..n)
        .map(|i| RequestEvent {
            event_id: format!("event-{i}"),
            time: EventTime(BEGIN + dice.below(7 * 60_000_000) as i64),
            service: dice.one_of(&["checkout", "cart", "payment \"q\" \\ ü"]).to_owned(),
            environment: dice.one_of(&["", "production"]).to_owned(),
            endpoint: dice.one_of(&["/orders", "/orders/{id}", "/health"]).to_owned(),
            method: dice.one_of(&["GET", "POST"]).to_owned(),
            status_code: dice.one_of(&[200, 200, 200, 204, 302, 404, 499, 500, 503]),
            latency_ms: match dice.below(10) {
                0 => None,
                1 => Some(0.0),
                _ => Some((dice.below(12_000_000) as f64 / 1_000_000.0).exp()),
            },
            weight: dice.one_of(&[1, 1, 1, 7, 1000]),
            trace_id: (dice.below(3) == 0).then(|| format!("{:032x}", dice.below(5))),
            user_ref: (dice.below(4) == 0).then(|| format!("user {}", dice.below(9))),
            attributes: (0..dice.below(3)).map(|k| (format!("key \"{k}\""), format!("välue\t{k}"))).collect(),
        })
        .collect()
}

/// A borrowed view, as the sink's decoder gives it.
pub fn view(event: &RequestEvent) -> EventView<'_> {
    EventView {
        event_id: event.event_id.as_str().into(),
        time: event.time,
        service: event.service.as_str().into(),
        environment: event.environment.as_str().into(),
        endpoint: event.endpoint.as_str().into(),
        method: event.method.as_str().into(),
        status_code: event.status_code as u16,
        latency_ms: event.latency_ms,
        weight: event.weight as u32,
        trace_id: event.trace_id.as_deref().map(Into::into),
        user_ref: event.user_ref.as_deref().map(Into::into),
        attributes: event.attributes.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect(),
    }
}

/// A batch of events at consecutive offsets of partition 0, from `from` on.
pub fn batch(events: &[RequestEvent], from: Option<i64>, log_time: i64) -> WriteBatch {
    let mut packed = Events::new();
    let first = from.unwrap_or(0);
    for (i, event) in events.iter().enumerate() {
        packed.push(0, first + i as i64, LogTime(log_time), &view(event));
    }
    let to = first + events.len() as i64;
    let rollups = rollup::fold(&packed);
    let positions = vec![moved(Topic::RequestEvents, from, to, log_time)];
    WriteBatch { events: packed, rollups, positions, ..WriteBatch::default() }
}

/// A move of partition 0 of a topic.
pub fn moved(topic: Topic, from: Option<i64>, to: i64, log_time: i64) -> PositionMove {
    PositionMove { topic, partition: 0, from, to, log_time: LogTime(log_time) }
}

/// Burn rates of a series at a tick.
pub fn burn_rates(slo: &str, group: &[&str], generation: i64, tick: i64) -> BurnRates {
    let window = |seconds: i64| WindowRates { seconds, slot_seconds: 10, good: tick, total: tick + seconds, burn: 1.5 };
    BurnRates {
        slo: slo.to_owned(),
        objective: "0".to_owned(),
        group: group.iter().map(|value| (*value).to_owned()).collect(),
        generation,
        tick,
        revision: 3,
        complete: true,
        retired: false,
        windows: vec![window(300), window(3_600)],
        sli: Some(1.0 / 3.0),
        budget_total: 12.5,
        budget_remaining: -0.25,
        exhaustion_at: None,
        conditions: Vec::new(),
        unknown: 1,
        too_late: 2,
        covered_from: 7,
        sources_current: 1,
        sources: 1,
        exemplars: vec![Exemplar { event_id: "event-1".to_owned(), trace_id: None, time: 5 }],
        unit: BudgetUnit::Events,
        target: None,
        period_start: None,
        previous: None,
    }
}

/// A transition of the alert `id`.
pub fn transition(id: &str, episode: i64, seq: i32, kind: TransitionKind) -> AlertTransition {
    let tick = episode + 10 * i64::from(seq - 1);
    let value = |rule: &str, window_seconds, burn| AlertValue {
        rule: rule.to_owned(),
        window_seconds,
        burn,
        threshold: 14.4,
        ..AlertValue::default()
    };
    let ripe = !matches!(kind, TransitionKind::Pending | TransitionKind::Inactive);
    AlertTransition {
        alert_id: id.to_owned(),
        episode,
        seq,
        slo: format!("slo-of-{id}"),
        service: "checkout".to_owned(),
        objective: "0".to_owned(),
        group: vec![GroupLabel { name: "endpoint".to_owned(), value: "/orders".to_owned() }],
        rule_set: "burn".to_owned(),
        rule: "1h/5m".to_owned(),
        severity: if ripe { "page".to_owned() } else { String::new() },
        kind,
        tick,
        fired_at: ripe.then_some(episode + 10),
        values: vec![value("1h/5m", 300, 40.0), value("1h/5m", 3_600, 20.0), value("3d/6h", 259_200, 2.0)],
        generation: 1,
        complete: true,
        labels: Vec::new(),
        annotations: Vec::new(),
        exemplars: Vec::new(),
        rule_kind: "burnrate".to_owned(),
        withdrawn: false,
        holds_since: None,
    }
}

/// What became of a transition.
pub fn notification(id: &str, seq: i32) -> Notification {
    Notification {
        alert_id: id.to_owned(),
        episode: 100,
        seq,
        receiver: "ops".to_owned(),
        outcome: Outcome::Delivered,
        status: Some(200),
        attempts: 1,
        detail: "OK".to_owned(),
        at: 111_000,
        ..Notification::default()
    }
}
