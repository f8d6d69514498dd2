//! The engine over logs whose every record is known: numbers against a plain recount, ranges that begin in the middle, and
//! every way in which it ends.
#![allow(clippy::unwrap_used, reason = "a test")]

mod dictionary;
mod ends;
mod generations;
mod groups;
mod range;
mod slos;
mod stopped;
mod timeline;
mod waits;
mod world;
