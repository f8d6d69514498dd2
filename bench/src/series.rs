//! Memory and evaluation of 100,000 series whose 30 days are full: restored from a snapshot, as after a restart, then
//! folded on with a tally for every series in every tick.
//!
//! Memory of rings and slices is allocated in blocks. The snapshot has something in each of them: more cells would neither
//! take more memory nor cost more to sum up.

use std::time::Duration;

use anyhow::{Context, ensure};
use slipstream_definitions::definition::{Budgeting, GroupKey, Objective, Ratio, Slo};
use slipstream_definitions::openslo;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{
    BurnChunk, BurnHead, Origin, RingSnapshot, SeriesSnapshot, Settings, SlicesSnapshot, SloSnapshot, TallyBatch,
    TallyEntry,
};
use slipstream_slo::burn::Burn;
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::{RingSize, Scale};

use crate::definitions;
use crate::table::{Row, busy, median, shown, timed};

const SLOS: usize = 500;
/// Groups of an SLO with two objectives each: 100,000 series.
const GROUPS: usize = 100;
const SERIES: usize = SLOS * GROUPS * 2;
const NOW: i64 = 1_700_000_000;
const PERIOD: i64 = 30 * 86_400;
/// Cells between two that are filled, no more than a block has.
const EVERY: i64 = 16;
/// Events of a series, which determines the width of cells.
const PER_SECOND: i64 = 10;
const TICKS: i64 = 7;

/// Objectives over events.
pub fn rings() -> anyhow::Result<Vec<Row>> {
    rows("by events", Budgeting::Occurrences, |snapshot| snapshot.rings = full_rings())
}

/// Objectives with slices of a minute.
pub fn slices() -> anyhow::Result<Vec<Row>> {
    let target = Ratio { num: 9, den: 10 };
    rows("by slices of a minute", Budgeting::Timeslices { seconds: 60, target }, |snapshot| {
        snapshot.slices = Some(full_slices(60));
    })
}

fn rows(what: &str, budgeting: Budgeting, fill: impl Fn(&mut SeriesSnapshot)) -> anyhow::Result<Vec<Row>> {
    let slos = slos(budgeting)?;
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 })?;
    for (offset, slo) in (1..).zip(&slos) {
        revisions.apply_slo(offset, LogTime((NOW - PERIOD) * 1_000), &slo.name, Some(slo.clone()))?;
    }
    let before = resident()?;
    let chunk = chunk(&slos, revisions.end(), fill);
    let mut burn = Burn::new(0, 1, 1, Scale::REAL).restore(vec![chunk], 0, 0)?;
    ensure!(burn.series() == SERIES, "{} series", burn.series());
    let restored = resident()?.saturating_sub(before);
    let (mut evaluations, mut folds) = (Vec::new(), Vec::new());
    let (mut published, mut spent) = (0, Duration::ZERO);
    for tick in 0..TICKS {
        let batch = entries(&slos, NOW + tick, revisions.end());
        // The tally is read, then the stamp passes the tick, which evaluates it.
        let (folding, first) = timed(|| burn.apply(2 * tick, &batch, &revisions));
        ensure!(first?.is_empty(), "a tick was evaluated early");
        let stamp = stamp(tick + 1, (NOW + tick + 1) * 1_000, revisions.end());
        let before = busy();
        let (evaluating, rates) = timed(|| burn.apply(2 * tick + 1, &stamp, &revisions));
        // The first one after a restart is another matter.
        if tick > 0 {
            spent += busy().saturating_sub(before);
        }
        published = rates?.len();
        evaluations.push(evaluating);
        folds.push(folding + evaluating);
    }
    let all = resident()?.saturating_sub(before);
    let (looking, states) = timed(|| burn.states(&revisions));
    ensure!(states?.len() == SERIES, "not every series has a state");
    let what = format!("{SERIES} series with 30 d of data, {what}");
    let first = evaluations.remove(0);
    folds.remove(0);
    let memory = |bytes: u64| format!("{:.2} GiB", bytes as f64 / (1u64 << 30) as f64);
    Ok(vec![
        Row::new(format!("{what}: resident after the restore"), memory(restored), "2 GiB"),
        Row::new(format!("{what}: the same, with every series tallied each second"), memory(all), "2 GiB"),
        Row::new(
            format!(
                "{what}: a tick in which all were tallied, counts taken in and all evaluated ({published} published)"
            ),
            shown(median(evaluations)),
            "500 ms",
        ),
        Row::new(
            format!("{what}: CPU time of such a tick"),
            format!("{:.1} ms", spent.as_secs_f64() * 1e3 / (TICKS - 1) as f64),
            "",
        ),
        Row::new(format!("{what}: the first one after a restart (all published)"), shown(first), ""),
        Row::new(format!("{what}: a tick with the tallies read"), shown(median(folds)), ""),
        Row::new(format!("{what}: a look at the state of all of them"), shown(looking), ""),
    ])
}

fn slos(budgeting: Budgeting) -> anyhow::Result<Vec<Slo>> {
    let loaded = openslo::load(&definitions::files(SLOS, 100));
    ensure!(loaded.slos.len() == SLOS, "{:?}", loaded.diagnostics.first());
    let mut slos = loaded.slos;
    for slo in &mut slos {
        slo.group_by = vec![GroupKey::Endpoint];
        slo.objectives.iter_mut().for_each(|objective| objective.budgeting = budgeting);
    }
    Ok(slos)
}

fn group(number: usize) -> Vec<String> {
    vec![format!("/v1/endpoint/{number}")]
}

/// The whole state at `NOW`.
fn chunk(slos: &[Slo], revision: i64, fill: impl Fn(&mut SeriesSnapshot)) -> BurnChunk {
    let series = |objective: &Objective, number: usize| {
        let mut snapshot = SeriesSnapshot {
            objective: objective.name.clone(),
            group: group(number),
            rings: Vec::new(),
            conditions: None,
            dirty: false,
            unknown: 0,
            too_late: 0,
            exemplars: Vec::new(),
            slices: None,
            periods: Vec::new(),
            composite: false,
        };
        fill(&mut snapshot);
        snapshot
    };
    let slo = |slo: &Slo| SloSnapshot {
        slo: slo.name.clone(),
        generation: Some((NOW - PERIOD) * 1_000),
        covered_from: NOW - PERIOD,
        held: Vec::new(),
        held_exemplars: Vec::new(),
        series: slo.objectives.iter().flat_map(|o| (0..GROUPS).map(move |number| series(o, number))).collect(),
    };
    BurnChunk {
        partition: 0,
        chunk: 0,
        chunks: 1,
        part: 0,
        parts: 1,
        at: 0,
        head: BurnHead {
            stamps: vec![LogTime(NOW * 1_000)],
            positions: vec![0],
            low: LogTime(NOW * 1_000),
            next_tick: Some(NOW),
            sources: 1,
            revision,
        },
        slos: slos.iter().map(slo).collect(),
    }
}

fn full_rings() -> Vec<RingSnapshot> {
    let full = |size: &RingSize| full_ring(size.slot_seconds, size.slots as i64);
    Scale::REAL.rings[..Scale::REAL.base_rings].iter().map(full).collect()
}

fn full_ring(slot_seconds: i64, slots: i64) -> RingSnapshot {
    let newest = (NOW - 1).div_euclid(slot_seconds);
    let mut ring =
        RingSnapshot { slot_seconds: slot_seconds as i32, slots: Vec::new(), good: Vec::new(), total: Vec::new() };
    let mut before = 0;
    for slot in (newest - slots + 2..=newest).step_by(EVERY as usize) {
        ring.slots.push(slot - before);
        let total = PER_SECOND * slot_seconds;
        ring.good.push(total - (total / 1_000).max(1));
        ring.total.push(total);
        before = slot;
    }
    ring
}

fn full_slices(seconds: i64) -> SlicesSnapshot {
    let kept = PERIOD / seconds + 2;
    let newest = (NOW - 1).div_euclid(seconds);
    let mut slots = Vec::new();
    let mut before = 0;
    // A bad slice in two hours: 30 days' budget of 99.2 %.
    for slot in (newest - kept + 2..=newest).step_by(120) {
        slots.push(slot - before);
        before = slot;
    }
    SlicesSnapshot {
        seconds,
        kept,
        shares: false,
        counts: full_ring(seconds, 86_400 / seconds + 1),
        slots,
        bad: Vec::new(),
    }
}

/// A batch without entries, after the tallies of `ticks` ticks.
fn stamp(ticks: i64, stamp: i64, revision: i64) -> TallyBatch {
    let read = ticks * SERIES as i64;
    TallyBatch {
        source: 0,
        sources: 1,
        from: read,
        to: read,
        stamp: LogTime(stamp),
        low: LogTime(stamp),
        origin: Origin::Live,
        revision,
        entries: Vec::new(),
        exemplars: Vec::new(),
    }
}

/// A tally of every series in a tick.
fn entries(slos: &[Slo], tick: i64, revision: i64) -> TallyBatch {
    let entry = |slo: &Slo, objective: &Objective, number: usize| TallyEntry {
        slo: slo.name.clone(),
        generation: (NOW - PERIOD) * 1_000,
        objective: objective.name.clone(),
        group: group(number),
        tick,
        slot: tick,
        good: PER_SECOND,
        total: PER_SECOND,
        unknown: 0,
    };
    let of = |slo| move |objective| (0..GROUPS).map(move |number| entry(slo, objective, number));
    let entries = slos.iter().flat_map(|slo| slo.objectives.iter().flat_map(of(slo))).collect();
    let before = stamp(tick - NOW, tick * 1_000 + 500, revision);
    TallyBatch { to: before.to + SERIES as i64, entries, ..before }
}

/// Resident memory of this process, bytes.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read this process's memory (Linux only)")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS is not a number")?;
    Ok(kib << 10)
}
