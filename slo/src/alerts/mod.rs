//! What burn rates mean for alerts: one decision, shared by all that need it.
//!
//! `machine` is an alert's life, `decide` the transitions of one record, `open` the alerts that are not over. The alerter,
//! `slo test`, the simulation and the oracles of the tests decide with these, each over its own records.

mod decide;
#[cfg(test)]
mod fixtures;
mod hidden;
mod labels;
mod machine;
mod open;
mod silence_index;
mod silences;
mod standing;
mod told;

pub use self::decide::decide;
pub use self::hidden::{Hidden, hidden};
pub use self::labels::{Labels, SEVERITY, is_of_rule, labels};
pub use self::machine::{AlertState, Phase, alert_id, end, rule_sets, step};
pub use self::open::{Draft, OpenAlerts, SeriesKey};
pub use self::silences::{Silence, SilenceError, Silences, Silencing};
pub use self::standing::{SilenceState, Standing};
