//! Where a silence stands at a time: one answer for the command line, the API and the gateway.

use slipstream_schemas::records::Silence as Written;

use super::silences::Silence;

/// What a silence does at a time. One that recurs is active while one of its times lasts, and pending before and between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceState {
    /// It applies.
    Active,
    /// It does not, and will.
    Pending,
    /// It never will again.
    Expired,
}

impl SilenceState {
    /// Its name in JSON and in tables.
    ///
    /// ```
    /// use slipstream_slo::alerts::SilenceState;
    ///
    /// assert_eq!(SilenceState::Pending.name(), "pending");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            SilenceState::Pending => "pending",
            SilenceState::Active => "active",
            SilenceState::Expired => "expired",
        }
    }
}

/// Where a silence stands at a time. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What it does.
    pub state: SilenceState,
    /// When it applies next; `None` while it does, and if it never will again.
    pub next: Option<i64>,
    /// Until when it applies; `None` if it does not, or until it is expired.
    pub until: Option<i64>,
}

impl Standing {
    /// Of what never applies.
    const NEVER: Standing = Standing { state: SilenceState::Expired, next: None, until: None };

    /// Of a silence as recorded. One that cannot be worked with holds nothing back.
    pub fn of(written: &Written, at: i64) -> Standing {
        Silence::new(written.clone()).map_or(Standing::NEVER, |silence| silence.standing(at))
    }
}

impl Silence {
    /// Where it stands at a time.
    pub fn standing(&self, at: i64) -> Standing {
        match (self.applies(at), self.next(at)) {
            (Some(until), _) => Standing { state: SilenceState::Active, next: None, until },
            (None, Some(next)) => Standing { state: SilenceState::Pending, next: Some(next), until: None },
            (None, None) => Standing::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::records::{LabelMatcher, MatchOp, Recurrence};

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn written(from: i64, to: Option<i64>, recurrence: Option<Recurrence>) -> Written {
        let matchers = vec![LabelMatcher { label: "service".to_owned(), op: MatchOp::Eq, value: "a".to_owned() }];
        let (id, author, reason) = ("s".to_owned(), String::new(), String::new());
        Written { id, matchers, from, to, recurrence, author, reason, created_at: 0 }
    }

    fn active(until: Option<i64>) -> Standing {
        Standing { state: SilenceState::Active, next: None, until }
    }

    fn pending(next: i64) -> Standing {
        Standing { state: SilenceState::Pending, next: Some(next), until: None }
    }

    #[test]
    fn a_silence_stands_where_it_applies() {
        let once = written(HOUR, Some(2 * HOUR), None);
        let open = written(HOUR, None, None);
        // From 02:00 to 03:00, until half past two of the third night.
        let nightly = Recurrence { cron: "0 2 * * *".to_owned(), zone: "UTC".to_owned(), seconds: 3_600 };
        let night = written(HOUR, Some(50 * HOUR + HOUR / 2), Some(nightly.clone()));
        let between = written(0, Some(49 * HOUR), Some(nightly));
        let (broken, never) = (written(2, Some(1), None), Standing::NEVER);
        for (silence, at, expected) in [
            (&once, 0, pending(HOUR)),
            (&once, HOUR, active(Some(2 * HOUR))),
            (&once, 2 * HOUR, never),
            (&open, i64::MAX, active(None)),
            (&night, 0, pending(2 * HOUR)),
            (&night, 2 * HOUR, active(Some(3 * HOUR))),
            (&night, 3 * HOUR, pending(26 * HOUR)),
            (&night, 50 * HOUR, active(Some(50 * HOUR + HOUR / 2))),
            (&night, 51 * HOUR, never),
            (&between, 27 * HOUR, never),
            (&broken, 0, never),
        ] {
            assert_eq!(Standing::of(silence, at), expected, "{silence:?} at {at}");
        }
    }
}
