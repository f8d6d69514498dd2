//! Pages of raw events, by keyset: a page begins behind the last event of the one before, whatever has been stored meanwhile.

use slipstream_schemas::{LogTime, RequestEvent};

use crate::error::StoreError;
use crate::filter::EventFilter;

/// Events of a page at most.
pub const MOST_EVENTS: usize = 100_000;

/// By event time, then partition and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Oldest,
    /// Newest first.
    Newest,
}

/// A question for a page of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuestion {
    /// Which events.
    pub filter: EventFilter,
    /// In which order.
    pub order: Order,
    /// At most so many; within 1 and [`MOST_EVENTS`].
    pub limit: usize,
    /// Behind this place, in that order.
    pub after: Option<Cursor>,
}

impl EventQuestion {
    /// The oldest events that fit a filter.
    pub fn oldest(filter: EventFilter, limit: usize, after: Option<Cursor>) -> Self {
        EventQuestion { filter, order: Order::Oldest, limit, after }
    }

    /// The limit, within bounds.
    pub(crate) fn most(&self) -> usize {
        self.limit.clamp(1, MOST_EVENTS)
    }
}

/// A raw event, and its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// The event.
    pub event: RequestEvent,
    /// When the log took it.
    pub log_time: LogTime,
    /// Partition of request-events.
    pub partition: u32,
    /// Offset there.
    pub offset: i64,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventPage {
    /// In the order that was asked for.
    pub events: Vec<StoredEvent>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in the order of events: at the event it names. Its text form is opaque to its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Event time, microseconds.
    pub time: i64,
    /// Partition of request-events, as the store orders it.
    pub partition: i64,
    /// Offset there.
    pub offset: i64,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.time, self.partition, self.offset)
    }
}

impl std::str::FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let refused =
            || StoreError::Refused(format!("`{text}` is not a cursor: pass the `next` of the previous page unchanged"));
        // A time before 1970 begins with a minus.
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let mut parts = digits.split('-').map(|part| part.parse::<i64>().ok());
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten(), parts.next()) {
            (Some(time), Some(partition), Some(offset), None) => Ok(Cursor { time: sign * time, partition, offset }),
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_from_its_text() {
        for cursor in [Cursor { time: 5, partition: 0, offset: 9 }, Cursor { time: -5, partition: 1 << 33, offset: 0 }]
        {
            assert_eq!(cursor.to_string().parse::<Cursor>().ok(), Some(cursor));
        }
        for text in ["", "1-2", "x-1-2", "1-2-3-4", "--1-2-3"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
