//! A pipeline in memory: the real folds, driven by a schedule over a history. Loops, positions and commits as the roles
//! have them, without their I/O.

use std::collections::BTreeMap;

use slipstream_oracles::history::{BEGIN, HORIZON_MS, History, Op, REDELIVERY_MS, SMALL, Schedule};
use slipstream_schemas::records::{BurnChunk, BurnRates, Settings, TallyBatch};
use slipstream_schemas::{LogTime, codec};
use slipstream_slo::burn::Burn;
use slipstream_slo::redelivery::Memory;
use slipstream_slo::revision::Revisions;
use slipstream_slo::tally::{Decided, Tally, look_limit, pace_limit};

const CHUNKS: u32 = 2;

struct Own {
    tally: Tally,
    step: Option<Decided<()>>,
}

impl Own {
    fn stamp(&self) -> LogTime {
        self.step.as_ref().map_or(self.tally.stamp(), |step| step.stamp_before)
    }
}

#[derive(Default)]
struct Process {
    revisions: Revisions,
    read_before: LogTime,
    own: BTreeMap<usize, Own>,
}

pub struct World<'a> {
    history: &'a History,
    now: i64,
    processes: Vec<Process>,
    owner: Vec<usize>,
    /// Committed offset and log time per source.
    pub positions: Vec<(usize, LogTime)>,
    /// What is in sli-tallies, per partition.
    pub tallies: Vec<Vec<TallyBatch>>,
    burns: Vec<Burn>,
    committed: Vec<usize>,
    snapshots: Vec<Vec<Vec<u8>>>,
    /// What is in burn-rates, per partition.
    pub rates: Vec<Vec<BurnRates>>,
    definitions: Revisions,
}

pub fn play<'a>(history: &'a History, schedule: &Schedule) -> World<'a> {
    let targets = history.targets as usize;
    let mut world = World {
        history,
        now: BEGIN - 10_000,
        processes: (0..schedule.owners).map(|_| Process::default()).collect(),
        owner: (0..history.sources.len()).map(|s| s % schedule.owners).collect(),
        positions: vec![(0, LogTime(0)); history.sources.len()],
        tallies: vec![Vec::new(); targets],
        burns: (0..targets).map(|t| new_burn(history, t)).collect(),
        committed: vec![0; targets],
        snapshots: vec![Vec::new(); targets],
        rates: vec![Vec::new(); targets],
        definitions: Revisions::new(),
    };
    (0..history.sources.len()).for_each(|source| world.assign(source));
    for op in &schedule.ops {
        world.happen(op);
        if schedule.healthy && matches!(op, Op::Advance(_)) {
            world.work();
        }
    }
    world.drain();
    world
}

/// All definitions that are visible at `now`.
pub fn read_definitions(history: &History, revisions: &mut Revisions, now: i64) {
    if revisions.end() == 0 {
        let settings = Settings { redelivery_window_ms: REDELIVERY_MS, cut_delay_ms: history.cut_delay_ms };
        revisions.apply_settings(0, settings).unwrap();
    }
    for (i, (at, name, slo)) in history.revisions.iter().enumerate() {
        if at.0 <= now && i as i64 + 1 >= revisions.end() {
            revisions.apply_slo(i as i64 + 1, *at, name, slo.clone()).unwrap();
        }
    }
}

pub fn new_burn(history: &History, target: usize) -> Burn {
    Burn::new(target as u32, history.targets, CHUNKS, SMALL)
}

/// Folds all tallies of a partition in one go.
pub fn refold(world: &World<'_>, target: usize) -> (Burn, Vec<BurnRates>) {
    let mut revisions = Revisions::new();
    read_definitions(world.history, &mut revisions, i64::MAX);
    let mut burn = new_burn(world.history, target);
    let apply = |(offset, batch)| burn.apply(offset as i64, batch, &revisions).unwrap();
    let rates = world.tallies[target].iter().enumerate().flat_map(apply).collect();
    (burn, rates)
}

impl World<'_> {
    /// The state of burn that lived through the schedule.
    pub fn chunks(&self, target: usize) -> Vec<BurnChunk> {
        all_chunks(&self.burns[target])
    }

    fn end(&self, source: usize) -> usize {
        self.history.sources[source].partition_point(|(at, _)| at.0 <= self.now)
    }

    /// Embedded, the writer's time is exact; a broker's is behind.
    fn horizon(&self) -> LogTime {
        LogTime(self.now - if self.history.cut_delay_ms == 0 { 0 } else { HORIZON_MS })
    }

    fn assign(&mut self, source: usize) {
        let (next, stamp) = self.positions[source];
        let mut memory = Memory::new(REDELIVERY_MS);
        let from = memory.rebuild_from(stamp);
        for (at, event) in self.history.sources[source][..next].iter().filter(|(at, _)| *at >= from) {
            event.iter().for_each(|event| {
                memory.first(&event.id, *at);
            });
        }
        let sources = self.history.sources.len() as i32;
        let tally = Tally::new(source as i32, sources, self.history.targets, next as i64, stamp, memory);
        self.processes[self.owner[source]].own.insert(source, Own { tally, step: None });
    }

    fn readable(&self, source: usize, own: &Own) -> bool {
        own.step.is_some() || (own.tally.next_offset() as usize) < self.end(source)
    }

    fn look(&mut self, process: usize) {
        let own = self.processes[process].own.keys();
        let newest = |s: &usize| self.history.sources[*s][..self.end(*s)].last().map(|(at, _)| *at);
        let read_before = own.filter_map(newest).max().unwrap_or_default().max(self.horizon());
        let (history, now) = (self.history, self.now);
        let process = &mut self.processes[process];
        read_definitions(history, &mut process.revisions, now);
        process.read_before = process.read_before.max(read_before);
    }

    /// The limit of a step, and the least stamp of the other partitions that have something to read.
    fn limits(&mut self, source: usize) -> (LogTime, Option<LogTime>) {
        if self.history.cut_delay_ms == 0 {
            self.look(self.owner[source]);
        }
        let process = &self.processes[self.owner[source]];
        let readable = || process.own.iter().filter(|(s, own)| self.readable(**s, own));
        let reach = readable().map(|(s, own)| {
            let next = self.history.sources[*s].get(own.tally.next_offset() as usize).map(|(at, _)| *at);
            if own.step.is_some() { own.stamp() } else { own.stamp().max(next.unwrap_or_default()) }
        });
        let low = readable().filter(|(s, _)| **s != source).map(|(_, own)| own.stamp()).min();
        (pace_limit(reach).min(look_limit(process.read_before)), low)
    }

    fn step(&mut self, source: usize, records: usize) {
        let (limit, low) = self.limits(source);
        let end = self.end(source);
        let Process { revisions, own, .. } = &mut self.processes[self.owner[source]];
        let Some(own) = own.get_mut(&source).filter(|own| own.step.is_none()) else { return };
        let next = own.tally.next_offset() as usize;
        let mut step = own.tally.begin(revisions, limit);
        for (i, (at, event)) in self.history.sources[source][..end].iter().enumerate().skip(next).take(records) {
            let view = event.as_ref().map(|event| event.view());
            step.push(i as i64, *at, view.as_ref().ok_or(())).unwrap();
        }
        own.step = step.finish(low);
    }

    fn idle(&mut self, source: usize) {
        let (limit, low) = self.limits(source);
        let (end, horizon) = (self.end(source) as i64, self.horizon());
        let Process { revisions, own, .. } = &mut self.processes[self.owner[source]];
        if let Some(own) = own.get_mut(&source).filter(|own| own.step.is_none()) {
            own.step = own.tally.idle(revisions, end, horizon, limit, low);
        }
    }

    fn commit(&mut self, source: usize) {
        let own = self.processes[self.owner[source]].own.get_mut(&source);
        let Some(step) = own.and_then(|own| own.step.take()) else { return };
        assert_eq!((step.from as usize, step.stamp_before), self.positions[source], "a step begins at the position");
        self.positions[source] = (step.to as usize, step.stamp);
        for (target, batch) in step.batches {
            self.tallies[target as usize].push(batch);
        }
    }

    fn fold(&mut self, target: usize, batches: usize) -> Vec<BurnRates> {
        read_definitions(self.history, &mut self.definitions, self.now);
        let from = self.burns[target].position() as usize;
        let mut rates = Vec::new();
        for (offset, batch) in self.tallies[target].iter().enumerate().skip(from).take(batches) {
            rates.extend(self.burns[target].apply(offset as i64, batch, &self.definitions).unwrap());
        }
        rates
    }

    fn burn(&mut self, target: usize, batches: usize, chunk: Option<i32>) {
        let rates = self.fold(target, batches);
        let position = self.burns[target].position() as usize;
        if position < self.committed[target] {
            assert_eq!(rates, [], "nothing is published twice");
            return;
        }
        self.rates[target].extend(rates);
        self.committed[target] = position;
        let records = chunk.into_iter().flat_map(|chunk| self.burns[target].save(chunk));
        self.snapshots[target].extend(records.map(|record| codec::encode(&record)));
    }

    fn crash(&mut self, target: usize, batches: usize, lost: Option<i32>) {
        self.fold(target, batches);
        let records = self.snapshots[target].iter().map(|bytes| codec::decode::<BurnChunk>(bytes).unwrap());
        let kept = records.filter(|record| Some(record.chunk) != lost).collect();
        let committed = self.committed[target] as i64;
        self.burns[target] = new_burn(self.history, target).restore(kept, 0, committed).unwrap();
    }

    fn happen(&mut self, op: &Op) {
        let (sources, owners, targets) = (self.owner.len(), self.processes.len(), self.burns.len());
        match *op {
            Op::Advance(ms) => self.now += ms,
            Op::Step(s, n) => self.step(s % sources, n),
            Op::Idle(s) => self.idle(s % sources),
            Op::Commit(s, true) => self.commit(s % sources),
            Op::Commit(_, false) => {}
            Op::Look(p) => self.look(p % owners),
            Op::Move(s, p) => {
                let source = s % sources;
                self.processes[self.owner[source]].own.remove(&source);
                self.owner[source] = p % owners;
                self.assign(source);
            }
            Op::Burn(t, n, chunk) => self.burn(t % targets, n, chunk),
            Op::BurnCrash(t, n, lost) => self.crash(t % targets, n, lost),
        }
    }

    /// Everybody does all the work there is.
    fn work(&mut self) {
        (0..self.processes.len()).for_each(|p| self.look(p));
        for _ in 0..3 {
            for source in 0..self.owner.len() {
                self.step(source, 100);
                self.commit(source);
                self.idle(source);
                self.commit(source);
            }
        }
    }

    fn drain(&mut self) {
        while self.now < self.history.end + 6_000 {
            self.now += 500;
            self.work();
        }
        for target in 0..self.burns.len() {
            self.burn(target, usize::MAX, None);
        }
    }
}

pub fn all_chunks(burn: &Burn) -> Vec<BurnChunk> {
    (0..burn.chunks()).flat_map(|chunk| burn.chunk(chunk)).collect()
}
