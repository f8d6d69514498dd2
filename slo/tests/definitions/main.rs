//! Definitions as their users meet them: OpenSLO documents in, definitions or diagnostics out; filters and the matcher on
//! events.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::disallowed_methods, reason = "hostile input is measured against a clock")]

mod counting;
mod documents;
mod events;
mod filters;
mod findings;
mod hostile;
mod matching;
mod mistakes;
mod roundtrip;
