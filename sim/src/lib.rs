//! A deterministic simulation: the real loops of tally, burn, alerter and notifier over the memory log, under one seeded
//! scheduler and a clock that is the runtime's own, paused. One seed, one trace, byte for byte.

mod dice;
mod judge;
mod log;
mod plan;
mod policy;
mod process;
mod receiver;
mod told;
mod trace;
mod weather;
mod world;

pub use judge::WorldSummary;
pub use trace::Trace;
pub use weather::BEGIN;

use std::sync::Arc;

use anyhow::{Context, Result};
use plan::WorldPlan;
use slipstream_log::memory::MemoryLog;
use slipstream_testkit::webhook::Delivery;
use world::World;

/// A world that was played.
pub struct Played {
    /// What happened.
    pub trace: Trace,
    /// The result, or the property that does not hold.
    pub told: Result<WorldSummary>,
    /// The log as it was at the end.
    pub log: Arc<MemoryLog>,
    /// What each receiver took, in order.
    pub deliveries: Vec<(String, Vec<Delivery>)>,
}

/// Runs the world of a seed and checks it.
///
/// # Errors
/// When it cannot be played at all.
pub fn play(seed: u64) -> Result<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.context("creating a runtime")?.block_on(async {
        let mut world = World::new(seed, WorldPlan::of(seed)).await?;
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
