//! Days of aggregates in memory, so that a question over a month adds up instead of reading. A day is as good as the version that its
//! store tells in the same snapshot: a day that was made anew has another one, and is read again.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::{HashMap, HashSet};

use crate::error::StoreError;
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
    /// Cells of all sketches: see [`packed`].
    cells: Vec<u64>,
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
        latency.sketch.cells().for_each(|(index, weight)| self.cells.extend(packed(index, weight)));
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
    ///
    /// # Errors
    /// As of [`Tally::aggregate`].
    pub fn add_to(&self, wanted: &Wanted, start: Option<i64>, tally: &mut Tally<'_>) -> Result<(), StoreError> {
        let mut begin = 0;
        for row in &self.rows {
            let cells = begin..row.end as usize;
            begin = row.end as usize;
            if !wanted.admits(row) {
                continue;
            }
            let sums = tally.aggregate(start, row.dimensions, row.class)?;
            sums.hits += row.hits;
            sums.errors += row.errors;
            let latency = &mut sums.latency;
            latency.count += row.count;
            latency.sum += row.sum;
            latency.min = latency.min.min(row.min);
            latency.max = latency.max.max(row.max);
            for (index, weight) in self.cells[cells].iter().map(|cell| unpacked(*cell)) {
                latency.sketch.count_in(index, weight);
            }
        }
        Ok(())
    }

    /// What it takes, with its place among others.
    fn bytes(&self) -> usize {
        const PLACE: usize = 256;
        PLACE + self.rows.len() * size_of::<Row>() + self.cells.len() * size_of::<u64>()
    }
}

/// A cell's weight in the upper 48 bits, and its bucket, all ones for that of zero. A greater weight takes several.
fn packed(index: Option<i32>, weight: u64) -> impl Iterator<Item = u64> {
    let place = u64::from(index.map_or(ZERO, |index| (index + MIDDLE) as u16));
    let (whole, rest) = (weight / MOST_WEIGHT, weight % MOST_WEIGHT);
    let parts = std::iter::repeat_n(MOST_WEIGHT, whole as usize).chain((rest > 0).then_some(rest));
    parts.map(move |weight| weight << 16 | place)
}

fn unpacked(cell: u64) -> (Option<i32>, u64) {
    let place = cell as u16;
    ((place != ZERO).then(|| i32::from(place) - MIDDLE), cell >> 16)
}

const ZERO: u16 = u16::MAX;
/// Buckets are numbered around 0, and none is as far from it.
const MIDDLE: i32 = 1 << 14;
const MOST_WEIGHT: u64 = (1 << 48) - 1;

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

/// How much of what may be kept the days of one question take. Those beyond are read for it alone, with its filter: to keep them
/// would drop the others, and the next question of its kind would find none of them.
#[derive(Debug, Default)]
pub struct Share(usize);

impl Share {
    /// Counts a day; whether there is room for it.
    pub fn takes(&mut self, day: &Day) -> bool {
        self.0 += day.bytes();
        self.0 <= MOST_BYTES
    }

    /// Whether there is none left.
    pub fn is_used_up(&self) -> bool {
        self.0 > MOST_BYTES
    }
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
            day.add_to(&wanted, None, &mut tally).unwrap();
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
    fn cells_of_any_weight_are_packed() {
        for cell in [(None, 1), (Some(0), 5), (Some(-650), MOST_WEIGHT), (Some(850), 3), (None, MOST_WEIGHT - 1)] {
            assert_eq!(packed(cell.0, cell.1).map(unpacked).collect::<Vec<_>>(), [cell]);
        }
        let parts: Vec<_> = packed(Some(7), 2 * MOST_WEIGHT + 5).map(unpacked).collect();
        assert_eq!(parts, [(Some(7), MOST_WEIGHT), (Some(7), MOST_WEIGHT), (Some(7), 5)]);
    }

    #[test]
    fn days_without_rows_are_bounded_too() {
        let days = Days::default();
        let empty = Arc::new(Day::default());
        (0..262_400).for_each(|begin| days.keep((begin, 1), &empty));
        assert_eq!(days.held.lock().unwrap().days.len(), MOST_BYTES / 256);
    }

    #[test]
    fn one_question_does_not_take_the_place_of_its_own_days() {
        let mut large = Day::default();
        large.cells.resize(MOST_BYTES / 8 / 3, 0);
        let mut share = Share::default();
        assert_eq!([(); 4].map(|()| share.takes(&large)), [true, true, false, false]);
        assert!(share.is_used_up());
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
