//! Which definitions an event counts for, and how.
//!
//! Matching does not cost per definition. What a filter says about service, environment, method, status code and
//! endpoint is decided once per distinct tuple and cached (`tuples`); of the definitions that remain, a latency threshold
//! is compared directly and any other rest is evaluated per event. Hits come in the order of the definitions, and ids in
//! the order of first need: nothing depends on the order of a hash table.
//!
//! The objectives of an SLO that count the same share a decision and a series; those with indicators of their own are
//! matched by themselves.

mod by_tuple;
mod series;
mod tuples;

use std::sync::Arc;

use slipstream_schemas::event::EventView;

pub use self::by_tuple::{LatencyRow, TupleRows};
use self::series::{Grouping, SeriesTable};
pub use self::series::{SeriesId, SeriesKey};
use self::tuples::{Row, SeriesOf, Tuples};
use slipstream_definitions::definition::{Indicator, Side, Slo};
use slipstream_definitions::filter::expression::{Comparison, Field, Value};
use slipstream_definitions::filter::{Expression, Filter};

/// A definition in force.
#[derive(Debug, Clone)]
pub struct Active {
    /// The definition.
    pub slo: Arc<Slo>,
    /// Its generation: the cut of its last change of meaning, ms.
    pub generation: i64,
}

/// How an event counts for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// total and good.
    Good,
    /// total and not good.
    Bad,
    /// A filter could not be decided.
    Unknown,
}

/// Matches events against the definitions in force. Built again when they change.
#[derive(Debug)]
pub struct Matcher {
    definitions: Vec<Definition>,
    tuples: Tuples,
    series: SeriesTable,
}

/// An indicator of a definition with its filters compiled.
#[derive(Debug)]
struct Definition {
    total: Expression,
    side: Expression,
    /// What it means that `side` is true.
    meaning: Verdict,
    grouping: Grouping,
}

/// How the events of a tuple count for a definition.
#[derive(Debug, Clone)]
enum Decision {
    /// The same for all of them.
    Always(Verdict),
    /// latency_ms against a bound; `meaning` where it holds, unknown where it is null.
    Latency { comparison: Comparison, bound: f64, meaning: Verdict },
    /// Evaluated per event; no total: it is true.
    Evaluate { total: Option<Box<Expression>>, side: Box<Expression>, meaning: Verdict },
}

impl Matcher {
    /// A matcher for these definitions. Filters were checked when the definitions were read; one that does not compile
    /// all the same is unknown for every event, so its series show it.
    pub fn new(active: &[Active]) -> Matcher {
        let mut series = SeriesTable::default();
        let mut definitions = Vec::new();
        for active in active {
            let counted = indicators(&active.slo).into_iter();
            definitions.extend(counted.map(|(counts, of)| Definition::new(active, counts, of, &mut series)));
        }
        Matcher { definitions, tuples: Tuples::default(), series }
    }

    /// Whether any definition reads attributes: if not, the decoder may skip them.
    pub fn needs_attributes(&self) -> bool {
        let reads = |definition: &Definition| {
            definition.total.reads_attributes()
                || definition.side.reads_attributes()
                || definition.grouping.reads_attributes()
        };
        self.definitions.iter().any(reads)
    }

    /// Calls `hit` for every series that the event counts for.
    pub fn apply(&mut self, event: &EventView<'_>, hit: &mut impl FnMut(SeriesId, Verdict)) {
        let Matcher { definitions, tuples, series } = self;
        for Row { definition, series: of, decision } in tuples.rows(event, definitions, series) {
            let Some(verdict) = decision.verdict(event) else { continue };
            let id = match of {
                SeriesOf::Tuple(id) => *id,
                SeriesOf::Event => series.of(*definition, &definitions[*definition as usize].grouping, event),
            };
            hit(id, verdict);
        }
    }

    /// What an id stands for.
    pub fn series(&self, id: SeriesId) -> &SeriesKey {
        self.series.key(id)
    }

    /// How many series there are, each for the objectives of an SLO that count the same: those without groupBy from the
    /// start, others as events bring them. They are kept, so a caller whom unbounded group values make too many starts a new matcher.
    pub fn series_len(&self) -> usize {
        self.series.len()
    }
}

impl Definition {
    fn new(active: &Active, counts: &Indicator, objectives: Vec<usize>, series: &mut SeriesTable) -> Definition {
        let compile = |source: &str| Filter::compile(source).map_or(Expression::Unknown, Filter::into_expression);
        let (side, meaning) = match &counts.side {
            Side::Good(source) => (source, Verdict::Good),
            Side::Bad(source) => (source, Verdict::Bad),
        };
        let grouping = series.register(active, objectives);
        Definition { total: compile(&counts.total), side: compile(side), meaning, grouping }
    }
}

/// The distinct indicators of an SLO in the order of its objectives, each with the objectives that it is for.
fn indicators(slo: &Slo) -> Vec<(&Indicator, Vec<usize>)> {
    let mut found: Vec<(&Indicator, Vec<usize>)> = Vec::new();
    for (at, objective) in slo.objectives.iter().enumerate() {
        match found.iter_mut().find(|(indicator, _)| **indicator == objective.indicator) {
            Some((_, objectives)) => objectives.push(at),
            None => found.push((&objective.indicator, vec![at])),
        }
    }
    found
}

impl Verdict {
    fn opposite(self) -> Verdict {
        match self {
            Verdict::Good => Verdict::Bad,
            Verdict::Bad => Verdict::Good,
            Verdict::Unknown => Verdict::Unknown,
        }
    }

    /// The verdict of a side that is true, false or unknown; `self` is what true means.
    fn of(self, side: Option<bool>) -> Verdict {
        match side {
            Some(true) => self,
            Some(false) => self.opposite(),
            None => Verdict::Unknown,
        }
    }
}

impl Decision {
    /// From what remains of the filters; `None`: the events do not count.
    fn new(total: Expression, side: Expression, meaning: Verdict) -> Option<Decision> {
        let total = match total {
            Expression::Literal(Value::Bool(false)) => return None,
            Expression::Literal(Value::Bool(true)) => None,
            Expression::Unknown => return Some(Decision::Always(Verdict::Unknown)),
            open => Some(Box::new(open)),
        };
        Some(match (total, side) {
            (None, Expression::Literal(Value::Bool(side))) => Decision::Always(meaning.of(Some(side))),
            (None, Expression::Unknown) => Decision::Always(Verdict::Unknown),
            (None, side) => match latency_threshold(&side) {
                Some((comparison, bound)) => Decision::Latency { comparison, bound, meaning },
                None => Decision::Evaluate { total: None, side: Box::new(side), meaning },
            },
            (total, side) => Decision::Evaluate { total, side: Box::new(side), meaning },
        })
    }

    /// `None`: the event does not count.
    fn verdict(&self, event: &EventView<'_>) -> Option<Verdict> {
        Some(match self {
            Decision::Always(verdict) => *verdict,
            Decision::Latency { comparison, bound, meaning } => {
                meaning.of(event.latency_ms.map(|latency| comparison.holds(latency, *bound)))
            }
            Decision::Evaluate { total, side, meaning } => {
                match total.as_ref().map_or(Some(true), |total| total.truth(event)) {
                    Some(false) => return None,
                    Some(true) => meaning.of(side.truth(event)),
                    None => Verdict::Unknown,
                }
            }
        })
    }
}

/// `latency_ms <= 300` and its like, either way round.
fn latency_threshold(side: &Expression) -> Option<(Comparison, f64)> {
    let Expression::Compare(comparison, sides) = side else { return None };
    match sides.as_ref() {
        [Expression::Field(Field::LatencyMs), Expression::Literal(bound)] => Some((*comparison, bound.number()?)),
        [Expression::Literal(bound), Expression::Field(Field::LatencyMs)] => {
            Some((comparison.mirrored(), bound.number()?))
        }
        _ => None,
    }
}
