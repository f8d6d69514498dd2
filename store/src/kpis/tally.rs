//! Adding up rows: first by what the store itself knows a row by (ids, numbers), then, once per such cell, by what is asked.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::{Field, FieldValue, KpiQuestion};
use crate::error::StoreError;
use crate::events::Dimensions;
use crate::rollup::Sums;

/// What rows are first added up by. What is not asked for is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Start of the step, microseconds.
    pub start: Option<i64>,
    /// Id of the tuple of dimensions in the store.
    pub dimensions: i64,
    /// Status code.
    pub code: i64,
    /// Status class.
    pub class: i64,
}

/// The tuple of dimensions of an id.
pub type Names = HashMap<i64, Dimensions>;

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RowKey {
    /// Start of the step, microseconds.
    pub start: Option<i64>,
    /// Values of the fields, in the order of the question.
    pub values: Vec<FieldValue>,
}

/// Cells of an answer at most: each has a sketch of its own.
pub const MOST_CELLS: usize = 100_000;

/// Sums per cell while a result is computed.
#[derive(Debug)]
pub struct Tally<'a> {
    question: &'a KpiQuestion,
    cells: HashMap<Cell, Sums>,
    most: usize,
}

impl<'a> Tally<'a> {
    /// Nothing counted.
    pub fn new(question: &'a KpiQuestion) -> Self {
        Tally { question, cells: HashMap::new(), most: MOST_CELLS }
    }

    /// For what is bounded by itself.
    pub fn unbounded(question: &'a KpiQuestion) -> Self {
        Tally { most: usize::MAX, ..Tally::new(question) }
    }

    /// Whether rows are told apart by a part of the tuple of dimensions.
    pub fn needs_names(&self) -> bool {
        self.question.by.iter().any(|field| field.is_dimension())
    }

    /// The sums for a raw event, by the start of its step.
    ///
    /// # Errors
    /// `Refused` when there are too many.
    pub fn raw(&mut self, start: Option<i64>, dimensions: i64, code: i64) -> Result<&mut Sums, StoreError> {
        self.at(start, dimensions, code, code / 100)
    }

    /// The sums for an aggregate, which knows only the class of its status codes.
    ///
    /// # Errors
    /// As for a raw event.
    pub fn aggregate(&mut self, start: Option<i64>, dimensions: i64, class: i64) -> Result<&mut Sums, StoreError> {
        self.at(start, dimensions, 0, class)
    }

    fn at(&mut self, start: Option<i64>, dimensions: i64, code: i64, class: i64) -> Result<&mut Sums, StoreError> {
        let by = |field| i64::from(self.question.by.contains(&field));
        let cell = Cell {
            start,
            dimensions: if self.needs_names() { dimensions } else { 0 },
            code: code * by(Field::StatusCode),
            class: class * by(Field::StatusClass),
        };
        if self.cells.len() >= self.most && !self.cells.contains_key(&cell) {
            let why = format!("more than {} rows: take longer steps, fewer fields, or a shorter range", self.most);
            return Err(StoreError::Refused(why));
        }
        Ok(self.cells.entry(cell).or_default())
    }

    /// The sums of each cell.
    pub fn cells(&self) -> impl Iterator<Item = (&Cell, &Sums)> {
        self.cells.iter()
    }

    /// Which tuples have to be named.
    pub fn unnamed(&self) -> BTreeSet<i64> {
        let needed = self.needs_names();
        self.cells.keys().filter(|_| needed).map(|cell| cell.dimensions).collect()
    }

    /// The rows. A tuple without a name counts as one of empty texts.
    pub fn rows(self, names: &Names) -> BTreeMap<RowKey, Sums> {
        let nameless = Dimensions::default();
        let mut rows: BTreeMap<RowKey, Sums> = BTreeMap::new();
        // In one order: sums of floats depend on it.
        let mut cells: Vec<(Cell, Sums)> = self.cells.into_iter().collect();
        cells.sort_unstable_by_key(|(cell, _)| *cell);
        for (cell, sums) in cells {
            let tuple = names.get(&cell.dimensions).unwrap_or(&nameless);
            let values = self.question.by.iter().map(|field| value(*field, cell, tuple)).collect();
            rows.entry(RowKey { start: cell.start, values }).or_default().merge(&sums);
        }
        rows
    }
}

fn value(field: Field, cell: Cell, tuple: &Dimensions) -> FieldValue {
    let text = |text: &str| FieldValue::Text(text.to_owned());
    match field {
        Field::Service => text(&tuple.service),
        Field::Environment => text(&tuple.environment),
        Field::Endpoint => text(&tuple.endpoint),
        Field::Method => text(&tuple.method),
        Field::StatusCode => FieldValue::Number(cell.code),
        Field::StatusClass => FieldValue::Number(cell.class),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_name_are_one_row() {
        let question = KpiQuestion { by: vec![Field::Endpoint, Field::StatusClass], ..KpiQuestion::default() };
        let mut tally = Tally::new(&question);
        for (dimensions, code) in [(1, 200), (2, 503), (3, 204), (1, 204)] {
            tally.raw(None, dimensions, code).unwrap().add(code as u16, None, 1);
        }
        tally.aggregate(None, 1, 2).unwrap().add(200, None, 10);
        assert_eq!(tally.unnamed().into_iter().collect::<Vec<_>>(), [1, 2, 3]);
        let named = |endpoint: &str| Dimensions { endpoint: endpoint.into(), ..Dimensions::default() };
        let names: Names = [(1, named("/a")), (2, named("/b")), (3, named("/a"))].into_iter().collect();
        let rows: Vec<(Vec<FieldValue>, u64)> =
            tally.rows(&names).into_iter().map(|(key, sums)| (key.values, sums.hits)).collect();
        let text = |text: &str| FieldValue::Text(text.to_owned());
        let expected = [(vec![text("/a"), FieldValue::Number(2)], 13), (vec![text("/b"), FieldValue::Number(5)], 1)];
        assert_eq!(rows, expected);
    }

    #[test]
    fn nothing_is_told_apart_that_is_not_asked_for() {
        let question = KpiQuestion::default();
        let mut tally = Tally::new(&question);
        tally.raw(None, 1, 200).unwrap().add(200, None, 1);
        tally.raw(None, 2, 503).unwrap().add(503, None, 1);
        assert!(tally.unnamed().is_empty());
        let rows = tally.rows(&Names::new());
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[&RowKey::default()].hits, 2);
    }

    #[test]
    fn rows_are_bounded() {
        let question = KpiQuestion { step: Some(1), ..KpiQuestion::default() };
        let mut tally = Tally { most: 2, ..Tally::new(&question) };
        for start in [1, 2, 1, 2] {
            tally.raw(Some(start), 0, 200).unwrap().add(200, None, 1);
        }
        match tally.raw(Some(3), 0, 200) {
            Err(StoreError::Refused(why)) => {
                assert_eq!(why, "more than 2 rows: take longer steps, fewer fields, or a shorter range");
            }
            other => panic!("{other:?}"),
        }
    }
}
