//! How the events of a tuple count, for every set of definitions: by the bucket that their latency is in.
//!
//! With the bounds b1 < b2 < ... that definitions compare latencies with, there is a bucket for events without a latency, one
//! for each bound and one for each range between bounds: within a bucket all events compare alike.

use crate::matcher::{LatencyRow, SeriesId, TupleRows, Verdict};

/// How the events of a tuple count.
#[derive(Debug)]
pub(super) struct TuplePlan {
    /// Ascending, distinct.
    bounds: Vec<f64>,
    cases: Vec<PlanRows>,
    rest: bool,
}

/// The rows of one set of definitions.
#[derive(Debug)]
pub(super) struct PlanRows {
    rows: Vec<PlanRow>,
    rest: bool,
}

#[derive(Debug)]
struct PlanRow {
    series: SeriesId,
    verdict: PlanVerdict,
    /// good, total, unknown: of the events whose shares count.
    share: [i64; 3],
}

/// What a definition says about the events of a tuple.
#[derive(Debug)]
pub(super) enum PlanVerdict {
    /// The same about all of them.
    One(Verdict),
    /// One for each bucket.
    OfBucket(Box<[Verdict]>),
}

impl TuplePlan {
    /// From the rows of each set of definitions.
    pub(super) fn new(cases: Vec<TupleRows>) -> TuplePlan {
        let mut bounds: Vec<f64> = cases.iter().flat_map(|rows| &rows.by_latency).map(|row| row.bound).collect();
        bounds.sort_unstable_by(f64::total_cmp);
        // Zero and negative zero are one bound.
        bounds.dedup_by(|a, b| a == b);
        let rest = cases.iter().any(|rows| rows.rest);
        let cases = cases.iter().map(|rows| PlanRows::new(rows, &bounds)).collect();
        TuplePlan { bounds, cases, rest }
    }

    /// How many buckets there are.
    pub(super) fn buckets(&self) -> usize {
        2 * self.bounds.len() + 2
    }

    /// The bucket of a latency; NaN: it was not measured.
    pub(super) fn bucket(&self, latency: f64) -> usize {
        if latency.is_nan() {
            return 0;
        }
        let below = self.bounds.iter().take_while(|bound| **bound < latency).count();
        let equal = self.bounds.get(below) == Some(&latency);
        1 + 2 * below + usize::from(equal)
    }

    /// Whether some set of definitions has to look at each event.
    pub(super) fn has_rest(&self) -> bool {
        self.rest
    }

    /// The same for each set.
    pub(super) fn rest(&self) -> impl Iterator<Item = bool> + '_ {
        self.cases.iter().map(|rows| rows.rest)
    }

    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = &mut PlanRows> {
        self.cases.iter_mut()
    }

    /// Takes the shares of a set of definitions.
    pub(super) fn drain_shares(&mut self, case: usize, mut take: impl FnMut(SeriesId, [i64; 3])) {
        for row in self.cases[case].rows.iter_mut().filter(|row| row.share != [0; 3]) {
            take(row.series, std::mem::take(&mut row.share));
        }
    }
}

impl PlanRows {
    fn new(rows: &TupleRows, bounds: &[f64]) -> PlanRows {
        let row = |series, verdict| PlanRow { series, verdict, share: [0; 3] };
        let always = rows.always.iter().map(|(series, verdict)| row(*series, PlanVerdict::One(*verdict)));
        let by_latency = rows.by_latency.iter().map(|found| row(found.series, of_buckets(found, bounds)));
        PlanRows { rows: always.chain(by_latency).collect(), rest: rows.rest }
    }

    /// Calls `hit` with each series, what its definition says, and its share.
    pub(super) fn each(&mut self, mut hit: impl FnMut(SeriesId, &PlanVerdict, &mut [i64; 3])) {
        for PlanRow { series, verdict, share } in &mut self.rows {
            hit(*series, verdict, share);
        }
    }
}

/// The verdict on each bucket. Bounds have the odd places among numbers, what is between them the even ones.
fn of_buckets(row: &LatencyRow, bounds: &[f64]) -> PlanVerdict {
    let bound = 2 * bounds.iter().take_while(|other| **other < row.bound).count() as u32 + 1;
    let places = (0..=2 * bounds.len() as u32).map(Some);
    PlanVerdict::OfBucket(std::iter::once(None).chain(places).map(|place| row.verdict_at(place, bound)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use slipstream_definitions::definition::{Indicator, Objective, Ratio, Side, Slo, Window};
    use slipstream_schemas::event::EventView;
    use slipstream_schemas::fixtures::event;

    use super::*;
    use crate::matcher::{Active, Matcher};

    /// A definition with an objective for each of these filters of good events.
    fn active(good: &[&str]) -> Active {
        let objective = |good: &&str| {
            let indicator = Indicator { total: "true".into(), side: Side::Good((*good).into()) };
            Objective::new((*good).to_owned(), indicator, Ratio { num: 99, den: 100 })
        };
        let slo = Slo {
            name: "fast".into(),
            display_name: "fast".into(),
            service: String::new(),
            description: String::new(),
            group_by: Vec::new(),
            window: Window::Rolling(86_400),
            objectives: good.iter().map(objective).collect(),
            composite: None,
            labels: Vec::new(),
            document: slipstream_definitions::definition::Document::Slo,
        };
        Active { slo: Arc::new(slo), generation: 1 }
    }

    #[test]
    fn each_bound_has_a_bucket_and_so_has_each_range_between_bounds() {
        let plan = TuplePlan { bounds: vec![-1.0, 0.0, 300.0], cases: Vec::new(), rest: false };
        assert_eq!(plan.buckets(), 8);
        // (latency, its bucket)
        let table = [
            (f64::NAN, 0),
            (-2.0, 1),
            (-1.0, 2),
            (-0.5, 3),
            (-0.0, 4),
            (0.0, 4),
            (f64::MIN_POSITIVE, 5),
            (300.0_f64.next_down(), 5),
            (300.0, 6),
            (300.0_f64.next_up(), 7),
            (f64::MAX, 7),
        ];
        for (latency, bucket) in table {
            assert_eq!(plan.bucket(latency), bucket, "{latency}");
        }
        let none = TuplePlan { bounds: Vec::new(), cases: Vec::new(), rest: false };
        assert_eq!((none.buckets(), none.bucket(f64::NAN), none.bucket(5.0)), (2, 0, 1));
    }

    #[test]
    fn bounds_that_are_equal_are_one_whichever_definitions_have_them() {
        let sets =
            [active(&["latency_ms < 300", "latency_ms <= 0.0"]), active(&["300 >= latency_ms", "-0.0 < latency_ms"])];
        let rows = |set: &Active| Matcher::new(std::slice::from_ref(set)).tuple_rows(&event());
        let plan = TuplePlan::new(sets.iter().map(rows).collect());
        assert_eq!(plan.bounds, [0.0, 300.0]);
        assert!(!plan.has_rest());
    }

    #[test]
    fn the_verdict_on_a_bucket_is_that_on_each_of_its_latencies() {
        let thresholds = ["latency_ms < 300", "latency_ms <= 0", "latency_ms > 299.9", "latency_ms >= 300"];
        let other_way_round = ["300 < latency_ms", "0.0 <= latency_ms", "299.9 > latency_ms", "300.0 >= latency_ms"];
        let mut matcher = Matcher::new(&[active(&[thresholds, other_way_round].concat())]);
        let mut plan = TuplePlan::new(vec![matcher.tuple_rows(&event())]);
        let measured = [-0.0, 0.0, 0.1, 299.8, 299.9, 299.95, 300.0, 300.1].map(Some);
        for latency_ms in measured.into_iter().chain([None]) {
            let mut expected: Vec<(SeriesId, Verdict)> = Vec::new();
            let event = EventView { latency_ms, ..event() };
            matcher.apply(&event, &mut |series, verdict| expected.push((series, verdict)));
            let bucket = plan.bucket(latency_ms.unwrap_or(f64::NAN));
            let mut found = Vec::new();
            let rows = plan.rows_mut().next().unwrap();
            rows.each(|series, verdict, _| match verdict {
                PlanVerdict::One(verdict) => found.push((series, *verdict)),
                PlanVerdict::OfBucket(verdicts) => found.push((series, verdicts[bucket])),
            });
            expected.sort_unstable_by_key(|(series, _)| *series);
            found.sort_unstable_by_key(|(series, _)| *series);
            assert_eq!((found.len(), found), (8, expected), "{latency_ms:?}");
        }
    }
}
