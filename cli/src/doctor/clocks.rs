//! Clocks that are compared: by how much they may differ.

use std::time::{SystemTime, UNIX_EPOCH};

use slipstream_log::kafka::admin::Finding;

/// By how much a clock is ahead of this machine's, and how accurate that is. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// Ahead; negative: behind.
    pub ms: i64,
    /// Off by at most this.
    pub within: i64,
}

/// The check of the broker's clock.
pub const BROKER: &str = "clock of the broker";
const DATABASE: &str = "clock of the database";

/// Beyond this, times of events are wrong by a second.
const TOLERATED_MS: i64 = 1_000;

impl Ahead {
    /// From a reading of another clock between two readings of ours; all in milliseconds.
    pub fn of(before: i64, told: i64, after: i64) -> Ahead {
        Ahead { ms: told - before.midpoint(after), within: (after - before) / 2 + 1 }
    }

    /// How far apart two clocks are that were both compared with ours.
    fn less(self, other: Ahead) -> Ahead {
        Ahead { ms: self.ms - other.ms, within: self.within + other.within }
    }

    fn surely_beyond(self) -> bool {
        self.ms.abs() - self.within > TOLERATED_MS
    }
}

/// This machine's clock, milliseconds.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

const TODO: &str = "synchronise both machines with the same time service (chrony, systemd-timesyncd)";

/// The broker's clock against this machine's.
pub fn broker(ahead: Ahead) -> Finding {
    let Ahead { ms, within } = ahead;
    if ahead.surely_beyond() {
        let message = format!(
            "{ms} ms ahead of this machine's (± {within} ms): events are never later than the broker's clock, and ticks \
             are its seconds"
        );
        return Finding::warn(BROKER, message, TODO);
    }
    Finding::ok(BROKER, format!("{ms} ms ahead of this machine's (± {within} ms)"))
}

/// The database's clock against the broker's, or against this machine's without a broker.
pub fn database(database: Ahead, broker: Option<Ahead>) -> Finding {
    let (apart, other) = match broker {
        Some(broker) => (database.less(broker), "the broker's"),
        None => (database, "this machine's"),
    };
    let Ahead { ms, within } = apart;
    let message = format!("{ms} ms ahead of {other} (± {within} ms)");
    if apart.surely_beyond() {
        let message = format!("{message}: \"the last five minutes\" in SQL are not those of the events");
        return Finding::warn(DATABASE, message, TODO);
    }
    Finding::ok(DATABASE, message)
}

#[cfg(test)]
mod tests {
    use slipstream_log::kafka::admin::Severity;

    use super::*;

    #[test]
    fn only_what_is_surely_apart_is_told() {
        for (before, told, after, severity) in [
            (0, 0, 0, Severity::Ok),
            (1_000, 1_900, 1_010, Severity::Ok),
            (1_000, 5_000, 1_010, Severity::Warn),
            (10_000, 1_000, 10_010, Severity::Warn),
            // The response took too long to decide.
            (0, 5_000, 8_000, Severity::Ok),
        ] {
            assert_eq!(broker(Ahead::of(before, told, after)).severity, severity, "{before} {told} {after}");
        }
    }

    #[test]
    fn two_clocks_that_are_both_wrong_may_agree() {
        let wrong = Ahead { ms: 60_000, within: 5 };
        assert_eq!(database(wrong, Some(wrong)).severity, Severity::Ok);
        assert_eq!(database(wrong, None).severity, Severity::Warn);
        assert_eq!(database(Ahead { ms: 0, within: 5 }, Some(wrong)).severity, Severity::Warn);
    }
}
