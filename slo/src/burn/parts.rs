//! The records of a chunk: its SLOs and series, split so that no record is too large for a log.

use slipstream_schemas::records::{SeriesSnapshot, SloSnapshot, TallyEntry, TallyExemplar};

use super::slo::SloState;

/// What a record of a chunk holds at most, by estimate; a single series may be larger.
pub const PART_BYTES: usize = 512 * 1_024;

/// Records of a chunk in the making.
#[derive(Default)]
pub(super) struct Parts {
    full: Vec<Vec<SloSnapshot>>,
    slos: Vec<SloSnapshot>,
    slo: Option<SloSnapshot>,
    bytes: usize,
}

impl Parts {
    pub(super) fn begin(&mut self, name: &str, state: Option<&SloState>) {
        self.slos.extend(self.slo.take());
        self.bytes += name.len() + 32;
        self.slo = Some(SloSnapshot {
            slo: name.to_owned(),
            generation: state.and_then(|state| state.generation),
            covered_from: state.map_or(0, |state| state.covered_from),
            held: Vec::new(),
            held_exemplars: Vec::new(),
            series: Vec::new(),
        });
    }

    pub(super) fn entry(&mut self, entry: TallyEntry) {
        let bytes = entry.slo.len() + entry.objective.len() + text(&entry.group) + 40;
        self.put(bytes, |slo| slo.held.push(entry));
    }

    pub(super) fn exemplar(&mut self, exemplar: TallyExemplar) {
        let bytes = exemplar.slo.len() + exemplar.objective.len() + text(&exemplar.group) + 190;
        self.put(bytes, |slo| slo.held_exemplars.push(exemplar));
    }

    pub(super) fn series(&mut self, series: SeriesSnapshot) {
        let rings = series.rings.iter().flat_map(|r| r.slots.iter().chain(&r.good).chain(&r.total));
        let slices =
            series.slices.iter().flat_map(|s| [&s.slots, &s.bad, &s.counts.slots, &s.counts.good, &s.counts.total]);
        let numbers = rings.chain(slices.flatten());
        let conditions = series.conditions.iter().flatten().map(|c| c.rule.len() + 12).sum::<usize>();
        let names = series.objective.len() + text(&series.group);
        let bytes =
            numbers.map(|n| varint(*n)).sum::<usize>() + names + conditions + 190 * series.exemplars.len() + 160;
        self.put(bytes, |slo| slo.series.push(series));
    }

    /// Puts something of `bytes` into the present record, or into a new one where there is no room.
    fn put(&mut self, bytes: usize, into: impl FnOnce(&mut SloSnapshot)) {
        if self.bytes + bytes > PART_BYTES {
            let shell = self.slo.as_ref().map(|slo| SloSnapshot {
                slo: slo.slo.clone(),
                held: Vec::new(),
                held_exemplars: Vec::new(),
                series: Vec::new(),
                ..*slo
            });
            self.slos.extend(std::mem::replace(&mut self.slo, shell));
            self.full.push(std::mem::take(&mut self.slos));
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.slo.as_mut().map(into);
    }

    pub(super) fn finish(mut self) -> Vec<Vec<SloSnapshot>> {
        self.slos.extend(self.slo.take());
        self.full.push(self.slos);
        self.full
    }
}

fn text(values: &[String]) -> usize {
    values.iter().map(|value| value.len() + 2).sum()
}

/// Bytes of an Avro long.
fn varint(n: i64) -> usize {
    let zigzag = ((n << 1) ^ (n >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::codec;
    use slipstream_schemas::records::{BurnChunk, BurnHead, Exemplar};

    use super::*;

    fn series(group: Vec<String>, unknown: i64) -> SeriesSnapshot {
        SeriesSnapshot {
            objective: "0".into(),
            group,
            rings: Vec::new(),
            conditions: None,
            dirty: false,
            unknown,
            too_late: 0,
            exemplars: Vec::new(),
            slices: None,
            periods: Vec::new(),
            composite: false,
        }
    }

    #[test]
    fn the_estimate_of_a_number_is_its_avro_length() {
        for (n, bytes) in
            [(0, 1), (-1, 1), (63, 1), (64, 2), (-64, 1), (8_191, 2), (8_192, 3), (i64::MAX, 10), (i64::MIN, 10)]
        {
            assert_eq!(varint(n), bytes, "{n}");
        }
    }

    #[test]
    fn a_large_slo_is_spread_over_records_and_comes_together_again() {
        let series = |n: i64| series(vec![format!("group-{n}")], n);
        let mut parts = Parts::default();
        for name in ["a", "b"] {
            parts.begin(name, None);
            (0..9_000).for_each(|n| parts.series(series(n)));
        }
        let parts = parts.finish();
        assert!(parts.len() > 3, "{}", parts.len());
        for name in ["a", "b"] {
            let found = parts.iter().flatten().filter(|slo| slo.slo == name).flat_map(|slo| slo.series.clone());
            assert_eq!(found.collect::<Vec<_>>(), (0..9_000).map(series).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_estimate_is_near_the_bytes_of_a_record_however_long_its_names() {
        let group = vec!["g".repeat(200); 8];
        let (slo, objective) = ("a".to_owned(), "0".to_owned());
        let entry = TallyEntry {
            slo: slo.clone(),
            generation: 0,
            objective: objective.clone(),
            group: group.clone(),
            tick: 0,
            slot: 0,
            good: 1,
            total: 1,
            unknown: 0,
        };
        let exemplar = Exemplar { event_id: "e".repeat(128), trace_id: Some("0".repeat(32)), time: 1 };
        let exemplar = TallyExemplar { slo, generation: 0, objective, group: group.clone(), tick: 0, exemplar };
        type Put = Box<dyn Fn(&mut Parts)>;
        let of_series = series(group, 0);
        let puts: [Put; 3] = [
            Box::new(move |parts| parts.entry(entry.clone())),
            Box::new(move |parts| parts.exemplar(exemplar.clone())),
            Box::new(move |parts| parts.series(of_series.clone())),
        ];
        for put in puts {
            let mut parts = Parts::default();
            parts.begin("a", None);
            (0..1_000).for_each(|_| put(&mut parts));
            let parts = parts.finish();
            assert!(parts.len() >= 4, "{} records", parts.len());
            for slos in &parts[..parts.len() - 1] {
                let slos = slos.clone();
                let head = BurnHead::default();
                let record = BurnChunk { partition: 0, chunk: 0, chunks: 1, part: 0, parts: 1, at: 0, head, slos };
                let bytes = codec::encode(&record).len();
                assert!((PART_BYTES / 4 * 3..=PART_BYTES).contains(&bytes), "{bytes}");
            }
        }
    }
}
