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
