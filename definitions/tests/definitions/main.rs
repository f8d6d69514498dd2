//! Definitions as their users meet them: OpenSLO documents in, definitions or diagnostics out; filters on events.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::disallowed_methods, reason = "hostile input is measured against a clock")]

mod budgets;
mod calendars;
mod contradictions;
mod conversions;
mod documents;
mod filters;
mod findings;
mod hostile;
mod mistakes;
mod roundtrip;
mod rules;
mod scalars;
mod warnings;
mod words;
