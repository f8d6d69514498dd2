//! Times that are valid but probably wrong: so old that no rolling window reaches the event, as when seconds or
//! milliseconds were sent where microseconds are expected; or ahead of our clock. The events are accepted, because an
//! import of old data is legitimate and a fast clock does no harm, but the response has a warning.

use jiff::Timestamp;
use slipstream_schemas::EventTime;

use crate::answer::Warning;

/// The longest window that an SLO can have.
pub(super) const TOO_LATE_DAYS: i64 = 90;
const TOO_LATE_MICROS: i64 = TOO_LATE_DAYS * 86_400 * 1_000_000;

/// More than clocks and time zones' drift would explain.
const AHEAD_MICROS: i64 = 3_600 * 1_000_000;

/// What a request has of them.
#[derive(Debug)]
pub(super) struct OddTimes {
    now: EventTime,
    pub too_late: Found,
    pub ahead: Found,
}

/// Events with the same oddity.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub events: u64,
    first: Option<(usize, EventTime)>,
}

impl OddTimes {
    pub(super) fn new(now: EventTime) -> Self {
        OddTimes { now, too_late: Found::default(), ahead: Found::default() }
    }

    /// Looks at the time of the event at `index`.
    pub(super) fn note(&mut self, index: usize, time: EventTime) {
        let age = self.now.0 - time.0;
        if age > TOO_LATE_MICROS {
            self.too_late.note(index, time);
        } else if age < -AHEAD_MICROS {
            self.ahead.note(index, time);
        }
    }

    /// The warnings in the response.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let too_late = self.too_late.warning("too-late", |events, first| {
            format!(
                "{events} older than {TOO_LATE_DAYS} days (the first: {first}): stored, but too late for any rolling \
                 window of an SLO. A number in `time` means microseconds since 1970"
            )
        });
        let ahead = self.ahead.warning("in-the-future", |events, first| {
            format!("{events} in the future (the first: {first}): counted as of now, stored with that time")
        });
        too_late.into_iter().chain(ahead).collect()
    }
}

impl Found {
    fn note(&mut self, index: usize, time: EventTime) {
        self.events += 1;
        self.first.get_or_insert((index, time));
    }

    fn warning(&self, warning: &str, message: impl FnOnce(String, String) -> String) -> Option<Warning> {
        let (first, time) = self.first?;
        // A valid time is one that can be shown.
        let time = Timestamp::from_microsecond(time.0).map_or_else(|_| time.0.to_string(), |time| time.to_string());
        let events = if self.events == 1 { "1 event is".to_owned() } else { format!("{} events are", self.events) };
        let message = message(events, time);
        Some(Warning { warning: warning.to_owned(), events: self.events, first, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn what_no_window_reaches_and_what_is_ahead_is_told_once_for_all() {
        let now = EventTime(1_772_359_200_000_000);
        let mut odd = OddTimes::new(now);
        for (index, time) in
            [now.0, now.0 - 90 * DAY, now.0 / 1_000, now.0 / 1_000_000, now.0 + DAY / 48, now.0 + DAY, 0]
                .into_iter()
                .enumerate()
        {
            odd.note(index, EventTime(time));
        }
        let [late, ahead] = &odd.warnings()[..] else { panic!("{:?}", odd.warnings()) };
        assert_eq!((late.warning.as_str(), late.events, late.first), ("too-late", 3, 2));
        assert!(late.message.starts_with("3 events are older than 90 days (the first: 1970-01-21T"), "{late:?}");
        assert!(late.message.contains("microseconds"), "{late:?}");
        assert_eq!((ahead.warning.as_str(), ahead.events, ahead.first), ("in-the-future", 1, 5));
        assert!(ahead.message.starts_with("1 event is in the future"), "{ahead:?}");
        assert!(OddTimes::new(now).warnings().is_empty());
    }
}
