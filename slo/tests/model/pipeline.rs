//! The real folds over a log: random steps, all sources kept together so that every tick is complete.

use std::collections::BTreeMap;

use slipstream_definitions::definition::Slo;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, Settings, TallyBatch};
use slipstream_slo::alerts::OpenAlerts;
use slipstream_slo::burn::Burn;
use slipstream_slo::redelivery::Memory;
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::Scale;
use slipstream_slo::tally::{Decided, IDLE_STEP_MS, Tally};

use crate::events::{Log, Random};

const TARGETS: u32 = 2;
const CHUNKS: u32 = 3;
const REDELIVERY_MS: i64 = 120_000;

/// SLO, objective, group.
pub type Series = (String, String, Vec<String>);

#[derive(Default)]
pub struct Outcome {
    pub accepted: u64,
    pub duplicates: u64,
    /// Per slot: good, total, unknown.
    pub slots: BTreeMap<Series, BTreeMap<i64, [i64; 3]>>,
    pub transitions: BTreeMap<Series, Vec<AlertTransition>>,
}

struct Pipeline<'a> {
    log: &'a Log,
    revisions: Revisions,
    tallies: Vec<Tally>,
    burns: Vec<Burn>,
    offsets: Vec<i64>,
    alerts: OpenAlerts,
    batches: Vec<TallyBatch>,
    out: Outcome,
}

/// Runs the folds over the log with these definitions, which are in force from the first record's second on.
pub fn run(log: &Log, slos: &[Slo], seed: u64) -> Outcome {
    let ends = log.iter().filter_map(|records| Some((records.first()?.0.0, records.last()?.0.0)));
    let (first, last) = ends.fold((i64::MAX, 0), |(first, last), (f, l)| (first.min(f), last.max(l)));
    let begin = first / 1_000 * 1_000;
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: REDELIVERY_MS, cut_delay_ms: 0 }).unwrap();
    for (i, slo) in slos.iter().enumerate() {
        revisions.apply_slo(i as i64 + 1, LogTime(begin), &slo.name, Some(slo.clone())).unwrap();
    }
    let sources = log.len() as i32;
    let tally = |source| Tally::new(source, sources, TARGETS, 0, LogTime(begin), Memory::new(REDELIVERY_MS));
    let mut pipeline = Pipeline {
        log,
        revisions,
        tallies: (0..sources).map(tally).collect(),
        burns: (0..TARGETS).map(|target| Burn::new(target, TARGETS, CHUNKS, Scale::REAL)).collect(),
        offsets: vec![0; TARGETS as usize],
        alerts: OpenAlerts::default(),
        batches: Vec::new(),
        out: Outcome::default(),
    };
    let end = (last / 1_000 + 1) * 1_000;
    let mut random = Random(seed);
    // Every source is heard of before the first tick ends.
    let mut now = begin + IDLE_STEP_MS;
    pipeline.work(LogTime(now), &mut random);
    while now < end {
        now = (now + 200 + random.below(1_200)).min(end);
        pipeline.work(LogTime(now), &mut random);
    }
    pipeline.work(LogTime(end + IDLE_STEP_MS), &mut random);
    pipeline.finish(end / 1_000)
}

impl Pipeline<'_> {
    /// Reads what has a log time up to `now`, in steps of random size, and says so.
    fn work(&mut self, now: LogTime, random: &mut Random) {
        let turn = random.below(self.log.len() as i64) as usize;
        for source in (0..self.log.len()).map(|i| (i + turn) % self.log.len()) {
            let end = self.log[source].partition_point(|(at, _)| *at <= now);
            while (self.tallies[source].next_offset() as usize) < end {
                self.step(source, end, now, 1 + random.below(400) as usize);
            }
            let horizon = LogTime(now.0.max(self.tallies[source].stamp().0));
            let step = self.tallies[source].idle::<()>(&self.revisions, end as i64, horizon, now, None);
            step.into_iter().for_each(|step| self.commit(step));
        }
    }

    fn step(&mut self, source: usize, end: usize, now: LogTime, records: usize) {
        let next = self.tallies[source].next_offset() as usize;
        let mut step = self.tallies[source].begin::<()>(&self.revisions, now);
        for (offset, (at, event)) in self.log[source].iter().enumerate().take(end).skip(next).take(records) {
            step.push(offset as i64, *at, Ok(&event.view())).unwrap();
        }
        let decided = step.finish(None);
        decided.into_iter().for_each(|step| self.commit(step));
    }

    fn commit(&mut self, step: Decided<()>) {
        self.out.accepted += step.accepted;
        self.out.duplicates += step.duplicates;
        for (target, batch) in step.batches {
            let offset = self.offsets[target as usize];
            self.offsets[target as usize] += 1;
            let rates = self.burns[target as usize].apply(offset, &batch, &self.revisions).unwrap();
            for rates in rates {
                assert!(rates.complete, "{rates:?}");
                let made = self.alerts.decide(&rates, &self.revisions);
                let series = (rates.slo.clone(), rates.objective.clone(), rates.group.clone());
                self.out.transitions.entry(series).or_default().extend(made);
            }
            self.batches.push(batch);
        }
    }

    /// Sums per slot by what tallies say, in the groups to which burn admitted them.
    fn finish(mut self, end: i64) -> Outcome {
        let chunks = self.burns.iter().flat_map(|burn| (0..burn.chunks()).flat_map(|chunk| burn.chunk(chunk)));
        for slo in chunks.flat_map(|chunk| chunk.slos) {
            assert!(slo.held.is_empty(), "held back: {:?}", slo.held);
            for series in slo.series {
                self.out.slots.insert((slo.slo.clone(), series.objective, series.group), BTreeMap::new());
            }
        }
        assert!(self.burns.iter().all(|burn| burn.next_tick() == Some(end) && burn.incomplete_ticks() == 0));
        for entry in self.batches.iter().flat_map(|batch| &batch.entries) {
            let mut series = (entry.slo.clone(), entry.objective.clone(), entry.group.clone());
            if !self.out.slots.contains_key(&series) {
                series.2.fill("other".to_owned());
            }
            let sums = self.out.slots.get_mut(&series).unwrap().entry(entry.slot).or_default();
            *sums = [sums[0] + entry.good, sums[1] + entry.total, sums[2] + entry.unknown];
        }
        self.out
    }
}
