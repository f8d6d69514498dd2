//! Burn-rate rules that could guard an objective, what each would have done, and those that no other outdoes.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use slipstream_definitions::definition::Ratio;
use slipstream_definitions::policy;

use super::Range;
use super::figures::{Detection, Figures, Firing, figures};
use super::history::History;
use super::labels::Labels;
use super::sliding::{Span, Sums};

/// Long and short windows, seconds: 5m/1m, 15m/3m, 30m/5m, 1h/5m, 2h/10m, 6h/30m.
const WINDOWS: [(i64, i64); 6] = [(300, 60), (900, 180), (1_800, 300), (3_600, 300), (7_200, 600), (21_600, 1_800)];
/// Factors, ascending.
const FACTORS: [&str; 22] = [
    "1", "1.5", "2", "3", "4", "5", "6", "8", "10", "12", "14.4", "20", "25", "30", "40", "60", "80", "100", "150",
    "200", "300", "500",
];
/// Least events in the long window: none, or so many that a single one does not decide.
const LEAST: [i64; 2] = [0, 20];

/// A rule that could be: burn rate above the factor in both windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Long window, seconds.
    pub long_seconds: i64,
    /// Short window, seconds.
    pub short_seconds: i64,
    /// The burn rate that both must exceed.
    #[serde(serialize_with = "as_number")]
    pub factor: Ratio,
    /// Least events in the long window; 0: any.
    pub min_requests: i64,
}

/// A candidate and what it would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The rule.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// What it would have done, without `for`; all its firings page.
    #[serde(flatten)]
    pub figures: Figures,
}

impl Point {
    pub(super) fn detection(&self) -> Option<&Detection> {
        self.figures.against_incidents.as_ref()
    }

    fn found(&self) -> u64 {
        self.detection().map_or(0, |detection| detection.found)
    }

    fn unnoticed(&self) -> f64 {
        self.detection().and_then(|detection| detection.unnoticed_seconds).unwrap_or(f64::INFINITY)
    }

    /// Whether both did the same, as far as the curve goes.
    fn did_as(&self, other: &Point) -> bool {
        let false_alarms = |point: &Point| point.detection().map(|detection| detection.false_alarms);
        (self.found(), self.figures.pages, false_alarms(self))
            == (other.found(), other.figures.pages, false_alarms(other))
            && self.unnoticed() == other.unnoticed()
    }

    /// Whether it is in nothing worse than the other: pages, incidents found, and how long they went unnoticed.
    fn is_no_worse(&self, other: &Point) -> bool {
        self.found() >= other.found()
            && self.figures.pages <= other.figures.pages
            && self.unnoticed() <= other.unnoticed()
    }
}

fn as_number<S: Serializer>(ratio: &Ratio, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(ratio.as_f64())
}

/// A candidate and when it would have fired.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried<'a> {
    /// The rule.
    pub candidate: Candidate,
    /// Of all series.
    pub firings: Vec<Firing<'a>>,
}

impl<'a> Tried<'a> {
    /// What it would have done in a range, to find the incidents of some services.
    pub fn point(&self, services: &BTreeSet<&str>, range: Range, labels: &Labels) -> Point {
        let watches = |incident: &_| labels.concerns(incident, services.iter().copied());
        let figures = figures(self.firings.clone(), range, Some(labels), watches);
        Point { candidate: self.candidate, figures }
    }

    /// Takes the firings of another objective, too.
    pub(super) fn extend(&mut self, other: &Tried<'a>) {
        let known = self.firings.len();
        self.firings.extend(other.firings.iter().map(|firing| Firing { alert: known + firing.alert, ..*firing }));
    }
}

/// When every candidate would have fired under a target, up to `to`. Left out are those that no outage fires, that look back
/// further than the period or the history, and whose windows are no multiple of a slot.
pub fn tried(history: &History, to: i64, target: Ratio) -> Vec<Tried<'_>> {
    let factors: Vec<Ratio> = FACTORS.iter().filter_map(|text| Ratio::parse(text).ok()).collect();
    let factors: Vec<Ratio> = factors.into_iter().filter(|factor| policy::can_fire(*factor, target)).collect();
    let longest = history.period.min(to - history.from);
    let fits = |(long, short): &(i64, i64)| {
        *long <= longest && [long, short].iter().all(|window| **window % history.slot_seconds.max(1) == 0)
    };
    let rule = |(long_seconds, short_seconds): (i64, i64), min_requests| {
        let any = Candidate { long_seconds, short_seconds, factor: Ratio { num: 0, den: 1 }, min_requests };
        factors.iter().map(move |factor| Candidate { factor: *factor, ..any }).collect::<Vec<_>>()
    };
    let windows: Vec<(i64, i64)> = WINDOWS.into_iter().filter(fits).collect();
    let rules = LEAST.into_iter().flat_map(|least| windows.iter().map(move |pair| (*pair, least)));
    let ladders: Vec<Vec<Candidate>> = rules.map(|(pair, least)| rule(pair, least)).collect();
    fire(history, to, target, &ladders)
}

/// When one rule would have fired under a target. `None` if one of its windows is no multiple of a slot.
pub fn tried_one(history: &History, to: i64, target: Ratio, candidate: Candidate) -> Option<Tried<'_>> {
    let windows = [candidate.long_seconds, candidate.short_seconds];
    let fits = windows.iter().all(|window| window % history.slot_seconds.max(1) == 0);
    fits.then(|| fire(history, to, target, &[vec![candidate]]).pop()).flatten()
}

/// Evaluates ladders of rules that differ in their factors only, which ascend.
fn fire<'a>(history: &'a History, to: i64, target: Ratio, ladders: &[Vec<Candidate>]) -> Vec<Tried<'a>> {
    let all = ladders.iter().flatten();
    let mut tried: Vec<Tried<'a>> = all.map(|rule| Tried { candidate: *rule, firings: Vec::new() }).collect();
    for series in &history.series {
        let sums = Sums::of(&series.slots, history.from, to, history.slot_seconds);
        let services = history.services(series);
        let mut next = tried.iter_mut();
        for ladder in ladders {
            for (spans, tried) in spans(&sums, target, ladder).into_iter().zip(&mut next) {
                let known = tried.firings.len();
                let numbered = spans.into_iter().zip(known..);
                tried.firings.extend(numbered.map(|(span, alert)| firing(alert, services, span)));
            }
        }
    }
    tried
}

/// When each rule of a ladder held.
fn spans(sums: &Sums, target: Ratio, ladder: &[Candidate]) -> Vec<Vec<Span>> {
    let Some(rule) = ladder.first() else { return Vec::new() };
    let width = |seconds| sums.width(seconds).unwrap_or(1);
    let (long, short) = (width(rule.long_seconds), width(rule.short_seconds));
    let factors: Vec<Ratio> = ladder.iter().map(|rule| rule.factor).collect();
    let levels = sums.levels(long, short, rule.min_requests, target, &factors);
    (0..ladder.len()).map(|index| sums.spans(&levels, index)).collect()
}

fn firing(alert: usize, services: [&str; 2], span: Span) -> Firing<'_> {
    Firing { alert, services, fired: span.fired, ended: span.ended, pages: true, budget_gone: None }
}

/// The points that find something and that no other outdoes: none finds as much, with as few pages, as soon, and is better
/// in one of them. The time is that in which incidents went unnoticed: the median time to detect is of other incidents for
/// each rule. By pages, then by that time. Of neighbouring factors that did the same, the middle one stands for
/// all: it has the most room on both sides. Of other rules that did the same, the first, which looks back least.
pub fn front(points: &[Point]) -> Vec<Point> {
    let mut distinct: Vec<&Point> = Vec::new();
    for same in points.chunk_by(|a, b| {
        let windows = |point: &Point| Candidate { factor: Ratio { num: 0, den: 1 }, ..point.candidate };
        windows(a) == windows(b) && a.did_as(b)
    }) {
        let middle = &same[(same.len() - 1) / 2];
        if middle.found() > 0 && !distinct.iter().any(|known| known.did_as(middle)) {
            distinct.push(middle);
        }
    }
    let is_outdone = |point: &Point| distinct.iter().any(|other| other.is_no_worse(point) && !point.is_no_worse(other));
    let mut front: Vec<Point> =
        distinct.iter().filter(|point| !is_outdone(point)).map(|point| (*point).clone()).collect();
    front.sort_by(by_pages);
    // Those that differ in nothing but false alarms: fewer first, and the others go.
    front.dedup_by(|later, kept| later.is_no_worse(kept) && kept.is_no_worse(later));
    front
}

fn by_pages(a: &Point, b: &Point) -> Ordering {
    let false_alarms = |point: &Point| point.detection().map_or(0, |detection| detection.false_alarms);
    let (x, y) = (&a.figures, &b.figures);
    x.pages
        .cmp(&y.pages)
        .then(a.unnoticed().total_cmp(&b.unnoticed()))
        .then(b.found().cmp(&a.found()))
        .then(false_alarms(a).cmp(&false_alarms(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range { from: 0, to: 604_800 };

    /// A rule of the windows of that index, and what it did: pages, found, false, seconds unnoticed.
    fn did(windows: usize, factor: u64, pages: u64, found: u64, false_alarms: u64, seconds: f64) -> Point {
        let (long_seconds, short_seconds) = WINDOWS[windows];
        let factor = Ratio { num: factor, den: 1 };
        let mut figures = figures(Vec::new(), RANGE, Some(&Labels::default()), |_| true);
        (figures.pages, figures.firings) = (pages, pages);
        let unnoticed_seconds = Some(seconds);
        figures.against_incidents = Some(Detection { found, false_alarms, unnoticed_seconds, ..Detection::default() });
        Point { candidate: Candidate { long_seconds, short_seconds, factor, min_requests: 0 }, figures }
    }

    fn factors(points: &[Point]) -> Vec<u64> {
        points.iter().map(|point| point.candidate.factor.num).collect()
    }

    #[test]
    fn the_front_is_what_no_other_outdoes() {
        let points = [
            did(0, 1, 9, 3, 2, 30.0), // quickest
            did(0, 2, 6, 3, 2, 60.0), // between
            did(0, 3, 7, 3, 2, 60.0), // more pages than the one before, and no sooner
            did(0, 4, 4, 3, 0, 90.0), // fewest pages that find all
            did(0, 5, 4, 2, 0, 95.0), // finds less, later
            did(0, 6, 2, 2, 0, 95.0), // finds less with fewer pages
            did(0, 7, 0, 0, 0, 0.0),  // finds nothing
        ];
        assert_eq!(factors(&front(&points)), [6, 4, 2, 1]);
        assert_eq!(front(&[]), []);
    }

    #[test]
    fn of_those_that_did_the_same_the_middle_of_the_first_stands_for_all() {
        let same = |windows, factor| did(windows, factor, 4, 3, 0, 90.0);
        let points = [same(0, 1), same(0, 2), same(0, 3), same(0, 4), same(1, 5), did(1, 6, 4, 3, 1, 90.0)];
        assert_eq!(factors(&front(&points)), [2]);
    }
}
