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
