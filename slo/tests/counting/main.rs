//! What an event counts for: the matcher and tally's sums against a plain recount.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod columns;
mod matching;
mod tallied;
