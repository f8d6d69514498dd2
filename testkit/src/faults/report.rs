//! The report of a run of faults, for people.

use std::fmt;
use std::time::Duration;

use super::recovery::{Faults, HEALTHY, Recovery};
use super::told::DeliveryAudit;
use super::windows::Compared;
use crate::replays;

/// The report.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Seed of plan and traffic.
    pub seed: u64,
    /// What it ran on.
    pub on: String,
    /// From the first fault to the last recovery.
    pub took: Duration,
    /// Events that a gateway acknowledged, each once.
    pub acknowledged: usize,
    /// Copies of events that were sent on purpose after their acknowledgement, and taken.
    pub sent_twice: usize,
    /// Requests that got no response, or were told to retry.
    pub retried: usize,
    /// Copies in the log that are not counted.
    pub redelivered: usize,
    /// Cells (series, tick, slot) of tallies that equal a recount.
    pub cells: usize,
    /// Burn rates folded again.
    pub refolded: usize,
    /// Burn rates against the recount.
    pub compared: Compared,
    /// Transitions, each once in the topic and in the table.
    pub transitions: usize,
    /// Episodes of alerts that a replay of the log gave again.
    pub replayed: replays::Compared,
    /// Notifications.
    pub told: DeliveryAudit,
    /// How alerting was meanwhile.
    pub recovery: Recovery,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: usize = self.recovery.faults.values().map(|faults| faults.times).sum();
        writeln!(f, "faults: seed {}, {faults} in {:.0} s, on {}", self.seed, self.took.as_secs_f64(), self.on)?;
        for (kind, faults) in &self.recovery.faults {
            writeln!(f, "  {:>4} x {kind:<18} {}", faults.times, back(faults))?;
        }
        self.lines().iter().try_for_each(|(name, line)| writeln!(f, "  {name:<12} {line}"))
    }
}

impl Report {
    fn lines(&self) -> [(&'static str, String); 9] {
        let Report { acknowledged, sent_twice, retried, redelivered, cells, refolded, transitions, .. } = self;
        let Compared { complete, incomplete } = self.compared;
        let DeliveryAudit { due, delivered, not_due, deliveries, .. } = &self.told;
        let (median, most) = (self.recovery.median.as_secs_f64(), self.recovery.most.as_secs_f64());
        let (typical, (longest, round)) = (self.recovery.typical, &self.recovery.longest);
        let again = format!("{retried} requests sent again, {sent_twice} copies sent on purpose");
        let told = format!("{delivered} delivered in order, {not_due} over before they could be sent");
        [
            ("events", format!("{acknowledged} acknowledged, 0 lost, 0 duplicated")),
            ("", format!("{again}; {redelivered} copies in the log, all dropped")),
            ("tallies", format!("{cells} cells of series, tick and slot equal a recount; every offset covered once")),
            (
                "burn rates",
                format!(
                    "{refolded} equal a refold; {complete} complete ones equal a recount, {incomplete} are incomplete"
                ),
            ),
            ("transitions", format!("{transitions} expected and seen, each once in topic and table")),
            ("replay", self.replayed.to_string()),
            ("notified", format!("{due} due, {told}, in {deliveries} requests")),
            ("alerts", format!("{median:.1} s from tick to receiver (median), {most:.1} s at most")),
            (
                "recovery",
                format!(
                    "{:.1} s from fault to recovery of alerting (median), {:.1} s at most ({round})",
                    typical.as_secs_f64(),
                    longest.as_secs_f64()
                ),
            ),
        ]
    }
}

/// When alerts were as they should be again, at most.
fn back(faults: &Faults) -> String {
    let said = |time: Duration, with: &str| match time.is_zero() {
        true => format!("alerting not disturbed for more than {} s{with}", HEALTHY.as_secs()),
        false => format!("alerting recovered after {:.1} s at most{with}", time.as_secs_f64()),
    };
    let alone = faults.alone.map(|time| said(time, ""));
    let with_another = faults.with_another.map(|time| said(time, " (with another fault at the same time)"));
    [alone, with_another].into_iter().flatten().collect::<Vec<_>>().join("; ")
}
