//! A deterministic simulation: the real loops of tally, burn, alerter and notifier over the memory log, under one seeded
//! scheduler and a clock that is the runtime's own, paused. One seed, one trace, byte for byte.

mod dice;
mod judge;
mod log;
mod plan;
mod process;
mod receiver;
mod trace;
mod weather;
mod world;

// The folds' own oracle: a recount of every value of every series, and the histories that it reads.
#[allow(dead_code, missing_docs, clippy::unwrap_used, reason = "the folds' tests use all of it")]
#[path = "../../slo/tests/folds/exact.rs"]
mod exact;
#[allow(dead_code, missing_docs, clippy::unwrap_used, reason = "the folds' tests use all of it")]
#[path = "../../slo/tests/folds/history.rs"]
mod history;
#[allow(dead_code, missing_docs, clippy::unwrap_used, reason = "the folds' tests use all of it")]
#[path = "../../slo/tests/folds/recount.rs"]
mod recount;

pub use judge::Told;
pub use trace::Trace;
pub use weather::BEGIN;

use std::sync::Arc;

use anyhow::{Context, Result};
use plan::Plan;
use slipstream_log::memory::MemoryLog;
use slipstream_testkit::webhook::Delivery;
use world::World;

/// A world that was played.
pub struct Played {
    /// What happened.
    pub trace: Trace,
    /// What it came to, or which property does not hold.
    pub told: Result<Told>,
    /// The log as it was at the end.
    pub log: Arc<MemoryLog>,
    /// What each receiver took, in order.
    pub deliveries: Vec<(String, Vec<Delivery>)>,
}

/// Plays the world of a seed and judges it.
///
/// # Errors
/// When it cannot be played at all.
pub fn play(seed: u64) -> Result<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.context("making a runtime")?.block_on(async {
        let mut world = World::new(seed, Plan::of(seed)).await?;
        let told = async {
            world.play().await?;
            world.rest().await?;
            judge::judge(&world).await
        };
        let told = told.await;
        let (trace, log) = (world.weather.trace(), Arc::clone(&world.log));
        let deliveries = world.receivers.iter().map(|r| (r.name.clone(), r.deliveries())).collect();
        world.end().await;
        Ok(Played { trace, told, log, deliveries })
    })
}
