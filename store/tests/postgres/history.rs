//! What dashboards read: the views say what was written, under the names that are documented.

use std::sync::Arc;

use slipstream_schemas::Topic;
use slipstream_schemas::records::{BudgetUnit, BurnRates, TransitionKind, WindowRates};
use slipstream_store::conformance::made::{self, Dice};
use slipstream_store::{Store, StoredBurnRates, WriteBatch};

use crate::support::{Beside, fresh_store};

#[tokio::test]
async fn the_views_show_what_was_written() {
    let (store, options) = fresh_store().await;
    let events = made::events(&mut Dice(4), 300);
    let mut batch = made::batch(&events, None, 1_000);
    let rates = [
        made::burn_rates("checkout", &[], 1, 100),
        made::burn_rates("checkout", &[], 1, 160),
        made::burn_rates("grouped", &["/a", "GET"], 1, 160),
        made::burn_rates("over", &[], 1, 160),
        BurnRates { retired: true, windows: Vec::new(), ..made::burn_rates("over", &[], 1, 170) },
    ];
    batch.burn_rates = rates
        .into_iter()
        .enumerate()
        .map(|(i, rates)| StoredBurnRates { partition: 0, offset: i as i64, rates })
        .collect();
    batch.transitions = vec![
        made::transition("x", 100, 1, TransitionKind::Pending),
        made::transition("x", 100, 2, TransitionKind::Firing),
        made::transition("x", 100, 3, TransitionKind::Resolved),
    ];
    batch.positions.push(made::moved(Topic::BurnRates, None, 5, 1_000));
    store.write(Arc::new(batch)).await.unwrap();
    let sql = Beside::connect(&options.url).await;

    let hits: i64 = sql.one("SELECT sum(hits)::bigint FROM http_requests_1m", &[]).await;
    assert_eq!(hits, events.iter().map(|e| i64::from(e.weight)).sum::<i64>());
    let checkout: i64 =
        sql.one("SELECT sum(weight) FROM request_events WHERE service = 'checkout' AND status_code >= 500", &[]).await;
    let expected = events.iter().filter(|e| e.service == "checkout" && e.status_code >= 500);
    assert_eq!(checkout, expected.map(|e| i64::from(e.weight)).sum::<i64>());
    let attribute: i64 =
        sql.one("SELECT count(*) FROM request_events WHERE attributes ->> 'key \"0\"' LIKE 'v%'", &[]).await;
    assert_eq!(attribute as usize, events.iter().filter(|e| e.attributes.contains_key("key \"0\"")).count());
    let traced: i64 =
        sql.one("SELECT count(*) FROM request_events WHERE trace_id = $1", &[&format!("{:032x}", 3)]).await;
    assert_eq!(traced as usize, events.iter().filter(|e| e.trace_id == Some(format!("{:032x}", 3))).count());

    let shown: Vec<String> = rows(
        &sql,
        "SELECT slo || ' ' || group_name || ' ' || extract(epoch FROM time)::bigint
         || ' ' || budget_remaining || ' ' || good || '/' || total FROM slo_state ORDER BY slo",
    )
    .await;
    assert_eq!(shown, ["checkout  160 -0.25 160/3760", "grouped /a, GET 160 -0.25 160/3760"]);
    let shown = rows(
        &sql,
        "SELECT slo || ' ' || \"window\" || ' ' || window_seconds || ' ' || burn || ' ' || good
         FROM burn_rate WHERE slo = 'checkout' AND time = to_timestamp(100) ORDER BY window_seconds",
    )
    .await;
    assert_eq!(shown, ["checkout 5m 300 1.5 100", "checkout 1h 3600 1.5 100"]);
    let history: i64 = sql.one("SELECT count(*) FROM slo_history WHERE slo = 'over'", &[]).await;
    assert_eq!(history, 2);
    let shown = rows(
        &sql,
        "SELECT alert_id || ' ' || state || ' ' || severity || ' ' || value || ' ' || group_name || ' '
         || extract(epoch FROM fired_at)::bigint || ' ' || extract(epoch FROM ended_at)::bigint FROM alerts",
    )
    .await;
    assert_eq!(shown, ["x resolved page 20 endpoint=/orders 110 120"]);
}

#[tokio::test]
async fn a_period_of_a_calendar_is_told_from_a_window_as_long() {
    let (store, options) = fresh_store().await;
    let window = |seconds, burn| WindowRates { seconds, slot_seconds: 1, good: 90, total: 100, burn };
    let windows = || vec![window(300, 1.0), window(86_400, 2.0), window(86_400, 3.0)];
    let made = |slo| made::burn_rates(slo, &[], 1, 200_000);
    let rates = [
        BurnRates { windows: windows(), period_start: Some(172_800), covered_from: 172_800, ..made("day") },
        BurnRates { windows: windows(), period_start: Some(172_800), covered_from: 172_801, ..made("day-late") },
        BurnRates { unit: BudgetUnit::Seconds, covered_from: 200_001 - 3_600, ..made("hour") },
        BurnRates { unit: BudgetUnit::Share, covered_from: 200_002 - 3_600, ..made("hour-late") },
    ];
    let stored = |(i, rates)| StoredBurnRates { partition: 0, offset: i as i64, rates };
    let batch = WriteBatch {
        burn_rates: rates.into_iter().enumerate().map(stored).collect(),
        positions: vec![made::moved(Topic::BurnRates, None, 4, 1)],
        ..WriteBatch::default()
    };
    store.write(Arc::new(batch)).await.unwrap();
    let sql = Beside::connect(&options.url).await;
    let whole = "SELECT concat_ws(' ', s.slo, s.unit, s.covers_period, h.covers_period) FROM slo_state s
                 JOIN slo_history h USING (slo) ORDER BY slo";
    assert_eq!(
        rows(&sql, whole).await,
        ["day events t t", "day-late events f f", "hour seconds t t", "hour-late share f f"]
    );
    let windows = "SELECT concat_ws(' ', slo, \"window\", burn, unit, is_budget) FROM burn_rate
                   WHERE slo IN ('day', 'hour') ORDER BY slo, is_budget, window_seconds";
    let expected = [
        "day 5m 1 events f",
        "day 1d 2 events f",
        "day budget 3 events t",
        "hour 5m 1.5 seconds f",
        "hour 1h 1.5 seconds t",
    ];
    assert_eq!(rows(&sql, windows).await, expected);
}

#[tokio::test]
async fn lengths_of_windows_read_as_everywhere() {
    let (_store, options) = fresh_store().await;
    let sql = Beside::connect(&options.url).await;
    for seconds in [0i64, 1, 90, 300, 3_600, 5_400, 21_600, 86_400, 2_592_000] {
        let name: String = sql.one("SELECT window_name($1)", &[&seconds]).await;
        assert_eq!(name, slipstream_store::text::length(seconds));
    }
}

#[tokio::test]
async fn of_two_records_for_a_tick_the_later_stays() {
    let (store, _) = fresh_store().await;
    let stored = |offset, sli| StoredBurnRates {
        partition: 0,
        offset,
        rates: BurnRates { sli: Some(sli), ..made::burn_rates("a", &[], 1, 100) },
    };
    let batch = |from, to, rows| WriteBatch {
        burn_rates: rows,
        positions: vec![made::moved(Topic::BurnRates, from, to, 1)],
        ..WriteBatch::default()
    };
    store.write(Arc::new(batch(None, 2, vec![stored(0, 0.1), stored(1, 0.2)]))).await.unwrap();
    assert_eq!(store.slo_states(None).await.unwrap()[0].sli, Some(0.2));
    store.write(Arc::new(batch(Some(2), 3, vec![stored(2, 0.3)]))).await.unwrap();
    let question = slipstream_store::BurnQuestion {
        slo: "a".to_owned(),
        from: 0,
        to: 1_000,
        step: 1,
        objective: None,
        group: Vec::new(),
        limit: 100,
    };
    let history = store.burn_history(&question).await.unwrap();
    assert_eq!(history.iter().map(|r| r.sli).collect::<Vec<_>>(), [Some(0.3)]);
}

#[tokio::test]
async fn every_column_of_a_view_is_documented_in_the_database() {
    let (_store, options) = fresh_store().await;
    let sql = Beside::connect(&options.url).await;
    let bare = "SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c
                JOIN pg_namespace n ON n.oid = c.relnamespace
                LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
                WHERE n.nspname = 'slipstream' AND c.relkind = 'v'
                AND (obj_description(c.oid) IS NULL OR col_description(c.oid, a.attnum) IS NULL) ORDER BY 1";
    assert_eq!(rows(&sql, bare).await, Vec::<String>::new());
}

async fn rows(sql: &Beside, question: &str) -> Vec<String> {
    let rows = sql.client.query(question, &[]).await.unwrap_or_else(|error| panic!("{question}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}
