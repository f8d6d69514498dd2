//! What an SLO is: OpenSLO documents, CEL filters, rules as written, calendars, policies, diagnostics.
//!
//! Pure: no tokio, no clock, no randomness, no environment.

pub mod calendar;
pub mod decimal;
pub mod definition;
pub mod diagnostic;
pub mod document;
pub mod duration;
pub mod filter;
pub mod inhibits;
pub mod labels;
pub mod matchers;
pub mod openslo;
pub mod patterns;
pub mod policy;
pub mod recurrence;
pub mod suggest;
pub mod template;
pub mod time_interval;
