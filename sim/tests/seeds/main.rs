//! Worlds by seed: some hundred in `make test`, as many as one likes in `make sim [SEEDS=500] [SEED=n] [TRACE=FILE]`.
//! SLIPSTREAM_SIM_DUMP=DIR keeps the complete result of each world, for comparing two builds (`make same-output`).
#![allow(clippy::print_stdout, reason = "a long run says how far it is")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod dump;
mod report;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, available_parallelism};

use report::Report;
use slipstream_sim::play;

/// Worlds in `make test`.
const SEEDS: u64 = 150;
/// Worlds that are played twice.
const TWICE: u64 = 12;

fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    given(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Plays worlds on as many threads as there are; each world has but one.
fn each(seeds: std::ops::Range<u64>, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(seeds.start);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds.end);
    std::thread::scope(|scope| {
        for n in 0..available_parallelism().map_or(2, usize::from) {
            let worlds = || {
                while let Some(seed) = take() {
                    work(seed);
                }
            };
            Builder::new().name(format!("worlds-{n}")).spawn_scoped(scope, worlds).unwrap();
        }
    });
}

#[test]
fn p1_p2_p3a_p3b_p4_a1_a2_a3_l2_hold_whatever_happens() {
    let seed = number("SLIPSTREAM_SIM_SEED");
    let seeds = number("SLIPSTREAM_SIM_SEEDS").unwrap_or(if seed.is_some() { 1 } else { SEEDS });
    let (first, file) = (seed.unwrap_or(0), given("SLIPSTREAM_SIM_TRACE"));
    let dump = given("SLIPSTREAM_SIM_DUMP").map(PathBuf::from);
    assert!(file.is_none() || seeds == 1, "a trace is of one world: SEED=n TRACE=FILE");
    let report = Mutex::new(Report::of(seeds));
    each(first..first + seeds, |seed| {
        let played = play(seed).unwrap();
        if let Some(file) = &file {
            std::fs::write(file, played.trace.lines().join("\n") + "\n").unwrap();
        }
        if let Some(folder) = &dump {
            dump::write(folder, seed, &played).unwrap();
        }
        report.lock().unwrap_or_else(PoisonError::into_inner).take(seed, &played);
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner).close();
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let first = number("SLIPSTREAM_SIM_SEED").unwrap_or(0);
    each(first..first + TWICE, |seed| {
        let (one, other) = (play(seed).unwrap().trace, play(seed).unwrap().trace);
        let pairs = || one.lines().iter().zip(other.lines());
        if let Some(at) = pairs().position(|(a, b)| a != b) {
            panic!("seed {seed}, line {at}:\n{}\n{}", one.lines()[at], other.lines()[at]);
        }
        assert_eq!((one.lines().len(), one.hash()), (other.lines().len(), other.hash()), "seed {seed}");
    });
}
