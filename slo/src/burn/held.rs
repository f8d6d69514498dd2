//! What is held back: entries and exemplars until their tick is evaluated.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use slipstream_schemas::records::{TallyEntry, TallyExemplar};

/// What is due of one SLO at one tick, in the order in which it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Due {
    pub entries: Vec<TallyEntry>,
    pub exemplars: Vec<TallyExemplar>,
}

/// By tick, then SLO.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    by_tick: BTreeMap<i64, HashMap<String, Due>>,
}

impl Held {
    pub(super) fn entry(&mut self, entry: &TallyEntry) {
        self.due(entry.tick, &entry.slo).entries.push(entry.clone());
    }

    pub(super) fn exemplar(&mut self, exemplar: &TallyExemplar) {
        self.due(exemplar.tick, &exemplar.slo).exemplars.push(exemplar.clone());
    }

    /// What has the least tick, if that is not beyond `tick`.
    pub(super) fn pop_due(&mut self, tick: i64) -> Option<(i64, HashMap<String, Due>)> {
        let first = self.by_tick.first_entry()?;
        (*first.key() <= tick).then(|| first.remove_entry())
    }

    /// The SLOs of which something is held.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_tick.values().flat_map(|by_slo| by_slo.keys().map(String::as_str))
    }

    /// All that is held of an SLO, by tick.
    pub(super) fn of(&self, slo: &str) -> Due {
        let mut all = Due::default();
        for due in self.by_tick.values().filter_map(|by_slo| by_slo.get(slo)) {
            all.entries.extend_from_slice(&due.entries);
            all.exemplars.extend_from_slice(&due.exemplars);
        }
        all
    }

    fn due(&mut self, tick: i64, slo: &str) -> &mut Due {
        // Entries are many and SLOs few: a name is copied once.
        self.by_tick.entry(tick).or_default().entry_ref(slo).or_default()
    }
}
