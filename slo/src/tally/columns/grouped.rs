//! Events of a block per tuple, tick and slot, and there per bucket of latency.

use hashbrown::HashMap;

/// What the events of one tuple, tick and slot have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub tuple: u32,
    pub tick: i64,
    pub slot: i64,
    /// Its first bucket, and how many it has.
    first: u32,
    buckets: u32,
}

/// Events that every definition judges alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    pub weight: i64,
    /// Lowest id hash, and the row of that event.
    pub lowest: u64,
    pub row: u32,
}

const EMPTY: Bucket = Bucket { weight: 0, lowest: u64::MAX, row: 0 };
const NOWHERE: u32 = u32::MAX;

/// The cells of a block. The memory is kept from block to block.
#[derive(Debug, Default)]
pub(super) struct Grouped {
    cells: Vec<Cell>,
    buckets: Vec<Bucket>,
    /// Per tuple the cell that was added to last: events come nearly in the order of time, so the next one is mostly for
    /// the same.
    last: Vec<u32>,
    index: HashMap<(u32, i64, i64), u32>,
    order: Vec<u32>,
}

impl Grouped {
    pub(super) fn clear(&mut self) {
        for cell in &self.cells {
            self.last[cell.tuple as usize] = NOWHERE;
        }
        self.cells.clear();
        self.buckets.clear();
        self.index.clear();
        self.order.clear();
    }

    /// Adds an event (weight, id hash, row) to a bucket of a cell (tuple, tick, slot) that has so many.
    pub(super) fn add(
        &mut self,
        (tuple, tick, slot): (u32, i64, i64),
        (bucket, buckets): (usize, usize),
        (weight, id, row): (u32, u64, u32),
    ) {
        let number = tuple as usize;
        if number >= self.last.len() {
            self.last.resize(number + 1, NOWHERE);
        }
        let same = |cell: &&Cell| cell.tick == tick && cell.slot == slot;
        let first = match self.cells.get(self.last[number] as usize).filter(same) {
            Some(cell) => cell.first,
            None => self.find((tuple, tick, slot), buckets),
        };
        let bucket = &mut self.buckets[first as usize + bucket];
        bucket.weight += i64::from(weight);
        if id < bucket.lowest {
            (bucket.lowest, bucket.row) = (id, row);
        }
    }

    /// The first bucket of a cell, which becomes the last of its tuple.
    fn find(&mut self, key: (u32, i64, i64), buckets: usize) -> u32 {
        let (tuple, tick, slot) = key;
        let at = *self.index.entry(key).or_insert_with(|| {
            let first = self.buckets.len() as u32;
            self.buckets.resize(self.buckets.len() + buckets, EMPTY);
            self.cells.push(Cell { tuple, tick, slot, first, buckets: buckets as u32 });
            self.cells.len() as u32 - 1
        });
        self.last[tuple as usize] = at;
        self.cells[at as usize].first
    }

    /// Every cell with its buckets, by tick and slot: one series after the other gets its cells in order.
    pub(super) fn cells(&mut self) -> impl Iterator<Item = (Cell, &[Bucket])> {
        let Grouped { cells, buckets, order, .. } = self;
        order.extend(0..cells.len() as u32);
        order.sort_unstable_by_key(|at| {
            let cell = &cells[*at as usize];
            (cell.tick, cell.slot, cell.tuple)
        });
        order.iter().map(|at| {
            let cell = cells[*at as usize];
            (cell, &buckets[cell.first as usize..(cell.first + cell.buckets) as usize])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cell (tuple, tick, slot) with the weight, lowest id and row of each bucket that has events.
    type Told = ((u32, i64, i64), Vec<(usize, i64, u64, u32)>);

    fn told(grouped: &mut Grouped) -> Vec<Told> {
        let buckets = |buckets: &[Bucket]| {
            let filled = buckets.iter().enumerate().filter(|(_, bucket)| bucket.weight > 0);
            filled.map(|(at, bucket)| (at, bucket.weight, bucket.lowest, bucket.row)).collect()
        };
        grouped.cells().map(|(cell, found)| ((cell.tuple, cell.tick, cell.slot), buckets(found))).collect()
    }

    #[test]
    fn events_of_a_tuple_tick_and_slot_are_one_cell_also_if_others_come_between() {
        let mut grouped = Grouped::default();
        // (tuple, tick, slot), bucket, (weight, id, row)
        let events = [
            ((1, 7, 5), 0, (2, 40, 0)),
            ((1, 7, 6), 3, (1, 30, 1)),
            ((0, 7, 6), 1, (5, 20, 2)),
            ((1, 7, 5), 0, (3, 10, 3)),
            ((1, 8, 5), 2, (1, 50, 4)),
            ((1, 7, 5), 2, (1, 60, 5)),
        ];
        for (cell, bucket, event) in events {
            grouped.add(cell, (bucket, 4), event);
        }
        let expected = [
            ((1, 7, 5), vec![(0, 5, 10, 3), (2, 1, 60, 5)]),
            ((0, 7, 6), vec![(1, 5, 20, 2)]),
            ((1, 7, 6), vec![(3, 1, 30, 1)]),
            ((1, 8, 5), vec![(2, 1, 50, 4)]),
        ];
        assert_eq!(told(&mut grouped), expected);
    }

    #[test]
    fn nothing_of_a_block_is_found_in_the_next_one() {
        let mut grouped = Grouped::default();
        for tuple in 0..5 {
            for slot in [3, 4, 3] {
                grouped.add((tuple, 4, slot), (1, 2), (9, 1, 100));
            }
        }
        grouped.clear();
        assert!(grouped.last.iter().all(|last| *last == NOWHERE), "no tuple keeps a cell");
        assert_eq!(told(&mut grouped), []);
        grouped.clear();
        // The same ticks and slots, other tuples first, and more buckets: a cell that was kept would be another's.
        for tuple in (2..5).rev() {
            grouped.add((tuple, 4, 3), (5, 6), (1, u64::from(tuple), tuple));
        }
        let expected: Vec<_> = (2..5).map(|tuple| ((tuple, 4, 3), vec![(5, 1, u64::from(tuple), tuple)])).collect();
        assert_eq!(told(&mut grouped), expected);
    }

    #[test]
    fn of_events_with_the_lowest_id_the_first_is_kept() {
        let mut grouped = Grouped::default();
        for (id, row) in [(7, 0), (5, 1), (5, 2), (6, 3)] {
            grouped.add((0, 1, 1), (0, 1), (1, id, row));
        }
        assert_eq!(told(&mut grouped), [((0, 1, 1), vec![(0, 4, 5, 1)])]);
    }
}
