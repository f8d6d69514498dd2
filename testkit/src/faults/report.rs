//! What a run of faults came to, for people.

use std::fmt;
use std::time::Duration;

use super::recovery::{Faults, HEALTHY, Lateness};
use super::told::Told;
use super::windows::Compared;

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
    /// Events that were sent again on purpose after their acknowledgement.
    pub sent_twice: usize,
    /// Requests that got no answer, or were told to come again.
    pub retried: usize,
    /// Copies that the log holds and nobody counts.
    pub redelivered: usize,
    /// Cells (series, tick, slot) of tallies that equal a recount.
    pub cells: usize,
    /// Burn rates folded again.
    pub refolded: usize,
    /// Burn rates against the recount.
    pub compared: Compared,
    /// Transitions, each once in the topic and in the table.
    pub transitions: usize,
    /// Notifications.
    pub told: Told,
    /// How late they were.
    pub lateness: Lateness,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, on, took, acknowledged, sent_twice, retried, redelivered, .. } = self;
        let faults: usize = self.lateness.faults.values().map(|faults| faults.times).sum();
        writeln!(f, "faults: seed {seed}, {faults} in {:.0} s, on {on}", took.as_secs_f64())?;
        for (kind, Faults { times, alone }) in &self.lateness.faults {
            let late = match alone {
                None => String::new(),
                Some(Duration::ZERO) => format!("alone: alerts never later than {} s", HEALTHY.as_secs()),
                Some(time) => format!("alone: alerts in time again after {:.1} s at most", time.as_secs_f64()),
            };
            writeln!(f, "  {times:>4} x {kind:<18} {late}")?;
        }
        writeln!(f, "  events      {acknowledged} acknowledged, lost 0, doubled 0")?;
        writeln!(
            f,
            "              {retried} requests sent again, {sent_twice} events sent twice on purpose, {redelivered} copies dropped"
        )?;
        writeln!(
            f,
            "  tallies     {} cells of series, tick and slot equal a recount, no offset twice, none left out",
            self.cells
        )?;
        let Compared { complete, incomplete } = self.compared;
        writeln!(
            f,
            "  burn rates  {} folded again, {complete} complete ones equal a recount, {incomplete} incomplete",
            self.refolded
        )?;
        writeln!(f, "  transitions {} expected, each once in topic and table", self.transitions)?;
        let Told { due, delivered, not_due, deliveries, .. } = &self.told;
        writeln!(
            f,
            "  notified    {due} due, {delivered} delivered in order, {not_due} over before anybody could be told, {deliveries} requests"
        )?;
        let late = &self.lateness;
        write!(
            f,
            "  alerts      {:.1} s from tick to receiver (median), at most {:.1} s",
            late.median.as_secs_f64(),
            late.most.as_secs_f64()
        )?;
        let (time, round) = &late.longest;
        match time.is_zero() {
            true => Ok(()),
            false => write!(
                f,
                "\n              longest from fault to recovered alerting {:.1} s ({round})",
                time.as_secs_f64()
            ),
        }
    }
}
