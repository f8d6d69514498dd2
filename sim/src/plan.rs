//! The plan of a seed: what producers send, what authors revise, which processes run, and how bad the weather is.

use std::sync::Arc;

use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::load;
use slipstream_role::definitions::SLO_KIND;
use slipstream_runtime::config::Routing;
use slipstream_schemas::records::{Definition, LabelMatcher, MatchOp, Silence};
use slipstream_schemas::{EventTime, RequestEvent, codec};

use crate::dice::Dice;
use crate::policy;
use crate::receiver::Manners;
use crate::weather::{BEGIN, Climate};

/// The services of these worlds, and their endpoints.
pub const SERVICES: [&str; 2] = ["s", "t"];
/// See [`SERVICES`].
pub const ENDPOINTS: [&str; 4] = ["w", "x", "y", "z"];
const SLOS: &str = include_str!("slos.yaml");
/// When events begin, milliseconds after the start of the world.
const EVENTS_FROM: i64 = 10_000;

/// A record that a producer sends.
#[derive(Debug, Clone)]
pub struct Send {
    /// When the broker receives it, milliseconds after the start of the world.
    pub at: i64,
    /// Partition of request-events.
    pub source: u32,
    /// For people.
    pub name: String,
    /// Its bytes.
    pub value: Vec<u8>,
    /// How far the broker's clock is off when it takes it, milliseconds.
    pub clock_off: i64,
    /// How much later it is visible, milliseconds.
    pub visible_after: i64,
}

/// A revision of a definition.
#[derive(Debug, Clone)]
pub struct Revise {
    /// When the broker takes it.
    pub at: i64,
    /// Its content.
    pub definition: Definition,
    /// How much later it is visible.
    pub visible_after: i64,
}

/// A silence that somebody adds, all of whose times are over when the faults end.
#[derive(Debug, Clone)]
pub struct Silenced {
    /// When the broker takes it.
    pub at: i64,
    /// What it says.
    pub silence: Silence,
    /// How much later it is visible.
    pub visible_after: i64,
}

/// The plan of a world.
#[derive(Debug, Clone)]
pub struct WorldPlan {
    /// Partitions of request-events.
    pub sources: u32,
    /// Partitions of what is keyed by SLO, series or alert.
    pub targets: u32,
    /// What is sent, in order.
    pub sends: Vec<Send>,
    /// What is revised, in order.
    pub revisions: Vec<Revise>,
    /// What is silenced, in order.
    pub silences: Vec<Silenced>,
    /// Who is told of what, and when not.
    pub routing: Arc<Routing>,
    /// When the roles start.
    pub start: i64,
    /// When the faults end.
    pub end: i64,
    /// How many tallies, burns and alerters there are at first, and how many of each notifier.
    pub crew: [usize; 4],
    /// How many threads each tally has.
    pub tally_threads: usize,
    /// How each receiver is.
    pub receivers: Vec<Manners>,
    /// How bad the weather is.
    pub climate: Climate,
    /// Mean time between two faults of a process or the log; `None` for no faults.
    pub blows_every: Option<i64>,
}

impl WorldPlan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> WorldPlan {
        let dice = Dice::new(seed, 0);
        let sources = dice.pick(&[1, 2, 2, 3]);
        let span = dice.pick(&[6_000, 15_000, 30_000]);
        // Long enough for a budget of a minute to be covered: only then may rules on budgets hold.
        let span = if Dice::new(seed, 5).in_thousand(200) { 80_000 } else { span };
        // In one world of five nothing goes wrong but what producers do.
        let calm = dice.in_thousand(200);
        let mut plan = WorldPlan {
            sources,
            targets: dice.pick(&[1, 2, 3]),
            sends: sends(&dice, sources, span),
            revisions: revisions(&dice, span),
            silences: silences(&Dice::new(seed, 3), span),
            routing: Arc::default(),
            start: dice.pick(&[0, 0, 0, 7_000, EVENTS_FROM, EVENTS_FROM + 5_000]),
            end: EVENTS_FROM + span + 12_000,
            crew: [dice.pick(&[1, 2, 2, 3]), dice.pick(&[1, 1, 2]), dice.pick(&[1, 1, 2]), dice.pick(&[1, 1, 2])],
            receivers: (0..dice.pick(&[1, 2])).map(|_| manners(&dice, calm)).collect(),
            climate: climate(&dice, calm),
            tally_threads: dice.pick(&[1, 1, 2]),
            blows_every: (!calm).then(|| dice.pick(&[400, 1_000, 1_000, 3_000, 10_000])),
        };
        plan.routing = Arc::new(policy::routing(&Dice::new(seed, 4), plan.receivers.len()));
        plan
    }
}

fn climate(dice: &Dice, calm: bool) -> Climate {
    if calm {
        return Climate { pause: dice.pick(&[0, 3]), short_fetches: dice.pick(&[0, 300]), ..Climate::default() };
    }
    Climate {
        pause: dice.pick(&[1, 3, 10, 40]),
        stalls: dice.pick(&[0, 1, 5]),
        transient: dice.pick(&[0, 10, 60]),
        commits: dice.pick(&[0, 30, 150, 400]),
        no_horizon: dice.pick(&[0, 100]),
        late_outputs: dice.pick(&[0, 200]),
        slow_looks: dice.pick(&[0, 0, 100]),
        short_fetches: dice.pick(&[0, 100, 600]),
    }
}

fn manners(dice: &Dice, calm: bool) -> Manners {
    if calm {
        return Manners::default();
    }
    Manners { unavailable: dice.pick(&[0, 0, 300]), broken: dice.pick(&[0, 0, 200]), mute: dice.pick(&[0, 100]) }
}

fn sends(dice: &Dice, sources: u32, span: i64) -> Vec<Send> {
    let bad_from = EVENTS_FROM + dice.between(0, span);
    let bad = bad_from..bad_from + dice.between(1_000, 12_000);
    let many = dice.pick(&[3, 20, 60, 200]);
    // A world where records become visible later than L7 allows, and one where the broker's clock is set back.
    let (late, set_back) = (dice.in_thousand(150), dice.in_thousand(150));
    let mut sends = Vec::new();
    for n in 0..many {
        let mut at = EVENTS_FROM + dice.between(0, span);
        let source = dice.below(sources as usize) as u32;
        let visible_after = match dice.below(10) {
            0 | 1 => dice.pick(&[100, 400, 450]),
            2 if late => dice.pick(&[1_500, 7_000]),
            _ => dice.pick(&[0, 5, 20]),
        };
        let clock_off = if set_back { dice.pick(&[0, 0, -5, -400, -700]) } else { 0 };
        let (name, value) = match dice.below(20) {
            0 => (format!("x{n}"), format!("no event {n}").into_bytes()),
            _ => event(dice, n, at, bad.contains(&at)),
        };
        let send = Send { at, source, name, value, clock_off, visible_after };
        sends.push(send.clone());
        // A producer without a response sends again.
        while dice.in_thousand(200) {
            at += dice.pick(&[1, 500, 3_000, 5_000, 9_000]);
            sends.push(Send {
                at,
                name: format!("{} again", send.name),
                clock_off: 0,
                visible_after: 20,
                ..send.clone()
            });
        }
    }
    sends.sort_by_key(|send| send.at);
    sends
}

fn event(dice: &Dice, n: usize, at: i64, badly: bool) -> (String, Vec<u8>) {
    let off = dice.pick(&[0, 0, 0, 0, -300, -2_500, -9_000, -33_000, -40 * 86_400_000, 60_000]);
    let bad = badly && dice.in_thousand(800);
    let latency = if bad { Some(900.0) } else { dice.pick(&[None, Some(20.0), Some(100.0), Some(900.0)]) };
    let event = RequestEvent {
        event_id: format!("e{n}"),
        time: EventTime((BEGIN + at + off) * 1_000),
        service: dice.pick(&["s", "s", "t"]).to_owned(),
        environment: String::new(),
        endpoint: dice.pick(&ENDPOINTS).to_owned(),
        method: "GET".to_owned(),
        status_code: if bad { 500 } else { 200 },
        latency_ms: latency,
        weight: dice.pick(&[1, 1, 10]),
        trace_id: None,
        user_ref: None,
        attributes: Default::default(),
    };
    let name = format!(
        "e{n} {:+} {}/{} {} {latency:?} x{}",
        off, event.service, event.endpoint, event.status_code, event.weight
    );
    (name, codec::encode(&event))
}

/// Of few worlds everything is told at once.
fn silences(dice: &Dice, span: i64) -> Vec<Silenced> {
    let mut silences: Vec<Silenced> = (0..dice.pick(&[0, 1, 2, 3])).map(|n| silenced(dice, n, span)).collect();
    // Some are expired early: the last record of an id counts.
    let early: Vec<Silenced> = silences.iter().filter(|_| dice.in_thousand(300)).cloned().collect();
    silences.extend(early.into_iter().map(|mut expired| {
        expired.at += dice.between(200, 4_000);
        let now = BEGIN + expired.at;
        expired.silence.to = expired.silence.to.map(|to| to.min(now).max(expired.silence.from));
        expired
    }));
    silences.sort_by_key(|silenced| silenced.at);
    silences
}

fn silenced(dice: &Dice, n: usize, span: i64) -> Silenced {
    let at = EVENTS_FROM + dice.between(0, span);
    let from = BEGIN + at + dice.pick(&[0, 0, -2_000, 1_500]);
    let (label, op, value) = dice.pick(&[
        ("slo", MatchOp::Eq, "a"),
        ("slo", MatchOp::Re, "a|b"),
        ("severity", MatchOp::Eq, "page"),
        ("severity", MatchOp::Ne, "page"),
    ]);
    let also = LabelMatcher { label: "alertname".to_owned(), op: MatchOp::Re, value: ".+".to_owned() };
    let matchers = vec![LabelMatcher { label: label.to_owned(), op, value: value.to_owned() }, also];
    let silence = Silence {
        id: format!("silence{n}"),
        matchers,
        from,
        to: Some(from + dice.pick(&[500, 3_000, 9_000])),
        recurrence: None,
        author: "simulation".to_owned(),
        reason: String::new(),
        created_at: BEGIN + at,
    };
    Silenced { at, silence, visible_after: dice.pick(&[0, 20, 300]) }
}

/// The definition of an SLO, or a Rule, in a document.
fn definition(name: &str, text: &str) -> Definition {
    let loaded = load(&[SourceFile { path: "slos.yaml".to_owned(), text: text.to_owned() }]);
    assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
    let document = loaded.documents.into_iter().find(|d| d.name == name).unwrap_or_else(|| panic!("no SLO {name}"));
    let (kind, name, author) = (document.kind, name.to_owned(), "simulation".to_owned());
    Definition { kind, name, document: Some(document.text), author }
}

fn deleted(name: &str) -> Definition {
    Definition { kind: SLO_KIND.to_owned(), name: name.to_owned(), document: None, author: "simulation".to_owned() }
}

fn revisions(dice: &Dice, span: i64) -> Vec<Revise> {
    let visible_after = dice.pick(&[0, 20, 300, 1_900]);
    let mut revisions = Vec::new();
    let mut revise = |at: i64, definition| revisions.push(Revise { at, definition, visible_after });
    for name in ["a", "b", "c", "d"] {
        revise(dice.between(500, 5_000), definition(name, SLOS));
    }
    let retargeted = SLOS.replace("target: 0.8", "target: 0.6");
    let other_meaning = SLOS.replacen("filter: status_code < 500", "filter: latency_ms <= 500.0", 1);
    let ungrouped = SLOS.replace(", groupBy: [endpoint]", "");
    let renamed = SLOS.replace("metadata: {name: page}", "metadata: {name: urgent}").replace("[page", "[urgent");
    let later = [
        definition("a", SLOS),
        definition("a", &retargeted),
        definition("a", &retargeted),
        definition("a", &other_meaning),
        definition("a", &other_meaning),
        definition("a", &renamed),
        deleted("a"),
        definition("b", SLOS),
        definition("b", &ungrouped),
        deleted("b"),
        deleted("c"),
    ];
    for _ in 0..dice.pick(&[0, 1, 1, 2, 4]) {
        revise(EVENTS_FROM - 4_000 + dice.between(0, span + 4_000), dice.pick(&later));
    }
    revisions.sort_by_key(|revision| revision.at);
    revisions
}
