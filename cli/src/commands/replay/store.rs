//! The store of a replay: it does without, and says so where that made a difference.

use slipstream_replay::outcome::{Clock, Missing};
use slipstream_replay::{NoAlert, ReplayError};
use slipstream_runtime::config::Config;
use slipstream_store::SharedStore;

use crate::{output, parts};

/// Why there is no store.
pub struct NoStore(Option<anyhow::Error>);

/// The store of a configuration, if it can be opened.
pub async fn open(config: &Config) -> (Option<SharedStore>, NoStore) {
    match parts::store_of(config).await {
        Ok(store) => (Some(store), NoStore(None)),
        Err(error) => (None, NoStore(Some(error))),
    }
}

impl NoStore {
    /// Says it if the store might have had what was not found.
    pub fn say_if_missed<T>(&self, found: &Result<T, ReplayError>, missing: impl FnOnce(&T) -> &[Missing]) {
        let missed = match found {
            Ok(found) => !missing(found).is_empty(),
            Err(ReplayError::Range(_)) => true,
            // By event time an alert is what the requests make it.
            Err(ReplayError::Alert(NoAlert::Unknown { clock, .. } | NoAlert::NoEpisode { clock, .. })) => {
                *clock == Clock::Event
            }
            Err(_) => false,
        };
        if let Some(error) = self.0.as_ref().filter(|_| missed) {
            output::say(format_args!("without the store, which might have more: {}", output::causes(error)));
        }
    }
}
