//! What must hold of a world at rest. The oracles are those of the other tests: the recount and the verdicts of the
//! testkit, and the folds' own recount of every value of every series.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use slipstream_definitions::openslo::parse_document;
use slipstream_log::{Fetch, Log, SharedLog, TopicPartition};
use slipstream_oracles::history::{Event, History, REDELIVERY_MS};
use slipstream_oracles::recount::{Cell, CellName, accepted, cells, evaluate};
use slipstream_oracles::value::Value;
use slipstream_replay::{Asked, ReplayError, Sources, replay};
use slipstream_role::burn_state::current_states;
use slipstream_role::definitions::{DefinitionReader, RULE_KIND, SLO_KIND};
use slipstream_role::names::TALLY;
use slipstream_schemas::records::{AlertTransition, BurnRates, TallyBatch, TransitionKind};
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::alerts::OpenAlerts;
use slipstream_slo::scale::Scale;
use slipstream_testkit::recount::{Accepted, recount};
use slipstream_testkit::replays::{Compared, r1};
use slipstream_testkit::verdict;

use crate::plan::{ENDPOINTS, SERVICES};
use crate::told;
use crate::world::{CUT_DELAY_MS, World};

/// The result of a world.
#[derive(Debug, Clone, Default)]
pub struct WorldSummary {
    /// Events that count, that were dropped as redelivered, and dead letters.
    pub events: (usize, usize, usize),
    /// Events below a horizon that had been published.
    pub undercut: usize,
    /// Ticks that partitions evaluated, and how many of them without a source.
    pub ticks: (u64, u64),
    /// Burn rates that were compared with the recount, of those published.
    pub rates: (usize, usize),
    /// Transitions of alerts.
    pub transitions: usize,
    /// Rules that held when their alert fired or became worse.
    pub held: BTreeMap<String, usize>,
    /// Deliveries that receivers took.
    pub deliveries: usize,
    /// What became of notifications: how many, by outcome and reason.
    pub fates: BTreeMap<(&'static str, &'static str), usize>,
    /// Episodes of alerts that a replay gave again.
    pub replayed: Compared,
}

impl WorldSummary {
    /// Adds the result of another world.
    pub fn add(&mut self, other: &WorldSummary) {
        let (events, more) = (&mut self.events, other.events);
        (events.0, events.1, events.2) = (events.0 + more.0, events.1 + more.1, events.2 + more.2);
        self.undercut += other.undercut;
        self.ticks = (self.ticks.0 + other.ticks.0, self.ticks.1 + other.ticks.1);
        self.rates = (self.rates.0 + other.rates.0, self.rates.1 + other.rates.1);
        self.transitions += other.transitions;
        for (rule, count) in &other.held {
            *self.held.entry(rule.clone()).or_default() += count;
        }
        self.deliveries += other.deliveries;
        for (fate, count) in &other.fates {
            *self.fates.entry(*fate).or_default() += count;
        }
        self.replayed.add(&other.replayed);
    }
}

/// Checks everything; an error starts with the property that does not hold.
pub async fn judge(world: &World) -> Result<WorldSummary> {
    let log: &dyn Log = world.log.as_ref();
    let counted = recount(log, REDELIVERY_MS).await?;
    let mut all = WorldSummary {
        events: (counted.accepted.len(), counted.redelivered, counted.invalid),
        ..WorldSummary::default()
    };
    verdict::tallies_join(log).await?;
    covered(log).await?;
    ensure!(dead_letters(log).await? == counted.invalid, "L2: dead letters");
    let (history, undercut) = history(log, &counted.accepted).await?;
    all.undercut = undercut;
    tallies(log, &history).await?;
    let (rates, incomplete, ticks) = refold(log).await?;
    let partitions = u64::from(log.partitions(Topic::SliTallies).await?);
    // Between the two log times of a record that broke L7 the sequence is not defined.
    let disturbed = incomplete + undercut as u64;
    all.ticks = ((ticks.1 - ticks.0).max(0) as u64 * partitions, incomplete);
    all.rates = (complete_ticks(&rates, &history, ticks, disturbed)?, rates.len());
    let transitions = alerts(log, &history, ticks, disturbed).await?;
    all.transitions = transitions.len();
    let worse = transitions.iter().filter(|t| matches!(t.kind, TransitionKind::Firing | TransitionKind::Severity));
    for value in worse.flat_map(|t| &t.values) {
        *all.held.entry(value.rule.clone()).or_default() += 1;
    }
    (all.deliveries, all.fates) = told::receivers(world).await?;
    p4(Arc::clone(&world.log) as SharedLog).await?;
    all.replayed = replayed(Arc::clone(&world.log) as SharedLog).await?;
    Ok(all)
}

/// P1: at the end every record is covered.
async fn covered(log: &dyn Log) -> Result<()> {
    for partition in 0..log.partitions(Topic::RequestEvents).await? {
        let place = TopicPartition { topic: Topic::RequestEvents, partition };
        let (committed, (_, end)) = (log.committed(TALLY, place).await?, log.bounds(place).await?);
        let at = committed.unwrap_or_default().offset;
        ensure!(at == end, "P1: {place} is committed up to {at} of {end}");
    }
    Ok(())
}

/// L2: every dead letter is there once, with its bytes. Returns how many there are.
async fn dead_letters(log: &dyn Log) -> Result<usize> {
    let mut letters = BTreeSet::new();
    for partition in 0..log.partitions(Topic::DeadLetters).await? {
        let place = TopicPartition { topic: Topic::DeadLetters, partition };
        for record in log.read(place, 0, i64::MAX, Fetch::default()).await?.iter() {
            let number = |name: &str| -> Result<i64> {
                let value = record.header(name).context("L2: a header is missing")?;
                Ok(std::str::from_utf8(value)?.parse()?)
            };
            let (source, offset) = (number("slipstream-partition")? as u32, number("slipstream-offset")?);
            ensure!(letters.insert((source, offset)), "L2: the dead letter of {source}/{offset} exists twice");
            let from = TopicPartition { topic: Topic::RequestEvents, partition: source };
            let original = log.read(from, offset, offset + 1, Fetch::default()).await?;
            let same = original.get(0).is_some_and(|o| o.value() == record.value());
            ensure!(same, "L2: the dead letter of {source}/{offset} has other bytes");
        }
    }
    Ok(letters.len())
}

/// The log as input for the recount: what was accepted, with the log time at which it became known. That is the
/// record's own, unless it became visible after a later log time had been published (L7 broken): then it is the latter.
async fn history(log: &dyn Log, accepted: &[Accepted]) -> Result<(History, usize)> {
    let stamps = stamps(log).await?;
    let mut sources = vec![Vec::new(); log.partitions(Topic::RequestEvents).await? as usize];
    let mut undercut = 0;
    for Accepted { partition, offset, log_time, event } in accepted {
        let before = stamps.get(&(*partition as i32)).and_then(|s| s.range(..=offset).next_back());
        let (_, told) = before.with_context(|| format!("P1: {partition}/{offset} is not covered"))?;
        undercut += usize::from(told > log_time);
        // Its slot is by its own log time all the same.
        let time = (event.time.0 / 1_000).min(log_time.0);
        let known = *log_time.max(told);
        let generation = |at: LogTime| at.0.div_euclid(REDELIVERY_MS);
        let near = |at: &LogTime| generation(*at) >= generation(known) - 1;
        let same = |(at, e): &(LogTime, Option<Event>)| near(at) && e.as_ref().is_some_and(|e| e.id == event.event_id);
        let named = |of: &[&'static str], name: &str| of.iter().find(|n| **n == name).copied().unwrap_or("?");
        // A copy after the redelivery window counts, even if that log time is no longer so far away.
        let again = if sources[*partition as usize].iter().any(same) { format!("#{offset}") } else { String::new() };
        let event = Event {
            id: format!("{}{again}", event.event_id),
            time,
            service: named(&SERVICES, &event.service),
            endpoint: named(&ENDPOINTS, &event.endpoint),
            status: event.status_code as u16,
            latency: event.latency_ms,
            weight: event.weight as u32,
        };
        sources[*partition as usize].push((known, Some(event)));
    }
    let mut revisions = Vec::new();
    for revision in DefinitionReader::default().read_new(log).await? {
        if ![SLO_KIND, RULE_KIND].contains(&revision.definition.kind.as_str()) {
            continue;
        }
        let name =
            ["a", "b", "c", "d"].into_iter().find(|n| *n == revision.definition.name).context("an unknown SLO")?;
        let slo = revision.definition.document.as_deref().map(parse_document).transpose();
        let slo = slo.map_err(|found| anyhow::anyhow!("{found:?}"))?;
        revisions.push((revision.log_time, name, slo));
    }
    let end = i64::MAX;
    Ok((History { sources, revisions, targets: 0, cut_delay_ms: CUT_DELAY_MS, end }, undercut))
}

/// Per source and first offset of a step: the log time that had been published before it.
async fn stamps(log: &dyn Log) -> Result<BTreeMap<i32, BTreeMap<i64, LogTime>>> {
    let place = TopicPartition { topic: Topic::SliTallies, partition: 0 };
    let (mut next, end) = log.bounds(place).await?;
    let (mut stamps, mut told) = (BTreeMap::<i32, BTreeMap<i64, LogTime>>::new(), BTreeMap::<i32, LogTime>::new());
    while next < end {
        let batch = log.read(place, next, end, Fetch::default()).await?;
        for record in batch.iter() {
            let tally: TallyBatch = slipstream_schemas::codec::decode(record.value().unwrap_or_default())?;
            let before = told.insert(tally.source, tally.stamp).unwrap_or_default();
            ensure!(tally.stamp >= before, "P1: the stamp of source {} goes back", tally.source);
            stamps.entry(tally.source).or_default().insert(tally.from, before);
        }
        next = batch.next;
    }
    Ok(stamps)
}

type Sums = (i64, i64, i64);

/// P2: for any series, tick and slot the tallies are the weighted count over accepted events.
async fn tallies(log: &dyn Log, history: &History) -> Result<()> {
    let mut tallied: BTreeMap<CellName, Sums> = BTreeMap::new();
    let batches: Vec<TallyBatch> = verdict::all(log, Topic::SliTallies).await?;
    for entry in batches.iter().flat_map(|batch| &batch.entries) {
        let series = (entry.slo.clone(), entry.generation, entry.objective.clone(), entry.group.clone());
        let sum = tallied.entry((series, entry.tick, entry.slot)).or_default();
        *sum = (sum.0 + entry.good, sum.1 + entry.total, sum.2 + entry.unknown);
    }
    let counts = |cell: &Cell| (cell.good, cell.total, cell.unknown);
    let counted = cells(history, &everything(history));
    let counted: BTreeMap<CellName, Sums> = counted.iter().map(|(name, cell)| (name.clone(), counts(cell))).collect();
    for name in counted.keys().chain(tallied.keys()) {
        let (counted, tallied) = (counted.get(name), tallied.get(name));
        ensure!(counted == tallied, "P2: {name:?}: counted {counted:?}, tallied {tallied:?}");
    }
    Ok(())
}

fn everything(history: &History) -> Vec<(i64, Event)> {
    let upto: Vec<usize> = history.sources.iter().map(Vec::len).collect();
    accepted(history, &upto)
}

/// P3a, P4, L2: what was published through all crashes is what one fold in one go publishes, neither more nor less.
/// Returns what was published, how many ticks were incomplete, and the ticks evaluated by everybody.
async fn refold(log: &dyn Log) -> Result<(Vec<BurnRates>, u64, (i64, i64))> {
    let published: Vec<BurnRates> = verdict::all(log, Topic::BurnRates).await?;
    verdict::burn_rates_refold(log).await?;
    let (folds, folded) = verdict::folds(log).await?;
    ensure!(folded.len() == published.len(), "P3a: {} published, {} folded", published.len(), folded.len());
    let incomplete = folds.iter().map(|burn| burn.incomplete_ticks()).sum();
    let first = verdict::revisions(log).await?.first_cut(i64::MAX).map_or(0, |cut| cut.tick());
    let next = folds.iter().map(|burn| burn.next_tick().unwrap_or(first)).min().unwrap_or(first);
    Ok((published, incomplete, (first, next)))
}

/// P3b: every value published at a complete tick is the recount's; if no tick is incomplete, so is the sequence.
/// Returns how many were compared.
fn complete_ticks(rates: &[BurnRates], history: &History, (first, next): (i64, i64), disturbed: u64) -> Result<usize> {
    let want = evaluate(history, &Scale::REAL, first, next);
    let (mut compared, remembering) = (0, history.remembering());
    for rates in rates.iter().filter(|r| r.complete && !r.retired && r.tick < next) {
        let series = (rates.slo.clone(), rates.generation, rates.objective.clone(), rates.group.clone());
        let value = want.values.get(&(series, rates.tick));
        let value = value.with_context(|| format!("P3b: series should not exist: {rates:#?}"))?;
        let got = Value::of(rates);
        let told = |rule: &str| disturbed == 0 || !remembering.contains(rule);
        let told = |v: &Value| v.conditions.iter().filter(|c| told(&c.rule)).cloned().collect::<Vec<_>>();
        let holds = |v: &Value| told(v).into_iter().map(|c| (c.rule, c.holds)).collect::<Vec<_>>();
        let same = (&got.windows, got.unknown, got.too_late, got.remaining, got.period_start, got.previous)
            == (&value.windows, value.unknown, value.too_late, value.remaining, value.period_start, value.previous)
            && holds(&got) == holds(value);
        ensure!(same, "P3b: published {got:#?}, counted {value:#?}");
        compared += 1;
    }
    if disturbed == 0 {
        let got: BTreeMap<_, _> = rates.iter().filter(|r| r.tick < next).map(Value::of).map(by_name).collect();
        let want: BTreeMap<_, _> = want.published.into_iter().map(by_name).collect();
        for name in got.keys().chain(want.keys()) {
            let (got, want) = (got.get(name), want.get(name));
            ensure!(got == want, "P3b, all ticks complete: published {got:#?}, counted {want:#?}");
        }
    }
    Ok(compared)
}

type PublishedName = (i64, String, String, Vec<String>, i64, bool);

/// The last value of a retired series is not compared: it does not count any more.
fn by_name(mut value: Value) -> (PublishedName, Value) {
    if value.retired {
        (value.too_late, value.exemplars, value.unknown) = (0, Vec::new(), 0);
    }
    let (slo, objective, group) = (value.slo.clone(), value.objective.clone(), value.group.clone());
    ((value.tick, slo, objective, group, value.generation, !value.retired), value)
}

/// A1, A2, and, if no tick is incomplete, the transitions of the recount.
async fn alerts(
    log: &dyn Log,
    history: &History,
    (first, next): (i64, i64),
    disturbed: u64,
) -> Result<Vec<AlertTransition>> {
    let transitions = verdict::transitions_replay(log).await?;
    let replayed = verdict::replayed(log).await?.len();
    ensure!(replayed == transitions.len(), "A1: {} published, {replayed} replayed", transitions.len());
    grammar(&transitions)?;
    ends(log, &transitions).await?;
    if disturbed == 0 {
        let outline = |t: &AlertTransition| {
            (t.alert_id.clone(), t.episode, t.seq, format!("{:?}", t.kind), t.tick, t.severity.clone())
        };
        let got: BTreeSet<_> = transitions.iter().filter(|t| t.tick < next).map(outline).collect();
        let want: BTreeSet<_> = recounted_alerts(log, history, (first, next)).await?.iter().map(outline).collect();
        let differ: Vec<_> = got.symmetric_difference(&want).take(4).collect();
        ensure!(differ.is_empty(), "A1: transitions of the pipeline and of the recount differ: {differ:#?}");
    }
    Ok(transitions)
}

/// The alerter over the recount's burn rates.
async fn recounted_alerts(log: &dyn Log, history: &History, (first, next): (i64, i64)) -> Result<Vec<AlertTransition>> {
    let revisions = verdict::revisions(log).await?;
    let mut published = evaluate(history, &Scale::REAL, first, next).published;
    published.sort_by_key(|v| (v.tick, !v.retired));
    let mut open = OpenAlerts::default();
    Ok(published.iter().map(Value::rates).flat_map(|rates| open.decide(&rates, &revisions)).collect())
}

/// A2: at most one firing and one resolved in an episode, no resolved without its firing, nothing after the end.
fn grammar(transitions: &[AlertTransition]) -> Result<()> {
    let mut sorted: Vec<&AlertTransition> = transitions.iter().collect();
    sorted.sort_by_key(|t| (t.alert_id.clone(), t.episode, t.seq));
    let mut episodes: BTreeMap<(&str, i64), Vec<TransitionKind>> = BTreeMap::new();
    for t in sorted {
        let before = episodes.entry((&t.alert_id, t.episode)).or_default();
        let over = matches!(before.last(), Some(TransitionKind::Resolved | TransitionKind::Inactive));
        let fired = before.contains(&TransitionKind::Firing);
        ensure!(!over, "A2: continues after its end: {t:#?}");
        ensure!(t.seq as usize == before.len() + 1, "A2: {before:?}, then {t:#?}");
        match t.kind {
            TransitionKind::Firing => ensure!(!fired, "A2: fires twice: {t:#?}"),
            TransitionKind::Resolved => ensure!(fired, "A2: never fired: {t:#?}"),
            _ => {}
        }
        before.push(t.kind);
    }
    Ok(())
}

/// On incomplete data nothing ends but what is retired.
async fn ends(log: &dyn Log, transitions: &[AlertTransition]) -> Result<()> {
    let rates: Vec<BurnRates> = verdict::all(log, Topic::BurnRates).await?;
    let retired = |t: &AlertTransition| {
        let group = || t.group.iter().map(|label| &label.value);
        let same = |r: &&BurnRates| (&r.slo, &r.objective, r.tick) == (&t.slo, &t.objective, t.tick);
        rates.iter().filter(same).any(|r| r.retired && r.group.iter().eq(group()))
    };
    let kinds = [TransitionKind::Inactive, TransitionKind::Keeping, TransitionKind::Resolved];
    let wrong = transitions.iter().find(|t| !t.complete && kinds.contains(&t.kind) && !retired(t));
    ensure!(wrong.is_none(), "A2: ends on incomplete data: {wrong:#?}");
    Ok(())
}

/// R1, R2: a replay of the log gives the alerts that the roles gave, whatever the threads.
async fn replayed(log: SharedLog) -> Result<Compared> {
    let mut told: Option<Vec<AlertTransition>> = None;
    let sources = Sources { log: log.clone(), store: None };
    for threads in [1, 2, 8] {
        let asked = Asked { threads: Some(threads), budgets: true, ..Asked::default() };
        let found = match replay(&sources, &asked, &Arc::default()).await {
            Err(ReplayError::Range(_)) => return Ok(Compared::default()),
            found => found?,
        };
        let alerts = found.told.transitions();
        ensure!(told.as_ref().is_none_or(|told| *told == alerts), "R2: {threads} threads give other alerts");
        told = Some(alerts);
    }
    r1(log.as_ref(), &told.unwrap_or_default()).await
}

/// P4: the state restored from the snapshots and the later tallies equals that of a fold without restarts.
async fn p4(log: SharedLog) -> Result<()> {
    let restored = current_states(&log).await?;
    let revisions = verdict::revisions(log.as_ref()).await?;
    let mut folded = Vec::new();
    for burn in verdict::folds(log.as_ref()).await?.0 {
        folded.extend(burn.states(&revisions)?);
    }
    let differ = restored.iter().zip(&folded).find(|(restored, folded)| restored != folded);
    let counts = (restored.len(), folded.len());
    ensure!(restored == folded, "P4: {counts:?} series, restored and folded in one go: {differ:#?}");
    Ok(())
}
