//! The sketch functions of the database against those of the pipeline, on random data.

use std::sync::Arc;

use slipstream_schemas::RequestEvent;
use slipstream_store::Store;
use slipstream_store::conformance::made::{self, Dice};
use slipstream_store::sketch::Sketch;

use crate::support::{Beside, fresh_store};

#[tokio::test]
async fn quantiles_in_sql_are_those_of_the_pipeline() {
    let (store, options) = fresh_store().await;
    let beside = Beside::connect(&options.url).await;
    for seed in 0..8u64 {
        let events = made::events(&mut Dice(seed), 700);
        let mut sketch = Sketch::new();
        let mut from = store.positions().await.unwrap().first().map(|p| p.offset);
        beside.run("TRUNCATE rollups").await;
        for chunk in events.chunks(90) {
            store.write(Arc::new(made::batch(chunk, from, 1))).await.unwrap();
            from = Some(from.unwrap_or(0) + chunk.len() as i64);
        }
        for event in &events {
            if let Some(latency) = event.latency_ms {
                sketch.add(latency, event.weight as u64);
            }
        }
        let count: i64 = beside.one("SELECT sketch_count(sketch_merge(sketch)) FROM rollups", &[]).await;
        assert_eq!(count as u64, sketch.count());
        for p in [0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            let expected = sketch.quantile(p).unwrap();
            for sql in [
                "SELECT sketch_quantile(sketch_merge(sketch), $1) FROM rollups",
                "SELECT sketch_quantile((SELECT array_agg(c ORDER BY random()) FROM rollups, unnest(sketch) c), $1)",
                "SELECT sketch_quantile(sketch_merge(s), $1)
                 FROM (SELECT sketch_merge(sketch) s FROM http_requests_1m GROUP BY service, status_class) parts",
            ] {
                let read: f64 = beside.one(sql, &[&p]).await;
                assert!((read - expected).abs() <= expected * 1e-12, "{sql} with {p}: {read} for {expected}");
            }
        }
    }
}

#[tokio::test]
async fn the_edges_of_sketches_are_as_in_the_pipeline() {
    let (_store, options) = fresh_store().await;
    let beside = Beside::connect(&options.url).await;
    let none: Option<f64> = beside.one("SELECT sketch_quantile(NULL, 0.5)", &[]).await;
    assert_eq!(none, None);
    let none: Option<f64> = beside.one("SELECT sketch_quantile('{}', 0.5)", &[]).await;
    assert_eq!(none, None);
    let none: Option<f64> = beside.one("SELECT sketch_quantile(sketch_merge(sketch), 0.5) FROM rollups", &[]).await;
    assert_eq!(none, None);
    let zero: f64 = beside.one("SELECT sketch_quantile(ARRAY[5::bigint], 0.5)", &[]).await;
    assert_eq!(zero, 0.0);
    // The weight of a place ends where the next begins.
    let sql = "SELECT sketch_fold(ARRAY[(7::bigint << 52) | 4503599627370495, (7::bigint << 52) | 9])";
    let folded: Vec<i64> = beside.one(sql, &[]).await;
    assert_eq!(folded, [(7 << 52) | 4_503_599_627_370_495]);
    for name in ["sketch_fold", "sketch_add", "sketch_join", "sketch_count", "sketch_quantile", "sketch_merge"] {
        let sql = "SELECT provolatile::text || proparallel::text FROM pg_proc WHERE proname = $1";
        let how: String = beside.one(sql, &[&name]).await;
        assert_eq!(how, "is", "{name} is immutable and safe in parallel");
    }
}

#[tokio::test]
async fn a_rollup_that_is_added_to_again_and_again_stays_short() {
    let (store, options) = fresh_store().await;
    let events = made::events(&mut Dice(3), 40_000);
    for (i, chunk) in events.chunks(2_000).enumerate() {
        let of_one_rollup = |event: &RequestEvent| RequestEvent { latency_ms: event.latency_ms, ..events[0].clone() };
        let same: Vec<RequestEvent> = chunk.iter().map(of_one_rollup).collect();
        store.write(Arc::new(made::batch(&same, (i > 0).then_some(2_000 * i as i64), 1))).await.unwrap();
    }
    let beside = Beside::connect(&options.url).await;
    let rows: i64 = beside.one("SELECT count(*) FROM rollups", &[]).await;
    let longest: i32 = beside.one("SELECT max(cardinality(sketch)) FROM rollups", &[]).await;
    assert!(rows == 1 && longest <= 2_000, "{rows} rows, {longest} cells");
}
