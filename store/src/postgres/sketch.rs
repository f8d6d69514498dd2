//! Latency sketches as the database has them: a list of cells, each `place * 2^52 + weight` (see `sql/v1_sketch.sql`).

use std::error::Error;

use slipstream_schemas::Cause;
use tokio_postgres::types::{FromSql, Type};

use crate::sketch::Sketch;

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

/// A list of cells as it came from the database: read without being copied first.
pub struct Cells<'a> {
    /// Of each cell four bytes of length, always 8, and eight of the cell.
    bytes: &'a [u8],
}

/// Dimensions, whether there are nulls, type of the elements; then length and first index of the one dimension.
const ARRAY_HEAD: usize = 12 + 8;
const CELL: usize = 4 + 8;

impl<'a> FromSql<'a> for Cells<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match raw.get(..8) {
            // An empty list has no dimension.
            Some([0, 0, 0, 0, ..]) => Ok(Cells { bytes: &[] }),
            Some([0, 0, 0, 1, 0, 0, 0, 0])
                if raw.len() >= ARRAY_HEAD && (raw.len() - ARRAY_HEAD).is_multiple_of(CELL) =>
            {
                Ok(Cells { bytes: &raw[ARRAY_HEAD..] })
            }
            _ => Err("a sketch is a list of numbers without nulls".into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::INT8_ARRAY
    }
}

impl Cells<'_> {
    /// Adds them, in any order, to a sketch.
    ///
    /// # Errors
    /// When a cell has a place that does not exist.
    pub fn add_to(&self, sketch: &mut Sketch) -> Result<(), StoreError> {
        for cell in self.bytes.chunks_exact(CELL) {
            let cell = cell.last_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes));
            add_place(sketch, (cell >> WEIGHT_BITS) as i32, cell as u64 & MOST_WEIGHT)?;
        }
        Ok(())
    }
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
    use tokio_postgres::types::ToSql;

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
        let sent = sent(&cells);
        Cells::from_sql(&Type::INT8_ARRAY, &sent).unwrap().add_to(&mut back).unwrap();
        assert_eq!(back, sketch);
        assert!(matches!(add_place(&mut back, 1, 1), Err(StoreError::Fatal { .. })));
    }

    fn sent(cells: &[i64]) -> bytes::BytesMut {
        let mut sent = bytes::BytesMut::new();
        cells.to_sql(&Type::INT8_ARRAY, &mut sent).unwrap();
        sent
    }

    #[test]
    fn what_is_no_list_of_cells_is_refused() {
        assert!(Cells::from_sql(&Type::INT8_ARRAY, &sent(&[])).unwrap().bytes.is_empty());
        let mut with_null = bytes::BytesMut::new();
        [Some(1i64), None].as_slice().to_sql(&Type::INT8_ARRAY, &mut with_null).unwrap();
        for raw in [&with_null[..], &sent(&[5])[..21], &[]] {
            assert!(Cells::from_sql(&Type::INT8_ARRAY, raw).is_err());
        }
    }
}
