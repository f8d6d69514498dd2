//! Rules to transitions, transitions to notifications.
//!
//! Two roles that meet only in the log:
//! - **evaluate** ([`run`]): burn-rates and definitions in, transitions of alert machines out, to `alerts`. The decision and its
//!   state, the last transition of each open alert, are [`slipstream_slo::alerts`], pure.
//! - **notify** ([`notifier::run`]): `alerts` in, webhooks out, one consumer group per receiver.
//!
//! Invariants upheld here: A1 same burn-rates, same transitions; A2 at most one resolved per firing and none without it; A3
//! what should be sent reaches each receiver at least once, in order per alert, with the key episode/seq/receiver.

mod error;
pub mod evaluate;
pub mod notifier;
mod telemetry;

pub use error::AlerterError;
pub use evaluate::run;
pub use notifier::links::Links;
pub use notifier::receiver::ReceiverConfig;
