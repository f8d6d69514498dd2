//! Fills a store as a sink does: batches in order of log time, which is event time here.

use std::sync::Arc;

use anyhow::Result;
use slipstream_schemas::{EventTime, EventView, LogTime, Topic};
use slipstream_store::{Events, PositionMove, SharedStore, WriteBatch, rollup};

use super::{BEGIN, DAY_US};

const BATCH: u64 = 20_000;

/// Writes events evenly over days and endpoints: three classes of status, latencies over two decades.
pub async fn fill(store: &SharedStore, events: u64, days: i64, endpoints: u64) -> Result<()> {
    let names: Vec<String> = (0..endpoints).map(|i| format!("/endpoint/{i}")).collect();
    let step = (days * DAY_US) as u64 / events.max(1);
    let mut from = None;
    for first in (0..events).step_by(BATCH as usize) {
        let last = (first + BATCH).min(events);
        let mut batch = Events::new();
        let mut log_time = LogTime(0);
        for n in first..last {
            let time = BEGIN + (n * step) as i64;
            log_time = LogTime(time / 1_000);
            batch.push(0, n as i64, log_time, &event(n, time, &names));
        }
        let moved = PositionMove { topic: Topic::RequestEvents, partition: 0, from, to: last as i64, log_time };
        from = Some(last as i64);
        let rollups = rollup::fold(&batch);
        let batch = WriteBatch { rollups, events: batch, positions: vec![moved], ..WriteBatch::default() };
        store.write(Arc::new(batch)).await?;
    }
    Ok(())
}

fn event(n: u64, time: i64, names: &[String]) -> EventView<'_> {
    // A number that is as good as random, and the same in each run.
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let status_code = match mixed % 100 {
        0 => 503,
        1..=3 => 404,
        _ => 200,
    };
    let endpoint = (mixed >> 8) as usize % names.len();
    let spread = (mixed >> 20) % 1_000_000;
    EventView {
        event_id: format!("event-{n:012}").into(),
        time: EventTime(time),
        service: ["shop", "cart", "payment", "search"][endpoint % 4].into(),
        environment: "production".into(),
        endpoint: names[endpoint].as_str().into(),
        method: "GET".into(),
        status_code,
        latency_ms: Some(2.0 * 100f64.powf(spread as f64 / 1e6)),
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: Vec::new(),
    }
}
