//! Whether events come too late to count: accepted, stored, and part of no SLI. A producer that sends seconds or
//! milliseconds where microseconds are expected has all of its events in 1970.

use slipstream_log::kafka::admin::Finding;
use slipstream_runtime::config::{Config, StoreAddress};
use slipstream_schemas::records::BurnRates;
use slipstream_schemas::visible::visible;
use slipstream_store::{PostgresStore, SqliteStore, Store, StoreError};

use crate::{figures, parts};

const CHECK: &str = "late events";
/// SLOs that are named.
const NAMED: usize = 5;

/// Checks the newest burn rates of every series; `None` if the store cannot be read, which other findings report.
pub async fn examine(config: &Config) -> Option<Finding> {
    judge(&states(config).await.ok()?)
}

async fn states(config: &Config) -> Result<Vec<BurnRates>, StoreError> {
    match &config.store {
        StoreAddress::Sqlite(dir) => SqliteStore::open_read_only(dir)?.slo_states(None).await,
        StoreAddress::Postgres(url) => {
            let store = PostgresStore::connect_read_only(parts::store::postgres_options(config, url)).await?;
            let states = store.slo_states(None).await;
            store.close().await;
            states
        }
    }
}

fn judge(states: &[BurnRates]) -> Option<Finding> {
    let mut late: Vec<&BurnRates> = states.iter().filter(|state| state.too_late > 0).collect();
    late.sort_by_key(|state| std::cmp::Reverse(state.too_late));
    let named: Vec<String> = late.iter().take(NAMED).map(|state| named(state)).collect();
    let more = if late.len() > NAMED { format!(", and {} more", late.len() - NAMED) } else { String::new() };
    let todo = "compare the `time` of new events with the clock (slipstream query events); a number means microseconds \
                since 1970";
    (!late.is_empty()).then(|| {
        let message = format!("events too old for any window, not counted in any SLI: {}{more}", named.join(", "));
        Finding::warn(CHECK, message, todo)
    })
}

fn named(state: &BurnRates) -> String {
    let name = [state.slo.as_str(), state.objective.as_str()];
    let name: Vec<&str> = name.into_iter().chain(state.group.iter().map(String::as_str)).collect();
    format!("{} of {}", figures::count(state.too_late), visible(&name.join(" ")))
}
