//! Budgets of calendar periods: exact sums of the present period and of the one before.

use std::sync::{Mutex, PoisonError};

use slipstream_schemas::records::PeriodSnapshot;

use slipstream_definitions::calendar::{Calendar, Period};

/// The period that holds a moment, and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spans {
    pub present: Period,
    pub previous: Period,
}

impl Spans {
    /// Whether a second is in one of the periods.
    pub(super) fn contains(&self, second: i64) -> bool {
        self.present.contains(second) || self.previous.contains(second)
    }
}

/// A calendar that remembers where it is: time zones are looked up once a period, not once an event.
#[derive(Debug)]
pub(super) struct Clock {
    calendar: Calendar,
    last: Mutex<Option<Spans>>,
}

impl Clock {
    pub(super) fn new(calendar: &Calendar) -> Clock {
        Clock { calendar: calendar.clone(), last: Mutex::new(None) }
    }

    pub(super) fn at(&self, second: i64) -> Spans {
        // What is remembered is a copy of a pure function's value: it cannot be half written.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some(spans) if spans.present.contains(second) => spans,
            _ => {
                let present = self.calendar.period_at(second);
                let spans = Spans { present, previous: self.calendar.period_at(present.start - 1) };
                *last = Some(spans);
                spans
            }
        }
    }
}

/// What was bad, and how much there was, in a period that begins at `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    start: i64,
    pub bad: i64,
    pub total: i64,
}

/// The sums of a series. They know the periods by their starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Periods {
    pub present: Sum,
    pub previous: Sum,
}

impl Periods {
    /// Adds to the period that holds a second. What is older counts for no budget.
    pub(super) fn add(&mut self, spans: &Spans, second: i64, bad: i64, total: i64) {
        self.advance(spans);
        let sum = if spans.present.contains(second) {
            &mut self.present
        } else if spans.previous.contains(second) {
            &mut self.previous
        } else {
            return;
        };
        sum.bad += bad;
        sum.total += total;
    }

    /// The sums as of the periods that are given: time has gone on, perhaps, since something came.
    pub(super) fn at(mut self, spans: &Spans) -> Periods {
        self.advance(spans);
        self
    }

    fn advance(&mut self, spans: &Spans) {
        let known = [self.present, self.previous];
        let of = |period: Period| {
            let found = known.into_iter().find(|sum| sum.start == period.start);
            found.unwrap_or(Sum { start: period.start, ..Sum::default() })
        };
        if self.present.start != spans.present.start || self.previous.start != spans.previous.start {
            *self = Periods { present: of(spans.present), previous: of(spans.previous) };
        }
    }

    pub(super) fn snapshot(&self) -> Vec<PeriodSnapshot> {
        [self.present, self.previous]
            .map(|sum| PeriodSnapshot { start: sum.start, bad: sum.bad, total: sum.total })
            .into()
    }

    /// None where the window rolls.
    pub(super) fn restored(snapshot: &[PeriodSnapshot]) -> Option<Periods> {
        let sum =
            |i: usize| snapshot.get(i).map(|p: &PeriodSnapshot| Sum { start: p.start, bad: p.bad, total: p.total });
        Some(Periods { present: sum(0)?, previous: sum(1)? })
    }
}
