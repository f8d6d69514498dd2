//! Latency sketches as the database has them: a list of cells, each `place * 2^52 + weight` (see `sql/v1_sketch.sql`).

use crate::sketch::Sketch;
use slipstream_schemas::Cause;

use super::error;
use crate::port::StoreError;

const WEIGHT_BITS: u32 = 52;
const MOST_WEIGHT: u64 = (1 << WEIGHT_BITS) - 1;
/// Place of bucket 0; place 0 counts what took no time.
const BUCKET_0: i32 = 1024;

/// The cells of a sketch, in order.
pub fn cells(sketch: &Sketch) -> impl Iterator<Item = i64> + '_ {
    sketch.cells().map(|(bucket, weight)| {
        let place = bucket.map_or(0, |bucket| i64::from(bucket + BUCKET_0));
        (place << WEIGHT_BITS) | weight.min(MOST_WEIGHT) as i64
    })
}

/// Adds cells, in any order, to a sketch.
///
/// # Errors
/// When a cell has a place that does not exist.
pub fn add(sketch: &mut Sketch, cells: &[i64]) -> Result<(), StoreError> {
    for cell in cells {
        add_place(sketch, (cell >> WEIGHT_BITS) as i32, *cell as u64 & MOST_WEIGHT)?;
    }
    Ok(())
}

/// Adds weight at a place.
///
/// # Errors
/// When there is no such place.
pub fn add_place(sketch: &mut Sketch, place: i32, weight: u64) -> Result<(), StoreError> {
    let bucket = (place != 0).then(|| place - BUCKET_0);
    sketch.add_cell(bucket, weight).map_err(|cause| error::unreadable("a sketch", Cause::of(cause)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::{LONGEST_MS, SHORTEST_MS};

    #[test]
    fn a_sketch_comes_back_from_its_cells() {
        let mut sketch = Sketch::new();
        let latencies = [0.0, SHORTEST_MS, 0.7, 12.0, 12.0, 850.25, LONGEST_MS];
        latencies.iter().for_each(|latency| sketch.add(*latency, 1_000_000));
        let mut cells: Vec<i64> = cells(&sketch).collect();
        assert!(cells.is_sorted() && cells.iter().all(|cell| *cell >= 0), "{cells:?}");
        cells.reverse();
        let mut back = Sketch::new();
        add(&mut back, &cells).unwrap();
        assert_eq!(back, sketch);
        assert!(matches!(add(&mut back, &[1 << WEIGHT_BITS]), Err(StoreError::Fatal { .. })));
    }
}
