//! The roles' names: the consumer group of each, and its name on the board of states and in metrics.

use slipstream_runtime::config::Role;

/// request-events to sli-tallies.
pub const TALLY: &str = Role::Tally.name();
/// sli-tallies to burn-rates.
pub const BURN: &str = Role::Burn.name();
/// The log to the store.
pub const SINK: &str = Role::Sink.name();
/// burn-rates to alerts.
pub const ALERTER: &str = Role::Alerter.name();
/// alerts to receivers; each receiver has its own group.
pub const NOTIFIER: &str = Role::Notifier.name();

/// The notifier of a receiver.
pub fn notifier_of(receiver: &str) -> String {
    format!("{NOTIFIER}-{receiver}")
}

/// Whether a name is that of a receiver's notifier.
pub fn is_notifier(name: &str) -> bool {
    name.strip_prefix(NOTIFIER).is_some_and(|rest| rest.starts_with('-'))
}
