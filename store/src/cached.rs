//! Days of aggregates in memory, so that a question over a month adds up instead of reading. A day is as good as the version that its
//! store tells in the same snapshot: a day that was made anew has another one, and is read again.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::{HashMap, HashSet};

use crate::kpis::Tally;
use crate::rollup::Sums;

/// Bytes of all days together; beyond, those that were not asked for longest are dropped.
const MOST_BYTES: usize = 64 << 20;

/// Which day, and which of its versions.
pub type Key = (i64, i64);

/// The rows of a day.
#[derive(Debug, Default)]
pub struct Day {
    rows: Vec<Row>,
    /// Cells of all sketches: index of the bucket, `None` for zero, and weight.
    cells: Vec<(Option<i16>, u64)>,
}

#[derive(Debug)]
struct Row {
    dimensions: i64,
    class: i64,
    hits: u64,
    errors: u64,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    /// Where its cells end; they begin where those of the row before end.
    end: u32,
}

impl Day {
    /// Adds a row.
    pub fn push(&mut self, dimensions: i64, class: i64, sums: &Sums) {
        let latency = &sums.latency;
        self.cells.extend(latency.sketch.cells().map(|(index, weight)| (index.map(|index| index as i16), weight)));
        self.rows.push(Row {
            dimensions,
            class,
            hits: sums.hits,
            errors: sums.errors,
            count: latency.count,
            sum: latency.sum,
            min: latency.min,
            max: latency.max,
            end: self.cells.len() as u32,
        });
    }

    /// Adds every row that is wanted to the sums of its tuple and class.
    pub fn add_to(&self, wanted: &Wanted, start: Option<i64>, tally: &mut Tally<'_>) {
        let mut begin = 0;
        for row in &self.rows {
            let cells = begin..row.end as usize;
            begin = row.end as usize;
            if !wanted.admits(row) {
                continue;
            }
            let sums = tally.aggregate(start, row.dimensions, row.class);
            sums.hits += row.hits;
            sums.errors += row.errors;
            let latency = &mut sums.latency;
            latency.count += row.count;
            latency.sum += row.sum;
            latency.min = latency.min.min(row.min);
            latency.max = latency.max.max(row.max);
            for (index, weight) in &self.cells[cells] {
                latency.sketch.count_in(index.map(i32::from), *weight);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>() + self.cells.len() * size_of::<(Option<i16>, u64)>()
    }
}

/// Which rows of a day a question is about.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Ids of tuples; `None` for all.
    pub dimensions: Option<HashSet<i64>>,
    /// The class of status codes.
    pub class: Option<i64>,
    /// Only status 500 and above.
    pub errors_only: bool,
}

impl Wanted {
    fn admits(&self, row: &Row) -> bool {
        self.dimensions.as_ref().is_none_or(|ids| ids.contains(&row.dimensions))
            && self.class.is_none_or(|class| class == row.class)
            && (!self.errors_only || row.class >= 5)
    }
}

/// Days by their begin.
#[derive(Debug, Default)]
pub struct Days {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    days: HashMap<i64, Entry>,
    bytes: usize,
    turn: u64,
}

#[derive(Debug)]
struct Entry {
    version: i64,
    day: Arc<Day>,
    used: u64,
}

impl Days {
    /// The day, in this version.
    pub fn get(&self, (begin, version): Key) -> Option<Arc<Day>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.turn += 1;
        let turn = held.turn;
        let entry = held.days.get_mut(&begin).filter(|entry| entry.version == version)?;
        entry.used = turn;
        Some(entry.day.clone())
    }

    /// Keeps a day, instead of other versions of it.
    pub fn keep(&self, (begin, version): Key, day: &Arc<Day>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.turn += 1;
        let used = held.turn;
        held.bytes += day.bytes();
        if let Some(before) = held.days.insert(begin, Entry { version, day: day.clone(), used }) {
            held.bytes -= before.day.bytes();
        }
        while held.bytes > MOST_BYTES {
            let Some(oldest) = held.days.iter().min_by_key(|(_, entry)| entry.used).map(|(begin, _)| *begin) else {
                return;
            };
            let Some(dropped) = held.days.remove(&oldest) else { return };
            held.bytes -= dropped.day.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kpis::{KpiQuestion, Names, RowKey};

    fn sums(latency: f64, status: u16) -> Sums {
        let mut sums = Sums::default();
        sums.add(status, Some(latency), 3);
        sums
    }

    #[test]
    fn a_day_adds_up_to_what_it_was_made_of() {
        let mut day = Day::default();
        for (dimensions, class, sums) in [(1, 2, sums(12.0, 200)), (1, 5, sums(900.0, 503)), (2, 2, sums(0.0, 204))] {
            day.push(dimensions, class, &sums);
        }
        let question = KpiQuestion::default();
        let total = |wanted: Wanted| {
            let mut tally = Tally::new(&question);
            day.add_to(&wanted, None, &mut tally);
            let sums = tally.rows(&Names::new()).remove(&RowKey::default()).unwrap_or_default();
            (sums.hits, sums.errors, sums.latency.max, sums.latency.sketch.count())
        };
        assert_eq!(total(Wanted::default()), (9, 3, 900.0, 9));
        assert_eq!(total(Wanted { errors_only: true, ..Wanted::default() }), (3, 3, 900.0, 3));
        assert_eq!(total(Wanted { class: Some(2), ..Wanted::default() }), (6, 0, 12.0, 6));
        let second = Some(HashSet::from_iter([2]));
        assert_eq!(total(Wanted { dimensions: second, ..Wanted::default() }), (3, 0, 0.0, 3));
    }

    #[test]
    fn a_day_is_as_good_as_its_version() {
        let days = Days::default();
        let day = Arc::new(Day::default());
        days.keep((5, 1), &day);
        assert!(days.get((5, 1)).is_some() && days.get((5, 2)).is_none() && days.get((6, 1)).is_none());
        days.keep((5, 2), &day);
        assert!(days.get((5, 1)).is_none() && days.get((5, 2)).is_some());
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_stays() {
        let days = Days::default();
        let mut sums = Sums::default();
        (0..1_000).for_each(|i| sums.add(200, Some(1.02f64.powi(i)), 1));
        let mut large = Day::default();
        while large.bytes() < MOST_BYTES / 4 {
            large.push(1, 2, &sums);
        }
        let large = Arc::new(large);
        for begin in 0..8 {
            days.keep((begin, 1), &large);
            assert!(days.get((0, 1)).is_some(), "asked for again and again");
        }
        let held = (0..8).filter(|begin| days.get((*begin, 1)).is_some()).count();
        assert!((2..4).contains(&held), "{held}");
        assert!(days.get((7, 1)).is_some() && days.get((3, 1)).is_none());
    }
}
