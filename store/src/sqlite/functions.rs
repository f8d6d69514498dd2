//! SQL functions over latency sketches, the same by name in every SQL store:
//! `sketch_merge(blob)` (aggregate), `sketch_quantile(blob, p)` in milliseconds, and `sketch_add(a, b)`. And
//! `floor_div(a, b)`: SQLite's own division rounds towards zero, so that hours before 1970 would begin late.

use crate::sketch::Sketch;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result};

/// Makes the functions known to a connection.
pub fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_aggregate_function("sketch_merge", 1, flags, Merge)?;
    connection.create_scalar_function("sketch_add", 2, flags, |context| {
        let mut sum: Option<Sketch> = None;
        add(context, 0, &mut sum)?;
        add(context, 1, &mut sum)?;
        Ok(sum.map(|sketch| sketch.encode()))
    })?;
    connection.create_scalar_function("floor_div", 2, flags, |context| {
        let (a, b): (i64, i64) = (context.get(0)?, context.get(1)?);
        Ok(a.checked_div_euclid(b))
    })?;
    connection.create_scalar_function("sketch_quantile", 2, flags, |context| {
        let p: Option<f64> = context.get(1)?;
        let mut sketch = None;
        add(context, 0, &mut sketch)?;
        Ok(p.and_then(|p| sketch.and_then(|sketch: Sketch| sketch.quantile(p))))
    })
}

struct Merge;

impl Aggregate<Option<Sketch>, Option<Vec<u8>>> for Merge {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<Sketch>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<Sketch>) -> Result<()> {
        add(context, 0, sum)
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Option<Sketch>>) -> Result<Option<Vec<u8>>> {
        Ok(sum.flatten().map(|sketch| sketch.encode()))
    }
}

/// Adds the sketch in an argument; null adds nothing.
fn add(context: &Context<'_>, argument: usize, sum: &mut Option<Sketch>) -> Result<()> {
    match context.get_raw(argument) {
        ValueRef::Null => Ok(()),
        ValueRef::Blob(bytes) => {
            sum.get_or_insert_default().merge_encoded(bytes).map_err(|cause| Error::UserFunctionError(Box::new(cause)))
        }
        other => Err(Error::UserFunctionError(format!("a sketch is a blob, not {}", other.data_type()).into())),
    }
}
